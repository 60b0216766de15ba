"""The metrics of the main job, as pure functions of masks and pixels, and the rows they are reported in.

The sections (`grounding`, `edits`, …) make rows; `main_job` prints them and `record` writes them down.
"""

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from instructedit_models.metrics.masks import iou

__all__ = [
    "Bar",
    "Row",
    "Section",
    "bootstrap",
    "chosen_right",
    "iou",
    "median_colour",
    "rate",
    "subsets",
    "table",
]

LEAST_IOU = 0.5
"""A mask that overlaps the true one less than this chose nothing."""

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "<": operator.lt,
    "=": operator.eq,
}


@dataclass(frozen=True)
class Bar:
    """What a figure has to reach: `Bar(">=", 0.93)`."""

    sign: str
    value: float

    def passed(self, figure: float) -> bool:
        """Whether the figure reaches it."""
        return _COMPARISONS[self.sign](figure, self.value)

    def __str__(self) -> str:
        return f"{self.sign} {self.value:g}"


@dataclass(frozen=True)
class Row:
    """One line of the report.

    Attributes:
        what: the figure's name.
        figure: the figure; None where it could not be measured, and `note` says why.
        bar: what it has to reach; None where it is only shown.
        n: how many cases it is the mean (or the worst) of.
        interval: bootstrap 95 % interval, or None.
        note: a word on the figure.
        indent: whether it details the row above.
    """

    what: str
    figure: float | None
    bar: Bar | None = None
    n: int = 0
    interval: tuple[float, float] | None = None
    note: str = ""
    indent: bool = False

    @property
    def passed(self) -> bool | None:
        """Whether the bar is reached; None without a bar or a figure."""
        return None if self.bar is None or self.figure is None else self.bar.passed(self.figure)

    def to_json(self) -> dict[str, Any]:
        """As data."""
        return {
            "what": self.what,
            "figure": self.figure,
            "bar": str(self.bar) if self.bar else None,
            "passed": self.passed,
            "n": self.n,
            "interval": list(self.interval) if self.interval else None,
            "note": self.note,
        }


@dataclass
class Section:
    """What one part of the benchmark found.

    Attributes:
        rows: of the report.
        cases: of the record: one entry per case, or per case that went wrong.
    """

    rows: list[Row] = field(default_factory=list)
    cases: list[dict[str, Any]] = field(default_factory=list)


def bootstrap(values: Sequence[float], groups: Sequence[int] | None = None, rounds: int = 2000) -> tuple[float, float]:
    """The 95 % interval of the mean, from resampled groups (scenes), since the cases of one scene are alike.

    Args:
        values: one per case.
        groups: the scene of each case; every case by itself where it is left out.
        rounds: resamples.
    """
    numbers = np.asarray(values, dtype=np.float64)
    _, of = np.unique(np.arange(len(numbers)) if groups is None else np.asarray(groups), return_inverse=True)
    sums, counts = np.bincount(of, numbers), np.bincount(of)
    drawn = np.random.default_rng(0).integers(len(sums), size=(rounds, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return round(float(low), 4), round(float(high), 4)


def rate(
    what: str, values: Sequence[float], bar: Bar | None = None, groups: Sequence[int] | None = None, **more: Any
) -> Row:
    """The row of a mean with its interval; without cases its figure is None."""
    if not len(values):
        return Row(what, None, bar, 0, None, **{"note": "no case", **more})
    return Row(what, round(float(np.mean(values)), 4), bar, len(values), bootstrap(values, groups), **more)


def subsets(masks: Sequence[np.ndarray]) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
    """Every non-empty choice of the masks that are not empty, with its union."""
    shown = [i for i, mask in enumerate(masks) if mask.any()]
    for count in range(1, len(shown) + 1):
        for choice in combinations(shown, count):
            yield choice, np.logical_or.reduce([masks[i] for i in choice])


def chosen_right(mask: np.ndarray, truth: np.ndarray, others: Sequence[np.ndarray]) -> bool:
    """Whether a mask chose what was meant: it overlaps the truth by half at least, and nothing else as much.

    Args:
        mask: what was chosen, (H, W) bool.
        truth: the union of what was meant.
        others: everything else that could have been meant: other objects or parts, and other sets of them, so that
            one cat of two is not "both cats".
    """
    overlap = iou(mask, truth)
    return overlap >= LEAST_IOU and all(overlap > iou(mask, other) for other in others)


def median_colour(image: np.ndarray, mask: np.ndarray) -> tuple[float, float, float]:
    """The median of each channel inside a mask; image (H, W, 3) uint8, mask (H, W) bool with a pixel at least."""
    red, green, blue = np.median(image[mask], axis=0)
    return float(red), float(green), float(blue)


def table(rows: Sequence[Row]) -> str:
    """The rows as aligned text."""
    head = ("what", "figure", "bar", "", "n", "95 % interval", "note")
    lines = [head]
    for row in rows:
        interval = f"{row.interval[0]:.3f} to {row.interval[1]:.3f}" if row.interval else ""
        verdict = {None: "", True: "ok", False: "BELOW"}[row.passed]
        name = f"  {row.what}" if row.indent else row.what
        figure = "-" if row.figure is None else _shown(row.figure)
        lines.append((name, figure, str(row.bar or ""), verdict, str(row.n or ""), interval, row.note))
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    drawn = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([drawn[0], "-" * len(drawn[0]), *drawn[1:]])


def _shown(figure: float) -> str:
    if isinstance(figure, int):
        return str(figure)
    return f"{figure:.1e}" if figure and abs(figure) < 1e-3 else f"{figure:.3f}"
