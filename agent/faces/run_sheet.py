"""The contact sheet of a scripted run: a row per job, its picture before and after each turn.

Called by `instructedit run`.
"""

import json
from pathlib import Path
from typing import Any

from PIL import Image

from agent.faces.drawing import GREY, INK, PAPER, write_line

__all__ = ["run_sheet"]

_CELL, _GAP, _TITLE, _CAPTION = 160, 8, 22, 34
_MOST_ROWS, _MOST_COLUMNS = 60, 9


def run_sheet(directory: Path, jobs: list[dict[str, Any]]) -> Image.Image | None:
    """Draws what the jobs made; None where no job made a picture.

    Args:
        directory: of the run.
        jobs: the summary's entries.

    Returns:
        An RGB picture of at most 60 jobs, and of the first eight turns of each.
    """
    rows = []
    for job in jobs:
        folder = directory / job["name"]
        records = _records(folder)
        source = next(iter(sorted((folder / "bundle").glob("input.*"))), None)
        if records and source is not None:
            rows.append((job, source, records[: _MOST_COLUMNS - 1]))
        if len(rows) == _MOST_ROWS:
            break
    if not rows:
        return None
    columns = 1 + max(len(records) for _, _, records in rows)
    height = _TITLE + _CELL + _CAPTION
    sheet = Image.new("RGB", (columns * (_CELL + _GAP) + _GAP, len(rows) * height + _GAP), PAPER)
    for number, (job, source, records) in enumerate(rows):
        top = _GAP + number * height
        width = sheet.width - 2 * _GAP
        write_line(sheet, (_GAP, top), f"{job['name']}: {job['status']}", width, 14, INK)
        cells = [(source, "")] + [(directory / job["name"] / one["output"], _words(one)) for one in records]
        for column, (file, words) in enumerate(cells):
            left = _GAP + column * (_CELL + _GAP)
            picture = _thumbnail(file)
            sheet.paste(picture, (left, top + _TITLE))
            write_line(sheet, (left, top + _TITLE + picture.height + 2), words, _CELL, 12, GREY)
    return sheet


def _words(record: dict[str, Any]) -> str:
    mark = "" if record["kind"] != "edit" else " (verified)" if record["verified"] else " (not verified)"
    return (
        f"{record['instruction']}{mark}" if record["kind"] == "edit" else f"{record['instruction']}: {record['kind']}"
    )


def _thumbnail(file: Path) -> Image.Image:
    try:
        with Image.open(file) as opened:
            picture = opened.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        return Image.new("RGB", (_CELL, _CELL), GREY)
    scale = _CELL / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _records(folder: Path) -> list[dict[str, Any]]:
    try:
        return list(json.loads((folder / "record.json").read_bytes()))
    except (OSError, ValueError):
        return []
