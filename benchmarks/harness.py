"""What the benchmarks of the paper's tables share: their options, their record, and what they hand to a face.

A benchmark is a module with `configure(parser)` and `run(args) -> Finding`; `python -m benchmarks.NAME` and
`instructedit bench NAME` both run it.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks.command import exit_code_of
from benchmarks.record import begun, write_json
from benchmarks.scenes import Drawn, scenes_from
from instructedit_models.errors import BadParameterError
from instructedit_models.miniature.world import VALIDATION_SEEDS
from instructedit_models.model_sets import ModelSet, load_model_set

__all__ = ["Finding", "Keeper", "add_shared", "figure", "grid", "main_of", "models_of", "names", "scenes_of", "start"]

FOLDER = Path("runs") / "bench"


@dataclass(frozen=True)
class Finding:
    """What a benchmark found.

    Attributes:
        payload: as data: "rows" at least.
        text: for people.
        ok: whether every bar was reached.
    """

    payload: Mapping[str, Any]
    text: str
    ok: bool = True


@dataclass
class Keeper:
    """The record of a run on disk, written anew as cases are done, so that a run that stops leaves what it had.

    Attributes:
        path: of the record.
        record: without cases and rows.
        cases: one entry per case and method.
        pictures: the folder of the pictures, or None for none.
    """

    path: Path
    record: dict[str, Any]
    cases: list[dict[str, Any]] = field(default_factory=list)
    pictures: Path | None = None

    def save(self, **more: Any) -> None:
        """Writes all that is known so far. Raises BadOutputError where that fails."""
        write_json(self.path, {**self.record, "cases": self.cases, **more})

    def picture(self, name: str, image: Any) -> str | None:
        """Saves a PIL picture beside the record; its name for the record, or None where no pictures are kept."""
        if self.pictures is None:
            return None
        self.pictures.mkdir(parents=True, exist_ok=True)
        path = self.pictures / f"{re.sub(r'[^A-Za-z0-9.-]+', '_', name)}.png"
        image.save(path)
        return path.name


def add_shared(parser: argparse.ArgumentParser, name: str, limit: int, seed: int) -> None:
    """Options of every benchmark.

    Args:
        parser: gets them.
        name: of the benchmark and its record.
        limit: cases by default.
        seed: of the first scene by default.
    """
    parser.add_argument("--limit", type=_positive, default=limit, metavar="N", help=f"cases (default: {limit})")
    parser.add_argument("--seed", type=int, default=seed, help=f"of the first scene (default: {seed}, a test seed)")
    parser.add_argument("--validation", action="store_true", help="allow validation seeds, to choose settings by")
    parser.add_argument("--models", default="miniature", metavar="SET", help="the model set (default: miniature)")
    parser.add_argument("--threads", type=_positive, metavar="N", help="CPU threads")
    path = FOLDER / f"{name}.json"
    parser.add_argument("--record", type=Path, default=path, metavar="FILE", help=f"the record (default: {path})")
    parser.add_argument("--pictures", action="store_true", help="keep the pictures beside the record, for the report")


def start(args: argparse.Namespace, name: str, models: ModelSet) -> Keeper:
    """A record that has begun."""
    settings = {key: str(value) if isinstance(value, Path) else value for key, value in vars(args).items()}
    settings = {key: value for key, value in settings.items() if isinstance(value, str | int | float | list | tuple)}
    record = begun(settings, models) | {"benchmark": name, "command": ["instructedit", "bench", name]}
    pictures = args.record.parent / f"{args.record.stem}_pictures" if args.pictures else None
    record["pictures"] = pictures.name if pictures else None
    return Keeper(args.record, record, pictures=pictures)


def models_of(args: argparse.Namespace) -> ModelSet:
    """The model set that was asked for."""
    if args.threads:
        torch.set_num_threads(args.threads)
    return load_model_set(args.models)


def scenes_of(args: argparse.Namespace, count: int) -> list[Drawn]:
    """Scenes from the seed on: of test seeds, or with `--validation` of validation seeds.

    Raises:
        BadParameterError: seeds of another kind.
    """
    if not args.validation:
        return scenes_from(args.seed, count)
    if args.seed not in VALIDATION_SEEDS or args.seed + count - 1 not in VALIDATION_SEEDS:
        raise BadParameterError(f"Validation seeds are {VALIDATION_SEEDS.start} to {VALIDATION_SEEDS.stop - 1}.")
    return [Drawn(args.seed + i) for i in range(count)]


def names(text: str) -> tuple[str, ...]:
    """A list of names, separated by commas, for argparse."""
    found = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not found:
        raise argparse.ArgumentTypeError("expected names, separated by commas")
    return found


def figure(value: Any, digits: int = 3) -> str:
    """A figure as text; a dash where there is none."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as aligned text."""
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    drawn = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([drawn[0], "-" * len(drawn[0]), *drawn[1:]])


def main_of(
    name: str, about: str | None, configure: Callable[[argparse.ArgumentParser], None], run: Callable[..., Finding]
) -> int:
    """What `python -m benchmarks.NAME` does; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=about)
    configure(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()

    def act() -> int:
        found = run(args)
        print(json.dumps({"schema": 1, **found.payload}) if args.json else found.text)
        return 0 if found.ok else 1

    try:
        return exit_code_of(act)
    except KeyboardInterrupt:
        print("Stopped; the record keeps what was done.", file=sys.stderr)
        return 130


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, not {text[:40]!r}")
    return int(text)
