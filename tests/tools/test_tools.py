"""Each tool on real pixels: what the LLM reads, what is kept, and how wrong calls are answered."""

import json

import numpy as np
import pytest
from pydantic import ValidationError

import prompts
from instructedit_models.errors import (
    BadMaskError,
    BadParameterError,
    NothingFoundError,
    UnknownWordError,
)
from tests.tools.calling import edit, kinds, pixels, segment
from tools.context import EditOverrides, ToolContext, ToolSettings, TurnLog
from tools.registry import TOOLS, call

# --- the set of tools


def test_every_tool_has_a_prompt_and_described_arguments():
    assert list(TOOLS) == [
        "describe_image",
        "ask_image",
        "segment",
        "combine_masks",
        "name_mask",
        "edit_image",
        "adjust_edit",
        "variations",
        "reapply_edit",
        "remove_edit",
        "list_versions",
        "undo",
        "redo",
        "go_back",
    ]
    for name, tool in TOOLS.items():
        assert prompts.tool_description(name)
        for field in tool.arguments.model_fields.values():
            assert field.description, f"{name}: every argument needs a description"


# --- looking


def test_describe_goes_on_record_with_its_reason(context: ToolContext):
    result = call(context, "describe_image", image_id="image_1", reason="'it' names nothing")
    assert result.text == "photo of a red box and a blue box and a red box"
    assert (context.turn.description, context.turn.why_described) == (result.text, "'it' names nothing")
    assert kinds(context) == ["described"]
    assert context.turn.seconds["describe"] >= 0


def test_ask(context: ToolContext):
    assert call(context, "ask_image", image_id="image_1", question="how many boxes?").text == "3"
    assert context.turn.description is None
    with pytest.raises(BadParameterError, match="question is empty"):
        call(context, "ask_image", image_id="image_1", question=" ")


def test_a_question_with_unknown_words_gets_what_is_seen(context: ToolContext, monkeypatch: pytest.MonkeyPatch):
    def ask(image: object, question: str) -> str:
        raise UnknownWordError("The describer does not know the word 'standing'.", ("standing",))

    monkeypatch.setattr(context.models.describer, "ask", ask)
    answer = call(context, "ask_image", image_id="image_1", question="what is it standing on?").text
    assert answer == (
        "I do not know the word 'standing'; what I see is photo of a red box and a blue box and a red box."
    )


# --- segment


def test_segment_gives_one_mask_for_what_is_meant_and_one_for_each_candidate(context: ToolContext):
    result = call(context, "segment", image_id="image_1", segmentation_prompt="red box on the left")
    assert result.mask_id == "mask_3"
    assert result.text.startswith("mask_3 = r1 (chosen). Candidates: r1 = mask_1 red box 0.90 box (4, 20, 23, 39)")
    assert "; r2 = mask_2 red box 0.90 box (68, 20, 87, 39) area 6% right." in result.text
    entry = context.conversation.mask_entry("mask_3")
    assert [(region.id, region.chosen, region.mask_id) for region in entry.regions] == [
        ("r1", True, "mask_1"),
        ("r2", False, "mask_2"),
    ]
    assert np.array_equal(context.conversation.mask("mask_3"), context.conversation.mask("mask_1"))
    assert not (context.conversation.mask("mask_1") & context.conversation.mask("mask_2")).any()


def test_segment_of_several_is_their_union(context: ToolContext):
    mask = context.conversation.mask(segment(context, "all the boxes"))
    assert np.array_equal(mask, (pixels(context, "image_1") != 250).any(axis=2))


def test_ambiguous_asks_instead_of_guessing(context: ToolContext):
    result = call(context, "segment", image_id="image_1", segmentation_prompt="red box")
    assert result.text.startswith("ambiguous: 'red box' fits 2 things equally well: r1 (red box, left), r2 (")
    assert "r1 = mask_1" in result.text
    assert result.mask_id is None
    assert [ambiguity.error.candidates for ambiguity in context.turn.ambiguities] == [("r1", "r2")]


def test_assume_yes_takes_the_best_and_says_so(context: ToolContext):
    context.settings = ToolSettings(assume_yes=True)
    result = call(context, "segment", image_id="image_1", segmentation_prompt="red box")
    assert result.mask_id and result.text.startswith(f"{result.mask_id} = r1 (chosen).")
    assert context.turn.warnings == ["'red box' fits 2 things equally well; r1, the best, was taken."]
    assert context.turn.ambiguities == []
    assert kinds(context) == ["segmented", "warning"]


