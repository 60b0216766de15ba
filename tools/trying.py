"""Verify, then retry: an edit whose check fails is swept over other parameters, and the best result is kept.

`tools.editing` calls it. Several things are tried one by one: what passed is not made again. Strength and guidance are
swept in one batch over the inversion that the first try cached; growing the mask needs one more inversion, again for a
whole batch.
"""

import contextlib
import dataclasses
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from instructedit_models.errors import ModelUnavailableError
from instructedit_models.separate import parts_of, united
from instructedit_models.types import Change, Detector, EditOptions, EditResult, Progress
from instructedit_models.verification import Known, Verification, Verifier
from tools.context import ToolContext
from tools.sweeping import sweeps

__all__ = ["Attempt", "Task", "Tried", "attempts_json", "check", "plain_verification", "try_edit", "verifier_for"]

PATTERN_SWEEPS = 1
"""Sweeps at most for a pattern alone, where the colour is right: on validation scenes the first found one that kept it
for 2 of 8 things, the second for none of the other 6."""


@dataclasses.dataclass(frozen=True)
class Task:
    """An edit to be made until it passes.

    Attributes:
        image: PIL RGB.
        mask: (H, W) bool.
        captions: the input caption and the edited caption.
        options: of the first try.
        change: the kind of change.
        retries: sweeps at most, of each thing.
        things: the mask apart, as `parts_of` takes it.
        growing: whether a sweep may grow the mask; not where it leaves something out.
    """

    image: Image.Image
    mask: np.ndarray = dataclasses.field(repr=False, compare=False)
    captions: tuple[str, str]
    options: EditOptions
    change: Change
    retries: int = 0
    things: Sequence[np.ndarray] = dataclasses.field(default=(), repr=False, compare=False)
    growing: bool = True


@dataclasses.dataclass(frozen=True)
class Attempt:
    """One try at an edit.

    Attributes:
        options: its parameters.
        result: what came.
        verification: what the checks said of it; None where they could not be made.
    """

    options: EditOptions
    result: EditResult
    verification: Verification | None

    @property
    def rank(self) -> tuple[bool, float]:
        """Larger is better."""
        checked = self.verification
        return (checked.passed, checked.score) if checked else (False, 0.0)

    @property
    def lacks_pattern(self) -> bool:
        """Whether the colour is right, and only the pattern was lost with the old one."""
        checks = self.verification.checks if self.verification else {}
        other = any(checks.get(name) is False for name in ("colour", "noun", "outside"))
        return checks.get("pattern") is False and not other


@dataclasses.dataclass(frozen=True)
class Tried:
    """All tries at an edit.

    Attributes:
        attempts: in the order made; the first has the parameters that were asked for.
        things: where several things were edited one after the other, the tries at each; `attempts` are theirs together.
    """

    attempts: tuple[Attempt, ...]
    things: tuple["Tried", ...] = ()

    @cached_property
    def kept(self) -> Attempt:
        """What passed, or else did best, the earlier of two; of several things, what was kept of each as one."""
        if not self.things:
            return max(self.attempts, key=lambda attempt: attempt.rank)
        each = [tried.kept for tried in self.things]
        worst = min(each, key=lambda attempt: attempt.rank)
        return Attempt(worst.options, united([attempt.result for attempt in each]), _together(each, worst))

    @property
    def unet_evaluations(self) -> int:
        """Of all tries together."""
        return sum(attempt.result.unet_evaluations for attempt in self.attempts)

    @property
    def again(self) -> bool:
        """Whether anything was tried more than once."""
        return len(self.attempts) > max(1, len(self.things))

    def verification_json(self) -> dict[str, Any] | None:
        """The kept one's verification as data, with `attempts` where something was tried again."""
        checked = self.kept.verification
        if checked is None:
            return None
        data = plain_verification(checked)
        if self.again:
            data["attempts"] = attempts_json(self)
            if not checked.passed:
                those = f"None of {len(self.attempts)} tries"
                if self.things:
                    failed = sum(not one.kept.rank[0] for one in self.things)
                    those = f"{failed} of {len(self.things)} things never"
                data["note"] = f"{those} passed the check; the best was kept: {data['note']}"
        return data


def try_edit(context: ToolContext, task: Task) -> Tried:
    """Edits, checks, and sweeps other parameters while the check fails; of several things each by itself.

    Args:
        context: models, settings, progress.
        task: what to make.

    Raises:
        What the editor raises.
    """
    tried: list[Tried] = []
    for part, said in parts_of(context.models.editor, task.mask, task.captions, task.options, task.things):
        before = tried[-1].kept.result.image if tried else task.image
        tried.append(_try_one(context, dataclasses.replace(task, image=before, mask=part, captions=said)))
    if len(tried) == 1:
        return tried[0]
    return Tried(tuple(attempt for one in tried for attempt in one.attempts), tuple(tried))


