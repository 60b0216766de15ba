"""Masks of the person's own: fixed for all edits, saved under a name, and in the algebra of combine_masks."""

import numpy as np
import pytest

from instructedit_models.errors import BadMaskError, BadParameterError, RefusedError
from instructedit_models.masks import MaskRules, Refinement, grow, shrink
from instructedit_models.safety import SafetyGuard
from tests.instructedit_models.test_safety import Redness
from tests.tools.calling import edit, pixels, segment
from tests.tools.tiny_models import COLOURS
from tools.context import ToolContext, ToolSettings
from tools.own_masks import saved_mask_of
from tools.registry import call

LEFT = np.zeros((64, 96), bool)
LEFT[:, :32] = True


def fixed(context: ToolContext, **rules: object) -> None:
    context.settings = ToolSettings(masking=MaskRules(**rules))  # type: ignore[arg-type]


def mask_of(context: ToolContext, prompt: str) -> np.ndarray:
    return context.conversation.mask(segment(context, prompt))


def test_an_own_mask_replaces_what_would_be_found(context: ToolContext) -> None:
    fixed(context, own=LEFT)
    np.testing.assert_array_equal(mask_of(context, "star"), LEFT)  # nothing is looked for
    edit(context, "red box", "green")
    after, before = pixels(context, "image_2"), pixels(context, "image_1")
    assert (after[LEFT] == COLOURS["green"]).all() and (after[:, 34:] == before[:, 34:]).all()


def test_an_own_mask_meets_the_found_one(context: ToolContext) -> None:
    blue = mask_of(context, "blue box")
    half = np.zeros_like(blue)
    half[:32] = True
    for mode, expected in (("add", blue | half), ("subtract", blue & ~half), ("intersect", blue & half)):
        fixed(context, own=half, mode=mode)
        np.testing.assert_array_equal(mask_of(context, "blue box"), expected)


def test_painting_over_one_of_two_says_which_is_meant(context: ToolContext) -> None:
    result = call(context, "segment", image_id="image_1", segmentation_prompt="red box")
    assert result.text.startswith("ambiguous")
    fixed(context, own=LEFT, mode="intersect")
    chosen = mask_of(context, "red box")
    assert chosen.any() and not (chosen & ~LEFT).any()
    context.turn.ambiguities.clear()
    far = np.zeros_like(LEFT)
    far[60:, 40:50] = True
    fixed(context, own=far, mode="intersect")
    assert call(context, "segment", image_id="image_1", segmentation_prompt="red box").text.startswith("ambiguous")


def test_refinements_reach_the_edit(context: ToolContext) -> None:
    blue = mask_of(context, "blue box")
    fixed(context, refinement=Refinement(grow=4))
    np.testing.assert_array_equal(mask_of(context, "blue box"), grow(blue, 4))
    fixed(context, refinement=Refinement(invert=True, shrink=2))
    np.testing.assert_array_equal(mask_of(context, "blue box"), shrink(~blue, 2))
    fixed(context, refinement=Refinement(shrink=100))
    with pytest.raises(BadMaskError, match="shrink"):
        segment(context, "blue box")


def test_masks_that_do_not_fit(context: ToolContext) -> None:
    for mode in ("replace", "add"):
        fixed(context, own=np.ones((9, 9), bool), mode=mode)
        with pytest.raises(BadMaskError, match="9 x 9.*96 x 64"):
            segment(context, "blue box")
    fixed(context, own=LEFT[:, ::-1], mode="intersect")
    with pytest.raises(BadMaskError, match="in common"):
        segment(context, "blue box")


def test_a_saved_mask_is_found_by_its_name(context: ToolContext) -> None:
    mask_id = segment(context, "blue box")
    blue = context.conversation.mask(mask_id)
    result = call(context, "name_mask", mask_id=mask_id, label=" Front  Door ")
    assert "'front door'" in result.text
    edit(context, "blue box", "green")
    np.testing.assert_array_equal(mask_of(context, "front door"), blue)  # the box is green by now
    np.testing.assert_array_equal(saved_mask_of(context.conversation.workspace, "FRONT DOOR", (96, 64)), blue)
    assert saved_mask_of(context.conversation.workspace, "front door", (64, 96)) is None
    assert saved_mask_of(context.conversation.workspace, "back door", (96, 64)) is None
    for name in ("", "mask_1", "7", "a" * 41, "../etc", "a\x00b"):
        with pytest.raises(BadParameterError, match="cannot name a mask"):
            call(context, "name_mask", mask_id=mask_id, label=name)


def test_the_algebra_of_expressions(context: ToolContext) -> None:
    mask_id = segment(context, "blue box")
    blue = context.conversation.mask(mask_id)
    call(context, "name_mask", mask_id=mask_id, label="sky")
    for expression, expected in (
        (f"grow({mask_id}, 3)", grow(blue, 3)),
        (f"grow({mask_id}, 3) - 'sky'", grow(blue, 3) & ~blue),
        (f"~shrink('sky', 2) & {mask_id}", blue & ~shrink(blue, 2)),
        (f"largest(fill({mask_id} | grow({mask_id},1)))", grow(blue, 1)),
    ):
        made = call(context, "combine_masks", image_id="image_1", expression=expression).mask_id
        np.testing.assert_array_equal(context.conversation.mask(made or ""), expected)
    for wrong in (
        "grow(mask_1)",
        "grow mask_1",
        "grow(mask_1, 999)",
        "fill(mask_1, 3)",
        "'sea'",
        "grow(",
        "melt(mask_1)",
    ):
        with pytest.raises(BadParameterError):
            call(context, "combine_masks", image_id="image_1", expression=wrong)


def test_a_flagged_result_is_not_kept(context: ToolContext) -> None:
    everything = np.ones((64, 96), bool)
    context.settings = ToolSettings(masking=MaskRules(everything), guard=SafetyGuard(Redness(), 0.5))
    with pytest.raises(RefusedError, match="withheld"):
        edit(context, "blue box", "red")
    assert context.conversation.current_id == "image_1" and len(context.conversation.versions()) == 1
    context.settings = ToolSettings(guard=SafetyGuard(Redness(), 0.05))
    with pytest.raises(RefusedError, match="The picture was refused"):
        edit(context, "blue box", "green")