def test_segment_errors(context: ToolContext):
    with pytest.raises(NothingFoundError, match="star"):
        call(context, "segment", image_id="image_1", segmentation_prompt="star")
    with pytest.raises(UnknownWordError, match="zebra"):
        call(context, "segment", image_id="image_1", segmentation_prompt="zebra")
    with pytest.raises(BadParameterError, match="empty"):
        call(context, "segment", image_id="image_1", segmentation_prompt="")
    with pytest.raises(BadParameterError, match="no picture 'image_9'"):
        call(context, "segment", image_id="image_9", segmentation_prompt="box")
    assert kinds(context) == []


def test_the_other_one_is_not_what_was_edited_last(context: ToolContext):
    edit(context, "red box on the left", "red")
    other = context.conversation.mask(segment(context, "other red box", "image_2"))
    assert np.array_equal(other, context.conversation.mask(segment(context, "red box on the right")))


# --- combine_masks


@pytest.mark.parametrize(
    ("expression", "chosen"),
    [
        ("mask_1|mask_3", {"r1", "r3"}),
        ("mask_1 + mask_3", {"r1", "r3"}),
        ("mask_4-mask_2", {"r1", "r3"}),
        ("mask_4&mask_2", {"r2"}),
        ("mask_1|mask_3-mask_3", {"r1"}),
        ("mask_1|(mask_3-mask_3)", {"r1"}),
        ("mask_4 - (mask_1 | mask_2)", {"r3"}),
        ("~mask_1 & mask_4", {"r2", "r3"}),
    ],
)
def test_set_algebra(context: ToolContext, expression: str, chosen: set[str]):
    segment(context, "all the boxes")
    result = call(context, "combine_masks", image_id="image_1", expression=expression)
    assert result.mask_id == "mask_5" and result.text.startswith(f"mask_5 = {expression}, area ")
    entry, mask = context.conversation.mask_entry("mask_5"), context.conversation.mask("mask_5")
    expected = [context.conversation.mask(f"mask_{name[1:]}") for name in chosen]
    assert np.array_equal(mask, np.any(expected, axis=0))
    assert {region.id for region in entry.regions if region.chosen} == chosen


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "missing at the end"),
        ("mask_1|", "missing at the end"),
        ("mask_1 mask_2", "'mask_2' was not expected"),
        ("(mask_1", "closing parenthesis"),
        ("mask_1)", r"'\)' was not expected"),
        ("|mask_1", r"expected where '\|' stands"),
        ("__import__('os')", "neither a mask id nor"),
        ("r1|r2", "neither a mask id nor"),
        ("mask_99", "no mask 'mask_99'"),
        ("(" * 100 + "mask_1", "closing parenthesis"),
        ("mask_1" + "|mask_1" * 100, "longer than"),
    ],
)
def test_expressions_that_cannot_be_read(context: ToolContext, expression: str, reason: str):
    segment(context, "all the boxes")
    with pytest.raises(BadParameterError, match=reason):
        call(context, "combine_masks", image_id="image_1", expression=expression)


def test_an_empty_combination(context: ToolContext):
    segment(context, "all the boxes")
    with pytest.raises(BadMaskError, match="Nothing is left of 'mask_1&mask_2'"):
        call(context, "combine_masks", image_id="image_1", expression="mask_1&mask_2")


# --- arguments and events


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("segment", {"image_id": "image_1"}),
        ("segment", {"image_id": 1, "segmentation_prompt": "box"}),
        ("undo", {"steps": "many"}),
        ("adjust_edit", {"image_id": "image_1", "encoding_ratio": "strong"}),
        ("edit_image", {"image_id": "image_1", "mask_id": "mask_1", "change": "everything"}),
    ],
)
def test_arguments_are_checked(context: ToolContext, name: str, arguments: dict):
    with pytest.raises(ValidationError):
        call(context, name, **arguments)


def test_events_hold_words_and_ids_only(context: ToolContext):
    call(context, "describe_image", image_id="image_1", reason="x")
    edit(context, "blue box", "green")
    for event in context.events:  # type: ignore[attr-defined]
        assert len(event.model_dump_json()) < 2000
        assert json.loads(event.model_dump_json())["kind"] == event.kind


@pytest.mark.parametrize(
    ("fixed", "reason"),
    [
        ({"encoding_ratio": 1.5}, "encoding ratio"),
        ({"encoding_ratio": -0.1}, "encoding ratio"),
        ({"steps": 0}, "steps"),
        ({"steps": 1001}, "steps"),
        ({"guidance_scale": 0.5}, "guidance scale"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
    ],
)
def test_overrides_are_checked(fixed: dict, reason: str):
    with pytest.raises(BadParameterError, match=reason):
        EditOverrides(**fixed)


def test_a_turns_log_adds_up_its_stages():
    log = TurnLog()
    log.add_seconds("llm", 1.0)
    log.add_seconds("llm", 0.5)
    with log.timed("segment"):
        pass
    assert log.seconds["llm"] == 1.5 and log.seconds["segment"] >= 0
