"""What the benchmarks of the paper's figures share: variants of an edit, on the same cases and tabled as Table 1.

`masks`, `phrasings`, `ratio`, `describing`, `failures` and `attribution` call it.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PIL import Image

from agent.api import EditOverrides, edit_image
from benchmarks.cases import Case
from benchmarks.harness import Finding, start
from benchmarks.measures import METRICS
from benchmarks.methods import Made, Method, Planner
from benchmarks.scenes import Drawn
from benchmarks.scoring import EditCase
from benchmarks.table1 import run_methods, summary, text_of
from instructedit_models.errors import ModelUnavailableError
from instructedit_models.miniature.choices import pick
from instructedit_models.miniature.edits import Edit, in_colour
from instructedit_models.miniature.language import referring
from instructedit_models.miniature.referring import Referring
from instructedit_models.miniature.seeds import words_of
from instructedit_models.model_sets import ModelSet

__all__ = ["free_colour", "ours_with", "recolour_case", "run_variants", "targets"]


def run_variants(
    args: argparse.Namespace,
    name: str,
    cases: Sequence[Case],
    methods: Mapping[str, Method],
    models: ModelSet,
    planner: Planner | None = None,
    more: Callable[[Sequence[Mapping[str, Any]]], dict[str, Any]] | None = None,
    metrics: Sequence[str] = METRICS,
) -> Finding:
    """Runs all variants on all cases, writes the record, and tables them.

    Args:
        args: as they were parsed.
        name: of the benchmark.
        cases: what is asked for.
        methods: the variants by name.
        models: the set that all share.
        planner: the language processor; the offline one by default.
        more: makes further figures of the record's cases.
        metrics: those that mean something here.

    Raises:
        ModelUnavailableError: no variant could be run.
    """
    keeper = start(args, name, models)
    missing = run_methods(cases, methods, planner or Planner(models), models, keeper, metrics)
    found = summary(keeper.cases, [one for one in methods if one not in missing]) | {"claims": []}
    found |= more(keeper.cases) if more else {}
    keeper.save(**found, missing=missing)
    if not found["rows"]:
        raise ModelUnavailableError("; ".join(missing.values()) or "There is no case in these scenes; use more.")
    text = text_of({**found, "differences": []}, missing, args.record)
    return Finding({**found, "missing": missing, "record": str(args.record)}, text)


def ours_with(models: Any, options: EditOverrides | None = None) -> Method:
    """The whole product with some parameters fixed, or with another model set, as a method."""

    def method(image: Image.Image, instruction: str) -> Made:
        outcome = edit_image(image, instruction, models=models, llm="offline", options=options, yes=True)
        return Made(outcome.image, outcome.mask, outcome.record["unet_evaluations"])

    return method


def targets(drawn: Drawn, kinds: Sequence[str], purpose: int) -> list[Referring]:
    """Phrases for single whole objects of a scene that go by one of some kinds: "attribute", "position" and so on."""
    found = referring(drawn.scene, drawn.picture, drawn.rng(purpose), 8, 0.0)
    return [one for one in found if one.kind in kinds and one.part is None and len(one.objects) == 1]


def free_colour(drawn: Drawn, objects: Sequence[int], purpose: int) -> str:
    """A colour that nothing in the scene's objects has, always the same for one purpose."""
    taken = {drawn.scene.items[i].colour for i in objects}
    return pick(drawn.rng(purpose), [colour for colour in words_of(drawn.seed).colours if colour not in taken])


def recolour_case(drawn: Drawn, objects: Sequence[int], colour: str, instruction: str, kind: str) -> Case:
    """The case of an instruction, in whatever words, that gives some objects of a scene another colour."""
    after = in_colour(drawn.scene, objects, colour)
    edit = Edit("recolour", instruction, tuple(objects), None, {"colour": colour}, after)
    name = f"{drawn.seed}-{kind.replace(' ', '_')}"
    return Case(name, drawn.seed, kind, instruction, None, (EditCase(drawn, edit),))
