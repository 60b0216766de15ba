"""With and without BLIP-2, on clear and unclear instructions (the paper's Fig. 5).

`instructedit bench describing`; "make the red car blue" says what it means, "make it blue" needs a look at the picture.
"""

import argparse
import sys
from typing import Any

from PIL import Image

from benchmarks.cases import Case
from benchmarks.harness import Finding, add_shared, main_of, models_of, scenes_of
from benchmarks.methods import Planner
from benchmarks.scenes import Drawn
from benchmarks.variants import free_colour, ours_with, recolour_case, run_variants
from instructedit_models.lexicon import with_article
from instructedit_models.model_sets import ModelSet
from instructedit_models.types import Description

__all__ = ["Undescribed", "configure", "run"]


class Undescribed:
    """A model set whose BLIP-2 sees nothing; everything else is the set's own."""

    def __init__(self, models: ModelSet) -> None:
        """Keeps the set."""
        self._models = models
        self.describer = _Blind()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._models, name)


class _Blind:
    def describe(self, image: Image.Image) -> Description:
        """Says nothing of the picture, in the form of a description."""
        return Description("photo", f"photo of {with_article('object')}")

    def ask(self, image: Image.Image, question: str) -> str:
        """Answers nothing."""
        return "an object"


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    add_shared(parser, "describing", 40, 9_840_000)


def run(args: argparse.Namespace) -> Finding:
    """Asks of scenes of one object for the same recolour, clearly and unclearly, with BLIP-2 and without."""
    models = models_of(args)
    cases: list[Case] = []
    for drawn in scenes_of(args, 5 * args.limit + 30):
        if len(cases) >= args.limit:
            break
        cases += _cases(drawn)
    methods = {"with BLIP-2": ours_with(models), "without BLIP-2": ours_with(Undescribed(models))}
    return run_variants(args, "describing", cases[: args.limit], methods, models, Planner(models))


def _cases(drawn: Drawn) -> list[Case]:
    """Of a scene of one object: what "it" is, nobody can doubt who sees the picture."""
    if len(drawn.scene.items) != 1:
        return []
    colour = free_colour(drawn, (0,), 71)
    said = {"clear": f"make the {drawn.scene.items[0].noun} {colour}", "unclear": f"make it {colour}"}
    return [recolour_case(drawn, (0,), colour, words, kind) for kind, words in said.items()]


if __name__ == "__main__":
    sys.exit(main_of("describing", __doc__, configure, run))
