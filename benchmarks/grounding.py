"""Grounding: does `segment` choose what a referring expression means, and how well does its mask fit?

A section of `main_job`; the expressions are the world's own, each true of its test scene and of nothing else in it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from PIL import Image

from benchmarks.figures import Bar, Row, Section, chosen_right, iou, rate, subsets
from benchmarks.scenes import Drawn, tracked
from instructedit_models.errors import InstructEditError, ModelUnavailableError
from instructedit_models.grounding import Grounding
from instructedit_models.miniature.language import Referring, referring
from instructedit_models.miniature.words import PARTS

__all__ = ["Trial", "grounding_section", "other_choices", "true_mask", "try_expression"]

EXPRESSIONS = 8
"""Expressions per scene, of mixed kinds."""


class Grounder(Protocol):
    """What is measured: `instructedit_models.grounding.GroundedSegmenter`, or a test's stand-in."""

    def segment(self, image: Image.Image, prompt: str) -> Grounding:
        """All candidates for a prompt, and the mask of those that it means."""
        ...


@dataclass(frozen=True)
class Trial:
    """One expression, tried.

    Attributes:
        seed: of the scene.
        phrase: the expression.
        kind: what it goes by: "attribute", "position", "part" …
        part: the part it means, or None for whole objects.
        overlap: IoU of the chosen mask and the true one.
        right: whether the right thing was chosen.
        ambiguous: whether several things were found to fit equally well.
        error: why nothing was chosen, or None.
    """

    seed: int
    phrase: str
    kind: str
    part: str | None
    overlap: float
    right: bool
    ambiguous: bool = False
    error: str | None = None


def true_mask(drawn: Drawn, objects: Sequence[int], part: str | None) -> np.ndarray:
    """The union of the objects' masks, or of a part of each, (H, W) bool."""
    picture = drawn.picture
    return np.logical_or.reduce([picture.part_mask(i, part) if part else picture.masks[i] for i in objects])


def other_choices(drawn: Drawn, expression: Referring) -> list[np.ndarray]:
    """Everything else in the scene that the expression could have been taken for.

    All other sets of objects; for a part also the same part of all other sets of objects, and every other part of
    every object. What is drawn as the very same pixels is no other choice.
    """
    picture, meant = drawn.picture, expression.objects
    wholes = list(subsets(picture.masks))
    truth = true_mask(drawn, meant, expression.part)
    if expression.part is None:
        parts = [picture.part_mask(i, part) for i, item in enumerate(drawn.scene.items) for part in _parts(item.noun)]
        return [*_different(truth, [mask for _, mask in wholes]), *_different(truth, parts)]
    found = [mask for _, mask in wholes]
    of_each = [
        picture.part_mask(i, expression.part) if expression.part in _parts(item.noun) else np.zeros_like(truth)
        for i, item in enumerate(drawn.scene.items)
    ]
    found += [mask for _, mask in subsets(of_each)]
    for i, item in enumerate(drawn.scene.items):
        found += [picture.part_mask(i, part) for part in _parts(item.noun) if part != expression.part]
    return _different(truth, found)


def try_expression(grounder: Grounder, drawn: Drawn, expression: Referring) -> Trial:
    """Asks for an expression and compares what comes with the truth."""
    about = (drawn.seed, expression.phrase, expression.kind, expression.part)
    try:
        grounding = grounder.segment(drawn.image, expression.phrase)
    except ModelUnavailableError:
        raise
    except InstructEditError as error:
        return Trial(*about, 0.0, False, error=error.kind)
    truth = true_mask(drawn, expression.objects, expression.part)
    right = chosen_right(grounding.mask, truth, other_choices(drawn, expression))
    return Trial(*about, round(iou(grounding.mask, truth), 4), right, bool(grounding.ambiguous))


def grounding_section(grounder: Grounder, scenes: Sequence[Drawn], expressions: int = EXPRESSIONS) -> Section:
    """Tries the expressions of all scenes."""
    trials = [
        try_expression(grounder, drawn, expression)
        for drawn in tracked(scenes, "referring expressions")
        for expression in referring(drawn.scene, drawn.picture, drawn.rng(21), expressions)
    ]
    return Section(rows_of(trials), [asdict(trial) for trial in trials if not trial.right or trial.overlap < 0.7])


def rows_of(trials: Sequence[Trial]) -> list[Row]:
    """The figures of the trials, split by kind, and by whether a part or an object was meant."""

    def share(what: str, those: Sequence[Trial], bar: Bar | None = None, **more: Any) -> Row:
        return rate(what, [trial.right for trial in those], bar, [trial.seed for trial in those], **more)

    def fit(what: str, those: Sequence[Trial], bar: Bar | None = None, **more: Any) -> Row:
        return rate(what, [trial.overlap for trial in those], bar, [trial.seed for trial in those], **more)

    objects = [trial for trial in trials if trial.part is None]
    parts = [trial for trial in trials if trial.part is not None]
    failed = [trial.error for trial in trials if trial.error]
    ties = sum(trial.ambiguous for trial in trials)
    note = ", ".join(f"{error}: {failed.count(error)}" for error in sorted(set(failed)))
    rows = [share("right object or part chosen", trials, Bar(">=", 0.98), note=note)]
    rows.append(share("objects", objects, indent=True, note=f"{ties} of all called ambiguous" if ties else ""))
    rows.append(share("parts", parts, indent=True))
    for kind in sorted({trial.kind for trial in trials} - {"part"}):
        rows.append(share(f"by {kind}", [trial for trial in trials if trial.kind == kind], indent=True))
    for what, those, bar in (("objects", objects, 0.93), ("parts", parts, 0.85)):
        rows.append(fit(f"mask IoU, mean over {what}", those, Bar(">=", bar), note="wrong ones count with their IoU"))
        rows.append(fit("where chosen right", [trial for trial in those if trial.right], indent=True))
    return rows


def _parts(noun: str) -> tuple[str, ...]:
    return PARTS.get(noun, ())


def _different(truth: np.ndarray, masks: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [mask for mask in masks if mask.any() and not np.array_equal(mask, truth)]
