"""The pieces of a report: tables of a record, plots as inline SVG, and grids of pictures as data URIs."""

import base64
import html
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.harness import figure

__all__ = ["Table", "picture_grid", "plots_of", "tables_of"]

_HIDDEN = ("intervals", "type", "passed")
_NAMES = {
    "lpips": "LPIPS ↓", "clip_score": "CLIP score ↑", "clip_score_edited": "CLIP score, edited part ↑",
    "clip_directional": "CLIP directional ↑", "mask_iou": "mask IoU ↑", "background_psnr": "background PSNR, dB ↑",
    "background_ssim": "background SSIM ↑", "success": "success ↑", "seconds": "seconds ↓",
    "not_against": "not ahead of", "unet_evaluations": "UNet evaluations ↓", "peak_bytes": "peak memory, MiB ↓",
}  # fmt: skip
_SIDE = 128


@dataclass(frozen=True)
class Table:
    """A table of text; a cell's second line is its interval."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables_of(record: Mapping[str, Any]) -> list[Table]:
    """All tables of a record: its rows, its rows by type, and whatever else it compares."""
    tables = [_table("all cases", record["rows"])]
    by_type = record.get("by_type") or []
    for kind in dict.fromkeys(row["type"] for row in by_type):
        tables.append(_table(str(kind), [row for row in by_type if row["type"] == kind]))
    for name, title in (("claims", "claims"), ("ratios", "wall time against"), ("costs", "cost of ours")):
        if record.get(name):
            tables.append(_table(title, record[name]))
    return [table for table in tables if table.rows]


def plots_of(record: Mapping[str, Any]) -> list[str]:
    """Bars with intervals for the metrics of its rows, and lines for its costs and sweeps; each an SVG in a figure."""
    plots = []
    rows = [row for row in record["rows"] if isinstance(row, Mapping)]
    label = next((key for key in ("method", "what") if rows and key in rows[0]), None)
    if label:
        for metric in ("success", "lpips", "mask_iou", "background_psnr", "seconds"):
            values = [(str(row[label]), row.get(metric), (row.get("intervals") or {}).get(metric)) for row in rows]
            kept = [(name, float(value), interval) for name, value, interval in values if value is not None]
            if len(kept) > 1:
                plots.append(_bars(_NAMES[metric], kept))
    costs = record.get("costs") or []
    for axis in dict.fromkeys(row["axis"] for row in costs):
        points = [(float(row["value"]), float(row["seconds"])) for row in costs if row["axis"] == axis]
        plots.append(_line(f"seconds by {axis}", points))
    return plots


def picture_grid(record: Mapping[str, Any], folder: Path, most: int) -> str:
    """The first cases of a record with the picture of each method, evenly over the edit types; "" without pictures."""
    home = record.get("pictures")
    if not home:
        return ""
    by_case: dict[str, list[Mapping[str, Any]]] = {}
    for case in record.get("cases", []):
        by_case.setdefault(case["case"], []).append(case)
    kinds = dict.fromkeys(entries[0]["type"] for entries in by_case.values())
    turns = [[key for key, entries in by_case.items() if entries[0]["type"] == kind] for kind in kinds]
    order = [keys[i] for i in range(max(map(len, turns), default=0)) for keys in turns if i < len(keys)][:most]
    return "".join(_case(by_case[key], folder / Path(home).name) for key in order)


def _case(entries: Sequence[Mapping[str, Any]], folder: Path) -> str:
    shown = entries[0].get("pictures") or {}
    panels = [("input", shown.get("input"), ""), ("true edit", shown.get("target"), "")]
    for entry in entries:
        success = entry["metrics"].get("success")
        said = "" if success is None else "✓" if success else "✗"
        panels.append((entry["method"], (entry.get("pictures") or {}).get("output"), said))
    figures = "".join(_panel(f"{name} {said}".strip(), folder / file) for name, file, said in panels if file)
    first = entries[0]
    return f"<h3>{html.escape(first['instruction'])} <small>({html.escape(first['type'])})</small></h3>{figures}"


def _panel(caption: str, path: Path) -> str:
    try:
        with Image.open(path) as picture:
            small = picture.convert("RGB")
    except (OSError, ValueError, SyntaxError):
        return ""
    small.thumbnail((2 * _SIDE, 2 * _SIDE))
    buffer = io.BytesIO()
    small.save(buffer, format="PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    text = html.escape(caption)
    return f"<figure><img alt='{text}' src='data:image/png;base64,{data}'><figcaption>{text}</figcaption></figure>"


def _table(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    plain = [key for row in rows for key in row if key not in _HIDDEN and not isinstance(row[key], dict)]
    keys = [key for key in dict.fromkeys(plain) if key != "interval" and any(row.get(key) is not None for row in rows)]
    head = tuple(_NAMES.get(key, key.replace("_", " ")) for key in keys)
    return Table(title, head, tuple(tuple(_shown(row, key) for key in keys) for row in rows))


def _shown(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    interval = (row.get("intervals") or {}).get(key) or (
        row.get("interval") if key in ("ratio", "mean", "figure") else None
    )
    if key == "peak_bytes":
        return figure(None if value is None else round(value / 2**20))
    text = ", ".join(map(str, value)) if isinstance(value, list) else figure(value)
    return text if not interval else f"{text}\n[{figure(float(interval[0]))}, {figure(float(interval[1]))}]"


def _bars(title: str, bars: Sequence[tuple[str, float, Sequence[float] | None]]) -> str:
    width, row, left = 560, 26, 170
    ends = [value for _, mean, interval in bars for value in (mean, *(interval or ()))]
    low, high = min(0.0, *ends), max(0.0, *ends) or 1.0
    scale = (width - left - 70) / (high - low)
    parts = []
    for number, (name, mean, interval) in enumerate(bars):
        y = 30 + number * row
        start, end = sorted((left - low * scale, left + (mean - low) * scale))
        parts.append(f"<text x='{left - 8}' y='{y + 13}' text-anchor='end'>{html.escape(name)}</text>")
        size = f"width='{max(end - start, 1):.1f}' height='17'"
        parts.append(f"<rect x='{start:.1f}' y='{y}' {size} fill='var(--bar)' opacity='.75'/>")
        if interval:
            a, b = (left + (float(value) - low) * scale for value in interval)
            parts.append(f"<path d='M{a:.1f} {y + 8.5}H{b:.1f}' stroke='currentColor' stroke-width='2'/>")
        parts.append(f"<text x='{width - 62}' y='{y + 13}'>{figure(mean)}</text>")
    return _svg(title, width, 40 + row * len(bars), parts)


def _line(title: str, points: Sequence[tuple[float, float]]) -> str:
    width, height, left, bottom = 420, 220, 60, 180
    xs, top = [x for x, _ in points], max(y for _, y in points) or 1.0
    logarithmic = min(xs) > 0 and max(xs) / min(xs) > 8
    places = [math.log(x) if logarithmic else x for x in xs]
    spread = (max(places) - min(places)) or 1.0
    dots = [
        (left + (place - min(places)) / spread * (width - left - 30), bottom - y / top * (bottom - 40))
        for place, (_, y) in zip(places, points, strict=True)
    ]
    path = " ".join(f"{'M' if i == 0 else 'L'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(dots))
    parts = [f"<path d='{path}' fill='none' stroke='var(--bar)' stroke-width='2'/>"]
    for (x, y), (value, seconds) in zip(dots, points, strict=True):
        parts.append(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.5' fill='var(--bar)'/>")
        parts.append(f"<text x='{x:.1f}' y='{bottom + 18}' text-anchor='middle'>{value:g}</text>")
        parts.append(f"<text x='{x:.1f}' y='{y - 8:.1f}' text-anchor='middle'>{seconds:.2f}</text>")
    parts.append(f"<path d='M{left} {bottom}H{width - 20}' stroke='currentColor' opacity='.4'/>")
    return _svg(title, width, height, parts)


def _svg(title: str, width: int, height: int, parts: Sequence[str]) -> str:
    name = html.escape(title)
    return (
        f"<figure><svg role='img' aria-label='{name}' viewBox='0 0 {width} {height}' width='{width}' height='{height}'>"
        f"<text x='8' y='16' font-weight='bold'>{name}</text>{''.join(parts)}</svg></figure>"
    )
