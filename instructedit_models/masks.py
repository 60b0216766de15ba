"""Mask algebra: grow, shrink, feather, fill holes, keep the largest part, invert, and combine; pure numpy and scipy.

The editor feathers with it, the tools combine with it, and `MaskRules` is what a person fixed for the masks of an edit:
a mask of their own, how it meets the one that was found, and what is done to the result. Masks are bool (H, W),
True = may be edited; every function returns a new array of the same shape.
"""

import base64
import binascii
import io
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image
from scipy import ndimage

from instructedit_models.boxes import square_around
from instructedit_models.errors import BadMaskError, BadParameterError
from instructedit_models.limits import MAX_RING

__all__ = [
    "MODES",
    "MaskMode",
    "MaskRules",
    "Refinement",
    "bounding_box",
    "combine",
    "crop_box",
    "enlarged",
    "feather",
    "fill_holes",
    "grow",
    "invert",
    "keep_largest",
    "refine",
    "shrink",
]

MaskMode = Literal["replace", "add", "subtract", "intersect"]
"""How a person's own mask meets the one that was found."""
MODES: tuple[MaskMode, ...] = get_args(MaskMode)

_EIGHT = np.ones((3, 3), bool)
"""Pixels that touch at a corner belong together; the holes between them do not."""


@dataclass(frozen=True)
class Refinement:
    """What is done to a mask, in this order: invert, fill holes, keep the largest part, shrink, grow.

    Attributes:
        invert: take everything but the mask.
        fill_holes: add what the mask encloses.
        keep_largest: drop all but the largest connected part.
        shrink: pixels (Euclidean) taken off the rim; the picture's own border is no rim.
        grow: pixels (Euclidean) added around it.

    Raises:
        BadParameterError: a number of pixels is not a whole one from 0 to `MAX_RING`.
    """

    invert: bool = False
    fill_holes: bool = False
    keep_largest: bool = False
    shrink: int = 0
    grow: int = 0

    def __post_init__(self) -> None:
        for name in ("shrink", "grow"):
            _pixels(getattr(self, name), f"The mask's {name}")

    @property
    def nothing(self) -> bool:
        """Whether it leaves every mask as it is."""
        return self == Refinement()


@dataclass(frozen=True)
class MaskRules:
    """What a person fixed for the masks of an edit.

    Attributes:
        own: (H, W) bool, a mask of their own; None where there is none.
        mode: how it meets the found one.
        refinement: what is done to the outcome.
    """

    own: np.ndarray | None = field(default=None, repr=False, compare=False)
    mode: MaskMode = "replace"
    refinement: Refinement = field(default_factory=Refinement)

    @property
    def replaces(self) -> bool:
        """Whether nothing need be found, because the person's own mask stands for it."""
        return self.own is not None and self.mode == "replace"

    def applied(self, found: np.ndarray) -> np.ndarray:
        """The mask of an edit, from the one that was found.

        Raises:
            BadMaskError: the person's own mask has another size, or nothing is left.
        """
        mask = found if self.own is None else combine(found, self.own, self.mode)
        if not mask.any() and not self.refinement.invert:
            raise BadMaskError(f"Nothing is left of the mask: {_WHY_EMPTY[self.mode]}")
        mask = refine(mask, self.refinement)
        if not mask.any():
            raise BadMaskError("Nothing is left of the mask once it is refined; shrink or invert it less.")
        return mask

    def to_json(self) -> dict[str, Any]:
        """As data, the mask as the base64 of a 1-bit PNG; what `from_json` takes."""
        own = None
        if self.own is not None:
            buffer = io.BytesIO()
            Image.fromarray(np.ascontiguousarray(self.own, dtype=bool)).save(buffer, format="PNG")
            own = base64.b64encode(buffer.getvalue()).decode()
        return {"own": own, "mode": self.mode, "refinement": asdict(self.refinement)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "MaskRules":
        """The rules that `to_json` wrote.

        Raises:
            BadParameterError: they cannot be read.
        """
        try:
            own = None
            if data.get("own") is not None:
                with Image.open(io.BytesIO(base64.b64decode(data["own"], validate=True)), formats=["PNG"]) as picture:
                    own = np.array(picture.convert("1"), dtype=bool)
            mode = data.get("mode", "replace")
            if mode not in MODES:
                raise ValueError(f"there is no mode {mode!r}")
            return cls(own, mode, Refinement(**data.get("refinement", {})))
        except (OSError, ValueError, TypeError, AttributeError, SyntaxError, binascii.Error) as error:
            raise BadParameterError(f"The recorded mask cannot be read: {error}.") from error


_WHY_EMPTY = {
    "replace": "the mask is all black; paint white what may be edited.",
    "add": "neither the found mask nor the given one holds a pixel.",
    "subtract": "the given mask covers all that was found.",
    "intersect": "the given mask and what was found have no pixel in common.",
}
_COMBINED: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "replace": lambda found, own: own.copy(),
    "add": lambda found, own: found | own,
    "subtract": lambda found, own: found & ~own,
    "intersect": lambda found, own: found & own,
}


def combine(found: np.ndarray, own: np.ndarray, mode: MaskMode) -> np.ndarray:
    """Two masks as one.

    Args:
        found: (H, W) bool.
        own: (H, W) bool.
        mode: "replace" (own alone), "add" (either), "subtract" (found without own) or "intersect" (both).

    Raises:
        BadMaskError: they differ in size.
        BadParameterError: an unknown mode.
    """
    if mode not in _COMBINED:
        raise BadParameterError(f"There is no mask mode {mode!r}; use one of {', '.join(MODES)}.")
    if found.shape != own.shape:
        raise BadMaskError(f"One mask is {_by(found)} pixels and the other {_by(own)}; they must be of one picture.")
    return _COMBINED[mode](found, own)


