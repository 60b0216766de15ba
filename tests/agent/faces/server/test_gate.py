"""Who comes in: tokens, names, origins, sizes, rates; and what the server says of itself."""

import hashlib
import io
import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from agent.faces.door import Door, Token, read_tokens
from agent.faces.server.app import build_app
from agent.faces.server.logs import switch_on
from agent.service.limits import ServiceLimits
from instructedit_models.errors import BadParameterError
from tests.agent.service.tiny import open_service, picture

PNG = {"Content-Type": "image/png"}
LIMITS = ServiceLimits(requests_a_minute=0, picture_bytes=50_000)


@pytest.fixture
def tokens(tmp_path: Path) -> tuple[Token, ...]:
    ended = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    file = tmp_path / "tokens.txt"
    file.write_text(f"ann-0123456789abcdef # Ann\nben-0123456789abcdef 2999-01-01\nold-0123456789abcdef {ended}\n")
    return read_tokens(file)


@pytest.fixture
def guarded(tmp_path: Path, tokens):
    service = open_service(tmp_path / "workspace", limits=LIMITS)
    door = Door(host="127.0.0.1", tokens=tokens)
    with TestClient(build_app(service, door), base_url="http://127.0.0.1") as client:
        yield client
    service.close(5)
    service.workspace.close()


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}-0123456789abcdef"}


def test_tokens_are_needed_and_conversations_belong_to_them(guarded) -> None:
    for headers in ({}, bearer("eve"), bearer("old"), {"Authorization": "Basic YTpi"}):
        answer = guarded.post("/v1/conversations", content=picture(), headers=PNG | headers)
        assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
        assert guarded.get("/metrics", headers=headers).status_code == 401
    assert guarded.get("/").status_code == 200 and guarded.get("/healthz").status_code == 200
    told = guarded.get("/v1/server").json()
    assert told["token_needed"] and "queue" not in told
    key = guarded.post("/v1/conversations", content=picture(), headers=PNG | bearer("ann")).json()["id"]
    assert guarded.get(f"/v1/conversations/{key}", headers=bearer("ann")).status_code == 200
    for path in (f"/v1/conversations/{key}", f"/v1/conversations/{key}/images/image_1"):
        assert guarded.get(path, headers=bearer("ben")).status_code == 404
    job = guarded.post(f"/v1/conversations/{key}/messages", json={"text": "hi"}, headers=bearer("ann")).json()
    for ask in (guarded.get, guarded.delete):
        assert ask(job["url"], headers=bearer("ben")).status_code == 404
    assert guarded.get(job["events_url"], headers=bearer("ben")).status_code == 404


def test_a_browser_trades_its_token_for_a_cookie(guarded) -> None:
    assert guarded.post("/v1/login", json={"token": "wrong"}).status_code == 401
    login = guarded.post("/v1/login", json={"token": "ann-0123456789abcdef"})
    assert login.status_code == 204
    assert "HttpOnly" in login.headers["set-cookie"] and "SameSite=strict" in login.headers["set-cookie"]
    assert guarded.get("/metrics").status_code == 200
    assert guarded.post("/v1/logout").status_code == 204
    assert guarded.get("/metrics").status_code == 401


def test_another_address_needs_a_token_and_a_name() -> None:
    with pytest.raises(BadParameterError, match="--token-file"):
        Door(host="192.0.2.1")
    with pytest.raises(BadParameterError, match="--allow-host"):
        Door(host="0.0.0.0", tokens=(Token(hashlib.sha256(b"x").digest()),))


def test_other_names_and_other_sites_are_refused(client) -> None:
    assert client.get("/v1/server", headers={"Host": "evil.example"}).status_code == 421
    assert client.get("/v1/server", headers={"Host": "localhost:8008"}).status_code == 200
    foreign = PNG | {"Origin": "https://evil.example"}
    assert client.post("/v1/conversations", content=picture(), headers=foreign).status_code == 403
    own = PNG | {"Origin": "http://127.0.0.1"}
    answer = client.post("/v1/conversations", content=picture(), headers=own)
    assert answer.status_code == 201 and "access-control-allow-origin" not in answer.headers
    for name in ("content-security-policy", "x-content-type-options", "x-request-id"):
        assert name in client.get("/").headers


