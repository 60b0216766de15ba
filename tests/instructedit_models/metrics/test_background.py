"""PSNR and SSIM of what an edit should leave alone."""

import numpy as np
import pytest

from instructedit_models.errors import BadImageError, BadMaskError
from instructedit_models.metrics.background import BEST_PSNR, background_psnr, background_ssim, psnr


@pytest.fixture
def before() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)


@pytest.fixture
def mask() -> np.ndarray:
    mask = np.zeros((40, 48), bool)
    mask[10:20, 12:24] = True
    return mask


def test_what_happens_inside_has_no_say(before: np.ndarray, mask: np.ndarray):
    after = before.copy()
    after[mask] = 0
    assert background_psnr(before, after, mask) == BEST_PSNR
    assert background_ssim(before, after, mask) == pytest.approx(1)


def test_what_happens_outside_is_seen(before: np.ndarray, mask: np.ndarray):
    after = before.copy()
    after[:, 40:] = 255 - after[:, 40:]
    outside = background_psnr(before, after, mask)
    assert outside is not None and outside < 20
    similarity = background_ssim(before, after, mask)
    assert similarity is not None and similarity < 0.9


def test_psnr_by_hand():
    assert psnr(np.full((2, 2), 10, np.uint8), np.full((2, 2), 20, np.uint8)) == pytest.approx(28.1308, abs=1e-3)


def test_ssim_is_scikit_images(before: np.ndarray):
    metrics = pytest.importorskip("skimage.metrics")
    noise = np.random.default_rng(1).normal(0, 20, before.shape)
    after = np.clip(before + noise, 0, 255).astype(np.uint8)
    theirs = metrics.structural_similarity(
        before, after, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    assert background_ssim(before, after, np.zeros(before.shape[:2], bool)) == pytest.approx(theirs, abs=1e-6)


def test_a_mask_of_everything_leaves_nothing_to_measure(before: np.ndarray):
    everything = np.ones(before.shape[:2], bool)
    assert background_psnr(before, before, everything) is None
    assert background_ssim(before, before, everything) is None


def test_what_does_not_fit_is_refused(before: np.ndarray, mask: np.ndarray):
    with pytest.raises(BadImageError):
        background_psnr(before, before[1:], mask)
    with pytest.raises(BadImageError):
        background_ssim(before.astype(float), before.astype(float), mask)
    with pytest.raises(BadMaskError):
        background_psnr(before, before, mask[1:])
    with pytest.raises(BadMaskError):
        background_ssim(before, before, mask.astype(np.uint8))
