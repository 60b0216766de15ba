"""The OpenAPI document against the application: whatever it allows, or does not, is answered as it says."""

from collections.abc import Iterator

import pytest

schemathesis = pytest.importorskip("schemathesis")

from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from agent.service.limits import ServiceLimits  # noqa: E402
from tests.agent.faces.server.live import live  # noqa: E402
from tests.agent.service.tiny import open_service, picture  # noqa: E402

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
LIMITS = ServiceLimits(requests_a_minute=0, waiting_jobs=5000, waiting_jobs_each=5000)
QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[tuple[str, str, str]]:
    """An address, a conversation there with an edit, and the edit's job."""
    import httpx

    service = open_service(tmp_path_factory.mktemp("served"), limits=LIMITS)
    with live(service) as address, httpx.Client(base_url=address, timeout=120) as client:
        answer = client.post("/v1/conversations", content=picture(), headers={"Content-Type": "image/png"})
        key = answer.json()["id"]
        job = client.post(f"/v1/conversations/{key}/messages?wait=30", json={"text": "make the blue box green"}).json()
        assert client.get(f"/v1/conversations/{key}/bundle").status_code == 200  # imports what takes long
        yield address, key, job["id"]
    service.close(5)
    service.workspace.close()


def operations(address: str) -> list:
    schema = schemathesis.openapi.from_url(f"{address}/v1/openapi.json")
    assert schema.raw_schema["openapi"].startswith("3.1")
    return [found.ok() for found in schema.get_all_operations()]


def explore(served: tuple[str, str, str], examples: int) -> int:
    """Sends generated requests to every route, half of them about things that are there; returns how many."""
    address, key, job = served
    return sum(explore_one(operation, examples, key, job) for operation in operations(address))


def explore_one(operation, examples: int, key: str, job: str) -> int:
    there = {"conversation": key, "job": job, "image_id": "image_2", "mask_id": "mask_2", "name": "cup"}
    if (operation.path, operation.method.upper()) == ("/v1/conversations/{conversation}", "DELETE"):
        there = {}  # the others need it
    sent = 0

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=QUIET,
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy())
    def check(case) -> None:
        nonlocal sent
        sent += 1
        if sent % 2:
            case.path_parameters.update({k: v for k, v in there.items() if k in case.path_parameters})
        if case.query and float_of(case.query.get("wait")) > 0:
            case.query["wait"] = 0.01
        case.call_and_validate(checks=CHECKS, timeout=60)

    check()
    return sent


def float_of(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return 0.0


def test_generated_requests_are_answered_as_the_document_says(served) -> None:
    assert explore(served, 3) > 50


@pytest.mark.slow
def test_thousands_of_generated_requests(served) -> None:
    assert explore(served, 110) >= 2000
