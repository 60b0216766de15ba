"""The stages of an edit: how long each took, and which step it is at. The editor and the baselines report with it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from instructedit_models.types import Preview, Progress, ProgressCallback

__all__ = ["reporter", "timed"]


def reporter(
    progress: ProgressCallback | None, stage: str, preview: Callable[[], Preview] | None = None
) -> Callable[[int, int], None]:
    """A callback of (steps done, steps in all) that tells `progress` of a stage, and how to see it."""

    def report(step: int, total: int) -> None:
        if progress:
            progress(Progress(stage, step, total, preview))

    return report


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Writes down the wall seconds spent inside; a stage that is entered again is added to."""
    started = time.perf_counter()
    yield
    seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - started
