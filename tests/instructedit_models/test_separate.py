"""Masks of several objects are edited one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from instructedit_models.editor import MaskedDDIMEditor
from instructedit_models.separate import apart, aspect_of, edit_separately, groups, of_a_part, of_one
from instructedit_models.types import EditOptions
from tests.instructedit_models.tiny_diffusion import SCHEDULER_CONFIG, tiny_components


def _squares(*corners: tuple[int, int], side: int = 10) -> np.ndarray:
    mask = np.zeros((128, 128), bool)
    for x, y in corners:
        mask[y : y + side, x : x + side] = True
    return mask


def test_parts_near_each_other_stay_together_and_far_ones_do_not() -> None:
    parts = groups(_squares((5, 5), (20, 5), (100, 100)), extent=40)
    assert [int(part.sum()) for part in parts] == [200, 100]


def test_a_part_inside_the_box_of_a_large_one_joins_it() -> None:
    mask = np.zeros((128, 128), bool)
    mask[10:100, 10:14] = mask[96:100, 10:100] = True
    mask[40:50, 60:70] = True
    assert len(groups(mask, extent=20)) == 1


@given(arrays.arrays(bool, (24, 24)), st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_groups_are_disjoint_and_cover_the_mask(mask: np.ndarray, extent: int) -> None:
    parts = groups(mask, extent)
    assert np.array_equal(sum((part.astype(int) for part in parts), np.zeros(mask.shape, int)), mask.astype(int))


@pytest.mark.parametrize(("mask", "evaluations"), [(_squares((5, 5), (110, 110)), 36), (_squares((5, 5)), 18)])
def test_each_group_pays_for_its_own_edit_and_nothing_else_changes(mask: np.ndarray, evaluations: int) -> None:
    editor = MaskedDDIMEditor(*tiny_components(), SCHEDULER_CONFIG)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8))
    options = EditOptions(steps=12, encoding_ratio=0.5, guidance_scale=3.0, context=1.2)
    result = edit_separately(editor, image, mask, ("photo of a cat", "photo of a dog"), options)
    assert result.unet_evaluations == evaluations
    assert result.mask.sum() == mask.sum()
    before, after = np.asarray(image), np.asarray(result.image)
    assert (before != after).any()
    assert np.array_equal(before[~result.region], after[~result.region])


@pytest.mark.parametrize(
    ("captions", "expected"),
    [
        (("Photo of cats", "Photo of red cats"), ("Photo of a cat", "Photo of a red cat")),
        (("Photo of two dotted boxes", "Photo of dogs"), ("Photo of a dotted box", "Photo of a dog")),
        (("Painting of fish", "Painting of oranges"), ("Painting of a fish", "Painting of an orange")),
        (("Photo of a cat", "Photo of dogs"), None),
        (("Photo of grass", "Photo of snow"), None),
        (("Photo of petals", "Photo of red petals"), None),
        (("Photo of cats on grass", "Photo of dogs on grass"), None),
    ],
)
def test_captions_of_several_are_worded_for_one(captions, expected) -> None:
    assert of_one(captions) == (expected or captions)


@pytest.mark.parametrize(
    ("caption", "part"),
    [
        ("photo of a blue roof", True),
        ("Photo of red wheels", True),
        ("leaves", True),
        ("photo of cars", False),
        ("Photo of a red roof", True),
        ("Painting of windows", True),
        ("Photo of a window of the house", True),
        ("Photo of a house with a red roof", False),
        ("Photo of a cat", False),
        ("", False),
    ],
)
def test_captions_of_parts_are_told(caption: str, part: bool) -> None:
    assert of_a_part(caption) is part


def test_a_new_pattern_is_told_from_a_new_colour_and_from_a_part() -> None:
    assert aspect_of(("photo of a red box", "photo of a striped red box")) == "pattern"
    assert aspect_of(("photo of a striped red box", "photo of a striped blue box")) is None
    assert aspect_of(("photo of a red roof", "photo of a wooden roof")) == "part"


def test_things_that_touch_are_told_apart() -> None:
    left, right = _squares((40, 46)), _squares((50, 40))
    grown = np.zeros((128, 128), bool)
    grown[36:60, 36:64] = True
    parts = apart(grown, [left, right])
    assert np.array_equal(parts[0] ^ parts[1], grown)
    assert np.array_equal(parts[0] & (left | right), right)
    assert (parts[-1] & left).sum() == 100  # what reaches lower comes last
    assert apart(grown, []) == ()


def test_each_thing_that_touches_another_is_edited_by_itself() -> None:
    editor = MaskedDDIMEditor(*tiny_components(), SCHEDULER_CONFIG)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8))
    options = EditOptions(steps=12, encoding_ratio=0.5, guidance_scale=3.0, context=1.2)
    mask = _squares((40, 40), (50, 40))
    things = apart(mask, [_squares((40, 40)), _squares((50, 40))])
    result = edit_separately(editor, image, mask, ("photo of cats", "photo of dogs"), options, None, things)
    assert result.unet_evaluations == 36
    before, after = np.asarray(image), np.asarray(result.image)
    assert np.array_equal(before[~result.region], after[~result.region])
