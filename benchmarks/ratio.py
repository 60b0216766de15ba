"""The encoding ratio, swept, against inpainting (the paper's Fig. 7): how strong may an edit be before its place goes?

`instructedit bench ratio`; each ratio is fixed by hand, so nothing is tried again.
"""

import argparse
import sys

from agent.api import EditOverrides
from benchmarks.cases import TYPES, world_cases
from benchmarks.harness import Finding, add_shared, main_of, models_of, names, scenes_of
from benchmarks.methods import Method, Planner, make_method
from benchmarks.variants import ours_with, run_variants

__all__ = ["RATIOS", "configure", "run"]

RATIOS = (0.3, 0.5, 0.7, 0.9, 1.0)


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    add_shared(parser, "ratio", 40, 9_830_000)
    parser.add_argument("--types", type=names, default=("object",), metavar="A,B", help=f"some of {', '.join(TYPES)}")


def run(args: argparse.Namespace) -> Finding:
    """Edits every case at every ratio, and by inpainting."""
    models = models_of(args)
    planner = Planner(models)
    methods: dict[str, Method] = {
        f"r = {ratio}": ours_with(models, EditOverrides(encoding_ratio=ratio, retries=0)) for ratio in RATIOS
    }
    methods["inpainting"] = make_method("inpainting", models, planner)
    cases = world_cases(scenes_of(args, 3 * args.limit + 30), args.types, args.limit)
    return run_variants(args, "ratio", cases, methods, models, planner)


if __name__ == "__main__":
    sys.exit(main_of("ratio", __doc__, configure, run))
