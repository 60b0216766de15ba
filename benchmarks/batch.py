"""Scripted runs and retries: `python -m benchmarks.batch workers` and `python -m benchmarks.batch retries`.

`workers` runs the same jobs with one worker and with two, one CPU thread each, and compares jobs per minute and bytes.
`retries` makes the same edits of validation scenes with verify-and-retry and without, and compares their success.
Measure on a machine that does nothing else.
"""

import argparse
import hashlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agent.api import EditOverrides, edit_image
from agent.batch import BatchOptions, run_batch
from agent.local_workers import LocalWorkers
from agent.script import load_script
from benchmarks.edits import edit_cases, true_mask_of
from benchmarks.figures import Bar, Row, Section, rate, table
from benchmarks.judge import Judge
from benchmarks.record import begun, write_record
from benchmarks.scenes import Drawn, tracked
from benchmarks.scoring import EditCase, score
from instructedit_models.errors import InstructEditError, ModelUnavailableError
from instructedit_models.grounding import Grounding
from instructedit_models.miniature.edits import KINDS
from instructedit_models.miniature.seen import mask_box
from instructedit_models.model_sets import ModelSet, load_model_set
from instructedit_models.types import Region

FASTER = Bar(">=", 1.7)
GAIN, ENOUGH = 0.08, 0.97
FIRST_VALIDATION_SEED = 8_000_000


def main(argv: list[str] | None = None) -> int:
    """Runs one of the two; returns 1 where a figure is below its bar."""
    args = _parser().parse_args(argv)
    models = load_model_set(args.models)
    settings = {name: value for name, value in vars(args).items() if not isinstance(value, Path)}
    record = begun(settings, models)
    record["benchmark"] = "batch"
    record["command"] = ["python", "-m", "benchmarks.batch", *sys.argv[1:]]
    try:
        if args.what == "workers":
            section = workers_section(args.jobs, args.seed, args.models)
        else:
            torch.set_num_threads(args.threads)
            cases = edit_cases([Drawn(args.seed + i) for i in range(args.scenes)], args.kinds, args.limit)
            section = retries_section(cases, models, Judge(), args.retries, args.true_masks)
    except InstructEditError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    write_record(args.json, record, {args.what: section})
    print(f"commit {str(record['commit'])[:10]}\n\n{table(section.rows)}\n\nrecord: {args.json}")
    return 1 if any(row.passed is False for row in section.rows) else 0


def workers_section(count: int, seed: int, models: str) -> Section:
    """Jobs per minute of one worker and of two; models are loaded within the time, as they are for a person."""
    with tempfile.TemporaryDirectory(prefix="instructedit-batch-") as folder:
        script = _script(Path(folder), count, seed, models)
        minutes: dict[int, float] = {}
        results: dict[int, dict[str, str]] = {}
        cases: list[dict[str, Any]] = []
        for workers in (1, 2):
            out = Path(folder) / f"out_{workers}"
            started = time.perf_counter()
            summary = run_batch(load_script(script), out, LocalWorkers(workers), BatchOptions(workers, threads=1))
            minutes[workers] = (time.perf_counter() - started) / 60
            results[workers] = {
                str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in sorted(out.rglob("turn_*.png"))
            }
            cases += [{"workers": workers, **job} for job in summary.jobs]
    other = sum(results[1][name] != results[2].get(name) for name in results[1])
    faster = minutes[1] / minutes[2]
    return Section(
        [
            Row(
                "jobs per minute, one worker",
                round(count / minutes[1], 2),
                n=count,
                note="one thread, loading included",
            ),
            Row("jobs per minute, two workers", round(count / minutes[2], 2), n=count, note="one thread each"),
            Row("two workers against one", round(faster, 3), FASTER, count),
            Row("pictures whose bytes differ between the two", other, Bar("=", 0), len(results[1])),
        ],
        cases,
    )


