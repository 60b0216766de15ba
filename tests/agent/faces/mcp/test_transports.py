"""The MCP server over its two transports, as processes and through sockets, and who is let in over HTTP."""

import contextlib
import hashlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

pytest.importorskip("mcp")

import anyio
import httpx
import httpx2
import uvicorn
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from agent.faces.door import Door, Token, listen, read_tokens
from agent.faces.mcp.server import build_server
from agent.faces.mcp.serving import PATH, http_app
from instructedit_models.errors import BadParameterError
from tests.agent.faces.mcp.serving_desk import decoded, encoded, has, place, two_boxes
from tests.tools.tiny_models import boxes

ROOT = Path(__file__).resolve().parents[4]
GREEN = "make the blue box green"
SERVER = ["-m", "tests.agent.faces.mcp.tiny_server"]
TOKEN = "a-token-of-enough-characters"


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("INSTRUCTEDIT_", "OPENAI_"))}
    return kept | {"PYTHONPATH": str(ROOT), "INSTRUCTEDIT_SAFETY": "off", "PYTHONUNBUFFERED": "1"}


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


@contextlib.contextmanager
def served(folder: Path, tokens: tuple[Token, ...] = ()) -> Iterator[str]:
    """A server over HTTP in a thread; its address."""
    door = Door(tokens=tokens)
    with place(folder) as at, listen(door) as listening:
        app = http_app(build_server(at.desk, at.jobs, listing=False), door, 1_000_000)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}{PATH}"
        finally:
            server.should_exit = True
            thread.join(20)


def test_stdio_carries_an_edit_and_nothing_but_the_protocol(tmp_path: Path):
    """The real command in a process of its own; a library of it prints on stdout, which would break the protocol."""
    boxes("red", "blue").save(tmp_path / "in.png")
    arguments = [*SERVER, "--workspace", str(tmp_path / "kept"), "--root", str(tmp_path)]
    steps: list[float] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        steps.append(done)

    async def run() -> None:
        server = StdioServerParameters(command=sys.executable, args=arguments, env=environment(), cwd=ROOT)
        async with Client(server) as client:
            assert (await client.list_tools()).tools[0].name == "edit_image"
            call = {"instruction": GREEN, "path": "in.png", "wait_seconds": 50}
            result = await client.call_tool("edit_image", call, progress_callback=progress)
            data = result.structured_content
            assert data["verified"] and has(decoded(result.content[1].data), "green")
            whole = (await client.read_resource(data["picture"])).contents[0]
            assert has(decoded(whole.blob), "green")
            assert len((await client.list_resources()).resources) == 2

    anyio.run(run)
    assert len(steps) > 25
    from tools.workspace import Workspace

    with Workspace(tmp_path / "kept", create=False) as workspace:
        (kept,) = workspace.overview()
    assert (kept.turns, kept.versions) == (1, 2)


def test_every_line_on_stdout_is_a_message(tmp_path: Path):
    hello = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
    }  # fmt: skip
    call = {
        "jsonrpc": "2.0", "id": 2, "method": "tools/call",
        "params": {"name": "edit_image", "arguments": {"instruction": GREEN, "image_base64": two_boxes()}},
    }  # fmt: skip
    sent = [hello, {"jsonrpc": "2.0", "method": "notifications/initialized"}, call]
    command = [sys.executable, *SERVER, "--workspace", str(tmp_path)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, cwd=ROOT, env=environment(), text=True, **pipes) as process:
        assert process.stdin and process.stdout and process.stderr
        for message in sent:
            process.stdin.write(json.dumps(message) + "\n")
        process.stdin.write("this is no JSON\n")
        process.stdin.flush()
        lines, ids = [], set()
        while ids < {1, 2}:
            assert select.select([process.stdout], [], [], 120)[0], "no answer in time"
            lines.append(json.loads(process.stdout.readline()))
            ids.add(lines[-1].get("id"))
        process.stdin.close()
        rest = process.stdout.read()
        errors = process.stderr.read()
        assert process.wait(60) == 0 and not rest.strip()
    assert all(line["jsonrpc"] == "2.0" for line in lines)
    assert next(line for line in lines if line.get("id") == 2)["result"]["structuredContent"]["verified"]
    assert "a library speaks on stdout" in errors


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_http_carries_an_edit(tmp_path: Path, mode: str):
    steps: list[float] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        steps.append(done)

    async def run(address: str) -> None:
        async with Client(address, mode=mode) as client:  # type: ignore[arg-type]
            call = {"instruction": GREEN, "image_base64": two_boxes()}
            result = await client.call_tool("edit_image", call, progress_callback=progress)
            assert has(decoded(result.content[1].data), "green")
            whole = (await client.read_resource(result.structured_content["picture"])).contents[0]
            assert has(decoded(whole.blob), "green")
            assert (await client.list_resources()).resources == []
            assert (await client.call_tool("open_picture", {"path": "/etc/passwd"})).is_error

    with served(tmp_path) as address:
        anyio.run(run, address)
    assert len(steps) > 25 and steps == sorted(set(steps))


