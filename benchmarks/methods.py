"""The methods that are compared, behind one call: a picture and an instruction in, a picture and a mask out.

`instructedit` is the whole product. The others come from `instructedit_models.baselines` and edit by the same plan of
the same language processor, so that only the method differs.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image

from agent.api import edit_image
from agent.grammar.planning import plan as plan_offline
from agent.plans import EditPlan, Plan
from benchmarks.memory import peak_memory
from instructedit_models.baselines.registry import METHODS, OURS
from instructedit_models.baselines.registry import make_method as make_baseline
from instructedit_models.baselines.types import EditTask
from instructedit_models.errors import InstructEditError, ModelUnavailableError
from instructedit_models.model_sets import ModelSet
from instructedit_models.remembering import RememberingDetector

__all__ = [
    "OURS",
    "Made",
    "Method",
    "Planner",
    "forget",
    "joined_captions",
    "make_method",
    "measured",
    "method_names",
    "try_method",
]


@dataclass(frozen=True)
class Made:
    """What a method made of a picture.

    Attributes:
        image: PIL RGB, of the input's size.
        mask: (H, W) bool, where it edited; None for a method that has no mask.
        unet_evaluations: UNet sample-evaluations.
        seconds: wall seconds, planning and grounding included.
        peak_bytes: the most memory in use meanwhile, models included; None where it cannot be told.
        error: why it made nothing (the picture is then the input's), or None.
    """

    image: Image.Image
    mask: np.ndarray | None = field(repr=False)
    unet_evaluations: int
    seconds: float = 0.0
    peak_bytes: int | None = None
    error: str | None = None


Method = Callable[[Image.Image, str], Made]
"""Edits a picture, PIL RGB, by an instruction; raises InstructEditError where it cannot."""


class Planner:
    """The language processor of all methods: instruction to plans, with BLIP-2's help where the words need it."""

    def __init__(self, models: ModelSet, llm: str = "offline") -> None:
        """Keeps the set, whose describer is asked, and the language model's name."""
        self.models, self.llm = models, llm
        self._kept: dict[tuple[str, str | None], Plan] = {}

    def __call__(self, image: Image.Image, instruction: str) -> tuple[EditPlan, ...]:
        """The planned edits. Raises what the language processor raises."""
        made = self._plan(instruction, None)
        if made.needs_description:
            made = self._plan(instruction, self.models.describer.describe(image).text)
        return tuple(made.edits)

    def _plan(self, instruction: str, description: str | None) -> Plan:
        key = instruction, description
        if key not in self._kept:
            if self.llm == "offline":
                self._kept[key] = plan_offline(instruction, description)
            else:
                from agent.config import load_settings
                from agent.language_processor import plan
                from agent.llm import build_chat_model

                self._kept[key] = plan(instruction, description, build_chat_model(self.llm, load_settings()))
        return self._kept[key]


def method_names() -> tuple[str, ...]:
    """The product's own name first, then the baselines'."""
    return (OURS, *METHODS)


def make_method(name: str, models: ModelSet, planner: Planner) -> Method:
    """A method by its name, with its published parameters.

    Args:
        name: one of `method_names`.
        models: the set that all methods share.
        planner: the language processor.

    Raises:
        BadParameterError: there is no such method.
    """
    if name == OURS:
        return lambda image, instruction: _ours(image, instruction, models, planner.llm)
    baseline = make_baseline(name)
    return lambda image, instruction: _baseline(
        baseline, image, _task(instruction, planner(image, instruction)), models
    )


def try_method(method: Method, image: Image.Image, instruction: str, models: Any) -> Made:
    """Runs a method as if nothing had been edited before, and times it.

    Returns:
        What it made; where it could not, the input with the error's sentence.

    Raises:
        ModelUnavailableError: weights are missing, which says nothing of the method.
    """
    forget(models)
    return measured(lambda: method(image, instruction), image)


def measured(call: Callable[[], Made], image: Image.Image) -> Made:
    """What a call makes, timed; `image` stands for it where the call fails. Raises as `try_method`."""
    with peak_memory() as peak:
        started = time.perf_counter()
        try:
            made = call()
        except ModelUnavailableError:
            raise
        except InstructEditError as error:
            made = Made(image, None, 0, error=f"{error.kind}: {error}")
        seconds = time.perf_counter() - started
    return replace(made, seconds=round(seconds, 4), peak_bytes=peak.bytes)


def forget(models: Any) -> None:
    """Empties the caches of a model set, so that what an edit costs does not depend on the one before."""
    models.editor.forget()
    grounded = getattr(models, "grounded", None)  # a set of a UNet alone has none
    if isinstance(detector := getattr(grounded, "detector", None), RememberingDetector):
        detector.forget()


def _ours(image: Image.Image, instruction: str, models: ModelSet, llm: str) -> Made:
    outcome = edit_image(image, instruction, models=models, llm=llm, yes=True)
    return Made(outcome.image, outcome.mask, outcome.record["unet_evaluations"])


def _baseline(baseline: Any, image: Image.Image, task: EditTask, models: ModelSet) -> Made:
    result = baseline.edit(models, image, task)
    mask = None if baseline.mask_source == "none" else result.mask
    return Made(result.image, mask, result.unet_evaluations)


def _task(instruction: str, plans: Sequence[EditPlan]) -> EditTask:
    """All planned edits as one, the way the published programs take several things: joined captions and phrases."""
    before, after = joined_captions(plans)
    return EditTask(instruction, before, after, " . ".join(plan.segmentation_prompt for plan in plans))


def joined_captions(plans: Sequence[EditPlan]) -> tuple[str, str]:
    """Input and edited caption of all plans: "Photo of a red car" and "Photo of a dog" as "… a red car and a dog"."""
    return _joined([plan.input_caption for plan in plans]), _joined([plan.edited_caption for plan in plans])


def _joined(captions: Sequence[str]) -> str:
    first, *rest = captions
    lead = first.split(" of ", 1)[0] + " of "
    return " and ".join([first, *(caption.removeprefix(lead) for caption in rest)])
