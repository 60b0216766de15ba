"""Table 1: every method with every metric, by the paper's edit types; on test scenes, or on your own pictures.

`instructedit bench table1 --methods instructedit,diffedit --limit 150`, or `--data FOLDER` with PIE-Bench, MagicBrush
or a plain folder. All methods get the same instruction, plan and models.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.plans import EditPlan
from benchmarks.cases import PAPER_TYPES, TYPES, Case, dataset_cases, world_cases
from benchmarks.datasets import read_dataset
from benchmarks.harness import Finding, Keeper, add_shared, figure, grid, main_of, models_of, names, scenes_of, start
from benchmarks.intervals import difference, mean_of
from benchmarks.measures import HIGHER, METRICS, Measures, captions_of
from benchmarks.methods import OURS, Planner, make_method, method_names, try_method
from benchmarks.record import only_added_since
from benchmarks.scenes import tracked
from instructedit_models.baselines.registry import has_mask
from instructedit_models.errors import BadParameterError, InstructEditError, ModelUnavailableError
from instructedit_models.model_sets import ModelSet

__all__ = ["BEST_IN", "claims_of", "configure", "differences_of", "rows_of", "run", "run_methods", "summary", "text_of"]

CASES = 150
SEED = 9_800_000
BEST_IN = ("lpips", "clip_score", "mask_iou", "background_psnr", "success")
"""Where InstructEdit is to be ahead of every other method; in directional similarity level with the best is enough."""
UNTOUCHED = ("lpips", "background_psnr", "background_ssim")
"""What a picture that was left alone is perfect in: where a method made nothing, these count for nobody."""
SHOWN = (*BEST_IN, "clip_directional", "seconds", "unet_evaluations")


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    add_shared(parser, "table1", CASES, SEED)
    parser.add_argument(
        "--methods", type=names, default=method_names(), metavar="A,B", help=f"some of {', '.join(method_names())}"
    )
    parser.add_argument(
        "--types", type=names, default=PAPER_TYPES, metavar="A,B", help=f"edit types, some of {', '.join(TYPES)}"
    )
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="your own pictures instead of test scenes")
    parser.add_argument("--llm", default="offline", metavar="SPEC", help="the language model (default: offline)")
    parser.add_argument("--resume", action="store_true", help="keep what the record already holds, and go on from it")


def run(args: argparse.Namespace) -> Finding:
    """Runs every method on every case.

    Raises:
        BadParameterError: an unknown method, type, model set or data set.
        ModelUnavailableError: no method at all could be run.
    """
    models = models_of(args)
    planner = Planner(models, args.llm)
    methods = {name: make_method(name, models, planner) for name in args.methods}
    if args.data:
        cases = dataset_cases(read_dataset(args.data), args.limit)
    else:
        cases = world_cases(scenes_of(args, 3 * args.limit + 30), args.types, args.limit)
    keeper = start(args, "table1", models)
    if args.resume:
        keeper.cases = _resumed(args.record, keeper.record)
    missing = run_methods(cases, methods, planner, models, keeper)
    found = summary(keeper.cases, [name for name in args.methods if name not in missing])
    keeper.save(**found, missing=missing)
    if not found["rows"]:
        raise ModelUnavailableError("; ".join(missing.values()) or "No method could be run.")
    return Finding({**found, "missing": missing, "record": str(args.record)}, text_of(found, missing, args.record))


def summary(cases: Sequence[Mapping[str, Any]], methods: Sequence[str]) -> dict[str, Any]:
    """Rows, rows by type, paired differences and claims, from the entries of a record."""
    types = dict.fromkeys(case["type"] for case in cases)
    by_type = [
        {"type": kind, **row} for kind in types for row in rows_of([c for c in cases if c["type"] == kind], methods)
    ]
    differences = differences_of(cases, methods)
    return {
        "rows": rows_of(cases, methods),
        "by_type": by_type,
        "differences": differences,
        "claims": claims_of(differences),
    }


def rows_of(cases: Sequence[Mapping[str, Any]], methods: Sequence[str]) -> list[dict[str, Any]]:
    """One row a method: the mean of each metric, and their intervals."""
    rows = []
    for name in methods:
        mine = [case for case in cases if case["method"] == name]
        if not mine:
            continue
        groups = [case["group"] for case in mine]
        means = {metric: mean_of([_told(case, metric) for case in mine], groups) for metric in METRICS}
        row: dict[str, Any] = {"method": name, "n": len(mine), "failed": sum(bool(case["error"]) for case in mine)}
        row |= {metric: found.mean for metric, found in means.items()}
        row["intervals"] = {metric: list(found.interval) for metric, found in means.items() if found.interval}
        rows.append(row)
    return rows


def differences_of(cases: Sequence[Mapping[str, Any]], methods: Sequence[str]) -> list[dict[str, Any]]:
    """InstructEdit minus each other method, case by case, in each metric."""
    by_method = {name: {case["case"]: case for case in cases if case["method"] == name} for name in methods}
    if OURS not in by_method:
        return []
    found = []
    for other in (name for name in methods if name != OURS):
        shared = [key for key in by_method[OURS] if key in by_method[other]]
        groups = [by_method[OURS][key]["group"] for key in shared]
        for metric in METRICS:
            ours, theirs = ([_told(by_method[m][key], metric) for key in shared] for m in (OURS, other))
            apart = difference(ours, theirs, groups)
            found.append(
                {
                    "metric": metric,
                    "other": other,
                    "mean": apart.mean,
                    "interval": list(apart.interval) if apart.interval else None,
                    "n": apart.n,
                    "verdict": _judged(metric, apart.verdict),
                }
            )
    return found


def _told(case: Mapping[str, Any], metric: str) -> float | None:
    if (case["error"] and metric in UNTOUCHED) or (metric == "mask_iou" and not has_mask(case["method"])):
        return None  # what finds nothing is counted with an IoU of 0, which a method without masks has not earned
    return case["metrics"].get(metric)


def claims_of(differences: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Whether the paper's claim holds: best in five metrics, and at least level in directional similarity."""
    claims = []
    for metric in (*BEST_IN, "clip_directional") if differences else ():
        those = [each for each in differences if each["metric"] == metric and each["verdict"] != "unknown"]
        wanted = ("better",) if metric in BEST_IN else ("better", "level")
        against = [each["other"] for each in those if each["verdict"] not in wanted]
        words = "best in" if metric in BEST_IN else "at least level in"
        claims.append({"claim": f"{words} {metric}", "holds": bool(those) and not against, "not_against": against})
    return claims


