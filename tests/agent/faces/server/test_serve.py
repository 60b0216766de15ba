"""The command `serve`: what it refuses at once, and a real process from start to SIGTERM."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.faces.cli import main

pytest.importorskip("uvicorn")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "192.0.2.1"], "--token-file"),
        (["--port", "99999"], "port"),
        (["--token-file", "/nowhere/tokens.txt"], "cannot be read"),
        (["--grace", "-1"], "seconds"),
        (["--waiting-jobs", "many"], "whole number"),
        (["--models", "no-such-set"], "no-such-set"),
        (["--llm", "no-such-model"], "no-such-model"),
    ],
)
def test_what_cannot_be_served_is_said_at_once(capsys, tmp_path: Path, arguments: list[str], words: str) -> None:
    assert main(["serve", "--json", "--workspace", str(tmp_path), *arguments]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert words in error["message"]


def test_a_workspace_is_served_once(capsys, tmp_path: Path) -> None:
    from tests.agent.service.tiny import open_service

    service = open_service(tmp_path, work=False)
    assert main(["serve", "--json", "--port", "0", "--workspace", str(tmp_path)]) == 2
    assert "Another process serves" in json.loads(capsys.readouterr().out)["error"]["message"]
    service.close()
    service.workspace.close()


@pytest.mark.slow
def test_a_process_serves_logs_and_stops_at_sigterm(tmp_path: Path) -> None:
    import httpx

    from agent.service.database import Database

    command = [sys.executable, "-m", "agent.faces.cli", "serve", "--json", "--port", "0", "--workspace", str(tmp_path)]
    process = subprocess.Popen(
        [*command, "--grace", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[4],
    )
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]
    with httpx.Client(base_url=url, timeout=60) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        key = client.post("/v1/conversations", json={"example": "cup"}).json()["id"]
        job = client.post(f"/v1/conversations/{key}/messages", json={"text": "make the cup green"}).json()
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0
    assert all(json.loads(line)["event"] for line in errors.splitlines() if line.startswith("{")) and key not in errors
    database = Database(tmp_path)
    (row,) = database.query("SELECT state FROM jobs WHERE id = ?", job["id"])
    database.close()
    assert row["state"] in ("queued", "running", "done")
