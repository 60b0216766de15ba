"""Records of benchmarks as one self-contained HTML page, and as `docs/results.md`.

`instructedit bench report runs/bench/table1.json runs/bench/speed.json --html results.html --markdown docs/results.md`.
The page holds its pictures and plots itself and asks nothing of the network.
"""

import argparse
import html
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import FOLDER, Finding, main_of
from benchmarks.record import SCHEMA
from benchmarks.report_parts import Table, picture_grid, plots_of, tables_of
from instructedit_models.errors import BadOutputError, BadParameterError

__all__ = ["configure", "read_record", "run"]

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --paper: #fff; --line: #d9dce1; --soft: #f4f5f7; --bar: #2f6fde; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e9eb; --paper: #16181b; --line: #33373d; --soft: #1f2226; --bar: #7aa7ff; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { margin-top: 2.5rem; } h3 { margin-bottom: .3rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } th { background: var(--soft); }
td small { display: block; opacity: .65; } .note { opacity: .75; }
figure { display: inline-block; margin: .4rem; text-align: center; vertical-align: top; }
figure img { width: 128px; height: auto; display: block; } figcaption { font-size: .8rem; max-width: 128px; }
svg { max-width: 100%; height: auto; } svg text { fill: currentColor; font-size: 12px; }
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument(
        "records", nargs="*", type=Path, metavar="RECORD", help=f"JSON records (default: {FOLDER}/*.json)"
    )
    parser.add_argument("--html", type=Path, default=FOLDER / "results.html", metavar="FILE", help="the page")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also as Markdown, for docs/results.md")
    parser.add_argument("--pictures", type=int, default=8, metavar="N", help="cases shown as pictures (default: 8)")


def run(args: argparse.Namespace) -> Finding:
    """Writes the page.

    Raises:
        BadParameterError: there is no record, or one cannot be read.
        BadOutputError: a file cannot be written.
    """
    paths = args.records or sorted(FOLDER.glob("*.json"), key=lambda path: (path.stem != "table1", path.stem))
    if not paths:
        raise BadParameterError(f"There is no record in {FOLDER}; run a benchmark first, or name its record.")
    records = [(path, read_record(path)) for path in paths]
    _write(args.html, page_of(records, args.pictures))
    written = [str(args.html)]
    if args.markdown:
        _write(args.markdown, markdown_of([record for _, record in records]))
        written.append(str(args.markdown))
    payload = {"rows": [{"record": str(path), "benchmark": record["benchmark"]} for path, record in records]}
    return Finding({**payload, "written": written}, f"{len(records)} records: {', '.join(written)}")


def read_record(path: Path) -> dict[str, Any]:
    """A record that one of the benchmarks wrote.

    Raises:
        BadParameterError: it is missing, broken, or of a newer schema.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadParameterError(f"{path} cannot be read as a record: {error}.") from error
    if not isinstance(record, dict) or "benchmark" not in record or "rows" not in record:
        raise BadParameterError(f"{path} is no finished record of a benchmark.")
    if record.get("schema") != SCHEMA:
        raise BadParameterError(f"{path} has schema {record.get('schema')}; this version reads {SCHEMA}.")
    return record


def page_of(records: Sequence[tuple[Path, Mapping[str, Any]]], pictures: int) -> str:
    """The page, HTML in one piece."""
    body = ["<h1>InstructEdit: results</h1>"]
    for path, record in records:
        body.append(f"<h2>{_said(record['benchmark'])}</h2><p class='note'>{_said(origin_of(record))}</p>")
        body += [_html_table(table) for table in tables_of(record)]
        body += plots_of(record)
        body.append(picture_grid(record, path.parent, pictures))
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>InstructEdit: results</title>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; img-src data:; "
        "style-src 'unsafe-inline'\">"
        f"<style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def markdown_of(records: Sequence[Mapping[str, Any]]) -> str:
    """The tables as Markdown."""
    parts = [
        "# Results",
        "Written by `instructedit bench report`; how each figure is made: [benchmarks](benchmarks.md).",
    ]
    for record in records:
        parts += [f"## {record['benchmark']}", origin_of(record)]
        for table in tables_of(record):
            head = f"| {' | '.join(table.head)} |\n|{'---|' * len(table.head)}"
            rows = [f"| {' | '.join(_inline(cell) for cell in row)} |" for row in table.rows]
            parts += [f"### {table.title}", "\n".join([head, *rows])]
    return "\n\n".join(parts) + "\n"


def origin_of(record: Mapping[str, Any]) -> str:
    """Where a record comes from, in a sentence."""
    machine = record.get("machine") or {}
    commit = str(record.get("commit") or "unknown")[:10] + (" with uncommitted changes" if record.get("dirty") else "")
    settings = record.get("settings") or {}
    named = ", ".join(f"{name} {settings[name]}" for name in ("limit", "seed") if name in settings)
    where = f"{machine.get('gpu') or machine.get('processor') or 'unknown machine'}, {machine.get('cores')} cores"
    return f"Commit {commit}; {record.get('started')}; models {record.get('models')}; {named}; {where}."


def _html_table(table: Table) -> str:
    head = "".join(f"<th scope='col'>{_said(name)}</th>" for name in table.head)
    rows = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in table.rows)
    return (
        f"<h3>{_said(table.title)}</h3><div class='scroll'><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _cell(cell: str) -> str:
    figure, _, interval = cell.partition("\n")
    return f"<td>{_said(figure)}{f'<small>{_said(interval)}</small>' if interval else ''}</td>"


def _inline(cell: str) -> str:
    return cell.replace("\n", " ").replace("|", "\\|")


def _said(text: object) -> str:
    return html.escape(str(text))


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise BadOutputError(f"Cannot write {path}: {error.strerror or error}.") from error


if __name__ == "__main__":
    sys.exit(main_of("report", __doc__, configure, run))
