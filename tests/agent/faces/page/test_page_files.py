"""The page's files by themselves; no browser is needed."""

import re
from pathlib import Path

import pytest

import agent.faces

PAGE = Path(agent.faces.__file__).parent / "server" / "page"
SCRIPTS = sorted(PAGE.glob("*.js"))
HTML = (PAGE / "index.html").read_text(encoding="utf-8")


def test_nothing_comes_from_elsewhere() -> None:
    for file in sorted(PAGE.iterdir()):
        addresses = re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}[^\s\"')]*", file.read_text(encoding="utf-8"))
        assert [one for one in addresses if one != "http://www.w3.org/2000/svg"] == [], file.name


def test_nothing_is_inline_that_a_strict_policy_forbids() -> None:
    assert re.findall(r"\sstyle=|\son[a-z]+=|<style|javascript:", HTML) == []
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", HTML))
    for file in SCRIPTS:
        code = file.read_text(encoding="utf-8")
        assert (
            re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", code) == []
        ), file


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_what_a_script_names_is_there(file: Path) -> None:
    code = file.read_text(encoding="utf-8")
    ids = set(re.findall(r'\sid="([^"]+)"', HTML))
    assert set(re.findall(r'\$\("([^"]+)"\)', code)) <= ids
    for names, module in re.findall(r'import \{([^}]+)\} from "\./([^"]+)"', code):
        there = (PAGE / module).read_text(encoding="utf-8")
        exported = set(re.findall(r"export (?:async )?(?:const|function|class) ([\w$]+)", there))
        assert {name.strip() for name in names.split(",")} <= exported, module


def test_every_control_has_a_name() -> None:
    fields = re.findall(r'<(?:input|textarea|select)[^>]*\sid="([^"]+)"[^>]*>', HTML)
    for name in fields:
        wrapped = re.search(rf"<label[^>]*>[^<]*\s*<\w+ [^>]*id=\"{name}\"", HTML)
        labelled = f'for="{name}"' in HTML or re.search(rf'id="{name}"[^>]*aria-label=', HTML)
        assert wrapped or labelled, name
