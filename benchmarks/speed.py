"""What an edit costs: the original algorithm, diffusers' DiffEdit, and ours cold, on a feedback turn, and fast.

`instructedit bench speed`, all in one run and on one UNet, the ways taken in turn so that a busy machine disturbs all
alike; with `--true-size` on random weights of SD v1.5's size at 256 px, with `--costs` also against mask size, picture
size, steps and number of edits.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.cases import Case, world_cases
from benchmarks.contenders import WAYS, Contenders, Parts
from benchmarks.core import load_parts
from benchmarks.costs import cost_rows
from benchmarks.harness import Finding, Keeper, add_shared, figure, grid, main_of, models_of, scenes_of, start
from benchmarks.intervals import mean_of
from benchmarks.measures import Measures
from benchmarks.methods import Planner, measured
from benchmarks.scenes import tracked
from benchmarks.true_size import PIXELS, true_size
from instructedit_models.baselines.types import EditTask
from instructedit_models.errors import InstructEditError, ModelUnavailableError
from instructedit_models.model_sets import ModelSet
from instructedit_models.types import EditOptions

__all__ = ["BARS", "configure", "ratios_of", "run"]

CASES = 20
SEED = 9_900_000
STEPS, RATIO, GUIDANCE = 50, 0.5, 7.5
FLOOR, STRIDE = 0.2, 2
FAST_STEPS = 8
BARS = {
    ("cold", "diffusers_diffedit"): 0.42,
    ("feedback", "diffusers_diffedit"): 0.28,
    ("fast", "diffusers_diffedit"): 0.12,
    ("cold", "original"): 0.80,
    ("feedback", "original"): 0.55,
    ("fast", "original"): 0.25,
}
"""The most that one way's wall time may be of another's."""
QUALITY = ("success", "lpips")


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    add_shared(parser, "speed", CASES, SEED)
    parser.add_argument("--steps", type=int, default=STEPS, help=f"DDIM steps of all but fast (default: {STEPS})")
    parser.add_argument("--encoding-ratio", type=float, default=RATIO, help=f"of all but DiffEdit (default: {RATIO})")
    parser.add_argument("--guidance-scale", type=float, default=GUIDANCE, help=f"(default: {GUIDANCE})")
    parser.add_argument("--guidance-floor", type=float, default=FLOOR, help=f"of ours (default: {FLOOR})")
    parser.add_argument("--inversion-stride", type=int, default=STRIDE, help=f"of ours (default: {STRIDE})")
    parser.add_argument("--fast-steps", type=int, default=FAST_STEPS, help=f"DPM-Solver++ (default: {FAST_STEPS})")
    parser.add_argument("--fast-ratio", type=float, help="encoding ratio of fast (default: as the others)")
    parser.add_argument("--fast-guidance", type=float, help="guidance scale of fast (default: as the others)")
    parser.add_argument("--true-size", action="store_true", help="random weights of SD v1.5's size at 256 px instead")
    parser.add_argument("--costs", action="store_true", help="also cost against mask, picture, steps and edits")


def run(args: argparse.Namespace) -> Finding:
    """Times all ways on all cases.

    Raises:
        BadParameterError: an option is out of its range.
        ModelUnavailableError: weights are missing.
    """
    models = models_of(args)
    shared = EditOptions(args.encoding_ratio, args.steps, args.guidance_scale)
    ours = replace(shared, guidance_floor=args.guidance_floor, inversion_stride=args.inversion_stride)
    fast = replace(
        ours,
        encoding_ratio=args.fast_ratio or args.encoding_ratio,
        steps=args.fast_steps,
        guidance_scale=args.fast_guidance or args.guidance_scale,
        solver="dpm++",
    )
    keeper = start(args, "speed", models)
    cases = world_cases(scenes_of(args, 2 * args.limit + 10), ("object",), args.limit)
    if args.true_size:
        own, parts = true_size()
        ways = Contenders(own, parts, shared, ours, fast)
        keeper.record["models"] = own.name
        tasks = [_given(case, Planner(models)) for case in cases]
        measures = None
    else:
        ways = Contenders(models, _parts(models), shared, ours, fast)
        tasks = [_planned(case, Planner(models)) for case in cases]
        measures = Measures(models.scorer, wanted=QUALITY)
    _time_all(list(zip(cases, tasks, strict=True)), ways, measures, keeper)
    found: dict[str, Any] = {"rows": rows_of(keeper.cases), "ratios": ratios_of(keeper.cases)}
    if args.costs:
        found["costs"] = cost_rows(ways.models.editor, ours)
    keeper.save(**found)
    ok = all(ratio["passed"] for ratio in found["ratios"])
    return Finding({**found, "record": str(args.record)}, _text(found, str(args.record)), ok)


def rows_of(cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row a way: means of seconds, evaluations, memory and quality, and their intervals."""
    rows = []
    for way in WAYS:
        mine = [case for case in cases if case["method"] == way]
        if not mine:
            continue
        row: dict[str, Any] = {"what": way, "n": len(mine), "failed": sum(bool(case["error"]) for case in mine)}
        names = ("seconds", "unet_evaluations", "peak_bytes", *QUALITY)
        means = {name: mean_of([case["metrics"].get(name) for case in mine]) for name in names}
        row |= {name: found.mean for name, found in means.items()}
        row["intervals"] = {name: list(found.interval) for name, found in means.items() if found.interval}
        rows.append(row)
    return rows


