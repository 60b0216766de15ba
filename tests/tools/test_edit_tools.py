"""The tools that edit, adjust and go back, on real pixels."""

import numpy as np
import pytest

from instructedit_models.errors import (
    BadMaskError,
    BadParameterError,
    CancelledError,
    ModelUnavailableError,
    UnknownWordError,
)
from instructedit_models.types import EditOptions
from tests.tools.calling import edit, edit_in, kinds, pixels, segment
from tests.tools.tiny_models import COLOURS, boxes
from tools.context import EditOverrides, ToolContext, ToolSettings
from tools.events import Event
from tools.registry import call

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
    result = edit_in(context, mask_id, "blue box", "green", encoding_ratio=0.6)
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


def test_a_word_that_only_shades_a_colour_is_left_out(context: ToolContext):
    mask_id = segment(context, "blue box")
    arguments = {"image_id": "image_1", "mask_id": mask_id, "segmentation_prompt": "blue box", "change": "appearance"}
    captions = {"input_caption": "photo of a box", "edited_caption": "photo of a bright red box"}
    call(context, "edit_image", **arguments, **captions)
    assert context.turn.edits[-1].edited_caption == "photo of a red box"
    assert context.turn.warnings == ["The tiny models do not know the word 'bright', so it was left out."]
    with pytest.raises(UnknownWordError, match="bright"):
        call(context, "edit_image", **arguments, **captions | {"edited_caption": "photo of a bright box"})


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
        edit_in(context, mask_id, "blue box", "green")
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
