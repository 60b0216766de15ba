"""A change of the look leaves parts that have a look of their own, and the version says which."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from instructedit_models.grounding import GroundedSegmenter
from instructedit_models.types import Detection
from tests.tools.calling import edit, edit_in, pixels, segment
from tests.tools.tiny_models import COLOURS, BlobDetector, BoxSegmenter, TinyModels, boxes
from tools.context import ToolContext, ToolSettings
from tools.workspace import Workspace

CENTRE = (30, 48)
"""Row and column in the middle of the label."""


class LabelDetector(BlobDetector):
    """Sees the yellow labels of boxes too."""

    def detect(self, image: Image.Image, phrase: str) -> list[Detection]:
        if phrase != "label":
            return super().detect(image, phrase)
        return [Detection(each.box, each.score, phrase) for each in super().detect(image, "yellow box")]


def labelled(colour: str = "yellow") -> Image.Image:
    """A blue box with a label."""
    image = boxes("blue")
    ImageDraw.Draw(image).rectangle((40, 24, 56, 36), fill=COLOURS[colour])
    return image


@pytest.fixture
def context(tmp_path: Path) -> Iterator[ToolContext]:
    models = TinyModels()
    models.grounded = GroundedSegmenter(LabelDetector(), BoxSegmenter(), parts={"box": ("label",)})
    with Workspace(tmp_path, durable=False) as workspace:
        yield ToolContext(models, workspace.start(labelled()), emit=lambda event: None)


def test_a_label_stays_as_it_is(context: ToolContext) -> None:
    edit(context, "blue box", "green")
    made = context.conversation.version("image_2").edit
    assert made is not None and made.kept_parts == ("label",)
    assert tuple(pixels(context, "image_2")[CENTRE]) == COLOURS["yellow"]
    assert (pixels(context, "image_2") == COLOURS["green"]).all(axis=2).sum() > 500
    assert context.conversation.mask(made.mask_id)[CENTRE], "the mask is still that of the box"


@pytest.mark.parametrize(("prompt", "grown"), [("blue box", {0}), ("whole blue box", {0, 6})])
def test_no_sweep_grows_into_what_is_kept(context: ToolContext, prompt: str, grown: set[int]) -> None:
    context.settings = ToolSettings(retries=2)
    edit(context, prompt, "green", edited_caption="photo of a box", input_caption="photo of a green box")
    assert {options.grow for options in context.models.editor.calls} == grown


def test_the_llm_is_told(context: ToolContext) -> None:
    told = edit_in(context, segment(context, "blue box"), "blue box", "green")
    assert told.text.endswith("Left as they were: its label.")


def test_what_shares_the_look_changes_with_it(tmp_path: Path) -> None:
    models = TinyModels()
    models.grounded = GroundedSegmenter(LabelDetector(), BoxSegmenter(), parts={"box": ("label",)})
    with Workspace(tmp_path, durable=False) as workspace:
        context = ToolContext(models, workspace.start(labelled("blue")), emit=lambda event: None)
        edit(context, "blue box", "green")
        made = context.conversation.version("image_2").edit
        assert made is not None and made.kept_parts == ()
        assert tuple(pixels(context, "image_2")[CENTRE]) == COLOURS["green"]


def test_of_the_whole_thing_nothing_is_kept(context: ToolContext) -> None:
    edit(context, "whole blue box", "green")
    made = context.conversation.version("image_2").edit
    assert made is not None and made.kept_parts == ()
    assert tuple(pixels(context, "image_2")[CENTRE]) == COLOURS["green"]


def test_a_new_shape_keeps_nothing(context: ToolContext) -> None:
    edit(context, "blue box", "red", change="shape", edited_caption="photo of a red star")
    made = context.conversation.version("image_2").edit
    assert made is not None and made.kept_parts == ()


def test_in_a_mask_of_ones_own_everything_is_edited(context: ToolContext) -> None:
    mask = np.zeros((64, 96), bool)
    mask[20:50, 30:60] = True
    mask_id = context.conversation.add_mask(mask, "image_1", "given", "mine")
    edit_in(context, mask_id, "blue box", "green")
    assert tuple(pixels(context, "image_2")[CENTRE]) == COLOURS["green"]
