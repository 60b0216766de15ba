"""What each stage costs: the true captions or the true mask swapped in, one at a time, then both.

`instructedit bench attribution`; what is still lost with both is the diffusion model's. One edit each, nothing is tried
again. This is the one place where the truth of a scene goes into an edit, and it says so in its rows.
"""

import argparse
import sys
from dataclasses import dataclass

import numpy as np
from PIL import Image

from agent.plans import EditPlan
from benchmarks.cases import TYPES, Case, world_cases
from benchmarks.edits import true_mask_of
from benchmarks.harness import Finding, add_shared, main_of, models_of, names, scenes_of
from benchmarks.methods import Made, Method, Planner
from benchmarks.scoring import EditCase
from benchmarks.variants import run_variants
from instructedit_models.errors import BadInstructionError
from instructedit_models.lexicon import with_article
from instructedit_models.miniature.words import background_name, plural
from instructedit_models.model_sets import ModelSet
from instructedit_models.separate import aspect_of, edit_separately
from instructedit_models.types import Change

__all__ = ["configure", "run", "true_plan"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    add_shared(parser, "attribution", 60, 9_860_000)
    parser.add_argument(
        "--types", type=names, default=("object", "part", "one kind"), metavar="A,B", help=f"some of {', '.join(TYPES)}"
    )


def run(args: argparse.Namespace) -> Finding:
    """Edits every case with nothing, one or both swapped in."""
    models = models_of(args)
    planner = Planner(models)
    cases = world_cases(scenes_of(args, 3 * args.limit + 30), args.types, args.limit)
    known = {case.instruction: case for case in cases}
    methods: dict[str, Method] = {
        "nothing swapped in": _Staged(models, planner, known, False, False),
        "true captions": _Staged(models, planner, known, True, False),
        "true mask": _Staged(models, planner, known, False, True),
        "both": _Staged(models, planner, known, True, True),
    }
    return run_variants(args, "attribution", cases, methods, models, planner)


def true_plan(case: EditCase) -> EditPlan:
    """Captions from what the scene holds before and after: "photo of a striped red car" and so on."""
    edit = case.edit
    before, after = case.drawn.scene, edit.after
    if edit.kind == "background":
        was, now = background_name(before.background), background_name(after.background)
        return _plan("background", was, now, "background")
    i, many = edit.objects[0], len(edit.objects) > 1
    one, other = before.items[i], after.items[i]
    if edit.part:
        was, now = (f"{item.part_colour(edit.part)} {edit.part}" for item in (one, other))
        return _plan(f"{edit.part} of the {one.noun}", was, now, "appearance")
    said = [[item.material if item.material != "plain" else "", item.colour, item.noun] for item in (one, other)]
    words = [" ".join(word for word in (*look[:2], plural(look[2]) if many else look[2]) if word) for look in said]
    was, now = words if many else (with_article(word) for word in words)
    return _plan(one.noun, was, now, "shape" if "noun" in edit.to else "appearance")


def _plan(prompt: str, was: str, now: str, change: Change) -> EditPlan:
    return EditPlan(
        segmentation_prompt=prompt, input_caption=f"Photo of {was}", edited_caption=f"Photo of {now}", change=change
    )


@dataclass(frozen=True)
class _Staged:
    """Plan, ground, edit: each once, with the truth in the place of what is to be swapped."""

    models: ModelSet
    planner: Planner
    known: dict[str, Case]
    true_captions: bool
    true_mask: bool

    def __call__(self, image: Image.Image, instruction: str) -> Made:
        parts, plans = self.known[instruction].parts, self.planner(image, instruction)
        if len(plans) != len(parts):
            raise BadInstructionError(f"The plan holds {len(plans)} edits, not {len(parts)}.")
        after, spent, masks = image, 0, None
        for part, plan in zip(parts, plans, strict=True):
            found = true_mask_of(part) if self.true_mask else self._grounded(after, plan)
            said = true_plan(part) if self.true_captions else plan
            aspect = aspect_of((said.input_caption, said.edited_caption))
            options = self.models.defaults(said.change, "part" if part.edit.part else aspect)
            captions = said.input_caption, said.edited_caption
            result = edit_separately(self.models.editor, after, found, captions, options)
            after, spent = result.image, spent + result.unet_evaluations
            masks = found if masks is None else masks | found
        return Made(after, masks, spent)

    def _grounded(self, image: Image.Image, plan: EditPlan) -> np.ndarray:
        return self.models.grounded.segment(image, plan.segmentation_prompt).mask


if __name__ == "__main__":
    sys.exit(main_of("attribution", __doc__, configure, run))
