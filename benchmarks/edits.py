"""Edits: does the whole product, from a sentence to a picture, do what is asked and nothing else?

A section of `main_job`; everything runs through `agent.api.edit_image`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from scipy import ndimage

from agent.api import EditOutcome, edit_image
from benchmarks.figures import Bar, Row, Section, iou, rate
from benchmarks.grounding import true_mask
from benchmarks.judge import Judge
from benchmarks.scenes import Drawn, tracked
from benchmarks.scoring import EditCase, Score, score
from instructedit_models.errors import InstructEditError, ModelUnavailableError
from instructedit_models.miniature.edits import KINDS, sample_edits
from instructedit_models.model_sets import ModelSet

__all__ = ["EditTrial", "changed_outside", "edit_cases", "edits_section", "true_mask_of", "try_edit"]

BARS = {"recolour": 0.95, "material": 0.90, "noun": 0.88, "part": 0.88}
NAMES = {
    "recolour": "recolour succeeds",
    "material": "re-material succeeds (judge)",
    "noun": "noun swap succeeds (judge)",
    "part": "part edit succeeds",
    "all": "edit of all of one kind succeeds (every one)",
    "background": "background change succeeds",
}


@dataclass(frozen=True)
class EditTrial:
    """One edit, tried.

    Attributes:
        case: what was asked for.
        outcome: what came, or None.
        error: kind and message where nothing came.
        score: of the output; of the unchanged picture where nothing came.
        truth: the score of the true after-picture.
        unchanged: the score of the picture as it was.
        overlap: IoU of the mask and the true one.
        outside: bytes changed outside the region that the product says may differ.
        farthest: pixels from the mask to the farthest changed pixel.
        seconds: wall seconds.
    """

    case: EditCase
    outcome: EditOutcome | None
    error: str | None
    score: Score
    truth: Score
    unchanged: Score
    overlap: float
    outside: int
    farthest: float
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """As data, without pixels."""
        edit, record = self.case.edit, self.outcome.record if self.outcome else {}
        keys = ("segmentation_prompt", "input_caption", "edited_caption", "change", "encoding_ratio", "verified")
        return {
            "seed": self.case.drawn.seed,
            "kind": edit.kind,
            "instruction": edit.instruction,
            "medium": self.case.drawn.scene.medium,
            "to": edit.to,
            "success": self.score.success,
            "seen": list(self.score.seen),
            "distance": self.score.distance,
            "coloured": self.score.coloured,
            "truth_succeeds": self.truth.success,
            "unchanged_succeeds": self.unchanged.success,
            "mask_iou": round(self.overlap, 4),
            "bytes_changed_outside": self.outside,
            "farthest_changed_pixel": round(self.farthest, 2),
            "unet_evaluations": record.get("unet_evaluations", 0),
            "seconds": round(self.seconds, 3),
            "error": self.error,
            **{key: record.get(key) for key in keys},
        }


def edit_cases(scenes: Sequence[Drawn], kinds: Sequence[str] = KINDS, limit: int | None = None) -> list[EditCase]:
    """One edit of each kind for each scene that allows it; with a limit so few, kinds and scenes taken in turn.

    Args:
        scenes: the scenes.
        kinds: some of the world's kinds of edit.
        limit: the most cases.
    """
    cases: list[EditCase] = []
    for turn in range(len(kinds)):
        for number, drawn in enumerate(scenes):
            if limit is not None and len(cases) >= limit:
                return cases
            kind = (number + turn) % len(kinds)
            cases += [
                EditCase(drawn, edit)
                for edit in sample_edits(drawn.scene, drawn.picture, drawn.rng(30 + kind), (kinds[kind],))
            ]
    return cases


def try_edit(case: EditCase, models: ModelSet, judge: Judge, yes: bool = False) -> EditTrial:
    """Edits a scene as a person would, and judges what comes.

    Raises:
        ModelUnavailableError: weights are missing.
    """
    before = case.drawn.picture.image
    outcome, error = None, None
    started = time.perf_counter()
    try:
        outcome = edit_image(case.drawn.image, case.edit.instruction, models=models, llm="offline", yes=yes)
    except ModelUnavailableError:
        raise
    except InstructEditError as failure:
        error = f"{failure.kind}: {failure}"
    except Exception as failure:  # what no person should see; the benchmark counts it and goes on
        error = f"crash: {type(failure).__name__}: {failure}"
    seconds = time.perf_counter() - started
    after = np.asarray(outcome.image) if outcome else before
    unchanged = score(case, before, judge)
    outside, farthest = changed_outside(before, after, outcome) if outcome else (0, 0.0)
    return EditTrial(
        case=case,
        outcome=outcome,
        error=error,
        score=score(case, after, judge) if outcome else unchanged,
        truth=score(case, case.after.image, judge),
        unchanged=unchanged,
        overlap=iou(outcome.mask, true_mask_of(case)) if outcome else 0.0,
        outside=outside,
        farthest=farthest,
        seconds=seconds,
    )


def changed_outside(before: np.ndarray, after: np.ndarray, outcome: EditOutcome) -> tuple[int, float]:
    """Bytes changed outside the outcome's region, and how far from its mask the farthest changed pixel lies."""
    changed = before != after
    somewhere = changed.any(axis=2)
    if not somewhere.any():
        return 0, 0.0
    distance = ndimage.distance_transform_edt(~outcome.mask) if outcome.mask.any() else np.full(somewhere.shape, np.inf)
    return int(np.count_nonzero(changed[~outcome.region])), float(distance[somewhere].max())


