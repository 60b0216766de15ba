"""Geometry of crop-and-stitch: a square around the mask, edited at the model's own size, put back by a feathered mask.

Pure numpy and PIL; the editor calls it. Nothing outside the mask and its feather ring ever changes.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from instructedit_models.masks import bounding_box, feather, grow

__all__ = [
    "CropPlan",
    "coverage",
    "editable_cells",
    "extract",
    "extract_mask",
    "feather",
    "grow",
    "plan_crop",
    "stitch",
    "whole_picture",
]

MIN_SHARE = 9 / 16
"""A crop is at least this share of the model's size wide, so that no pixel is enlarged more than 1.8 times."""
TOUCHED = 1 / 32
"""A latent cell may be edited when the mask covers more than this share of it.

Low on purpose: a cell at the rim that keeps its old latent shows the old colour inside the mask (a halo), whereas what
an edited cell changes outside the mask is cut off in pixel space anyway.
"""


@dataclass(frozen=True)
class CropPlan:
    """Where a crop lies.

    Attributes:
        box: x0, y0, x1, y1 in pixels of the picture, a square; it sticks out of pictures that are smaller.
        model_size: S, the side in pixels at which the model sees the crop.
        image_size: width and height of the picture.
    """

    box: tuple[int, int, int, int]
    model_size: int
    image_size: tuple[int, int]

    @property
    def side(self) -> int:
        """The crop's side in pixels of the picture."""
        return self.box[2] - self.box[0]

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the picture that the crop holds."""
        x0, y0, x1, y1 = self.box
        width, height = self.image_size
        return slice(max(y0, 0), min(y1, height)), slice(max(x0, 0), min(x1, width))

    @property
    def padding(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Rows above and below, columns left and right, by which the crop sticks out of the picture."""
        x0, y0, x1, y1 = self.box
        width, height = self.image_size
        return (max(-y0, 0), max(y1 - height, 0)), (max(-x0, 0), max(x1 - width, 0))

    @property
    def local(self) -> "CropPlan":
        """The same crop of a picture of which only `window` is there, which is all that an edit needs."""
        rows, columns = self.window
        x0, y0, x1, y1 = self.box
        box = (x0 - columns.start, y0 - rows.start, x1 - columns.start, y1 - rows.start)
        return CropPlan(box, self.model_size, (columns.stop - columns.start, rows.stop - rows.start))


def plan_crop(mask: np.ndarray, model_size: int, context: float = 1.5, ring: int = 0) -> CropPlan:
    """The square around a mask.

    It is `context` times as wide as the mask's box but at least `MIN_SHARE` of the model's size, holds the feather
    ring, and lies inside the picture; only where the mask itself is longer than the picture is wide or high does it
    stick out, as little as it must.

    Args:
        mask: (H, W) bool, with at least one True.
        model_size: S, the side at which the model sees the crop.
        context: width of the crop over the width of the mask's box, at least 1.
        ring: pixels around the mask that must be inside too.

    Raises:
        BadMaskError: the mask is empty.
    """
    height, width = mask.shape
    x0, y0, x1, y1 = bounding_box(mask)
    extent = max(x1 - x0, y1 - y0)
    needed = max(min(x1 + ring, width) - max(x0 - ring, 0), min(y1 + ring, height) - max(y0 - ring, 0))
    wanted = max(math.ceil(extent * context), round(model_size * MIN_SHARE))
    side = max(min(wanted, width, height), needed)
    left, top = _place(x0, x1, ring, side, width), _place(y0, y1, ring, side, height)
    return CropPlan((left, top, left + side, top + side), model_size, (width, height))


def whole_picture(size: tuple[int, int], model_size: int) -> CropPlan:
    """The smallest square that holds a picture of `size` (width, height), centred on it."""
    side = max(size)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    return CropPlan((left, top, left + side, top + side), model_size, size)


def extract(image: np.ndarray, plan: CropPlan) -> np.ndarray:
    """The crop as the model sees it.

    Args:
        image: (H, W, 3) uint8.
        plan: the crop; where it sticks out, the picture is mirrored.

    Returns:
        (S, S, 3) uint8, resampled bicubically (area-aware when it shrinks).
    """
    crop = image[plan.window]
    if any(map(any, plan.padding)):
        crop = np.pad(crop, (*plan.padding, (0, 0)), mode="symmetric")
    return _resize(crop, plan.model_size)


def coverage(mask: np.ndarray, plan: CropPlan, cells: int) -> np.ndarray:
    """The share of each cell that a mask covers, for a grid laid over the crop.

    Args:
        mask: (H, W) bool.
        plan: the crop; what sticks out of the picture is not covered.
        cells: cells per side of the grid.

    Returns:
        (cells, cells) float32, 0 to 1, exact areas.
    """
    rows, columns = plan.window
    (above, _), (left, _) = plan.padding
    weights = _overlaps(plan.side, cells)
    inside = mask[rows, columns].astype(np.float32)
    return (weights[:, above : above + inside.shape[0]] @ inside @ weights[:, left : left + inside.shape[1]].T).clip(
        0, 1
    )


def extract_mask(mask: np.ndarray, plan: CropPlan) -> np.ndarray:
    """The mask as the model sees it: (S, S) bool, True where it covers at least half of a pixel."""
    return coverage(mask, plan, plan.model_size) >= 0.5


def editable_cells(mask: np.ndarray, plan: CropPlan, cells: int) -> np.ndarray:
    """The latent cells that may be edited: those of which the mask covers more than `TOUCHED`.

    Where it covers so much of none, all that it covers at all.

    Returns:
        (cells, cells) bool.
    """
    covered = coverage(mask, plan, cells)
    touched = covered > TOUCHED
    return touched if touched.any() else covered > 0


def stitch(original: np.ndarray, edited_crop: np.ndarray, plan: CropPlan, alpha: np.ndarray) -> np.ndarray:
    """Puts an edited crop back: original * (1 - alpha) + crop * alpha, bytes of the original where alpha is 0.

    Args:
        original: (H, W, 3) uint8.
        edited_crop: (S, S, 3) uint8, as `extract` made it.
        plan: the crop's place.
        alpha: (H, W) float, 0 to 1; what lies outside the crop is not looked at.

    Returns:
        (H, W, 3) uint8, a new array.
    """
    (above, _), (left, _) = plan.padding
    result = original.copy()
    target = result[plan.window]
    crop = _resize(edited_crop, plan.side)[above : above + target.shape[0], left : left + target.shape[1]]
    opacity = alpha[plan.window]
    place = opacity > 0
    weight = opacity[place][:, None].astype(np.float32)
    mixed = target[place] * (1 - weight) + crop[place] * weight
    target[place] = np.rint(mixed).clip(0, 255).astype(np.uint8)
    return result


def _place(low: int, high: int, ring: int, side: int, length: int) -> int:
    """Where a stretch of `side` begins that is centred on low..high, inside 0..length, and holds the ring."""
    if side >= length:
        return (length - side) // 2
    start = (low + high - side) // 2
    start = min(start, max(low - ring, 0))
    start = max(start, min(high + ring, length) - side)
    return min(max(start, 0), length - side)


def _resize(image: np.ndarray, size: int) -> np.ndarray:
    image = np.ascontiguousarray(image)
    if image.shape[:2] == (size, size):
        return image
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC))


def _overlaps(side: int, cells: int) -> np.ndarray:
    """(cells, side) float32: the share of each cell that each pixel takes along one axis."""
    edges = np.linspace(0, side, cells + 1)
    pixels = np.arange(side)
    shared = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return (shared.clip(0) * (cells / side)).astype(np.float32)
