"""What an edit did to the rest of the picture: PSNR and SSIM outside a mask; the benchmarks call them.

The mask says where the picture was meant to change, so it should be the true one: measured outside a method's own mask,
every method that pastes the background would be perfect, whatever it masked.
"""

import numpy as np
from scipy import ndimage

from instructedit_models.errors import BadImageError, BadMaskError

__all__ = ["BEST_PSNR", "background_psnr", "background_ssim", "psnr"]

BEST_PSNR = 100.0
"""The PSNR in dB of pictures that are alike to the byte, and the most that is reported, so that means exist."""

_SIGMA = 1.5
_RADIUS = 5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB, at most `BEST_PSNR`.

    Args:
        a: uint8, of any shape with a value at least.
        b: uint8, of the same shape.
    """
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return min(BEST_PSNR, 10 * float(np.log10(255**2 / error))) if error else BEST_PSNR


def background_psnr(before: np.ndarray, after: np.ndarray, mask: np.ndarray) -> float | None:
    """PSNR in dB over the pixels outside the mask; None where it leaves none.

    Args:
        before: (H, W, 3) uint8.
        after: likewise.
        mask: (H, W) bool, True = was meant to change.

    Raises:
        BadImageError, BadMaskError: sizes or types do not fit.
    """
    _check(before, after, mask)
    outside = ~mask
    return psnr(before[outside], after[outside]) if outside.any() else None


def background_ssim(before: np.ndarray, after: np.ndarray, mask: np.ndarray) -> float | None:
    """Structural similarity of the background, -1 to 1; None where the mask leaves too little of it.

    SSIM with a Gaussian window (sigma 1.5, 11 x 11 pixels) on each channel (Wang et al., 2004, Eq. 13), as a mean over
    the pixels whose window holds no pixel of the mask, so that what happens inside the mask has no say.

    Args:
        before: (H, W, 3) uint8.
        after: likewise.
        mask: (H, W) bool, True = was meant to change.

    Raises:
        BadImageError, BadMaskError: sizes or types do not fit.
    """
    _check(before, after, mask)
    side = 2 * _RADIUS + 1
    inside = ~ndimage.maximum_filter(mask, size=side, mode="constant", cval=False)
    inside[:_RADIUS], inside[-_RADIUS:], inside[:, :_RADIUS], inside[:, -_RADIUS:] = False, False, False, False
    if not inside.any():
        return None
    x, y = before.astype(np.float64), after.astype(np.float64)
    mean_x, mean_y = _blurred(x), _blurred(y)
    var_x, var_y = _blurred(x * x) - mean_x**2, _blurred(y * y) - mean_y**2
    covariance = _blurred(x * y) - mean_x * mean_y
    similarity = ((2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)) / (
        (mean_x**2 + mean_y**2 + _C1) * (var_x + var_y + _C2)
    )
    return float(similarity[inside].mean())


def _blurred(image: np.ndarray) -> np.ndarray:
    return ndimage.gaussian_filter(image, sigma=(_SIGMA, _SIGMA, 0), radius=(_RADIUS, _RADIUS, 0), mode="reflect")


def _check(before: np.ndarray, after: np.ndarray, mask: np.ndarray) -> None:
    for image in (before, after):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise BadImageError(f"Pictures are compared as (H, W, 3) uint8; got {image.shape} {image.dtype}.")
    if before.shape != after.shape:
        raise BadImageError(f"The pictures differ in size: {before.shape} and {after.shape}.")
    if mask.dtype != np.bool_ or mask.shape != before.shape[:2]:
        raise BadMaskError(f"The mask must be bool {before.shape[:2]}; got {mask.shape} {mask.dtype}.")
