"""The tools over the real masked DDIM editor (tiny random weights): exact background, costs, unknown words."""

from collections.abc import Iterator

import numpy as np
import pytest

from instructedit_models.editor import MaskedDDIMEditor
from instructedit_models.errors import CancelledError, UnknownWordError
from tests.instructedit_models.tiny_diffusion import SCHEDULER_CONFIG, tiny_components
from tests.tools.tiny_models import TinyModels, boxes
from tools.context import EditOverrides, ToolContext, ToolSettings
from tools.events import Event
from tools.registry import call
from tools.workspace import Workspace


@pytest.fixture(scope="module")
def models() -> TinyModels:
    return TinyModels(editor=MaskedDDIMEditor(*tiny_components(), SCHEDULER_CONFIG))  # type: ignore[arg-type]


@pytest.fixture
def context(models: TinyModels) -> Iterator[ToolContext]:
    with Workspace.temporary() as workspace:
        yield ToolContext(models, workspace.start(boxes("red", "blue", "red")))


def edit(context: ToolContext, prompt: str, image_id: str, to: str = "green car", change: str = "appearance") -> str:
    # The masks are those of the untouched first picture: random weights paint no boxes.
    mask_id = call(context, "segment", image_id="image_1", segmentation_prompt=prompt).mask_id
    result = call(
        context,
        "edit_image",
        image_id=image_id,
        mask_id=mask_id,
        segmentation_prompt=prompt,
        input_caption="Photo of a blue car",
        edited_caption=f"Photo of a {to}",
        change=change,
    )
    return result.image_id or ""


def test_bytes_outside_the_union_are_identical_after_a_chain(context: ToolContext):
    context.settings = ToolSettings(EditOverrides(steps=8, encoding_ratio=1.0))
    conversation = context.conversation
    prompts = ["blue box", "red box on the left", "blue box"]
    image_id, touched = "image_1", np.zeros((64, 96), bool)
    for i, prompt in enumerate(prompts):
        image_id = edit(context, prompt, image_id, change=("shape", "appearance")[i % 2])
        made = conversation.version(image_id).edit
        assert made is not None
        assert (conversation.mask(made.mask_id) <= conversation.region(made)).all()
        touched |= conversation.region(made)
    first, last = (np.asarray(conversation.image(name)) for name in ("image_1", image_id))
    changed = (first != last).any(axis=2)
    assert changed.any() and not changed[~touched].any() and not touched.all()


def test_the_first_edit_inverts_and_feedback_does_not(context: ToolContext):
    edit(context, "blue box", "image_1")
    call(context, "adjust_edit", image_id="image_2", edited_caption="photo of a red dog")
    call(context, "adjust_edit", image_id="image_2", encoding_ratio=0.4)
    assert [made.unet_evaluations for made in context.turn.edits] == [75, 50, 40]
    assert [made.inversion_cached for made in context.turn.edits] == [False, True, True]
    assert {"encode", "invert", "denoise", "decode", "edit", "verify"} <= set(context.turn.seconds)


def test_the_same_edit_again_gives_the_same_bytes(context: ToolContext):
    images = [context.conversation.version(edit(context, "blue box", "image_1")).sha256 for _ in range(2)]
    assert images[0] == images[1]


def test_an_unknown_word_never_reaches_the_models(context: ToolContext):
    with pytest.raises(UnknownWordError, match="the word 'zebra'"):
        edit(context, "blue box", "image_1", to="zebra")


def test_stopping_in_the_middle_keeps_nothing(context: ToolContext):
    def stop(event: Event) -> None:
        if getattr(event, "stage", "") == "denoise":
            raise CancelledError("Stopped.")

    context.emit = stop
    with pytest.raises(CancelledError):
        edit(context, "blue box", "image_1")
    assert [version.id for version in context.conversation.versions()] == ["image_1"]
