"""What "the other one" and "the rest" leave out where several things were edited already."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from instructedit_models.errors import NothingFoundError
from instructedit_models.grounding import GroundedSegmenter
from instructedit_models.types import Detection
from tests.tools.calling import edit, segment
from tests.tools.test_workspace import add_edit
from tests.tools.tiny_models import BlobDetector, BoxSegmenter, TinyModels, boxes
from tools.context import ToolContext
from tools.conversation import Conversation
from tools.registry import call
from tools.workspace import Workspace


@pytest.fixture
def four(tmp_path: Path) -> Iterator[ToolContext]:
    with Workspace(tmp_path, durable=False) as workspace:
        yield ToolContext(TinyModels(), workspace.start(boxes("red", "red", "red", "red", size=(160, 64))))


@pytest.fixture
def two(tmp_path: Path) -> Iterator[ToolContext]:
    with Workspace(tmp_path, durable=False) as workspace:
        yield ToolContext(TinyModels(), workspace.start(boxes("red", "blue")))


def places(context: ToolContext, prompt: str, image_id: str) -> set[int]:
    """Which of the boxes, from 0 on, a prompt means."""
    mask = context.conversation.mask(segment(context, prompt, image_id))
    return {int(column // 40) for column in np.flatnonzero(mask.any(axis=0))}


def test_the_other_one_is_the_one_that_no_edit_made(four: ToolContext) -> None:
    first = edit(four, "first box from the left", "red")
    second = edit(four, "second box from the left", "red", first)
    third = edit(four, "last box", "red", second)
    assert places(four, "other box", third) == {2}


def test_several_that_are_left_tie(four: ToolContext) -> None:
    first = edit(four, "first box from the left", "red")
    second = edit(four, "second box from the left", "red", first)
    result = call(four, "segment", image_id=second, segmentation_prompt="other box")
    assert result.text.startswith("ambiguous: 'other box' fits 2 things equally well: r3 (")


def test_what_was_undone_counts_again(four: ToolContext) -> None:
    first = edit(four, "all boxes", "red")
    four.conversation.undo()
    second = edit(four, "first box from the left", "red")
    third = edit(four, "second box from the left", "red", second)
    fourth = edit(four, "third box from the left", "red", third)
    assert first != fourth and places(four, "other box", fourth) == {3}


def test_the_rest_leaves_out_what_looks_the_same_already(four: ToolContext) -> None:
    first = edit(four, "first box from the left", "blue")
    second = edit(four, "second box from the left", "red", first)
    third = edit(four, "third box from the left", "red", second)
    assert places(four, "all the other boxes", third) == {0, 3}
    assert places(four, "all the other boxes", first) == {1, 2, 3}


def test_no_other_one_is_no_edit_of_the_same(two: ToolContext) -> None:
    first = edit(two, "red box", "green")
    with pytest.raises(NothingFoundError, match="No 'other green box' was found beside what was edited last"):
        call(two, "segment", image_id=first, segmentation_prompt="other green box")


@pytest.mark.parametrize("caption", ["photo of {} boxes", "photo of a {} box"])
def test_each_of_several_things_is_edited_by_itself(two: ToolContext, caption: str) -> None:
    painter = two.models.editor
    edit(two, "all boxes", "green", input_caption="photo of boxes", edited_caption=caption.format("green"))
    assert len(painter.calls) == 2


def test_things_are_looked_for_in_the_source_pixels(two: ToolContext) -> None:
    """What an edit of the look left unrecognisable is still where it was; what it turned into something is not."""
    conversation = two.conversation
    before = conversation.mask(segment(two, "box on the left"))
    lost = add_edit(conversation, "image_1", "blue", **_drawn(conversation, before, "appearance"))
    assert np.array_equal(conversation.mask(segment(two, "box on the left", lost)), before)
    turned = add_edit(conversation, "image_1", "blue", **_drawn(conversation, before, "shape"))
    assert not (conversation.mask(segment(two, "box on the left", turned)) & before).all()


def _drawn(conversation: Conversation, mask: np.ndarray, change: str) -> dict[str, object]:
    return {"mask_id": conversation.add_mask(mask, "image_1", "segment", "box on the left"), "change": change}


def test_a_look_is_looked_for_in_the_picture_as_it_is(two: ToolContext) -> None:
    first = edit(two, "red box", "blue")
    result = call(two, "segment", image_id=first, segmentation_prompt="blue box")
    assert result.text.startswith("ambiguous: 'blue box' fits 2 things")


class Doubting:
    """A detector that takes part of a box for another one, and knows stars that look like boxes."""

    def __init__(self, *found: tuple[str, tuple[float, float, float, float], float]) -> None:
        self.found = found

    def detect(self, image: Image.Image, phrase: str) -> list[Detection]:
        return [Detection(box, score, phrase) for noun, box, score in self.found if noun in phrase.split()]


def asked(tmp_path: Path, detector: Doubting, *prompts: str) -> str:
    """What the tool answers to the last of the prompts, all about one picture."""
    models = TinyModels()
    models.grounded = GroundedSegmenter(detector, BoxSegmenter())
    with Workspace(tmp_path, durable=False) as workspace:
        context = ToolContext(models, workspace.start(boxes("red")))
        return [call(context, "segment", image_id="image_1", segmentation_prompt=each).text for each in prompts][-1]


def test_one_thing_found_twice_is_no_tie(tmp_path: Path) -> None:
    detector = Doubting(("box", (10, 10, 40, 40), 0.9), ("box", (12, 18, 44, 48), 0.8))
    assert "r1 (chosen)" in asked(tmp_path, detector, "box")
    apart = Doubting(("box", (10, 10, 40, 40), 0.9), ("box", (50, 18, 84, 48), 0.8))
    assert asked(tmp_path / "apart", apart, "box").startswith("ambiguous")


def test_what_was_found_as_another_thing_before_is_no_tie(tmp_path: Path) -> None:
    box, star = (10.0, 10.0, 40.0, 40.0), (50.0, 10.0, 80.0, 40.0)
    detector = Doubting(("box", box, 0.9), ("box", star, 0.8), ("star", star, 0.9))
    assert asked(tmp_path, detector, "box").startswith("ambiguous")
    assert "r1 (chosen)" in asked(tmp_path / "again", detector, "star", "box")


class WholeBoxes(BlobDetector):
    """Overlooks what is less than 20 pixels wide."""

    def detect(self, image: Image.Image, phrase: str) -> list[Detection]:
        return [each for each in super().detect(image, phrase) if each.box[2] - each.box[0] >= 20]


def half_hidden(tmp_path: Path, covered: int) -> Iterator[tuple[ToolContext, str]]:
    """A red and a blue box, and the version in which a star beside the blue one covers some columns of it."""
    models = TinyModels()
    models.grounded = GroundedSegmenter(WholeBoxes(), BoxSegmenter())
    with Workspace(tmp_path, durable=False) as workspace:
        context = ToolContext(models, workspace.start(boxes("red", "blue")))
        blue = context.conversation.mask(segment(context, "blue box"))
        left = int(np.flatnonzero(blue.any(axis=0))[0])
        mask = np.zeros_like(blue)
        mask[15:50, left - 10 : left + covered] = True
        made = call(
            context,
            "edit_image",
            image_id="image_1",
            mask_id=context.conversation.add_mask(mask, "image_1", "given", "a gap"),
            segmentation_prompt="gap",
            input_caption="photo of a box",
            edited_caption="photo of a green star",
            change="shape",
        )
        yield context, made.image_id or ""


def test_what_an_edit_beside_it_half_hides_is_found_as_it_was(tmp_path: Path) -> None:
    for context, edited in half_hidden(tmp_path, covered=9):
        with pytest.raises(NothingFoundError):
            context.models.grounded.segment(context.conversation.image(edited), "blue box")
        mask = context.conversation.mask(segment(context, "blue box", edited))
        painted = context.conversation.mask(context.conversation.version(edited).edit.mask_id)
        assert mask.any() and not (mask & painted).any()


def test_what_an_edit_took_the_place_of_is_not(tmp_path: Path) -> None:
    for context, edited in half_hidden(tmp_path, covered=20):
        with pytest.raises(NothingFoundError):
            segment(context, "blue box", edited)
