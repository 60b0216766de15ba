"""Masks against DiffEdit's own at three thresholds (the paper's Figs. 3 and 14): mask IoU, nothing is edited.

`instructedit bench masks`; the bar is to be ahead of DiffEdit's best threshold by 0.25.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from agent.plans import EditPlan
from benchmarks.cases import TYPES, world_cases
from benchmarks.harness import Finding, add_shared, figure, main_of, models_of, names, scenes_of
from benchmarks.methods import Made, Method, Planner, joined_captions
from benchmarks.variants import run_variants
from instructedit_models.baselines.diffedit import DiffEdit
from instructedit_models.baselines.types import EditTask
from instructedit_models.baselines.work import working
from instructedit_models.errors import BadInstructionError
from instructedit_models.model_sets import ModelSet

__all__ = ["AHEAD", "configure", "run"]

THRESHOLDS = (0.3, 0.5, 0.7)
MEASURED = ("mask_iou", "seconds", "unet_evaluations", "peak_bytes")
"""Nothing is edited, so that nothing else means anything."""
AHEAD = 0.25
"""How far our IoU is to be above that of DiffEdit's best threshold."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    add_shared(parser, "masks", 100, 9_810_000)
    parser.add_argument("--types", type=names, default=TYPES, metavar="A,B", help=f"some of {', '.join(TYPES)}")


def run(args: argparse.Namespace) -> Finding:
    """Makes every mask of every case."""
    models = models_of(args)
    planner = Planner(models)
    methods: dict[str, Method] = {
        "instructedit": _by(planner, lambda image, plans: _ours(models, image, plans)),
        "published": _by(planner, lambda image, plans: _published(models, image, plans)),
    }
    for threshold in THRESHOLDS:
        methods[f"diffedit {threshold}"] = _by(planner, _diffedit(models, DiffEdit(threshold=threshold)))
    cases = world_cases(scenes_of(args, 3 * args.limit + 30), args.types, args.limit)
    found = run_variants(args, "masks", cases, methods, models, planner, metrics=MEASURED)
    overlaps = {row["method"]: row["mask_iou"] or 0.0 for row in found.payload["rows"]}
    best = max(overlaps.get(f"diffedit {threshold}", 0.0) for threshold in THRESHOLDS)
    ahead = round(overlaps.get("instructedit", 0.0) - best, 4)
    text = f"{found.text}\n\nahead of DiffEdit's best threshold by {figure(ahead)} (bar: {AHEAD})"
    return replace(found, payload={**found.payload, "ahead": ahead}, text=text, ok=ahead >= AHEAD)


Masked = Callable[[Image.Image, tuple[EditPlan, ...]], tuple[np.ndarray, int]]
"""Of a picture and the planned edits makes (H, W) bool, and says how many UNet evaluations it took."""


def _by(planner: Planner, make: Masked) -> Method:
    def method(image: Image.Image, instruction: str) -> Made:
        if not (plans := planner(image, instruction)):
            raise BadInstructionError("The language processor has no plan.")
        mask, evaluations = make(image, plans)
        return Made(image, mask, evaluations)

    return method


def _ours(models: ModelSet, image: Image.Image, plans: tuple[EditPlan, ...]) -> tuple[np.ndarray, int]:
    masks = [models.grounded.segment(image, plan.segmentation_prompt).mask for plan in plans]
    return np.logical_or.reduce(masks), 0


def _task(plans: tuple[EditPlan, ...]) -> EditTask:
    return EditTask("", *joined_captions(plans), " . ".join(plan.segmentation_prompt for plan in plans))


def _published(models: ModelSet, image: Image.Image, plans: tuple[EditPlan, ...]) -> tuple[np.ndarray, int]:
    """Grounding DINO's boxes for the whole prompt, masked by SAM, as the paper does."""
    with working(models, image, _task(plans), models.defaults("appearance"), None) as work:
        return work.grounded_mask(), 0


def _diffedit(models: ModelSet, method: DiffEdit) -> Masked:
    def make(image: Image.Image, plans: tuple[EditPlan, ...]) -> tuple[np.ndarray, int]:
        options: Any = method.defaults(models)
        with working(models, image, _task(plans), options, None) as work:
            return work.pixels(method.cells(work, work.clean())), 2 * method.maps

    return make


if __name__ == "__main__":
    sys.exit(main_of("masks", __doc__, configure, run))
