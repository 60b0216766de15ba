"""What docs/embedding.md shows can be copied: its JSON is JSON, its commands parse, and its Python runs."""

import json
import os
import re
import shlex
from pathlib import Path

import pytest

from agent import config
from agent.faces.cli import build_parser
from tests.agent.fake_openai import FakeOpenAI, text, tool_call
from tests.tools.tiny_models import TinyModels, boxes

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "embedding.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", DOCUMENT, flags=re.MULTILINE | re.DOTALL)


def blocks(kind: str) -> list[str]:
    return [content for name, content in BLOCKS if name == kind]


def test_configurations_are_json_and_name_a_command_that_parses() -> None:
    assert len(blocks("json")) == 2
    for content in blocks("json"):
        ((servers),) = json.loads(content).values()
        build_parser().parse_args(servers["instructedit"]["args"])


def test_commands_parse() -> None:
    lines = [line.split("  #")[0] for content in blocks("") for line in content.splitlines()]
    commands = [line for line in lines if line.startswith("instructedit ")]
    assert len(commands) == 3
    for command in commands:
        build_parser().parse_args(shlex.split(command)[1:])


def test_named_files_exist() -> None:
    for name in set(re.findall(r"`((?:tests|examples)/[\w./]+)`", DOCUMENT)):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("number", [0, 1])
def test_python_runs(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boxes("red", "blue").save(tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config, "load_models", lambda *_, **__: TinyModels())
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setenv("INSTRUCTEDIT_LLM", "offline")
    call = tool_call("edit_image", {"instruction": "make the blue box green"})
    with FakeOpenAI([call, text("Done.")][: 2 - number]) as fake:
        monkeypatch.setenv("OPENAI_BASE_URL", fake.base_url)
        names: dict[str, object] = {}
        exec(compile(blocks("python")[number], "docs/embedding.md", "exec"), names)
    assert os.path.getsize("out.png") > 0
    if "said" in names:
        assert "image_2" in str(names["said"])
        names["toolkit"].close()  # type: ignore[attr-defined]