def retries_section(
    cases: list[EditCase], models: ModelSet, judge: Judge, retries: int, true_masks: bool = False
) -> Section:
    """The same edits without and with retries; `true_masks` takes the scenes' own masks."""
    rows: list[dict[str, Any]] = []
    for case in tracked(cases, "edits"):
        row: dict[str, Any] = {"seed": case.drawn.seed, "kind": case.edit.kind, "instruction": case.edit.instruction}
        for name, count in (("without", 0), ("with", retries)):
            row[name] = _tried(case, _TrueMasks(models, case) if true_masks else models, judge, count)
            if count == 0 and (row[name]["verified"] or row[name]["error"]):
                row["with"] = row[name]  # what passes its check, or cannot be made, is not retried
                break
        rows.append(row)
    section = Section(cases=rows)
    gain = 0.0
    for kind in ("all kinds", *dict.fromkeys(row["kind"] for row in rows)):
        those = [row for row in rows if kind in ("all kinds", row["kind"])]
        without, with_ = ([row[name]["success"] for row in those] for name in ("without", "with"))
        indent = kind != "all kinds"
        section.rows.append(rate(f"{kind}: success without retries", without, indent=indent))
        section.rows.append(rate(f"{kind}: success with retries", with_, indent=indent))
        if not indent:
            share = sum(with_) / len(with_)
            gain = share - sum(without) / len(without)
            enough = share >= ENOUGH
            bar = None if enough else Bar(">=", GAIN)
            section.rows.append(Row("gain by retries", round(gain, 4), bar, len(those), note=f"or >= {ENOUGH}"))
    made = [row["with"] for row in rows if not row["with"]["error"]]
    first = [row["without"] for row in rows if not row["without"]["error"]]
    section.rows += [
        rate("the check agrees with the judge, first try", [one["verified"] == one["success"] for one in first]),
        rate("the check agrees with the judge, in the end", [one["verified"] == one["success"] for one in made]),
        rate("edits that were retried", [one["tries"] > 1 for one in made]),
    ]
    for name, those in (("without", first), ("with", made)):
        mean = sum(one["unet_evaluations"] for one in those) / max(1, len(those))
        section.rows.append(Row(f"UNet evaluations per edit {name} retries, mean", round(mean, 1), n=len(those)))
    return section


class _TrueMasks:
    """A model set whose segmenter is the scene's truth, so that wrong masks do not hide what retries do."""

    def __init__(self, models: ModelSet, case: EditCase) -> None:
        self._models, self._case = models, case
        self.detector = models.detector

    def __getattr__(self, name: str) -> Any:
        return getattr(self._models, name)

    @property
    def grounded(self) -> "_TrueMasks":
        """The editor's tools ask it for masks."""
        return self

    def segment(self, image: Any, prompt: str, exclude: Any = None) -> Grounding:
        """The true mask, whatever the prompt."""
        mask = true_mask_of(self._case)
        box = tuple(map(float, mask_box(mask)))
        return Grounding(prompt, (Region("r1", prompt, 1.0, box, mask),), mask)  # type: ignore[arg-type]


def _tried(case: EditCase, models: Any, judge: Judge, retries: int) -> dict[str, Any]:
    models.editor.forget()
    started = time.perf_counter()
    error = None
    record: dict[str, Any] = {}
    after = case.drawn.picture.image
    try:
        options = EditOverrides(retries=retries)
        outcome = edit_image(
            case.drawn.image, case.edit.instruction, models=models, llm="offline", yes=True, options=options
        )
        record, after = outcome.record, np.asarray(outcome.image)
    except ModelUnavailableError:
        raise
    except InstructEditError as failure:
        error = f"{failure.kind}: {failure}"
    judged = score(case, after, judge)
    return {
        "success": judged.success and error is None,
        "seen": list(judged.seen),
        "distance": judged.distance,
        "verified": bool(record.get("verified")),
        "check": record.get("check"),
        "checks": record.get("checks"),
        "attempts": list(record.get("attempts") or ()),
        "tries": max(1, len(record.get("attempts") or ())),
        "unet_evaluations": record.get("unet_evaluations", 0),
        "seconds": round(time.perf_counter() - started, 3),
        "error": error,
    }


def _script(folder: Path, count: int, seed: int, models: str) -> Path:
    """Jobs of one edit each, on scenes where the edit can be made by its words alone."""
    entries = []
    scenes = (Drawn(seed + number) for number in range(10 * count))
    for drawn in scenes:
        for case in edit_cases([drawn], ("recolour",)):
            name = f"scene_{drawn.seed}"
            drawn.image.save(folder / f"{name}.png")
            entries.append({"name": name, "image": f"{name}.png", "instruction": case.edit.instruction})
        if len(entries) >= count:
            break
    defaults = {"models": models, "llm": "offline", "seed": 0, "yes": True, "retries": 0}
    path = folder / "jobs.json"
    path.write_text(json.dumps({"defaults": defaults, "jobs": entries[:count]}), encoding="utf-8")
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch", description=__doc__)
    parser.add_argument("what", choices=("workers", "retries"))
    parser.add_argument("--models", default="miniature", help="the model set (default: miniature)")
    parser.add_argument("--seed", type=int, default=FIRST_VALIDATION_SEED, help="of the first scene")
    parser.add_argument("--jobs", type=int, default=40, help="workers: how many jobs (default: 40)")
    parser.add_argument("--scenes", type=int, default=60, help="retries: how many scenes (default: 60)")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="retries: kinds of edit")
    parser.add_argument("--limit", type=int, help="retries: at most so many edits")
    parser.add_argument("--retries", type=int, default=2, help="retries: sweeps at most (default: 2)")
    parser.add_argument("--true-masks", action="store_true", help="retries: take the scenes' own masks")
    parser.add_argument("--threads", type=int, default=2, help="retries: CPU threads (default: 2)")
    parser.add_argument("--json", type=Path, default=Path("runs/batch.json"), metavar="FILE", help="the record")
    return parser


if __name__ == "__main__":
    sys.exit(main())
