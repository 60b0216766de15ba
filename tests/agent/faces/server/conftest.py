"""A client of the whole application, in this process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("multipart")
pytest.importorskip("prometheus_client")

from starlette.testclient import TestClient  # noqa: E402

from agent.faces.door import Door  # noqa: E402
from agent.faces.server.app import build_app  # noqa: E402
from agent.service.service import Service  # noqa: E402
from tests.agent.service.tiny import open_service, tiny_models  # noqa: E402


@pytest.fixture
def models():
    return tiny_models()


@pytest.fixture
def service(tmp_path: Path, models) -> Iterator[Service]:
    made = open_service(tmp_path / "workspace", models)
    yield made
    models.editor.go.set()
    made.close(5)
    made.workspace.close()


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(build_app(service, Door()), base_url="http://127.0.0.1") as made:
        yield made
