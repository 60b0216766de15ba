"""Which pattern a thing has, as Grounding DINO sees it in an enlarged crop.

Before an edit of the colour it is what the edit shall leave (`own_look`), after it what it should have left
(`verification`).
"""

from collections.abc import Collection, Sequence

import numpy as np
from PIL import Image

from instructedit_models.boxes import moved, scaled, surest_at
from instructedit_models.masks import bounding_box, crop_box, enlarged
from instructedit_models.types import Box, Detector

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
    looks = [_enlarged(image, mask, context) for context in _CONTEXTS]
    scores = [
        [surest_at(here, detector.detect(picture, f"{each} {thing}"), _SAME_IOU) for each in patterns]
        for picture, here in looks
    ]
    return dict(zip(patterns, np.array(scores).mean(axis=0).tolist(), strict=True))


def named_plainly(thing: str, looks: Collection[str]) -> str:
    """The thing without words for its looks; the last word is its noun: "striped purple orange" is an orange."""
    *before, noun = thing.split() or [""]
    return " ".join([*(word for word in before if word.lower() not in looks), noun])


def _enlarged(image: Image.Image, mask: np.ndarray, context: float) -> tuple[Image.Image, Box]:
    """The crop around a mask, enlarged where it is small, and the mask's box in it."""
    crop = crop_box(mask, context)
    picture, scale = enlarged(image, crop, _CROP)
    return picture, scaled(moved(bounding_box(mask), (-crop[0], -crop[1])), scale)
