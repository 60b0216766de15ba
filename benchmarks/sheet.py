"""The contact sheet of a run's edits: input, mask and output of the worst ones and of random ones, to be looked at.

`main_job --sheet FILE` makes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from agent.faces.drawing import GREY, INK, PAPER, outline, tinted, write_line
from benchmarks.edits import EditTrial

__all__ = ["Gallery", "sheet"]

PANEL = 256
COLUMNS = 2
_GAP, _MARGIN, _WORDS = 6, 14, 42
_GOOD, _BAD = (20, 120, 50), (190, 30, 30)


@dataclass
class Gallery:
    """Keeps the trials of a run; pictures are small."""

    trials: list[EditTrial] = field(default_factory=list)

    def keep(self, trial: EditTrial) -> None:
        """Takes one in."""
        self.trials.append(trial)

    def shown(self, worst: int = 12, random: int = 24) -> list[tuple[str, EditTrial]]:
        """The worst failures, each kind of edit in its turn, then random ones, good and bad as they come."""
        order = np.random.default_rng(0).permutation(len(self.trials))
        failed = sorted((t for t in self.trials if not t.score.success), key=_failure, reverse=True)
        by_kind: dict[str, list[EditTrial]] = {}
        for trial in failed:
            by_kind.setdefault(trial.case.edit.kind, []).append(trial)
        taken: list[EditTrial] = []
        while len(taken) < worst and any(by_kind.values()):
            taken += [trials.pop(0) for trials in by_kind.values() if trials]
        taken = taken[:worst]
        others = [self.trials[i] for i in order if not any(self.trials[i] is trial for trial in taken)]
        return [("worst", trial) for trial in taken] + [("random", trial) for trial in others[:random]]


def sheet(shown: Sequence[tuple[str, EditTrial]]) -> Image.Image:
    """Lays the edits out in two columns; each is a row of three panels under its instruction."""
    width, height = 3 * PANEL + 2 * _GAP, PANEL + _WORDS
    rows = -(-len(shown) // COLUMNS)
    size = (COLUMNS * (width + 2 * _MARGIN), max(1, rows) * (height + _MARGIN) + _MARGIN)
    canvas = Image.new("RGB", size, PAPER)
    for number, (why, trial) in enumerate(shown):
        left = _MARGIN + number % COLUMNS * (width + 2 * _MARGIN)
        top = _MARGIN + number // COLUMNS * (height + _MARGIN)
        _draw(canvas, (left, top), why, trial)
    return canvas


def _draw(canvas: Image.Image, place: tuple[int, int], why: str, trial: EditTrial) -> None:
    left, top = place
    edit, before = trial.case.edit, trial.case.drawn.image
    after = trial.outcome.image if trial.outcome else None
    mask = trial.outcome.mask if trial.outcome else np.zeros((before.height, before.width), dtype=bool)
    write_line(canvas, (left, top), edit.instruction, 3 * PANEL, 16, INK)
    seen = trial.error or f"seen: {', '.join(trial.score.seen)}"
    words = f"{why}, {edit.kind}, seed {trial.case.drawn.seed}; asked for {' '.join(edit.to.values())}; {seen}"
    write_line(canvas, (left, top + 21), words, 3 * PANEL, 13, _GOOD if trial.score.success else _BAD)
    for number, panel in enumerate((before, _overlay(before, mask), after)):
        corner = (left + number * (PANEL + _GAP), top + _WORDS)
        if panel is None:
            write_line(canvas, (corner[0] + 8, corner[1] + PANEL // 2), "no picture was made", PANEL - 16, 15, GREY)
        else:
            canvas.paste(panel.resize((PANEL, PANEL), Image.Resampling.LANCZOS), corner)


def _overlay(image: Image.Image, mask: np.ndarray) -> Image.Image:
    size = (PANEL, PANEL)
    pixels = np.asarray(image.resize(size, Image.Resampling.LANCZOS))
    large = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST), dtype=bool)
    pale = tinted(pixels, ~large, (255, 255, 255), 0.6)
    return Image.fromarray(tinted(pale, outline(large, 2), (255, 0, 150), 1.0))


def _failure(trial: EditTrial) -> tuple[bool, float]:
    """Worst first: pictures that came out wrong before those that were not made, then the farthest off."""
    return trial.outcome is not None, trial.score.distance