def _try_one(context: ToolContext, task: Task) -> Tried:
    editor, turn = context.models.editor, context.turn
    asked = (task.image, task.mask, *task.captions)
    with turn.timed("edit"):
        result = editor.edit(*asked, task.options, context.progress)
    verifier = verifier_for(context, task.image, task.mask, task.captions, task.change)
    attempts = _checked(context, verifier, [task.options], [result])
    if attempts[0].verification is None:
        return Tried(tuple(attempts))
    fixed = context.settings.overrides
    fixed = fixed if task.growing else dataclasses.replace(fixed, grow=task.options.grow)
    for number, wanted in enumerate(sweeps(task.options, task.change, fixed, task.retries)):
        passed = any(attempt.rank[0] for attempt in attempts)
        if passed or (number >= PATTERN_SWEEPS and any(attempt.lacks_pattern for attempt in attempts)):
            break
        with turn.timed("retry"):
            results = editor.sweep(*asked, wanted, context.progress)
        attempts += _checked(context, verifier, wanted, results)
    return Tried(tuple(attempts))


def _together(each: Sequence[Attempt], worst: Attempt) -> Verification | None:
    """What the checks say of several things: the sentence on the worst; None where one was not checked."""
    told = [attempt.verification for attempt in each]
    made = [one for one in told if one is not None]
    if worst.verification is None or len(made) < len(told):
        return None
    checks: dict[str, bool | None] = {}
    for name in dict.fromkeys(name for one in made for name in one.checks):
        said = [known for one in made if (known := one.checks.get(name)) is not None]
        checks[name] = all(said) if said else None
    return dataclasses.replace(worst.verification, passed=all(one.passed for one in made), checks=checks)


def verifier_for(
    context: ToolContext, image: Image.Image, mask: np.ndarray, captions: tuple[str, str], change: Change
) -> Verifier | None:
    """What checks results of one edit; None, with a warning, where CLIP is missing."""
    try:
        scorer = context.models.scorer
    except ModelUnavailableError as error:
        context.warn(f"The edit was not checked: {error}")
        return None
    detector: Detector | None = None
    with contextlib.suppress(ModelUnavailableError):
        detector = context.models.grounded.detector
    keeping = context.models.keeping
    known = Known(known_nouns(context), keeping.colours, keeping.patterns)
    return Verifier(image, mask, *captions, scorer, detector, change, known)


def known_nouns(context: ToolContext) -> tuple[str, ...]:
    """Every noun that the models know, where these are few."""
    try:
        return context.models.grounded.object_phrases
    except ModelUnavailableError:
        return ()


def check(context: ToolContext, verifier: Verifier | None, results: Sequence[EditResult]) -> list[Verification | None]:
    """The checks of several results; None each, with a warning, where they could not be made."""
    if verifier is None:
        return [None] * len(results)
    with context.turn.timed("verify"):
        try:
            made = verifier.check_all([one.image for one in results], [one.region for one in results])
        except ModelUnavailableError as error:
            context.warn(f"The edit was not checked: {error}")
            return [None] * len(results)
    context.progress(Progress("verify", 1, 1))
    return list(made)


def attempts_json(tried: Tried) -> list[dict[str, Any]]:
    """The tries as data: of which thing, where there are several, parameters, whether each passed and was kept."""
    if tried.things:
        each = enumerate(map(attempts_json, tried.things), start=1)
        return [{"thing": number, **attempt} for number, attempts in each for attempt in attempts]
    return [
        {
            "encoding_ratio": attempt.options.encoding_ratio,
            "guidance_scale": attempt.options.guidance_scale,
            "negative": attempt.options.negative,
            "grow": attempt.options.grow,
            "seed": attempt.options.seed,
            "passed": attempt.rank[0],
            "score": round(attempt.rank[1], 5),
            "kept": attempt is tried.kept,
        }
        for attempt in tried.attempts
    ]


def plain_verification(checked: Verification) -> dict[str, Any]:
    """A verification as data."""
    data = dataclasses.asdict(checked)
    return {name: round(value, 5) if isinstance(value, float) else value for name, value in data.items()}


def _checked(
    context: ToolContext, verifier: Verifier | None, options: Sequence[EditOptions], results: Sequence[EditResult]
) -> list[Attempt]:
    made = check(context, verifier, results)
    return [Attempt(*each) for each in zip(options, results, made, strict=True)]