def _judged(metric: str, verdict: str) -> str:
    if verdict not in ("higher", "lower"):
        return verdict
    return "better" if (verdict == "higher") == (metric in HIGHER) else "worse"


def run_methods(
    cases: Sequence[Case],
    methods: Mapping[str, Any],
    planner: Planner,
    models: ModelSet,
    keeper: Keeper,
    metrics: Sequence[str] = METRICS,
) -> dict[str, str]:
    """Runs every method on every case, and writes the record as it goes.

    Args:
        cases: what is asked for.
        methods: by name, each a `methods.Method`.
        planner: gives the captions to score by.
        models: the set that all share.
        keeper: the record; cases that it holds already are not run again.
        metrics: those of `METRICS` that mean something here.

    Returns:
        The methods that could not be run at all, and why.
    """
    measures = Measures(models.scorer, world=any(case.parts for case in cases), wanted=metrics)
    done = {(entry["case"], entry["method"]) for entry in keeper.cases}
    missing: dict[str, str] = {}
    for case in tracked(cases, "edits of every method"):
        plans = _planned(planner, case)
        shown = keeper.picture(f"{case.id}-input", case.image)
        target = keeper.picture(f"{case.id}-target", case.target) if keeper.pictures and case.target else None
        for name, method in methods.items():
            if name in missing or (case.id, name) in done:
                continue
            try:
                made = try_method(method, case.image, case.instruction, models)
            except ModelUnavailableError as error:
                missing[name] = str(error)
                print(f"{name} is left out: {error}", file=sys.stderr)
                continue
            entry: dict[str, Any] = {"case": case.id, "group": case.group, "type": case.edit_type, "method": name}
            entry |= {"instruction": case.instruction, "error": made.error}
            entry["metrics"] = measures(case, made, captions_of(case, plans))
            entry["pictures"] = {
                "input": shown,
                "target": target,
                "output": keeper.picture(f"{case.id}-{name}", made.image),
            }
            keeper.cases.append(entry)
        keeper.save()
    return missing


def _planned(planner: Planner, case: Case) -> tuple[EditPlan, ...]:
    """The plan that the captions for scoring come from; () where there is none, which the methods will say."""
    try:
        return planner(case.image, case.instruction)
    except ModelUnavailableError:
        raise
    except InstructEditError:
        return ()


_SAME = ("models", "seed", "types", "data", "llm")


def _resumed(path: Path, record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The cases of an earlier run of the same programs, settings and models. Raises BadParameterError otherwise."""
    if not path.is_file():
        return []
    try:
        earlier = json.loads(path.read_text(encoding="utf-8"))
        same = all(earlier["settings"].get(key) == _plain(record["settings"].get(key)) for key in _SAME)
        cases = list(earlier["cases"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadParameterError(f"{path} is no record that can be gone on from ({error}).") from error
    if not same or not (earlier.get("commit") == record["commit"] or only_added_since(earlier.get("commit"))):
        raise BadParameterError(f"{path} is of another commit or other settings; begin a new record with --record.")
    return cases


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def text_of(found: Mapping[str, Any], missing: Mapping[str, str], record: Path) -> str:
    """The tables as aligned text."""
    shown = [metric for metric in SHOWN if any(row[metric] is not None for row in found["rows"])]
    head = ("method", "n", "failed", *shown)
    parts = ["all types\n\n" + grid(head, [_cells(row, shown) for row in found["rows"]])]
    for kind in dict.fromkeys(row["type"] for row in found["by_type"]):
        those = [row for row in found["by_type"] if row["type"] == kind]
        parts.append(f"{kind}\n\n" + grid(head, [_cells(row, shown) for row in those]))
    if found["differences"]:
        claims = [
            f"{claim['claim']}: {'yes' if claim['holds'] else 'no'}"
            + (f" (not against {', '.join(claim['not_against'])})" if claim["not_against"] else "")
            for claim in found["claims"]
        ]
        parts.append("InstructEdit, outside the 95 % intervals of the paired differences\n\n" + "\n".join(claims))
    parts += [f"{name}: not measured. {why}" for name, why in missing.items()]
    return "\n\n".join([*parts, f"record: {record}"])


def _cells(row: Mapping[str, Any], shown: Sequence[str]) -> list[str]:
    return [row["method"], str(row["n"]), str(row["failed"]), *(figure(row[metric]) for metric in shown)]


if __name__ == "__main__":
    sys.exit(main_of("table1", __doc__, configure, run))
