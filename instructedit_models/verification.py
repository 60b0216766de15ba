"""After an edit: is the target there, and the source gone?

`edit_image` calls it and reports `verified`; it looks only at the crop around the mask, where the edit was made.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from instructedit_models.errors import BadMaskError, UnknownWordError
from instructedit_models.types import Scorer

__all__ = ["Verification", "verify"]

CONTEXT = 1.5


@dataclass(frozen=True)
class Verification:
    """What CLIP says of an edit.

    Attributes:
        passed: the edited caption fits the result better than the input caption, by more than it did before.
        score_before: similarity to the edited caption minus that to the input caption, before the edit.
        score_after: the same after it.
        note: one sentence.
    """

    passed: bool
    score_before: float
    score_after: float
    note: str


def verify(
    before: Image.Image,
    after: Image.Image,
    mask: np.ndarray,
    input_caption: str,
    edited_caption: str,
    scorer: Scorer,
) -> Verification:
    """Compares the crops around the mask with both captions.

    Args:
        before: the picture, PIL RGB.
        after: the edited picture, same size.
        mask: (H, W) bool, what was edited.
        input_caption: what was there, e.g. "photo of a dog".
        edited_caption: what should be there now.
        scorer: CLIP.

    Raises:
        BadMaskError: the mask is empty or of another size than the pictures.
    """
    if before.size != after.size or mask.shape != (before.height, before.width):
        raise BadMaskError(
            f"The mask is {mask.shape[1]}x{mask.shape[0]}, the pictures are {before.width}x{before.height} and "
            f"{after.width}x{after.height}; they must agree."
        )
    if not mask.any():
        raise BadMaskError("The mask is empty: nothing was edited that could be verified.")
    box = crop_box(mask, CONTEXT)
    try:
        scores = scorer.similarity([before.crop(box), after.crop(box)], [input_caption, edited_caption])
    except UnknownWordError as error:
        return Verification(False, 0.0, 0.0, f"Not verified: {error}")
    score_before, score_after = (float(row[1] - row[0]) for row in scores)
    passed = score_after > 0 and score_after > score_before
    if passed:
        note = f"The result fits {edited_caption!r} better than {input_caption!r}."
    elif score_after > score_before:
        note = f"The result came nearer to {edited_caption!r} but still fits {input_caption!r} better."
    else:
        note = f"The result fits {edited_caption!r} no better than the picture before."
    return Verification(passed, score_before, score_after, note)


def crop_box(mask: np.ndarray, context: float) -> tuple[int, int, int, int]:
    """A square around the mask's box, `context` times as wide, moved inside the picture (or cut where too large).

    Args:
        mask: (H, W) bool, not empty.
        context: width of the crop over the longer side of the box.

    Returns:
        x0, y0, x1, y1 in pixels.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    return square_around(box, context, (mask.shape[1], mask.shape[0]))


def square_around(
    box: tuple[float, float, float, float], context: float, size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """The square crop around a box, x0, y0, x1, y1 in whole pixels, inside a picture of `size` (width, height)."""
    side = max(1.0, max(box[2] - box[0], box[3] - box[1]) * context)
    ends = []
    for low, high, length in ((box[0], box[2], size[0]), (box[1], box[3], size[1])):
        wanted = min(round(side), length)
        start = round((low + high) / 2 - wanted / 2)
        start = min(max(start, 0), length - wanted)
        ends.append((start, start + wanted))
    (x0, x1), (y0, y1) = ends
    return x0, y0, x1, y1
