"""A tool context on the smallest real parts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools.tiny_models import TinyModels, boxes
from tools.context import ToolContext
from tools.events import Event
from tools.workspace import Workspace


@pytest.fixture
def context(tmp_path: Path) -> Iterator[ToolContext]:
    with Workspace(tmp_path, durable=False) as workspace:
        events: list[Event] = []
        made = ToolContext(TinyModels(), workspace.start(boxes("red", "blue", "red")), emit=events.append)
        made.events = events  # type: ignore[attr-defined]
        yield made
