"""Did an edit do what was asked? Judged from the picture and the scene's truth; `edits` and its tests call `score`.

Every score can be had for any picture, so the report also shows what the true after-picture and the unchanged
picture get: the first should be near 1, the second 0.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import ndimage

from benchmarks.figures import median_colour
from benchmarks.grounding import true_mask
from benchmarks.judge import Judge
from benchmarks.scenes import Drawn
from instructedit_models.colours import lab
from instructedit_models.miniature.edits import Edit, in_colour
from instructedit_models.miniature.rendering import render
from instructedit_models.miniature.scene import Picture
from instructedit_models.miniature.seen import mask_box
from instructedit_models.miniature.words import BACKGROUNDS, COLOURS
from instructedit_models.types import Box

__all__ = ["EditCase", "Score", "score"]

SURE = 0.9
"""How sure the judge must be of a noun. Of 80 results on validation scenes, each named by a person too, it then takes
59 of the 68 right ones for right, and 4 of the 12 wrong or doubtful ones."""
_LAB_RANGE = 150.0
"""CIE L*a*b*: from black to white is 100, from blue to yellow about 200."""
_CELL = 8
_VISIBLE = 40
"""A pixel that changed by more than this in any channel, 0 to 255, shows something else than before."""
_REACH = 24
"""Pixels from an object within which what changed belongs to its edit."""


@dataclass(frozen=True)
class EditCase:
    """An edit of a test scene, with its truth.

    Attributes:
        drawn: the scene before.
        edit: what is asked for, and the scene after it.
    """

    drawn: Drawn
    edit: Edit

    @cached_property
    def after(self) -> Picture:
        """The true picture after the edit."""
        return render(self.edit.after)

    @cached_property
    def in_colours(self) -> dict[str, np.ndarray]:
        """The picture before, with what is edited in each of the world's colours, (H, W, 3) uint8 each."""
        scene, edit = self.drawn.scene, self.edit
        return {name: render(in_colour(scene, edit.objects, name, edit.part)).image for name in COLOURS}


@dataclass(frozen=True)
class Score:
    """How an edited picture was judged.

    Attributes:
        success: whether everything that was asked for is there, on every object.
        seen: what was seen instead or as well, per object, in a word.
        distance: how far from what was asked for, 0 (there) to 1; orders the failures.
        coloured: for an object of a new kind and colour, whether the colour is right too; else None.
    """

    success: bool
    seen: tuple[str, ...]
    distance: float
    coloured: bool | None = None


def score(case: EditCase, image: np.ndarray, judge: Judge) -> Score:
    """Judges a picture as the result of an edit.

    Recolour and part: of the scene drawn with each of the world's colours there, the one asked for has the nearest
    median inside the true mask. New material and new noun:
    the judge on the crop around the object; of a noun it must be `SURE`. Background: of the scene on each of the
    world's backgrounds, the picture is most like the one asked for. What is asked of several objects must hold of all.

    Args:
        case: the edit.
        image: (H, W, 3) uint8, of the scene's size.
        judge: the classifier.
    """
    edit = case.edit
    if edit.kind == "background":
        return _background(case, image)
    if "noun" in edit.to:
        return _judged(case, image, judge, "noun")
    if "material" in edit.to:
        return _judged(case, image, judge, "material")
    return _coloured(case, image)


def _coloured(case: EditCase, image: np.ndarray) -> Score:
    edit = case.edit
    masks = [true_mask(case.drawn, (i,), edit.part) for i in edit.objects]
    names = list(COLOURS)
    drawn = np.array([[median_colour(case.in_colours[name], mask) for mask in masks] for name in names])
    seen = np.array([median_colour(image, mask) for mask in masks])
    distances = np.linalg.norm(lab(drawn) - lab(seen), axis=2)
    shown = tuple(names[i] for i in distances.argmin(axis=0))
    worst = float(distances[names.index(edit.to["colour"])].max()) / _LAB_RANGE
    return Score(all(name == edit.to["colour"] for name in shown), shown, round(min(worst, 1.0), 4))


def _judged(case: EditCase, image: np.ndarray, judge: Judge, head: str) -> Score:
    asked = case.edit.to[head]
    verdicts = judge.judge(image, _boxes(case, head, image))
    seen = tuple(verdict.word(head) for verdict in verdicts)
    distance = 1 - min(verdict.shares[head][asked] for verdict in verdicts)
    there = distance <= 1 - SURE if head == "noun" else all(word == asked for word in seen)
    coloured = None
    if "colour" in case.edit.to and head == "noun":
        coloured = all(verdict.word("colour") == case.edit.to["colour"] for verdict in verdicts)
    return Score(there, seen, round(distance, 4), coloured)


def _boxes(case: EditCase, head: str, image: np.ndarray) -> list[Box]:
    """Each object's box; of one that becomes something else the box of both shapes and of all that visibly changed.

    What an edit paints may reach over the true shape's box, and a fish without its tail is judged to be an orange.
    """
    picture, objects = case.drawn.picture, case.edit.objects
    if head != "noun":
        return [mask_box(picture.masks[i]) for i in objects]
    visible = np.abs(image.astype(int) - picture.image).max(axis=2) > _VISIBLE
    far = np.stack([ndimage.distance_transform_edt(~picture.masks[i]) for i in objects])
    near = (far <= far.min(axis=0)) & (far <= _REACH)  # what changed belongs to the nearest of the objects
    shapes = [picture.masks[i] | case.after.masks[i] for i in objects]
    return [mask_box(shape | (visible & mine)) for shape, mine in zip(shapes, near, strict=True)]


def _background(case: EditCase, image: np.ndarray) -> Score:
    asked = case.edit.to["background"]
    objects = np.logical_or.reduce([*case.drawn.picture.masks, np.zeros(image.shape[:2], bool)])
    weights = _pooled((~objects)[..., None].astype(np.float64))
    shown = _pooled(image * ~objects[..., None]) / np.maximum(weights, 1e-9)
    distances = {}
    for name in BACKGROUNDS:
        wanted = render(replace(case.edit.after, background=name)).image
        reference = _pooled(wanted * ~objects[..., None]) / np.maximum(weights, 1e-9)
        distances[name] = float((np.abs(shown - reference) * weights).sum() / (weights.sum() * 3) / 255)
    seen = min(distances, key=distances.__getitem__)
    return Score(seen == asked, (seen,), round(distances[asked], 4))


def _pooled(image: np.ndarray) -> np.ndarray:
    """Means of 8 x 8 cells, (H, W, C) to (H / 8, W / 8, C): which background it is, not each blade of grass."""
    height, width, channels = image.shape
    cells = image[: height // _CELL * _CELL, : width // _CELL * _CELL].reshape(
        height // _CELL, _CELL, width // _CELL, _CELL, channels
    )
    return cells.mean(axis=(1, 3))