def refine(mask: np.ndarray, refinement: Refinement) -> np.ndarray:
    """The mask after all that a refinement asks for, in its order."""
    if refinement.invert:
        mask = invert(mask)
    if refinement.fill_holes:
        mask = fill_holes(mask)
    if refinement.keep_largest:
        mask = keep_largest(mask)
    return grow(shrink(mask, refinement.shrink), refinement.grow)


def invert(mask: np.ndarray) -> np.ndarray:
    """Everything but the mask."""
    return ~mask


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """The mask with all that it encloses; what reaches the picture's border is not enclosed."""
    if not mask.any():
        return mask.copy()
    rows, columns = _window(mask)
    part = np.pad(mask[rows, columns], 1)
    labels, _ = ndimage.label(~part)
    result = mask.copy()
    result[rows, columns] = (labels != labels[0, 0])[1:-1, 1:-1]
    return result


def keep_largest(mask: np.ndarray) -> np.ndarray:
    """The largest connected part, corners counting as connections; of equal ones the first from the top left."""
    if not mask.any():
        return mask.copy()
    rows, columns = _window(mask)
    labels, count = ndimage.label(mask[rows, columns], structure=_EIGHT)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    result = np.zeros_like(mask)
    result[rows, columns] = labels == 1 + int(np.argmax(sizes[1:]))
    return result


def grow(mask: np.ndarray, pixels: int) -> np.ndarray:
    """The mask with everything that is at most `pixels` away (Euclidean): (H, W) bool."""
    if not pixels or not mask.any():
        return mask.copy()
    # Pages of zeros that are never written take no memory, which matters for large photos with small masks.
    result = np.zeros(mask.shape, bool)
    window, distance = _distance(mask, pixels)
    result[window] = distance <= pixels
    return result


def shrink(mask: np.ndarray, pixels: int) -> np.ndarray:
    """The mask without all that is at most `pixels` away (Euclidean) from a pixel outside it: (H, W) bool.

    What lies beyond the picture's border counts as inside, so that a mask of a whole picture stays whole.
    """
    return ~grow(~mask, pixels) if pixels else mask.copy()


def feather(mask: np.ndarray, ring: int) -> np.ndarray:
    """Opacity of an edit: 1 inside the mask, falling over `ring` pixels outside it, and exactly 0 beyond.

    Args:
        mask: (H, W) bool.
        ring: width of the ramp in pixels; 0 gives a hard edge.

    Returns:
        (H, W) float32; a pixel d away from the mask gets 1 - d / (ring + 1).
    """
    if not ring:
        return mask.astype(np.float32)
    result = np.zeros(mask.shape, np.float32)
    if mask.any():
        window, distance = _distance(mask, ring)
        result[window] = np.where(distance <= ring, 1 - distance / (ring + 1), 0)
    return result


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the mask in pixels, x1 and y1 exclusive.

    Raises:
        BadMaskError: the mask is empty.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        raise BadMaskError("The mask is empty: no pixel may be edited.")
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _distance(mask: np.ndarray, limit: int) -> tuple[tuple[slice, slice], np.ndarray]:
    """Euclidean distances to the nearest True pixel, in the window that holds all that are at most `limit`.

    Returns:
        The window (rows, columns), and (h, w) float32 of its size; beyond `limit` the distances are too large.
    """
    height, width = mask.shape
    x0, y0, x1, y1 = bounding_box(mask)
    window = slice(max(y0 - limit, 0), min(y1 + limit, height)), slice(max(x0 - limit, 0), min(x1 + limit, width))
    part = mask[window]
    vertical = np.full(part.shape, np.inf, np.float32)
    for rows in (range(len(part)), range(len(part) - 1, -1, -1)):
        steps = np.full(part.shape[1], np.inf, np.float32)
        for row in rows:
            steps = np.where(part[row], np.float32(0), steps + 1)
            np.minimum(vertical[row], steps, out=vertical[row])
    vertical **= 2
    squared = vertical.copy()
    for shift in range(1, min(limit, part.shape[1] - 1) + 1):
        np.minimum(squared[:, shift:], vertical[:, :-shift] + shift**2, out=squared[:, shift:])
        np.minimum(squared[:, :-shift], vertical[:, shift:] + shift**2, out=squared[:, :-shift])
    return window, np.sqrt(squared, out=squared)


def _window(mask: np.ndarray) -> tuple[slice, slice]:
    x0, y0, x1, y1 = bounding_box(mask)
    return slice(y0, y1), slice(x0, x1)


def _pixels(value: object, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_RING:
        raise BadParameterError(f"{what} must be a whole number of pixels from 0 to {MAX_RING}; got {value!r}.")


def _by(mask: np.ndarray) -> str:
    return " x ".join(map(str, mask.shape[::-1]))


def crop_box(mask: np.ndarray, context: float) -> tuple[int, int, int, int]:
    """A square around the mask's box, `context` times as wide, moved inside the picture (or cut where too large).

    Args:
        mask: (H, W) bool, not empty.
        context: width of the crop over the longer side of the box.

    Returns:
        x0, y0, x1, y1 in pixels.
    """
    return square_around(bounding_box(mask), context, (mask.shape[1], mask.shape[0]))


def enlarged(image: Image.Image, crop: tuple[int, int, int, int], least: int) -> tuple[Image.Image, float]:
    """A crop (x0, y0, x1, y1) whose longer side is at least `least` pixels, smoothly enlarged, and by how much."""
    picture = image.crop(crop)
    scale = max(1.0, least / max(picture.size))
    size = (round(picture.width * scale), round(picture.height * scale))
    return (picture if scale == 1 else picture.resize(size, Image.Resampling.BICUBIC)), scale