def edits_section(
    cases: Sequence[EditCase],
    models: ModelSet,
    judge: Judge,
    *,
    yes: bool = False,
    keep: Callable[[EditTrial], None] | None = None,
) -> Section:
    """Tries all cases; `keep` gets every trial with its pictures, for the contact sheet."""
    trials = []
    for case in tracked(cases, "edits"):
        trial = try_edit(case, models, judge, yes)
        if keep:
            keep(trial)
        trials.append(trial)
    return Section(rows_of(trials), [trial.to_json() for trial in trials])


def rows_of(trials: Sequence[EditTrial]) -> list[Row]:
    """The figures of the trials by kind of edit, and what they left alone."""
    rows: list[Row] = []
    for kind, name in NAMES.items():
        those = [trial for trial in trials if trial.case.edit.kind == kind]
        if those:
            rows += _kind_rows(name, those, Bar(">=", BARS[kind]) if kind in BARS else None)
    made = [trial for trial in trials if trial.outcome]
    if not made:
        return [*rows, Row("outside the mask ring: bytes changed", None, Bar("=", 0), note="no edit was made")]
    farthest = max(trial.farthest for trial in made)
    shares = [float(trial.outcome.region.mean()) for trial in made if trial.outcome]
    note = f"farthest changed pixel {farthest:.1f} px from the mask; regions are {np.mean(shares):.0%} of a picture"
    outside = sum(trial.outside for trial in made)
    rows.append(Row("outside the mask ring: bytes changed, all edits", outside, Bar("=", 0), len(made), note=note))
    rows.append(rate("what the edit asked for was masked (mean IoU)", [trial.overlap for trial in trials]))
    agreed = [bool(trial.outcome.record["verified"]) == trial.score.success for trial in made if trial.outcome]
    rows.append(rate("the product's own check agrees with this score", agreed))
    seconds = round(median(trial.seconds for trial in made), 2)
    rows.append(Row("seconds per edit in this run, median", seconds, None, len(made), note=_by_stage(made)))
    return rows


def _kind_rows(name: str, trials: Sequence[EditTrial], bar: Bar | None) -> list[Row]:
    errors = [trial.error.split(":")[0] for trial in trials if trial.error]
    note = ", ".join(f"{error}: {errors.count(error)}" for error in sorted(set(errors)))
    rows = [rate(name, [trial.score.success for trial in trials], bar, note=note)]
    for medium in sorted({trial.case.drawn.scene.medium for trial in trials}):
        those = [trial.score.success for trial in trials if trial.case.drawn.scene.medium == medium]
        rows.append(rate(f"in a {medium}", those, indent=True))
    coloured = [trial.score.coloured for trial in trials if trial.score.coloured is not None]
    if coloured:
        rows.append(rate("of new colour too: the colour is right", coloured, indent=True))
    rows.append(rate("the true picture would get", [trial.truth.success for trial in trials], indent=True))
    rows.append(rate("the unchanged picture would get", [trial.unchanged.success for trial in trials], indent=True))
    return rows


def _by_stage(trials: Sequence[EditTrial]) -> str:
    stages: dict[str, list[float]] = {}
    for trial in trials:
        for stage, seconds in (trial.outcome.record["seconds"] if trial.outcome else {}).items():
            stages.setdefault(stage, []).append(seconds)
    means = {stage: sum(values) / len(trials) for stage, values in stages.items() if stage != "total"}
    return ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in means.items())


def true_mask_of(case: EditCase) -> np.ndarray:
    """Where the edit is to be made, (H, W) bool."""
    if case.edit.kind == "background":
        masks = case.drawn.picture.masks
        return ~np.logical_or.reduce([*masks, np.zeros(case.drawn.picture.image.shape[:2], bool)])
    return true_mask(case.drawn, case.edit.objects, case.edit.part)
