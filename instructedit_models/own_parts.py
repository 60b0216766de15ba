"""A car that becomes red keeps its black wheels: parts of a thing that a change of its look leaves as they are.

What shares the thing's look, as a dog's ears may, changes with it.
"""

from collections.abc import Mapping

import numpy as np
from PIL import Image

from instructedit_models.colours import colour_of, difference
from instructedit_models.lexicon import MAIN_PARTS
from instructedit_models.masks import grow

__all__ = ["of_their_own"]

_OTHER = 16.0
"""Parts whose colour differs by more from the rest's (`colours.difference`) have one of their own. On validation scenes
25 parts that share it are at most 15 apart, and of 240 others one is less than 16."""
_LEAST = 0.25
"""The share of the thing that has to remain: what would leave less was mistaken for a part."""


def of_their_own(
    image: Image.Image, mask: np.ndarray, parts: Mapping[str, np.ndarray], ring: int = 0
) -> dict[str, np.ndarray]:
    """The parts with a colour of their own, which differs from that of what the other parts leave of the thing.

    Args:
        image: PIL RGB.
        mask: (H, W) bool, the thing.
        parts: by name, (H, W) bool each, inside the mask.
        ring: pixels by which those that are kept are grown, since an edit's blending ring reaches into them. On
            validation scenes half of the ring left the parts of 20 edits 9 (of 255) from the true picture's instead of
            20; the whole ring leaves a rim in the old colour.

    Returns:
        Some of them, not its main part (the crown of a tree, the hull of a boat); none where hardly anything of the
        thing would be left.
    """
    minor = {name: part for name, part in parts.items() if name not in MAIN_PARTS and part.any()}
    body = _without(mask, minor)
    if not body.any():
        return {}
    pixels = np.asarray(image)
    own = colour_of(pixels, body)
    other = [name for name, part in minor.items() if difference(colour_of(pixels, part), own) > _OTHER]
    kept = {name: grow(minor[name], ring) & mask for name in other}
    return kept if np.count_nonzero(_without(mask, kept)) >= _LEAST * np.count_nonzero(mask) else {}


def _without(mask: np.ndarray, parts: Mapping[str, np.ndarray]) -> np.ndarray:
    return mask & ~np.logical_or.reduce([np.zeros_like(mask), *parts.values()])
