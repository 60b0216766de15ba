"""`instructedit bench`: runs a benchmark of the checkout and prints its figures.

The benchmarks stay out of the wheel: they hold the truth of test scenes, which the product must never see. So they are
looked for beside the packages, and a sentence says so where they are not there.
"""

import argparse
import contextlib
import importlib
import sys
from pathlib import Path
from typing import Any

from agent.faces import parser as options
from agent.faces.output import Output
from agent.faces.parser import Commands, Parser
from instructedit_models.errors import BadParameterError, UserError

NAMES = {
    "table1": "every method with every metric, by edit type",
    "speed": "wall time, evaluations and memory of an edit, side by side",
    "masks": "masks against DiffEdit's at three thresholds",
    "phrasings": "one edit in several wordings",
    "ratio": "the encoding ratio, swept, against inpainting",
    "describing": "with and without BLIP-2, on clear and unclear instructions",
    "failures": "the paper's three failure cases",
    "decay": "what ten turns do to a picture",
    "attribution": "what each stage costs: true caption or true mask swapped in",
    "report": "records as one HTML page and docs/results.md",
}
"""Every benchmark that can be run so, and what it measures."""

_ROOT = Path(__file__).resolve().parents[3]


def configure(commands: Commands) -> None:
    """Adds `bench`."""
    parser = commands.add_parser(
        "bench",
        help="measure: the paper's tables and figures (needs a checkout)",
        epilog="benchmarks:\n" + "\n".join(f"  {name:<12} {what}" for name, what in NAMES.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", help="which benchmark; `bench NAME --help` lists its own options")
    parser.add_argument("options", nargs=argparse.REMAINDER, metavar="...", help="options of the benchmark")
    options.add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, output: Output) -> int:
    """Runs the benchmark; exits 1 where one of its bars is missed.

    Raises:
        BadParameterError: there is no such benchmark.
        UserError: the benchmarks are not installed.
    """
    module = _module(args.name)
    parser = Parser(prog=f"instructedit bench {args.name}", description=module.__doc__)
    module.configure(parser)
    options.add_common(parser)
    try:
        chosen = parser.parse_args(args.options)
    except SystemExit as stop:  # argparse leaves so after --help
        return int(stop.code or 0)
    output.quiet = output.quiet or chosen.quiet
    # Whatever a library prints belongs beside the progress, so that stdout holds the figures alone.
    with contextlib.redirect_stdout(sys.stderr):
        found = module.run(chosen)
    output.result(found.payload, found.text)
    return 0 if found.ok else 1


def _module(name: str) -> Any:
    if name not in NAMES:
        raise BadParameterError(f"There is no benchmark {name!r}; use one of {', '.join(NAMES)}.")
    if not (_ROOT / "benchmarks" / f"{name}.py").is_file():
        raise UserError("The benchmarks do not come with the package; run `instructedit bench` in a checkout of it.")
    if str(_ROOT) not in sys.path:
        sys.path.insert(0, str(_ROOT))
    return importlib.import_module(f"benchmarks.{name}")
