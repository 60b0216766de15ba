"""The examples run: their language models are a scripted server or the offline one, their models the tiny ones."""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from agent import config
from examples import openai_functions, sub_agent
from tests.agent.faces.mcp.serving_desk import has
from tests.agent.fake_openai import FakeOpenAI, text, tool_call
from tests.agent.scripted import edit, segment
from tests.tools.tiny_models import TinyModels, boxes

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(config, "load_models", lambda *_, **__: TinyModels())
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    boxes("red", "blue").save(tmp_path / "in.png")
    yield tmp_path / "in.png"


def saved(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")


def test_a_larger_agent_uses_ours(picture: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    script = [
        tool_call("edit_image", {"instruction": "make the blue box green"}),
        tool_call("write_alternative_text", {"text": "A red and a green box."}),
        text("The picture is ready."),
    ]
    out = picture.parent / "out"
    with FakeOpenAI(script) as fake:
        monkeypatch.setenv("OPENAI_BASE_URL", fake.base_url)
        assert sub_agent.main([str(picture), "Make the blue box green and describe it", "-o", str(out)]) == 0
        offered = [one["function"]["name"] for one in fake.calls[0]["tools"]]
        told = fake.calls[1]["messages"][-1]["content"]
    assert offered == ["edit_image", "write_alternative_text"] and "image_2, verified" in told
    assert has(saved(out / "picture.png"), "green") and "green box" in (out / "picture.txt").read_text()
    assert capsys.readouterr().out == "The picture is ready.\n"


def test_a_loop_of_openai_functions(picture: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    wrong = tool_call("segment", '{"image_id": ')
    script = [wrong, segment("blue box"), edit("blue box", "blue", "green", "mask_2"), text("Green now.")]
    out = picture.parent / "out.png"
    with FakeOpenAI(script) as fake:
        monkeypatch.setenv("OPENAI_BASE_URL", fake.base_url)
        assert openai_functions.main([str(picture), "Make the blue box green", "-o", str(out)]) == 0
        assert "no JSON object" in fake.calls[1]["messages"][-1]["content"]
        assert "base64" not in json.dumps(fake.calls)
    assert has(saved(out), "green") and capsys.readouterr().out == "Green now.\n"


def test_a_loop_with_one_function(picture: Path, monkeypatch: pytest.MonkeyPatch):
    script = [tool_call("edit_image", {"instruction": "make the blue box green"}), text("Done.")]
    out = picture.parent / "out.png"
    with FakeOpenAI(script) as fake:
        monkeypatch.setenv("OPENAI_BASE_URL", fake.base_url)
        assert openai_functions.main([str(picture), "Make it green", "-o", str(out), "--words"]) == 0
        assert [one["function"]["name"] for one in fake.calls[0]["tools"]] == ["edit_image"]
    assert has(saved(out), "green")


def server_command(module: str, workspace: Path) -> str:
    words = ["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", *module.split(), "--workspace", str(workspace)]
    return shlex.join(words)


def run_mcp_client(picture: Path, instruction: str, output: Path, server: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "examples/mcp_client.py", str(picture), instruction, "-o", str(output)]
    return subprocess.run([*command, "--server", server], cwd=ROOT, capture_output=True, text=True, timeout=400)


def test_an_mcp_client(picture: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("mcp")
    server = server_command("tests.agent.faces.mcp.tiny_server", picture.parent / "kept")
    out = picture.parent / "out.png"
    ended = run_mcp_client(picture, "make the blue box green", out, server)
    assert ended.returncode == 0, ended.stderr
    assert "verified" in ended.stdout and "Editing 25/25" in ended.stderr and has(saved(out), "green")


@pytest.mark.slow
def test_an_mcp_client_with_the_miniature_models(tmp_path: Path):
    pytest.importorskip("mcp")
    sample = [sys.executable, "-m", "agent.faces.cli", "world", "sample", "--seed", "9000000", "-o", str(tmp_path)]
    subprocess.run(sample, cwd=ROOT, check=True, capture_output=True, timeout=200)
    server = server_command("agent.faces.cli mcp", tmp_path / "kept")
    out = tmp_path / "out.png"
    ended = run_mcp_client(tmp_path / "9000000" / "image.png", "Make the cup green", out, server)
    assert ended.returncode == 0, ended.stderr
    assert saved(out).size == (128, 128)
