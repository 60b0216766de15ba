"""Edits a mask of several objects far apart one by one, so that each gets all the model's pixels.

`parts_of` says what is edited by itself; the tools try each until it passes, `edit_separately` edits each once.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy import ndimage

from instructedit_models.caption_text import materials_differ
from instructedit_models.lexicon import OWNED, singular, with_article
from instructedit_models.masks import bounding_box
from instructedit_models.numerals import CARDINALS
from instructedit_models.types import Aspect, EditOptions, EditResult, ProgressCallback

if TYPE_CHECKING:
    from instructedit_models.editor import MaskedDDIMEditor

__all__ = [
    "apart",
    "aspect_of",
    "edit_separately",
    "groups",
    "of_a_part",
    "of_one",
    "parts_of",
    "sweep_separately",
    "united",
]

SHRINKING = 1.5
"""Parts of a mask are edited together as long as their common crop is shrunk by no more than this."""
_TOUCHING = np.ones((3, 3))


def edit_separately(
    editor: "MaskedDDIMEditor",
    image: Image.Image,
    mask: np.ndarray,
    captions: tuple[str, str],
    options: EditOptions,
    progress: ProgressCallback | None = None,
    things: Sequence[np.ndarray] = (),
) -> EditResult:
    """Edits each thing of the mask, or each group of its parts, in a crop of its own.

    Args:
        editor: makes the edits.
        image: PIL RGB.
        mask: (H, W) bool, True = may be edited.
        captions: the input caption and the edited caption.
        options: of each edit; without `crop` the mask is edited as a whole.
        progress: told of the steps of every edit in turn.
        things: (H, W) bool each, disjoint: the mask apart by the things in it, where that is known and each of them is
            to be edited by itself; two that touch become two. None: groups of the mask's parts near each other.

    Returns:
        One result: masks and regions united, evaluations and seconds summed.

    Raises:
        Whatever `MaskedDDIMEditor.edit` raises.
    """
    results: list[EditResult] = []
    for part, said in parts_of(editor, mask, captions, options, things):
        results.append(editor.edit(results[-1].image if results else image, part, *said, options, progress))
    return united(results)


def parts_of(
    editor: "MaskedDDIMEditor",
    mask: np.ndarray,
    captions: tuple[str, str],
    options: EditOptions,
    things: Sequence[np.ndarray] = (),
) -> list[tuple[np.ndarray, tuple[str, str]]]:
    """What is edited one after the other, masks (H, W) bool with the captions of each: the mask itself where it is one.

    Args:
        editor: as in `edit_separately`, like what follows.
        mask: likewise.
        captions: likewise.
        options: likewise.
        things: likewise.
    """
    parts = _parts(editor, mask, options, things)
    if len(parts) < 2:
        return [(mask, captions)]
    alone = [len(things) > 1 or ndimage.label(part, structure=_TOUCHING)[1] == 1 for part in parts]
    return [(part, of_one(captions) if one else captions) for part, one in zip(parts, alone, strict=True)]


def united(results: Sequence[EditResult]) -> EditResult:
    """One result of edits that were made one on the other: masks and regions united, the rest summed."""
    if len(results) == 1:
        return results[0]
    seconds: dict[str, float] = {}
    for result in results:
        for stage, spent in result.seconds.items():
            seconds[stage] = seconds.get(stage, 0.0) + spent
    return EditResult(
        image=results[-1].image,
        mask=np.logical_or.reduce([result.mask for result in results]),
        region=np.logical_or.reduce([result.region for result in results]),
        unet_evaluations=sum(result.unet_evaluations for result in results),
        inversion_cached=all(result.inversion_cached for result in results),
        seconds=seconds,
    )


def sweep_separately(
    editor: "MaskedDDIMEditor",
    image: Image.Image,
    mask: np.ndarray,
    captions: tuple[str, str],
    options: Sequence[EditOptions],
    progress: ProgressCallback | None = None,
    things: Sequence[np.ndarray] = (),
) -> list[EditResult]:
    """The same edit with several options: in one batch, or one after the other where the mask falls into groups.

    Args:
        editor: as in `edit_separately`, like what follows.
        image: likewise.
        mask: likewise.
        captions: likewise.
        options: one per result.
        progress: likewise.
        things: likewise.
    """
    if all(len(_parts(editor, mask, each, things)) < 2 for each in options):
        return editor.sweep(image, mask, *captions, options, progress)
    return [edit_separately(editor, image, mask, captions, each, progress, things) for each in options]


def of_one(captions: tuple[str, str]) -> tuple[str, str]:
    """Captions of several things as captions of one: "photo of cats", "photo of red cats" to "photo of a red cat".

    As they are unless both are of several things of one noun each: a crop that shows one cat is no "photo of cats".
    """
    before, after = map(_of_one, captions)
    return (before, after) if before and after else captions


def of_a_part(caption: str) -> bool:
    """Whether a caption is of a part of something, one or several: "photo of a blue roof", "red wheels of a car"."""
    named = caption.lower().split(" with ")[0].split(" of ")
    last = [words[-1] for each in named if (words := each.split())]
    return any(word in OWNED or singular(word) in OWNED for word in last)


def aspect_of(captions: tuple[str, str]) -> Aspect | None:
    """What a change of the look changes: a part of a thing, or a thing's pattern; None for its colour, and all else."""
    if of_a_part(captions[0]):
        return "part"
    return "pattern" if materials_differ(*captions) else None


