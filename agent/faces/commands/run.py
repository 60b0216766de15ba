"""`instructedit run`: many pictures, instructions and conversations from a file, resumable, on many workers."""

import argparse
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.faces import parser as options
from agent.faces.output import Output
from agent.faces.parser import Commands

if TYPE_CHECKING:
    from agent.batch import Summary

_EXAMPLES = """\
examples:
  instructedit run jobs.yaml -o runs/first
  instructedit run jobs.csv -o runs/second --workers 4 --threads 1
  instructedit run jobs.jsonl -o runs/third --ray auto --workers 16

The same command again goes on where a run was stopped. docs/runs.md says what a jobs file may hold.
exit codes: 0 every job done, 2 a job failed for a reason that can be mended, 1 another failure, 130 stopped
"""
_FORCED = 130


def configure(commands: Commands) -> None:
    """Adds `run`."""
    parser = commands.add_parser(
        "run",
        help="run many edits and conversations from a YAML, JSONL or CSV file",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("jobs", metavar="JOBS", help="the jobs: .yaml, .json, .jsonl or .csv")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="where each job gets a folder")
    parser.add_argument(
        "--workers", type=options.worker_count, default=1, metavar="N", help="jobs at once (default: 1)"
    )
    parser.add_argument(
        "--threads",
        type=options.worker_count,
        default=1,
        metavar="N",
        help="CPU threads of each worker's models; results are the same bytes for the same number (default: 1)",
    )
    parser.add_argument("--ray", metavar="ADDRESS", help="run on a Ray cluster: auto, ray://host:10001, or local")
    parser.add_argument(
        "--root",
        action="append",
        default=[],
        metavar="DIR",
        help="refuse pictures outside this folder; may be given several times",
    )
    parser.add_argument("--fresh", action="store_true", help="run finished jobs again")
    parser.add_argument("--no-sheet", action="store_true", help="write no contact sheet")
    options.add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, output: Output) -> int:
    """Runs the jobs, writes the summary and the contact sheet, and shows the table."""
    with output.silenced():
        from agent.batch import BatchOptions, run_batch
        from agent.script import load_script

        script = load_script(args.jobs, args.root)
        chosen = BatchOptions(args.workers, args.threads, args.fresh)
        directory = Path(args.output)
        workers = _workers(args, len(script.jobs))
        with output.counting("Running the jobs", len(script.jobs)) as count, _stopping() as stop:
            summary = run_batch(
                script, directory, workers, chosen, on_result=lambda entry: count(entry["name"]), stopped=stop.is_set
            )
        payload = summary.to_json(chosen) | {"output": args.output, "contact_sheet": None}
        if not args.no_sheet:
            payload["contact_sheet"] = _sheet(directory, summary.jobs)
    output.result(payload, _text(summary, args.output))
    return summary.exit_code


def _workers(args: argparse.Namespace, jobs: int) -> Any:
    if args.ray is not None:
        from agent.ray_workers import RayWorkers

        return RayWorkers(args.ray, min(args.workers, jobs), args.threads)
    from agent.local_workers import LocalWorkers

    return LocalWorkers(min(args.workers, jobs))


def _sheet(directory: Path, jobs: list[dict[str, Any]]) -> str | None:
    from agent.faces.run_sheet import run_sheet
    from instructedit_models.imaging import save_image

    sheet = run_sheet(directory, jobs)
    if sheet is None:
        return None
    target = directory / "contact_sheet.png"
    save_image(sheet, target, None)
    return str(target)


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets; the second ends the process at once.

    Job folders are renamed into place, so that even then each is whole or not there.
    """
    stop = threading.Event()

    def handle(_signum: int, _frame: object) -> None:
        if stop.is_set():
            _end_at_once()
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.signal(signal.SIGINT, handle)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def _end_at_once() -> None:
    import multiprocessing

    for child in multiprocessing.active_children():
        child.kill()
    os._exit(_FORCED)


def _text(summary: "Summary", directory: str) -> str:
    """The table, for people."""
    head = ("job", "status", "edits", "verified", "evaluations", "seconds", "")
    rows = [head]
    for job in summary.jobs:
        words = (job["error"] or {}).get("message", "")
        if job.get("resumed"):
            words = "done by an earlier run"
        rows.append(
            (
                job["name"],
                job["status"],
                str(job["edits"]),
                str(job["verified"]),
                str(job["unet_evaluations"]),
                f"{job['seconds']:.1f}",
                words if len(words) <= 90 else f"{words[:89]}…",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    counts = ", ".join(f"{summary.count(status)} {status}" for status in ("done", "partly", "failed", "cancelled"))
    return "\n".join([*lines, f"{counts}; {summary.seconds:.1f} s; wrote {directory}."])
