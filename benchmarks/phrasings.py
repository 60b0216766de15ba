"""One edit in several wordings (the paper's Fig. 6): does the result depend on how it is said?

`instructedit bench phrasings`; every scene is asked for one and the same recolour in each of the wordings.
"""

import argparse
import sys

from benchmarks.cases import Case
from benchmarks.harness import Finding, add_shared, main_of, models_of, scenes_of
from benchmarks.scenes import Drawn
from benchmarks.variants import free_colour, ours_with, recolour_case, run_variants, targets

__all__ = ["WORDINGS", "configure", "run"]

WORDINGS = (
    "make {x} {c}",
    "turn {x} {c}",
    "change the colour of {x} to {c}",
    "I want {x} to be {c}",
    "what if {x} were {c}?",
    "{x} should be {c}",
    "could you paint {x} {c}, please?",
)
"""{x} is the object, {c} its new colour; written down before they were tried."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    add_shared(parser, "phrasings", 10 * len(WORDINGS), 9_820_000)


def run(args: argparse.Namespace) -> Finding:
    """Asks for every edit in every wording; the rows by type are those of the wordings."""
    models = models_of(args)
    cases: list[Case] = []
    for drawn in scenes_of(args, args.limit + 20):
        if len(cases) >= args.limit:
            break
        cases += _cases(drawn)
    return run_variants(args, "phrasings", cases[: args.limit], {"instructedit": ours_with(models)}, models)


def _cases(drawn: Drawn) -> list[Case]:
    found = targets(drawn, ("attribute", "position"), 61)
    if not found:
        return []
    target = found[0]
    colour = free_colour(drawn, target.objects, 62)
    return [
        recolour_case(drawn, target.objects, colour, wording.format(x=target.phrase, c=colour), wording)
        for wording in WORDINGS
    ]


if __name__ == "__main__":
    sys.exit(main_of("phrasings", __doc__, configure, run))
