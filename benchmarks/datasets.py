"""Users' own pictures as cases of a benchmark: PIE-Bench, MagicBrush, or a plain folder with a table.

`read_dataset` tells the three apart by the file that lies in the folder. Annotated masks and captions serve for scoring
alone; no method is given them.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from agent.script_files import read_table
from instructedit_models.errors import BadMaskError, BadParameterError
from instructedit_models.imaging import load_image

__all__ = ["LAYOUTS", "Sample", "read_dataset"]

PIE_SIDE = 512
"""PIE-Bench's masks are run lengths over pictures of 512 x 512."""
PIE_TYPES = (
    "random", "change object", "add object", "delete object", "change content", "change pose", "change colour",
    "change material", "change background", "change style",
)  # fmt: skip
TABLES = ("edits.csv", "edits.jsonl")


@dataclass(frozen=True)
class Sample:
    """One edit that a data set asks for; its pictures are read when they are first looked at.

    Attributes:
        id: names it within its set.
        path: the picture's file.
        instruction: what to change, in words.
        input_caption: what the picture shows, or None.
        edited_caption: what it shall show, or None.
        edit_type: the set's own name for this kind of edit, or None.
        target: the file of the picture that a person made of it, or None.
    """

    id: str
    path: Path
    instruction: str
    input_caption: str | None = None
    edited_caption: str | None = None
    edit_type: str | None = None
    target: Path | None = None
    read_mask: Callable[[], np.ndarray] | None = field(default=None, repr=False, compare=False)

    @cached_property
    def image(self) -> Image.Image:
        """PIL RGB. Raises BadImageError where the file is no picture."""
        return load_image(self.path).image

    @cached_property
    def mask(self) -> np.ndarray | None:
        """(H, W) bool, where the edit is meant; None where the set does not say.

        Raises:
            BadMaskError: it is of another size than the picture.
        """
        if self.read_mask is None:
            return None
        mask = self.read_mask()
        if mask.shape != (self.image.height, self.image.width):
            mask_size, size = f"{mask.shape[1]} x {mask.shape[0]}", f"{self.image.width} x {self.image.height}"
            raise BadMaskError(f"The mask of {self.id} is {mask_size}, its picture {size}.")
        return mask


def read_dataset(folder: str | Path) -> list[Sample]:
    """All edits of a data set, in the order of its own file.

    Args:
        folder: holds `mapping_file.json` (PIE-Bench), `edit_sessions.json` (MagicBrush's `dev` or `test`), or
            `edits.csv` or `edits.jsonl` (plain).

    Raises:
        BadParameterError: it holds none of them, or what it holds is broken; the sentence says where.
    """
    root = Path(folder)
    for file, read in LAYOUTS.items():
        if (root / file).is_file():
            if samples := list(read(root, root / file)):
                return samples
            raise BadParameterError(f"{root / file} asks for no edit.")
    raise BadParameterError(f"{root} holds no data set: none of {', '.join(LAYOUTS)} is in it.")


def _pie_bench(root: Path, file: Path) -> Iterator[Sample]:
    """PIE-Bench: `mapping_file.json` beside `annotation_images/`; brackets in a prompt mark what changes."""
    entries = _json(file, dict)
    for key, entry in entries.items():
        where = f"{file}, {key}"
        kind = str(entry.get("editing_type_id", "")) if isinstance(entry, dict) else ""
        path = _inside(root / "annotation_images", _text(entry, "image_path", where), where)
        runs = entry.get("mask")
        yield Sample(
            key,
            path,
            _text(entry, "editing_instruction", where),
            _unmarked(entry.get("original_prompt")),
            _unmarked(entry.get("editing_prompt")),
            PIE_TYPES[int(kind)] if kind.isascii() and kind.isdecimal() and int(kind) < len(PIE_TYPES) else None,
            read_mask=None if not runs else lambda runs=runs, where=where: _from_runs(runs, where),  # type: ignore[misc]
        )


