"""Means with bootstrap intervals and paired differences, of figures of which some cases may lack theirs.

`table1` and its sisters report with it; the resampling itself is `figures.bootstrap`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.figures import bootstrap

__all__ = ["Difference", "Mean", "difference", "mean_of"]


@dataclass(frozen=True)
class Mean:
    """A mean of n cases and its 95 % interval; `mean` and `interval` are None where n is 0."""

    mean: float | None
    interval: tuple[float, float] | None
    n: int


@dataclass(frozen=True)
class Difference:
    """How two methods differ on the cases that both have: ours minus theirs.

    Attributes:
        mean: of the differences; None where they share no case.
        interval: its 95 % interval.
        n: shared cases.
    """

    mean: float | None
    interval: tuple[float, float] | None
    n: int

    @property
    def verdict(self) -> str:
        """Either "higher" or "lower" where the interval leaves out 0, else "level"; "unknown" without a case."""
        if self.interval is None:
            return "unknown"
        low, high = self.interval
        return "higher" if low > 0 else "lower" if high < 0 else "level"


def mean_of(values: Sequence[float | None], groups: Sequence[int] | None = None) -> Mean:
    """The mean of the cases that have a figure.

    Args:
        values: one per case, None where it cannot be measured.
        groups: the scene of each case; cases of one scene are resampled together.
    """
    kept = [i for i, value in enumerate(values) if value is not None]
    if not kept:
        return Mean(None, None, 0)
    numbers = [float(values[i]) for i in kept]  # type: ignore[arg-type]
    interval = bootstrap(numbers, None if groups is None else [groups[i] for i in kept])
    return Mean(round(float(np.mean(numbers)), 4), interval, len(kept))


def difference(
    ours: Sequence[float | None], theirs: Sequence[float | None], groups: Sequence[int] | None = None
) -> Difference:
    """Our figure minus theirs, case by case, which is far narrower than two intervals side by side.

    Args:
        ours: one per case.
        theirs: of the same cases in the same order.
        groups: as in `mean_of`.
    """
    pairs = [None if a is None or b is None else a - b for a, b in zip(ours, theirs, strict=True)]
    found = mean_of(pairs, groups)
    return Difference(found.mean, found.interval, found.n)