def ratios_of(cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Wall time over wall time, case by case, for each bar; only cases that both ways made count."""
    seconds = {(case["method"], case["case"]): case["metrics"]["seconds"] for case in cases if not case["error"]}
    ratios = []
    for (ours, theirs), bar in BARS.items():
        shares = [
            spent / seconds[theirs, case] for (way, case), spent in seconds.items()
            if way == ours and (theirs, case) in seconds
        ]  # fmt: skip
        found = mean_of(shares)
        ratios.append(
            {
                "what": ours,
                "against": theirs,
                "ratio": found.mean,
                "interval": list(found.interval) if found.interval else None,
                "n": found.n,
                "bar": bar,
                "passed": found.mean is not None and found.mean <= bar,
            }
        )
    return ratios


def _time_all(
    jobs: Sequence[tuple[Case, tuple[Image.Image, EditTask] | None]],
    ways: Contenders,
    measures: Measures | None,
    keeper: Keeper,
) -> None:
    warm = set() if measures else {*WAYS}  # of true size a call takes minutes, beside which warming up is nothing
    for number, (case, job) in enumerate(tracked(jobs, "edits, five ways each")):
        if job is None:
            continue
        image, task = job
        for turn in range(len(WAYS)):
            way = WAYS[(number + turn) % len(WAYS)]
            try:
                call = ways.ready(way, image, task)
                if way not in warm:  # the first call also loads and warms up
                    call()
                    warm.add(way)
                    call = ways.ready(way, image, task)
            except ModelUnavailableError:
                raise
            except InstructEditError as error:  # where even the mask fails, there is nothing to be timed
                print(f"{case.id}, {way}: {error}", file=sys.stderr)
                continue
            made = measured(call, image)
            metrics: dict[str, float | None] = {
                "seconds": made.seconds,
                "unet_evaluations": float(made.unet_evaluations),
                "peak_bytes": None if made.peak_bytes is None else float(made.peak_bytes),
            }
            if measures is not None:
                captions = task.input_caption, task.edited_caption
                metrics |= measures(case, made, captions)
            entry = {"case": case.id, "type": case.edit_type, "method": way, "instruction": case.instruction}
            entry |= {"error": made.error, "metrics": metrics}
            entry["pictures"] = {"output": keeper.picture(f"{case.id}-{way}", made.image)}
            keeper.cases.append(entry)
        keeper.save()


def _planned(case: Case, planner: Planner) -> tuple[Image.Image, EditTask] | None:
    """What all ways are asked for; None where the language processor has no plan."""
    try:
        (plan,) = planner(case.image, case.instruction)[:1]
    except ModelUnavailableError:
        raise
    except (InstructEditError, ValueError) as error:
        print(f"{case.id} is left out: {error}", file=sys.stderr)
        return None
    task = EditTask(case.instruction, plan.input_caption, plan.edited_caption, plan.segmentation_prompt)
    return case.image, task


def _given(case: Case, planner: Planner) -> tuple[Image.Image, EditTask] | None:
    """The same with the true mask at 256 px: random weights can be timed, but find nothing."""
    if (job := _planned(case, planner)) is None or case.mask is None:
        return None
    image = case.image.resize((PIXELS, PIXELS), Image.Resampling.BICUBIC)
    mask = np.asarray(Image.fromarray(case.mask).resize((PIXELS, PIXELS), Image.Resampling.NEAREST), dtype=bool)
    task = job[1]
    return image, EditTask(task.instruction, task.input_caption, task.edited_caption, "", mask=mask)


def _parts(models: ModelSet) -> Parts:
    """The set's components for diffusers, with the very UNet that the editor runs."""
    found = load_parts(models)
    device = models.editor.device
    config = models.editor.scheduler_config
    return Parts(found.vae.to(device), found.text_encoder.to(device), found.tokenizer, models.editor.unet, config)


def _text(found: Mapping[str, Any], record: str) -> str:
    names = ("what", "n", "failed", "seconds", "unet_evaluations", "peak_bytes", *QUALITY)
    parts = [grid(names, [[figure(row[name], 3) for name in names] for row in found["rows"]])]
    bars = [
        [ratio["what"], ratio["against"], figure(ratio["ratio"]), f"<= {ratio['bar']}", _passed(ratio["passed"])]
        for ratio in found["ratios"]
    ]
    parts.append("wall time\n\n" + grid(("of", "against", "ratio", "bar", ""), bars))
    if found.get("costs"):
        head = ("axis", "value", "seconds", "unet_evaluations", "peak_bytes")
        parts.append("cost of ours\n\n" + grid(head, [[figure(row[name]) for name in head] for row in found["costs"]]))
    return "\n\n".join([*parts, f"record: {record}"])


def _passed(passed: bool) -> str:
    return "ok" if passed else "MISSED"


if __name__ == "__main__":
    sys.exit(main_of("speed", __doc__, configure, run))
