"""Prompts are data: strict rendering, a hash that follows the text, examples that are valid plans."""

import subprocess
import sys

import pytest

import prompts
from agent.grammar import understand
from agent.plans import Plan
from tools.registry import TOOLS


def test_rendering_is_strict():
    text = prompts.render("turn.md", image_id="image_3", instruction="make {{image_id}} $blue %s")
    assert "image_3" in text and "make {{image_id}} $blue %s" in text
    with pytest.raises(prompts.PromptError, match="missing variables \\['instruction'\\]"):
        prompts.render("turn.md", image_id="image_1")
    with pytest.raises(prompts.PromptError, match="unknown variables \\['colour'\\]"):
        prompts.render("turn.md", image_id="image_1", instruction="x", colour="red")
    with pytest.raises(prompts.PromptError, match="There is no prompt file '../agent/llm.py'"):
        prompts.render("../agent/llm.py")


def test_every_file_is_rendered_by_its_variables():
    for name in prompts.names():
        if not name.endswith(".json"):
            rendered = prompts.render(name, **dict.fromkeys(prompts.variables(name), "VALUE"))
            assert rendered.strip() and "{{" not in rendered


def test_every_tool_has_a_description():
    for name in TOOLS:
        assert len(prompts.tool_description(name)) > 40
    described = {
        name.removeprefix("tools/").removesuffix(".md") for name in prompts.names() if name.startswith("tools/")
    }
    assert described == set(TOOLS)


def test_the_hash_follows_names_and_contents(tmp_path, monkeypatch):
    (tmp_path / "a.md").write_text("one")
    (tmp_path / "b.md").write_text("two")
    monkeypatch.setattr(prompts, "_FOLDER", tmp_path)
    before = prompts.content_hash("a.md", "b.md")
    assert before == prompts.content_hash("b.md", "a.md") == prompts.content_hash()
    assert before != prompts.content_hash("a.md")
    (tmp_path / "b.md").write_text("three")
    assert prompts.content_hash() != before


def test_the_examples_are_plans_that_the_grammar_makes_too():
    for example in prompts.examples():
        answer = Plan.model_validate(example["answer"])
        grammar = understand(example["instruction"], example["description"])
        assert grammar.needs_description == answer.needs_description, example["instruction"]
        assert list(grammar.edits) == answer.edits, example["instruction"]


def test_the_examples_are_not_the_phrasings_that_are_measured():
    from tests.agent.phrasing_check import rows

    measured = {row["instruction"].lower() for row in rows("phrasings.jsonl")}
    taken = [example["instruction"] for example in prompts.examples() if example["instruction"].lower() in measured]
    assert taken in ([], ["Change the dog to a cat"])  # the paper's own example


def test_prompts_import_nothing_of_ours():
    code = "import sys, prompts; print({m.split('.')[0] for m in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True).stdout
    assert not [name for name in ("agent", "tools", "instructedit_models") if f"'{name}'" in loaded]
