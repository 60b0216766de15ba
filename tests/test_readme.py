"""The README's commands parse and its JSON is JSON, so that a newcomer's first copy and paste works."""

import json
import re
import shlex
from pathlib import Path

import pytest

from agent.faces.cli import build_parser

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
COMMANDS = [
    line.split("  #")[0].strip()
    for kind, text in BLOCKS
    if kind == ""
    for line in text.splitlines()
    if line.startswith("instructedit ")
]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command: str) -> None:
    build_parser().parse_args(shlex.split(command)[1:])


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 3


def test_json_is_json() -> None:
    objects = [json.loads(text) for kind, text in BLOCKS if kind == "json"]
    assert objects and all(one["schema"] == 1 for one in objects)


def test_named_files_exist() -> None:
    text = re.sub(r"<!--.*?-->", "", README, flags=re.DOTALL)
    for name in set(re.findall(r"`((?:tests|examples|instructedit_models|docs)/[\w./]+)`", text)):
        assert (ROOT / name).exists(), name


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^(\w+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make (\w+)", README, flags=re.MULTILINE)) <= targets
