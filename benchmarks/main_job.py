"""Measures the main job on test scenes: `python -m benchmarks.main_job --scenes 200`.

Everything runs through the public API with the offline language model; the truth of the scenes serves for scoring
alone. Prints a table, and writes a record with every case.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from langchain_core.language_models import BaseChatModel

from benchmarks.command import exit_code_of
from benchmarks.core import evaluations_section, loop_section
from benchmarks.describe import describe_section
from benchmarks.edits import edit_cases, edits_section
from benchmarks.figures import Row, Section, table
from benchmarks.grounding import EXPRESSIONS, grounding_section
from benchmarks.judge import Judge
from benchmarks.plans import plans_section
from benchmarks.record import begun, write_record
from benchmarks.scenes import Drawn, scenes_from
from benchmarks.sheet import Gallery, sheet
from benchmarks.timing import time_section
from instructedit_models.errors import ModelUnavailableError
from instructedit_models.miniature.edits import KINDS
from instructedit_models.model_sets import ModelSet, load_model_set

SECTIONS = ("plan", "grounding", "describe", "core", "time", "edits")
"""In the order that they are run: the quick ones first."""
REPORTED = ("grounding", "describe", "edits", "core", "plan", "time")
"""In the order that they are printed."""


def main(argv: list[str] | None = None) -> int:
    """Runs the sections that are asked for; returns 1 where a figure is below its bar or missing."""
    args = _parser().parse_args(argv)
    return exit_code_of(lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    if args.threads:
        torch.set_num_threads(args.threads)
    models = load_model_set(args.models)
    scenes = scenes_from(args.seed, args.scenes)
    fresh = scenes_from(args.seed + args.scenes, 60)  # not edited by the section "edits", so not in its caches
    gallery = Gallery()
    makers: dict[str, Callable[[], list[Section]]] = {
        "plan": lambda: [plans_section(_offline())],
        "grounding": lambda: [grounding_section(models.grounded, scenes, args.expressions)],
        "describe": lambda: [describe_section(models.describer, scenes)],
        "core": lambda: _core(fresh[:40], models),
        "time": lambda: [time_section(edit_cases(fresh[40:], ("recolour", "noun")), models)],
        "edits": lambda: [
            edits_section(
                edit_cases(scenes, args.kinds, args.limit_edits), models, Judge(), yes=args.yes, keep=gallery.keep
            )
        ],
    }
    settings = {name: value for name, value in vars(args).items() if not isinstance(value, Path)}
    record = begun(settings, models)
    done: dict[str, Section] = {}
    for name in SECTIONS:
        if name in args.only:
            started = time.perf_counter()
            done[name] = _measured(name, makers[name])
            print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
            write_record(args.json, record, done)
            if name == "edits" and args.sheet and gallery.trials:
                sheet(gallery.shown()).save(args.sheet)
    rows = [row for name in REPORTED if name in done for row in done[name].rows]
    dirty = " with uncommitted changes" if record["dirty"] else ""
    print(f"commit {str(record['commit'])[:10]}{dirty}, {len(scenes)} scenes from seed {args.seed}\n\n{table(rows)}")
    print(f"\nrecord: {args.json}")
    return 1 if any(row.passed is False or (row.figure is None and not row.indent) for row in rows) else 0


def _core(fresh: Sequence[Drawn], models: ModelSet) -> list[Section]:
    """Both halves, so that one which cannot be measured does not hide the other."""
    return [
        _measured("core", lambda: [loop_section(fresh, models)]),
        _measured("core", lambda: [evaluations_section(fresh, models)]),
    ]


def _measured(name: str, make: Callable[[], list[Section]]) -> Section:
    """The sections that `make` returns, as one; a sentence in their place where models are missing."""
    try:
        made = make()
    except ModelUnavailableError as error:
        return Section([Row(f"{name}: not measured", None, note=str(error))])
    return Section([row for each in made for row in each.rows], [case for each in made for case in each.cases])


def _offline() -> BaseChatModel:
    from agent.offline_llm import OfflineChatModel

    return OfflineChatModel()


def _names(known: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        names = tuple(name.strip() for name in text.split(",") if name.strip())
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return names

    return parse


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.main_job", description=__doc__)
    parser.add_argument("--scenes", type=int, default=200, help="test scenes (default: 200)")
    parser.add_argument("--seed", type=int, default=9_500_000, help="of the first scene (default: 9500000)")
    parser.add_argument("--only", type=_names(SECTIONS), default=SECTIONS, help=f"some of {','.join(SECTIONS)}")
    parser.add_argument("--kinds", type=_names(KINDS), default=KINDS, help=f"kinds of edit, some of {','.join(KINDS)}")
    parser.add_argument("--limit-edits", type=int, metavar="N", help="at most N edits, scenes and kinds in turn")
    parser.add_argument("--expressions", type=int, default=EXPRESSIONS, help="referring expressions per scene")
    parser.add_argument("--yes", action="store_true", help="edits take the best candidate where several tie")
    parser.add_argument("--models", default="miniature", help="the model set (default: miniature)")
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--json", type=Path, default=Path("runs/main_job.json"), metavar="FILE", help="the record")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="a contact sheet of edits, worst and random ones")
    return parser


if __name__ == "__main__":
    sys.exit(main())