def test_several_clients_at_once_get_their_own_pictures(tmp_path: Path):
    colours = ("green", "yellow", "purple", "red")
    got: dict[str, str] = {}

    async def one(address: str, colour: str) -> None:
        async with Client(address) as client:
            call = {"instruction": f"make the blue box {colour}", "image_base64": encoded(boxes("blue"))}
            result = await client.call_tool("edit_image", call)
            assert has(decoded(result.content[1].data), colour)
            got[colour] = result.structured_content["conversation"]

    async def run(address: str) -> None:
        async with anyio.create_task_group() as group:
            for colour in colours:
                group.start_soon(one, address, colour)

    with served(tmp_path) as address:
        anyio.run(run, address)
    assert len(set(got.values())) == len(colours)


def test_http_lets_in_only_those_with_a_token(tmp_path: Path):
    late = Token(digest("one-that-ended-long-ago"), datetime.now(UTC) - timedelta(seconds=1))
    tokens = (Token(digest(TOKEN), datetime.now(UTC) + timedelta(hours=1)), late)

    async def run(address: str) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with (
            httpx2.AsyncClient(headers=headers) as http,
            Client(streamable_http_client(address, http_client=http)) as client,
        ):
            assert (await client.list_tools()).tools

    with served(tmp_path, tokens) as address:
        anyio.run(run, address)
        for given in (None, "Bearer", "Bearer wrong-token-of-that-length", f"Basic {TOKEN}", f"Bearer {TOKEN}x",
                      "Bearer one-that-ended-long-ago"):  # fmt: skip
            answer = httpx.post(address, headers={"Authorization": given} if given else {}, json={})
            assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer", given
            assert TOKEN not in answer.text


def test_http_refuses_other_hosts_origins_and_sizes(tmp_path: Path):
    with served(tmp_path) as address:
        good = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        assert httpx.post(address, headers=good | {"host": "evil.example:80"}, json={}).status_code == 421
        assert httpx.post(address, headers=good | {"origin": "http://evil.example"}, json={}).status_code == 403
        assert httpx.post(address, headers=good, content=b"x" * 3_000_000).status_code == 413
        assert httpx.post(address, headers=good, content=b"{broken").status_code == 400
        answer = httpx.options(address, headers={"origin": "http://evil.example"})
        assert "access-control-allow-origin" not in answer.headers


def test_the_command_serves_http_and_stops_when_told(tmp_path: Path):
    command = [sys.executable, *SERVER, "--transport", "http", "--port", "0", "--workspace", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        line = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/mcp", line)
        assert found, line

        async def run() -> None:
            async with Client(found.group()) as client:
                result = await client.call_tool("open_picture", {"image_base64": two_boxes()})
                assert result.structured_content["size"] == [96, 64]

        for _ in range(100):
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", int(found.group().split(":")[2][:-4])), 1),
            ):
                break
            time.sleep(0.05)
        anyio.run(run)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) in (0, -signal.SIGTERM)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--transport", "http", "--host", "192.0.2.1"], "--token-file"),
        (["--transport", "http", "--host", "0.0.0.0"], "--token-file"),
        (["--transport", "http", "--root", "."], "--root is for stdio"),
        (["--port", "80"], "--port is for --transport http"),
        (["--token-file", "x"], "--token-file is for --transport http"),
        (["--root", "/no/such/folder"], "is not a folder"),
        (["--transport", "http", "--port", "99999"], "0 to 65535"),
        (["--transport", "http", "--token-file", "/no/such/file"], "cannot be read"),
        (["--transport", "carrier-pigeon"], "invalid choice"),
    ],
)
def test_a_wrong_call_of_the_command_is_one_sentence(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    from agent.faces.cli import main

    assert main(["mcp", "--workspace", str(tmp_path), *options]) == 2
    out, err = capsys.readouterr()
    assert said in err and len(err.splitlines()) == 1 and not out


def test_without_the_package_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    from agent.faces.cli import main
    from agent.faces.commands import mcp

    monkeypatch.setattr(mcp.importlib.util, "find_spec", lambda name: None)
    assert main(["mcp"]) == 1
    assert "pip install 'instructedit[mcp]'" in capsys.readouterr().err


def test_other_addresses_need_a_token_and_a_name():
    token = (Token(digest(TOKEN)),)
    assert Door(host="::1").local and Door(host="127.0.0.1").local and Door(host="localhost").local
    with pytest.raises(BadParameterError, match="--allow-host"):
        Door(host="0.0.0.0", tokens=token)
    door = Door(host="192.0.2.1", tokens=token, names=("pictures.example.org",))
    assert door.hosts == ["192.0.2.1", "192.0.2.1:*", "pictures.example.org", "pictures.example.org:*"]


def test_a_taken_port_is_said():
    with listen(Door()) as taken, pytest.raises(BadParameterError, match="Cannot listen"):
        listen(Door(port=taken.getsockname()[1]))


@pytest.mark.parametrize(
    "text", ["", "# only a remark\n", "short\n", f"{TOKEN} someday\n", f"{TOKEN} 2030-01-01 more\n"]
)
def test_a_bad_file_of_tokens_is_refused(tmp_path: Path, text: str):
    (tmp_path / "tokens").write_text(text)
    with pytest.raises(BadParameterError) as caught:
        read_tokens(tmp_path / "tokens")
    assert TOKEN not in str(caught.value)


def test_tokens_are_read_with_their_ends(tmp_path: Path):
    (tmp_path / "tokens").write_text(
        f"# mine\n{TOKEN}  # for ever\nanother-token-of-length 2030-01-01T00:00:00+02:00\n"
    )
    first, second = read_tokens(tmp_path / "tokens")
    assert first == Token(digest(TOKEN)) and second.until is not None and second.until.year >= 2029