def _magic_brush(root: Path, file: Path) -> Iterator[Sample]:
    """MagicBrush: `edit_sessions.json` beside `images/<id>/`; each turn starts from the picture that a person made."""
    described = root / "global_descriptions.json"
    captions = _json(described, dict) if described.is_file() else {}
    for key, turns in _json(file, dict).items():
        said = captions.get(key, {}) if isinstance(captions.get(key, {}), dict) else {}
        for number, turn in enumerate(turns if isinstance(turns, list) else [turns], start=1):
            where = f"{file}, {key}, turn {number}"
            folder = root / "images" / key
            before = _text(turn, "input", where)
            after, mask = turn.get("output"), turn.get("mask")
            yield Sample(
                f"{key}-{number}",
                _inside(folder, before, where),
                _text(turn, "instruction", where),
                said.get(before),
                said.get(after) if after else None,
                target=_inside(folder, after, where) if after else None,
                read_mask=None if not mask else _reader(_inside(folder, mask, where)),
            )


def _plain(root: Path, file: Path) -> Iterator[Sample]:
    """A table with the columns image, instruction and, as you like, mask, target, type and both captions."""
    data = read_table(file).data
    rows = data.get("jobs") if isinstance(data, dict) else data
    for number, row in enumerate(rows if isinstance(rows, list) else [], start=1):
        where = f"{file}, entry {number}"
        image = _text(row, "image", where)
        mask, target = row.get("mask"), row.get("target")
        yield Sample(
            str(row.get("name") or f"{number:03d}-{Path(image).stem}"),
            _inside(root, image, where),
            _text(row, "instruction", where),
            row.get("input_caption") or None,
            row.get("edited_caption") or None,
            row.get("type") or None,
            target=_inside(root, target, where) if target else None,
            read_mask=_reader(_inside(root, mask, where)) if mask else None,
        )


LAYOUTS: dict[str, Callable[[Path, Path], Iterator[Sample]]] = {
    "mapping_file.json": _pie_bench,
    "edit_sessions.json": _magic_brush,
    **dict.fromkeys(TABLES, _plain),
}
"""The file that gives a layout away, and what reads it."""


def _from_runs(runs: list[int], where: str) -> np.ndarray:
    """PIE-Bench's run lengths, (start, count) pairs over the rows of the picture, as (512, 512) bool."""
    flat = np.zeros(PIE_SIDE * PIE_SIDE, bool)
    if len(runs) % 2 or not all(isinstance(number, int) and number >= 0 for number in runs):
        raise BadMaskError(f"{where}: the mask is no list of pairs of whole numbers.")
    for start, count in zip(runs[::2], runs[1::2], strict=True):
        flat[start : start + count] = True
    return flat.reshape(PIE_SIDE, PIE_SIDE)


def _reader(path: Path) -> Callable[[], np.ndarray]:
    """A mask file: where it has transparent pixels, those may be edited (MagicBrush); else the white ones."""

    def read() -> np.ndarray:
        try:
            with Image.open(path) as picture:
                alpha = np.asarray(picture.convert("RGBA").getchannel("A"))
                grey = np.asarray(picture.convert("L"))
        except (OSError, ValueError, SyntaxError) as error:
            raise BadMaskError(f"The mask {path} cannot be read: {error}.") from error
        return alpha < 128 if (alpha < 128).any() else grey >= 128

    return read


def _json(file: Path, kind: type) -> Any:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BadParameterError(f"{file} cannot be read: {error}.") from error
    if not isinstance(data, kind):
        raise BadParameterError(f"{file} should hold a table of edits, not {type(data).__name__}.")
    return data


def _text(entry: Any, name: str, where: str) -> str:
    value = entry.get(name) if isinstance(entry, dict) else None
    if not isinstance(value, str) or not value.strip():
        raise BadParameterError(f"{where}: '{name}' is missing or no text.")
    return value.strip()


def _inside(root: Path, name: str, where: str) -> Path:
    """A file of the data set; names that lead out of its folder are refused."""
    path = root / name
    if not path.resolve().is_relative_to(root.resolve()):
        raise BadParameterError(f"{where}: '{name}' lies outside {root}.")
    if not path.is_file():
        raise BadParameterError(f"{where}: there is no file {path}.")
    return path


def _unmarked(prompt: Any) -> str | None:
    return prompt.replace("[", "").replace("]", "").strip() or None if isinstance(prompt, str) else None
