"""Mask algebra for any mask: each operation against its literal definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from instructedit_models.errors import BadMaskError, BadParameterError
from instructedit_models.masks import (
    MODES,
    MaskRules,
    Refinement,
    combine,
    feather,
    fill_holes,
    grow,
    invert,
    keep_largest,
    refine,
    shrink,
)

shapes = st.tuples(st.integers(1, 24), st.integers(1, 24))
masks = shapes.flatmap(lambda shape: arrays(bool, shape))
pairs = shapes.flatmap(lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape)))
few = settings(deadline=None, max_examples=25)


def within(mask: np.ndarray, pixels: int) -> np.ndarray:
    """What is at most so far from the mask, by comparing every pixel with every other."""
    if not mask.any():
        return np.zeros_like(mask)
    ys, xs = np.nonzero(mask)
    rows, columns = np.indices(mask.shape)
    return ((rows[..., None] - ys) ** 2 + (columns[..., None] - xs) ** 2).min(axis=-1) <= pixels**2


@few
@given(masks, st.integers(0, 6))
def test_growing_and_shrinking(mask: np.ndarray, pixels: int) -> None:
    before = mask.copy()
    np.testing.assert_array_equal(grow(mask, pixels), within(mask, pixels) if pixels else mask)
    np.testing.assert_array_equal(shrink(mask, pixels), ~within(~mask, pixels) if pixels else mask)
    np.testing.assert_array_equal(mask, before)
    assert not (shrink(mask, pixels) & ~mask).any() and not (mask & ~grow(mask, pixels)).any()


@few
@given(masks, st.integers(0, 6))
def test_feathering_falls_from_one_to_nothing(mask: np.ndarray, ring: int) -> None:
    alpha = feather(mask, ring)
    assert alpha.shape == mask.shape and alpha.dtype == np.float32
    assert ((alpha >= 0) & (alpha <= 1)).all()
    np.testing.assert_array_equal(alpha == 1, mask)
    np.testing.assert_array_equal(alpha > 0, within(mask, ring))
    if mask.any():
        distance = ndimage.distance_transform_edt(~mask)
        np.testing.assert_allclose(alpha, np.where(distance <= ring, 1 - distance / (ring + 1), 0), atol=1e-6)


@few
@given(masks)
def test_holes_and_largest_part(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(fill_holes(mask), ndimage.binary_fill_holes(mask))
    largest = keep_largest(mask)
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    assert largest.sum() == max(np.bincount(labels.ravel())[1:], default=0)
    assert not (largest & ~mask).any() and (count == 0 or len(set(labels[largest])) == 1)


@few
@given(pairs)
def test_set_algebra(pair: tuple[np.ndarray, np.ndarray]) -> None:
    found, own = pair
    np.testing.assert_array_equal(combine(found, own, "replace"), own)
    np.testing.assert_array_equal(combine(found, own, "add"), invert(invert(found) & invert(own)))
    np.testing.assert_array_equal(combine(found, own, "subtract"), combine(found, invert(own), "intersect"))
    for mode in MODES:
        made = combine(found, own, mode)
        assert made is not own and made.dtype == bool and not np.shares_memory(made, own)


@few
@given(masks, st.booleans(), st.booleans(), st.booleans(), st.integers(0, 4), st.integers(0, 4))
def test_refinements_keep_their_order(
    mask: np.ndarray, inverted: bool, filled: bool, largest: bool, less: int, more: int
) -> None:
    expected = ~mask if inverted else mask
    expected = fill_holes(expected) if filled else expected
    expected = keep_largest(expected) if largest else expected
    expected = grow(shrink(expected, less), more)
    np.testing.assert_array_equal(refine(mask, Refinement(inverted, filled, largest, less, more)), expected)


@few
@given(pairs, st.sampled_from(MODES))
def test_rules_give_a_mask_or_say_why_not(pair: tuple[np.ndarray, np.ndarray], mode: str) -> None:
    found, own = pair
    rules = MaskRules(own, mode)  # type: ignore[arg-type]
    again = MaskRules.from_json(rules.to_json())
    np.testing.assert_array_equal(again.own, own)
    expected = combine(found, own, mode)  # type: ignore[arg-type]
    if expected.any():
        np.testing.assert_array_equal(again.applied(found), expected)
    else:
        with pytest.raises(BadMaskError, match="Nothing is left"):
            again.applied(found)


def test_a_whole_picture_stays_whole_and_a_hole_at_the_border_stays_open() -> None:
    whole = np.ones((9, 7), bool)
    assert shrink(whole, 3).all()
    bay = whole.copy()
    bay[0:3, 3] = False
    np.testing.assert_array_equal(fill_holes(bay), bay)


def test_what_does_not_fit() -> None:
    one = np.ones((4, 5), bool)
    with pytest.raises(BadMaskError, match="5 x 4.*4 x 4"):
        combine(one, np.ones((4, 4), bool), "add")
    with pytest.raises(BadParameterError, match="replace, add"):
        combine(one, one, "xor")  # type: ignore[arg-type]
    for wrong in (-1, 129, 1.5, True):
        with pytest.raises(BadParameterError, match="0 to 128"):
            Refinement(grow=wrong)  # type: ignore[arg-type]
    for data in ({"own": "?"}, {"own": "aGVsbG8="}, {"mode": "xor"}, {"refinement": {"melt": 1}}, {"refinement": 3}):
        with pytest.raises(BadParameterError, match="recorded mask"):
            MaskRules.from_json(data)  # type: ignore[arg-type]
