"""Which pattern a thing has, as Grounding DINO sees it in an enlarged crop.

Before an edit of the colour it is what the edit shall leave (`own_look`), after it what it should have left
(`verification`).
"""

from collections.abc import Collection, Sequence

import numpy as np
from PIL import Image

from instructedit_models.boxes import surest_at
from instructedit_models.masks import bounding_box, crop_box
from instructedit_models.tiling import detect_in
from instructedit_models.types import Detector

__all__ = ["named_plainly", "pattern_scores"]

_CONTEXTS = (1.2, 1.5, 2.0)
"""Widths of the crops in which a pattern is looked for, over the thing's box: of 60 results without the new pattern, on
validation scenes, 14 have it by all three together and 16 by the middle one alone."""
_CROP = 128
"""Smaller crops are enlarged to this many pixels."""
_SAME_IOU = 0.4


def pattern_scores(
    image: Image.Image, mask: np.ndarray, thing: str, patterns: Sequence[str], detector: Detector
) -> dict[str, float]:
    """How sure the detector is, 0 to 1, that what is inside the mask is a thing of each pattern; the mean over crops.

    Args:
        image: PIL RGB.
        mask: (H, W) bool, not empty.
        thing: what it is, without its colour and pattern: "bus".
        patterns: adjectives, as the detector may be asked for them: "striped".
        detector: Grounding DINO.

    Raises:
        UserError: the detector does not know the words.
    """
    box, phrases = bounding_box(mask), [f"{each} {thing}" for each in patterns]
    looks = [detect_in(detector, image, crop_box(mask, context), phrases, _CROP) for context in _CONTEXTS]
    scores = np.array([[surest_at(box, found, _SAME_IOU) for found in each] for each in looks]).mean(axis=0)
    return dict(zip(patterns, scores.tolist(), strict=True))


def named_plainly(thing: str, looks: Collection[str]) -> str:
    """The thing without words for its looks; the last word is its noun: "striped purple orange" is an orange."""
    *before, noun = thing.split() or [""]
    return " ".join([*(word for word in before if word.lower() not in looks), noun])
