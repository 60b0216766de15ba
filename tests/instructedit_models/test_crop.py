"""Crop-and-stitch for any mask and any picture: nothing outside mask and ring ever changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructedit_models.crop import (
    CropPlan,
    coverage,
    editable_cells,
    extract,
    extract_mask,
    feather,
    grow,
    plan_crop,
    stitch,
    whole_picture,
)
from instructedit_models.errors import BadMaskError


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    height, width = draw(st.integers(1, 70)), draw(st.integers(1, 70))
    mask = np.zeros((height, width), bool)
    for _ in range(draw(st.integers(1, 3))):
        y, x = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        mask[y : y + draw(st.integers(1, height)), x : x + draw(st.integers(1, width))] = True
    return mask


def literal_distance(mask: np.ndarray) -> np.ndarray:
    ys, xs = np.nonzero(mask)
    rows, columns = np.indices(mask.shape)
    return np.sqrt(((rows[..., None] - ys) ** 2 + (columns[..., None] - xs) ** 2).min(axis=-1))


@settings(deadline=None, max_examples=60)
@given(masks(), st.integers(0, 9), st.sampled_from([8, 32, 64]), st.floats(1, 4), st.booleans())
def test_bytes_outside_the_ring_never_change(
    mask: np.ndarray, ring: int, size: int, context: float, crop: bool
) -> None:
    rng = np.random.default_rng(0)
    original = rng.integers(0, 256, (*mask.shape, 3), dtype=np.uint8)
    before = original.copy()
    plan = plan_crop(mask, size, context, ring) if crop else whole_picture(mask.shape[::-1], size)
    edited = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
    result = stitch(original, edited, plan, feather(mask, ring))
    near = literal_distance(mask) <= ring
    np.testing.assert_array_equal(result[~near], original[~near])
    np.testing.assert_array_equal(original, before)
    assert result.shape == original.shape and result.dtype == np.uint8


@settings(deadline=None, max_examples=60)
@given(masks(), st.integers(0, 9), st.sampled_from([8, 32, 64]), st.floats(1, 4))
def test_a_crop_holds_mask_and_ring_and_lies_inside(mask: np.ndarray, ring: int, size: int, context: float) -> None:
    plan = plan_crop(mask, size, context, ring)
    height, width = mask.shape
    x0, y0, x1, y1 = plan.box
    assert x1 - x0 == y1 - y0 == plan.side
    inside = np.zeros_like(mask)
    inside[plan.window] = True
    assert inside[literal_distance(mask) <= ring].all()
    if plan.side <= min(width, height):
        assert x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height
    else:
        assert plan.side <= max(width, height)
    assert extract(np.zeros((height, width, 3), np.uint8), plan).shape == (size, size, 3)
    assert editable_cells(mask, plan, max(1, size // 4)).any()


@settings(deadline=None, max_examples=40)
@given(masks(), st.integers(0, 6))
def test_growing_and_feathering_follow_the_distance(mask: np.ndarray, pixels: int) -> None:
    distance = literal_distance(mask)
    np.testing.assert_array_equal(grow(mask, pixels), distance <= pixels)
    wanted = np.where(distance <= pixels, 1 - distance / (pixels + 1), 0)
    np.testing.assert_allclose(feather(mask, pixels), wanted, atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(masks(), st.integers(1, 20))
def test_coverage_is_the_exact_area(mask: np.ndarray, cells: int) -> None:
    plan = plan_crop(mask, 64, 1.5)
    covered = coverage(mask, plan, cells)
    area = mask[plan.window].sum()
    assert covered.min() >= 0 and covered.max() <= 1
    assert covered.sum() * (plan.side / cells) ** 2 == pytest.approx(area, rel=1e-4)


def test_context_minimum_and_borders() -> None:
    mask = np.zeros((128, 128), bool)
    mask[40:80, 60:90] = True
    assert plan_crop(mask, 64, 1.5) == CropPlan((45, 30, 105, 90), 64, (128, 128))
    small = np.zeros((128, 128), bool)
    small[0:4, 124:128] = True
    plan = plan_crop(small, 64, 1.5)
    assert plan.box == (92, 0, 128, 36)
    assert plan_crop(np.ones((128, 128), bool), 64).box == (0, 0, 128, 128)
    assert plan_crop(np.ones((60, 100), bool), 64).box == (0, -20, 100, 80)
    assert whole_picture((100, 60), 64).box == (0, -20, 100, 80)
    with pytest.raises(BadMaskError):
        plan_crop(np.zeros((9, 9), bool), 64)


def test_a_crop_at_the_models_size_is_exact_both_ways() -> None:
    rng = np.random.default_rng(1)
    original = rng.integers(0, 256, (100, 120, 3), dtype=np.uint8)
    plan = CropPlan((30, 20, 94, 84), 64, (120, 100))
    crop = extract(original, plan)
    np.testing.assert_array_equal(crop, original[20:84, 30:94])
    mask = np.zeros((100, 120), bool)
    mask[40:60, 50:70] = True
    edited = 255 - crop
    result = stitch(original, edited, plan, feather(mask, 0))
    np.testing.assert_array_equal(result, np.where(mask[..., None], 255 - original, original))
    np.testing.assert_array_equal(extract_mask(mask, plan), mask[20:84, 30:94])


def test_pictures_that_are_too_narrow_are_mirrored() -> None:
    original = np.arange(8 * 20 * 3, dtype=np.uint8).reshape(8, 20, 3)
    plan = whole_picture((20, 8), 20)
    crop = extract(original, plan)
    np.testing.assert_array_equal(crop[6:14], original)
    np.testing.assert_array_equal(crop[5::-1], original[:6])
    np.testing.assert_array_equal(stitch(original, crop, plan, np.ones((8, 20), np.float32)), original)


def test_cells_that_are_touched_noticeably_are_editable() -> None:
    mask = np.zeros((64, 64), bool)
    mask[:32, :32] = True
    mask[32, 0] = True  # 1 of 16 pixels
    plan = whole_picture((64, 64), 64)
    cells = editable_cells(mask, plan, 16)
    assert cells[:8, :8].all() and cells[8, 0] and cells.sum() == 65
    big = np.zeros((640, 640), bool)
    big[:320, :320] = True
    big[320, 0] = True  # 1 of 1600 pixels
    assert editable_cells(big, whole_picture((640, 640), 64), 16).sum() == 64
    dot = np.zeros((640, 640), bool)
    dot[100, 100] = True
    assert editable_cells(dot, whole_picture((640, 640), 64), 16).sum() == 1