def test_large_bodies_are_refused_with_and_without_a_length(guarded) -> None:
    many = b"x" * 200_000
    said = guarded.post("/v1/conversations", content=many, headers=PNG | bearer("ann"))
    assert said.status_code == 413 and said.json()["error"]["kind"] == "too_large"
    unsaid = guarded.post("/v1/conversations", content=iter([many[:100_000], many]), headers=PNG | bearer("ann"))
    assert unsaid.status_code == 413
    form = guarded.post("/v1/conversations", files={"image": ("a.png", many)}, headers=bearer("ann"))
    assert form.status_code == 413
    key = guarded.post("/v1/conversations", content=picture(), headers=PNG | bearer("ann")).json()["id"]
    long = guarded.post(f"/v1/conversations/{key}/messages", json={"text": "x" * 150_000}, headers=bearer("ann"))
    assert long.status_code == 413


def test_who_asks_too_much_is_told_when_to_come_back(tmp_path: Path) -> None:
    limits = ServiceLimits(requests_a_minute=30, waiting_jobs_each=1)  # five at once, then one every two seconds
    service = open_service(tmp_path, limits=limits, work=False)
    with TestClient(build_app(service, Door()), base_url="http://127.0.0.1") as client:
        key = client.post("/v1/conversations", content=picture(), headers=PNG).json()["id"]
        answers = [client.post(f"/v1/conversations/{key}/messages", json={"text": "x"}) for _ in range(2)]
        assert [one.status_code for one in answers] == [202, 429]
        assert answers[1].json()["error"]["kind"] == "queue_full" and int(answers[1].headers["retry-after"]) >= 1
        answers = [client.get("/v1/server") for _ in range(12)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert answers[0].status_code == 200 and refused and refused[0].json()["error"]["type"] == "rate_limit_error"
        assert client.get("/healthz").status_code == 503  # no worker in this test
        service.stopping.set()
    service.close()
    service.workspace.close()


def test_metrics_and_logs_name_routes_and_no_secrets(client) -> None:
    lines = io.StringIO()
    handler = switch_on(lines)
    try:
        answer = client.post("/v1/conversations", content=picture(), headers=PNG | {"X-Filename": "secret-name.png"})
        key = answer.json()["id"]
        client.post(f"/v1/conversations/{key}/messages?wait=30", json={"text": "make the secret box green"})
        client.get("/nothing")
    finally:
        logging.getLogger("instructedit").removeHandler(handler)
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert {"request", "job"} <= {one["event"] for one in told}
    assert "/v1/conversations/{conversation}/messages" in {one.get("route") for one in told}
    assert key not in lines.getvalue() and "secret" not in lines.getvalue()
    text = client.get("/metrics").text
    assert 'instructedit_requests_total{method="POST",route="/v1/conversations",status="201"} 1.0' in text
    assert 'instructedit_jobs{state="done"} 1.0' in text and "instructedit_worker_alive 1.0" in text
    assert key not in text


def test_every_error_has_the_one_shape(client) -> None:
    from agent.faces.server.shapes import ErrorAnswer

    for answer in (
        client.get("/v1/nothing"),
        client.put("/v1/conversations"),
        client.get("/page/..%2Fapp.py"),
        client.post("/v1/conversations", content=b"{", headers={"Content-Type": "application/json"}),
        client.post("/v1/conversations", content=b"text", headers={"Content-Type": "text/plain"}),
        client.post("/v1/conversations", content=b"", headers=PNG),
        client.post("/v1/conversations", data={"image": "no file"}),
        client.get("/v1/jobs/none"),
        client.get("/v1/conversations/none/images/image_1?width=3"),
    ):
        assert 400 <= answer.status_code < 500, answer.text
        ErrorAnswer.model_validate(answer.json())
