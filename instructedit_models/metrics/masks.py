"""How well two masks agree; the benchmarks call it."""

import numpy as np

from instructedit_models.errors import BadMaskError

__all__ = ["iou"]


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two bool masks (H, W), 0 to 1; 0 where both are empty.

    Raises:
        BadMaskError: they are of different sizes.
    """
    if a.shape != b.shape:
        raise BadMaskError(f"One mask is {a.shape}, the other {b.shape}; they must be of one picture.")
    union = np.count_nonzero(a | b)
    return float(np.count_nonzero(a & b) / union) if union else 0.0
