"""Each tool on real pixels: what the LLM reads, what is kept, and how wrong calls are answered."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

import prompts
from instructedit_models.errors import (
    BadMaskError,
    BadParameterError,
    CancelledError,
    ModelUnavailableError,
    NothingFoundError,
    UnknownWordError,
)
from instructedit_models.types import EditOptions
from tests.tools.tiny_models import COLOURS, TinyModels, boxes
from tools.context import EditOverrides, ToolContext, ToolSettings, TurnLog
from tools.events import Event
from tools.registry import TOOLS, call
from tools.workspace import Workspace


@pytest.fixture
def context(tmp_path: Path) -> Iterator[ToolContext]:
    with Workspace(tmp_path, durable=False) as workspace:
        events: list[Event] = []
        made = ToolContext(TinyModels(), workspace.start(boxes("red", "blue", "red")), emit=events.append)
        made.events = events  # type: ignore[attr-defined]
        yield made


def kinds(context: ToolContext) -> list[str]:
    return [event.kind for event in context.events if event.kind != "progress"]  # type: ignore[attr-defined]


def segment(context: ToolContext, prompt: str, image_id: str = "image_1") -> str:
    mask_id = call(context, "segment", image_id=image_id, segmentation_prompt=prompt).mask_id
    assert mask_id
    return mask_id


def edit(context: ToolContext, prompt: str, to: str, image_id: str = "image_1", **more: object) -> str:
    mask_id = segment(context, prompt, image_id)
    arguments = {
        "image_id": image_id,
        "mask_id": mask_id,
        "segmentation_prompt": prompt,
        "input_caption": "photo of a blue box",
        "edited_caption": f"photo of a {to} box",
        "change": "appearance",
    }
    return call(context, "edit_image", **arguments | more).image_id or ""


def pixels(context: ToolContext, image_id: str) -> np.ndarray:
    return np.asarray(context.conversation.image(image_id))


# --- the set of tools


def test_every_tool_has_a_prompt_and_described_arguments():
    assert list(TOOLS) == [
        "describe_image",
        "ask_image",
        "segment",
        "combine_masks",
        "edit_image",
        "adjust_edit",
        "list_versions",
        "undo",
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


# --- edit_image


def test_an_edit_changes_the_region_and_nothing_else(context: ToolContext):
    assert edit(context, "blue box", "green") == "image_2" == context.conversation.current_id
    made = context.conversation.version("image_2").edit
    assert made is not None and made.verified
    region, mask = context.conversation.region(made), context.conversation.mask(made.mask_id)
    before, after = pixels(context, "image_1"), pixels(context, "image_2")
    assert np.array_equal(before[~region], after[~region])
    assert (after[mask] == COLOURS["green"]).all()
    assert kinds(context) == ["segmented", "planned", "edited"]
    assert made.models == {"set": "tiny", "editor": "painter-1"}


def test_an_edit_is_told_in_one_line(context: ToolContext):
    mask_id = segment(context, "blue box")
    result = call(
        context,
        "edit_image",
        image_id="image_1",
        mask_id=mask_id,
        segmentation_prompt="blue box",
        input_caption="photo of a blue box",
        edited_caption="photo of a green box",
        change="appearance",
        encoding_ratio=0.6,
    )
    assert result.text == (
        "image_2 made from image_1 inside mask_2 (encoding ratio 0.6, 90 UNet evaluations); it is current. "
        "Verified: The result fits 'photo of a green box' better than 'photo of a blue box'."
    )


def test_a_change_of_shape_grows_the_mask(context: ToolContext):
    edit(context, "blue box", "green", change="shape")
    edit(context, "blue box", "green", change="appearance")
    regions = []
    for image_id in ("image_2", "image_3"):
        made = context.conversation.version(image_id).edit
        assert made is not None
        regions.append(int(context.conversation.region(made).sum()))
    assert regions[0] > regions[1]


def test_parameters_come_from_the_person_then_the_agent_then_the_set(context: ToolContext):
    painter = context.models.editor
    edit(context, "blue box", "green", encoding_ratio=0.7)
    context.settings = ToolSettings(EditOverrides(encoding_ratio=0.9, steps=20, guidance_scale=3, seed=11))
    edit(context, "blue box", "green", encoding_ratio=0.7)
    assert painter.calls == [  # type: ignore[attr-defined]
        EditOptions(encoding_ratio=0.7),
        EditOptions(encoding_ratio=0.9, steps=20, guidance_scale=3, seed=11),
    ]


def test_background_stays_identical_over_turns(context: ToolContext):
    first = pixels(context, "image_1").copy()
    touched = np.zeros(first.shape[:2], bool)
    chain = [("blue box", "green"), ("green box", "yellow"), ("red box on the left", "purple")] * 3
    back = [("purple box", "red"), ("yellow box", "blue")]
    image_id = "image_1"
    for step, (prompt, colour) in enumerate([*chain[:3], *back, *chain[:3], *back]):
        image_id = edit(context, prompt, colour, image_id, change=("shape", "appearance")[step % 2])
        made = context.conversation.version(image_id).edit
        assert made is not None
        touched |= context.conversation.region(made)
    assert touched.any() and not touched.all()
    assert np.array_equal(pixels(context, image_id)[~touched], first[~touched])


def test_a_word_that_was_asked_for_and_is_unknown(context: ToolContext):
    with pytest.raises(UnknownWordError) as caught:
        edit(context, "blue box", "zebra")
    assert str(caught.value) == (
        "The tiny models do not know the word 'zebra'; say it in other words, or use a larger model set."
    )
    assert caught.value.words == ("zebra",)
    with pytest.raises(UnknownWordError, match="the words 'wobbly', 'old' and 'zebra'"):
        edit(context, "blue box", "wobbly old zebra")
    assert context.conversation.current_id == "image_1"


def test_an_unknown_word_that_both_captions_have_is_left_out_and_reported(context: ToolContext):
    edit(
        context,
        "blue box",
        "",
        input_caption="Photo of a Cute blue box",
        edited_caption="Photo of a cute green box",
    )
    made = context.conversation.version("image_2").edit
    assert made is not None
    assert (made.input_caption, made.edited_caption) == ("Photo of a blue box", "Photo of a green box")
    assert context.turn.warnings == ["The tiny models do not know the word 'cute', so it was left out."]


def test_masks_that_do_not_fit(context: ToolContext):
    mask_id = segment(context, "blue box")
    context.conversation.add_image(boxes("blue", size=(60, 60)))
    with pytest.raises(BadMaskError, match="mask_2 is 96 x 64 pixels, but image_2 is 60 x 60"):
        edit(context, "blue box", "green", "image_2", mask_id=mask_id)
    empty = context.conversation.add_mask(np.zeros((64, 96), bool), "image_1", "given", "")
    with pytest.raises(BadMaskError, match="is empty"):
        edit(context, "blue box", "green", mask_id=empty)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"input_caption": " "}, "input caption is empty"),
        ({"edited_caption": "a box " * 100}, "edited caption is longer"),
        ({"encoding_ratio": 0.0}, "above 0 and at most 1; got 0"),
        ({"encoding_ratio": float("nan")}, "got nan"),
        ({"mask_id": "mask_77"}, "no mask"),
    ],
)
def test_edits_that_cannot_be_made(context: ToolContext, more: dict, reason: str):
    with pytest.raises(BadParameterError, match=reason):
        edit(context, "blue box", "green", **more)
    assert context.conversation.current_id == "image_1"


def test_a_missing_scorer_is_a_warning(context: ToolContext, monkeypatch: pytest.MonkeyPatch):
    def missing(*args: object) -> None:
        raise ModelUnavailableError("CLIP is not there.")

    monkeypatch.setattr(context.models.scorer, "similarity", missing)
    edit(context, "blue box", "green")
    assert context.turn.warnings == ["The edit was not checked: CLIP is not there."]
    assert context.turn.edits[0].verification is None


def test_stopping_between_two_steps_keeps_nothing(context: ToolContext):
    mask_id = segment(context, "blue box")
    objects = sorted(context.conversation.workspace.objects.directory.iterdir())

    def stop(event: Event) -> None:
        if event.kind == "progress":
            raise CancelledError("Stopped.")

    context.emit = stop
    with pytest.raises(CancelledError):
        call(
            context,
            "edit_image",
            image_id="image_1",
            mask_id=mask_id,
            segmentation_prompt="blue box",
            input_caption="photo of a blue box",
            edited_caption="photo of a green box",
            change="appearance",
        )
    assert context.conversation.current_id == "image_1"
    assert sorted(context.conversation.workspace.objects.directory.iterdir()) == objects


# --- adjust_edit, list_versions, undo


def test_adjusting_starts_from_the_same_picture_and_pays_no_inversion(context: ToolContext):
    edit(context, "blue box", "green")
    text = call(context, "adjust_edit", image_id="image_2", edited_caption="photo of a yellow box").text
    assert text.startswith(
        "image_3 made from image_1 inside mask_2 (encoding ratio 0.5, 50 UNet evaluations, inversion"
    )
    call(context, "adjust_edit", image_id="image_3", encoding_ratio=0.8, seed=4)
    made = context.conversation.version("image_4").edit
    assert made is not None
    assert (made.parent_id, made.adjusts, made.edited_caption) == ("image_1", "image_3", "photo of a yellow box")
    assert made.options == EditOptions(encoding_ratio=0.8, seed=4)
    assert "image_4 (current): from image_3, made again from image_1, 'blue box'" in call(context, "list_versions").text
    green = (pixels(context, "image_4") == COLOURS["green"]).all(axis=2)
    assert not green.any()


def test_adjusting_needs_an_edit_and_a_difference(context: ToolContext):
    edit(context, "blue box", "green")
    with pytest.raises(BadParameterError, match="image_1 is an original"):
        call(context, "adjust_edit", image_id="image_1", encoding_ratio=0.7)
    with pytest.raises(BadParameterError, match=r"Nothing would be different .*it was 0.5"):
        call(context, "adjust_edit", image_id="image_2", encoding_ratio=0.5)
    with pytest.raises(BadParameterError, match="at most 1"):
        call(context, "adjust_edit", image_id="image_2", encoding_ratio=7)


def test_versions_and_undo(context: ToolContext):
    edit(context, "blue box", "green")
    edit(context, "green box", "yellow", "image_2")
    assert call(context, "undo", steps=2).text == "image_1 is current again."
    assert context.turn.moved and kinds(context)[-1] == "moved"
    lines = call(context, "list_versions").text.splitlines()
    assert lines[0] == "image_1 (current): original, 96 x 64 pixels"
    assert lines[2].startswith("image_3: from image_2, 'green box' (mask_4): 'photo of a blue box' -> 'photo of")
    with pytest.raises(BadParameterError, match="original"):
        call(context, "undo")


def test_of_many_versions_the_newest_are_listed(context: ToolContext):
    for _ in range(45):
        context.conversation.add_image(boxes("red"))
    lines = call(context, "list_versions").text.splitlines()
    assert lines[0] == "(6 older versions)" and len(lines) == 41 and lines[-1].startswith("image_46 (current)")


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
