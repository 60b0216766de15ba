"""Things that were found in a picture, each of them once, and their masks."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from instructedit_models.choosing import Candidate
from instructedit_models.types import Box

__all__ = ["Found", "each_once", "filled", "shrunk"]

_WITHIN = 0.85
"""The share of a mask that must lie in another for both to show the same pixels."""

_MEMBER = 0.7
"""The least score of a group's members over its own; mere pieces of a thing are found less surely than it."""


@dataclass(frozen=True)
class Found:
    """A detection with its mask.

    Attributes:
        phrase: what was asked for.
        score: 0 to 1.
        box: x0, y0, x1, y1 in pixels.
        mask: (H, W) bool.
        cropped: whether the mask is as good as it gets: it was made in an enlarged crop, or by subtraction.
    """

    phrase: str
    score: float
    box: Box
    mask: np.ndarray = field(repr=False, compare=False)
    cropped: bool = False

    @property
    def candidate(self) -> Candidate:
        """What `choose` needs to know of it."""
        return Candidate(self.box, self.score, float(np.count_nonzero(self.mask)))


def each_once(found: Sequence[Found]) -> list[Found]:
    """Without those whose pixels others show better: a piece of a thing, or several things in one.

    Things that cover each other in a picture share no pixels, however much their boxes do; but a mask may spill over a
    neighbour of the same kind, so that what lies in it is only dropped where it is found much less surely.

    Args:
        found: answers to one phrase; masks of one size.

    Returns:
        Those that are kept, in their order.
    """
    kept: list[Found] = []
    for each in sorted(found, key=lambda one: -one.score):
        if not _is_group(each, found) and not any(_is_double(each, other) for other in kept):
            kept.append(each)
    chosen = {id(each) for each in kept}
    return [each for each in found if id(each) in chosen]


def _is_group(one: Found, found: Sequence[Found]) -> bool:
    """Whether several others, found almost as surely, make it up."""
    left, members = one.mask.copy(), 0
    for other in found:
        inside = np.count_nonzero(other.mask & left)
        if other is not one and other.score >= _MEMBER * one.score and inside > _WITHIN * np.count_nonzero(other.mask):
            left &= ~other.mask
            members += 1
    return members > 1 and bool(np.count_nonzero(left) < (1 - _WITHIN) * np.count_nonzero(one.mask))


def _is_double(one: Found, surer: Found) -> bool:
    """Whether it holds a surer thing, or is a piece of one that is found much more surely."""
    areas = np.count_nonzero(one.mask), np.count_nonzero(surer.mask)
    if np.count_nonzero(one.mask & surer.mask) <= _WITHIN * min(areas):
        return False
    return bool(areas[0] > areas[1]) or one.score < _MEMBER * surer.score


def filled(box: Box, shape: tuple[int, ...]) -> np.ndarray:
    """The box as a mask of the given (H, W)."""
    mask = np.zeros(shape, dtype=bool)
    x0, y0 = max(0, int(np.floor(box[0]))), max(0, int(np.floor(box[1])))
    mask[y0 : max(0, int(np.ceil(box[3]))), x0 : max(0, int(np.ceil(box[2])))] = True
    return mask


def shrunk(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The mask at `size` (width, height): pixels of which at least half was masked."""
    if (mask.shape[1], mask.shape[0]) == size:
        return mask
    grey = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)
    return np.asarray(grey) > 127
