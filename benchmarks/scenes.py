"""The test scenes of the benchmark, drawn when they are first needed, and its progress line on stderr."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from PIL import Image

from instructedit_models.errors import BadParameterError
from instructedit_models.miniature.rendering import render
from instructedit_models.miniature.scene import Picture, Scene
from instructedit_models.miniature.world import TEST_SEEDS, sample_scene

__all__ = ["Drawn", "tracked", "scenes_from"]

Case = TypeVar("Case")


@dataclass(frozen=True)
class Drawn:
    """A scene with its picture and its truth, which serves for scoring only."""

    seed: int

    @cached_property
    def scene(self) -> Scene:
        """What is in it."""
        return sample_scene(self.seed)

    @cached_property
    def picture(self) -> Picture:
        """How it looks, and the masks."""
        return render(self.scene)

    @property
    def image(self) -> Image.Image:
        """The picture as the product gets it."""
        return Image.fromarray(self.picture.image)

    def rng(self, purpose: int) -> np.random.Generator:
        """Random draws for one purpose, always the same for this scene."""
        return np.random.default_rng([self.seed, purpose])


def scenes_from(seed: int, count: int) -> list[Drawn]:
    """Scenes of `count` test seeds from `seed` on.

    Raises:
        BadParameterError: some of them are no test seeds.
    """
    if count < 1 or seed not in TEST_SEEDS or seed + count - 1 not in TEST_SEEDS:
        raise BadParameterError(
            f"Test seeds are {TEST_SEEDS.start} to {TEST_SEEDS.stop - 1}; got {seed} to {seed + count - 1}."
        )
    return [Drawn(seed + i) for i in range(count)]


def tracked(cases: Sequence[Case] | Iterable[Case], what: str, total: int | None = None) -> Iterator[Case]:
    """The cases, one by one, with a line of progress on stderr (every half minute where that is no terminal)."""
    total = total if total is not None else len(cases)  # type: ignore[arg-type]
    started, said = time.monotonic(), 0.0
    terminal = sys.stderr.isatty()
    for number, case in enumerate(cases, start=1):
        yield case
        now = time.monotonic()
        if now - said > (0.2 if terminal else 30) or number == total:
            left = (now - started) / number * (total - number)
            line = f"{what}: {number} of {total}, about {left:.0f} s left"
            print(f"\r{line:70}" if terminal else line, end="" if terminal else "\n", file=sys.stderr, flush=True)
            said = now
    if terminal:
        print(file=sys.stderr)
