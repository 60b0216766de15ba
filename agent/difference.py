"""What differs between two bundles, two jobs, or two whole runs; `instructedit diff` shows it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from agent.bundle import BundleTurn, read_bundle
from instructedit_models.errors import BadImageError, BadParameterError
from instructedit_models.imaging import load_image

__all__ = ["Difference", "difference"]

_SUMMARY = "summary.json"


@dataclass(frozen=True)
class Difference:
    """One thing that differs.

    Attributes:
        where: "a: turn 2: picture", "settings.seed" …
        a: what the first says, None where it says nothing.
        b: what the second says.
        note: more about it, such as how many pixels differ.
    """

    where: str
    a: Any
    b: Any
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """As data."""
        return {"where": self.where, "a": self.a, "b": self.b, "note": self.note}


def difference(a: str | Path, b: str | Path) -> list[Difference]:
    """Everything that differs; empty where the two are the same.

    Args:
        a: a bundle, the folder of a job, or the directory of a run.
        b: another of the same kind.

    Raises:
        BadParameterError: one of them is none of these, or they are of two kinds.
    """
    first, second = Path(a), Path(b)
    runs = [(path / _SUMMARY).is_file() for path in (first, second)]
    if runs[0] != runs[1]:
        run, other = (first, second) if runs[0] else (second, first)
        raise BadParameterError(f"{run} is a whole run and {other} is not; give two of a kind.")
    if not runs[0]:
        return list(_bundles(first, second))
    names = sorted({path.parent.parent.name for side in (first, second) for path in side.glob("*/bundle/bundle.json")})
    if not names:
        raise BadParameterError(f"Neither {first} nor {second} holds a job with a bundle.")
    found: list[Difference] = []
    for name in names:
        here = [(side / name / "bundle" / "bundle.json").is_file() for side in (first, second)]
        if not all(here):
            found.append(Difference(name, "job" if here[0] else None, "job" if here[1] else None))
            continue
        found += [
            Difference(f"{name}: {one.where}", one.a, one.b, one.note) for one in _bundles(first / name, second / name)
        ]
    return found


def _bundles(a: Path, b: Path) -> Iterator[Difference]:
    (first, folder_a), (second, folder_b) = read_bundle(a), read_bundle(b)
    for name in ("models", "llm", "threads"):
        yield from _value(name, getattr(first, name), getattr(second, name))
    yield from _mapping("revisions", first.revisions, second.revisions)
    yield from _mapping("settings", first.settings, second.settings)
    yield from _value("input picture", first.input_sha256[:12], second.input_sha256[:12])
    for number, (one, other) in enumerate(zip_longest(first.turns, second.turns), start=1):
        where = f"turn {number}"
        if one is None or other is None:
            yield Difference(where, one and one.instruction, other and other.instruction)
            continue
        yield from _turns(where, one, other, (_picture(folder_a, one), _picture(folder_b, other)))


def _turns(where: str, a: BundleTurn, b: BundleTurn, pictures: tuple[Path | None, Path | None]) -> Iterator[Difference]:
    for name in ("instruction", "kind", "image_id"):
        yield from _value(f"{where}: {name}", getattr(a, name), getattr(b, name))
    for number, (one, other) in enumerate(zip_longest(a.calls, b.calls), start=1):
        place = f"{where}: call {number}"
        if one is None or other is None or one.tool != other.tool:
            yield Difference(place, one and one.tool, other and other.tool)
            continue
        yield from _value(f"{place} ({one.tool}): worked", one.ok, other.ok)
        yield from _mapping(f"{place} ({one.tool})", one.arguments, other.arguments)
    for one_v, other_v in zip_longest(a.versions, b.versions):
        if one_v is None or other_v is None:
            yield Difference(f"{where}: version", one_v and one_v.image_id, other_v and other_v.image_id)
            continue
        for name in ("seed", "encoding_ratio", "guidance_scale", "steps"):
            yield from _value(f"{where}: {one_v.image_id}: {name}", getattr(one_v, name), getattr(other_v, name))
    if a.pixels != b.pixels:
        yield Difference(f"{where}: picture", a.pixels[:12], b.pixels[:12], _pixels(*pictures))


def _picture(folder: Path, turn: BundleTurn) -> Path | None:
    """The turn's picture: beside the bundle, or in the job's folder around it."""
    if turn.output is None:
        return None
    name = Path(turn.output).name
    return next((path for path in (folder / name, folder.parent / name) if path.is_file()), None)


def _pixels(a: Path | None, b: Path | None) -> str:
    """How many pixels of two pictures differ, in words."""
    if a is None or b is None:
        return ""
    try:
        first, second = np.asarray(load_image(a).image), np.asarray(load_image(b).image)
    except BadImageError:
        return ""
    if first.shape != second.shape:
        return f"{first.shape[1]} x {first.shape[0]} against {second.shape[1]} x {second.shape[0]} pixels"
    apart = np.abs(first.astype(np.int16) - second.astype(np.int16))
    count = int(apart.any(axis=2).sum())
    return f"{count:,} of {apart.shape[0] * apart.shape[1]:,} pixels differ, by {int(apart.max())} at most"


def _value(where: str, a: Any, b: Any) -> Iterator[Difference]:
    if a != b:
        yield Difference(where, a, b)


def _mapping(where: str, a: dict[str, Any], b: dict[str, Any]) -> Iterator[Difference]:
    for key in dict.fromkeys((*a, *b)):
        yield from _value(f"{where}.{key}", a.get(key), b.get(key))