_SEVERAL = re.compile(r"^(?P<medium>.*?\bof )?(?P<looks>(?:[\w-]+ )*)(?P<noun>[\w-]+)$", re.IGNORECASE)
_LIKE_ONE = frozenset({"fish", "sheep", "deer"})
"""Plurals that look like their singular."""
_SINGLE = frozenset({"a", "an", "the", "one", "of", "with", "and", "in", "on"})


def _of_one(caption: str) -> str | None:
    match = _SEVERAL.match(caption.strip())
    if match is None or _SINGLE & set(match["looks"].lower().split()):
        return None
    noun = match["noun"].lower()
    noun = noun if noun in _LIKE_ONE else singular(noun) or ""
    if not noun or of_a_part(caption):  # petals are seen together
        return None
    thing = " ".join([*(word for word in match["looks"].split() if word.lower() not in CARDINALS), noun])
    return f"{match['medium'] or ''}{with_article(thing)}"


def _parts(
    editor: "MaskedDDIMEditor", mask: np.ndarray, options: EditOptions, things: Sequence[np.ndarray]
) -> Sequence[np.ndarray]:
    if not options.crop or mask.ndim != 2:
        return []
    return things or groups(mask, editor.native_size * SHRINKING / options.context)


def apart(mask: np.ndarray, things: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """A mask apart by the things in it: each of its pixels goes to the nearest one.

    Args:
        mask: (H, W) bool; it may be grown, or lack some of the things.
        things: (H, W) bool each, not empty.

    Returns:
        Disjoint masks (H, W) bool whose union is the mask, the thing that reaches lowest last: it stands in front.
    """
    if not things:
        return ()
    order = sorted(things, key=lambda thing: bounding_box(thing)[3])
    nearest = np.stack([ndimage.distance_transform_edt(~thing) for thing in order]).argmin(axis=0)
    parts = (mask & (nearest == number) for number in range(len(order)))
    return tuple(part for part in parts if part.any())


def groups(mask: np.ndarray, extent: float) -> list[np.ndarray]:
    """The mask's connected parts, neighbours joined while their common box is at most `extent` pixels long.

    Args:
        mask: (H, W) bool.
        extent: pixels.

    Returns:
        Disjoint masks (H, W) bool whose union is the mask, left to right.
    """
    labelled, count = ndimage.label(mask, structure=_TOUCHING)
    boxes = [(where[1].start, where[0].start, where[1].stop, where[0].stop) for where in ndimage.find_objects(labelled)]
    members = [[index + 1] for index in range(count)]
    while len(boxes) > 1:
        lengths = {(i, j): _length(_around(boxes[i], boxes[j])) for j in range(len(boxes)) for i in range(j)}
        (i, j), length = min(lengths.items(), key=lambda pair: pair[1])
        if length > max(extent, _length(boxes[i]), _length(boxes[j])):
            break
        boxes[i], members[i] = _around(boxes[i], boxes[j]), members[i] + members[j]
        del boxes[j], members[j]
    order = sorted(range(len(boxes)), key=lambda index: boxes[index])
    return [np.isin(labelled, members[index]) for index in order]


def _around(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _length(box: tuple[int, int, int, int]) -> int:
    return max(box[2] - box[0], box[3] - box[1])
