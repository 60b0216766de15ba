"""One edit by a baseline: plan as the paper does, then let the method edit; no agent, no check, no retry.

`instructedit edit --method NAME` calls it. What it gives is shaped like what `agent.api.edit_image` gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from agent.api import EditOutcome, chat_model_for, guard_for
from agent.plans import EditPlan, Plan, check_instruction
from agent.provenance import provenance_of
from agent.record import EditPart, TurnRecord
from instructedit_models.baselines.types import EditTask
from instructedit_models.errors import BadParameterError
from instructedit_models.imaging import LoadedImage
from instructedit_models.masks import MaskRules
from instructedit_models.revisions import revisions_of
from instructedit_models.stages import timed
from instructedit_models.types import Description, EditOptions, ProgressCallback
from tools.context import EditOverrides

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from instructedit_models.baselines.work import Method
    from instructedit_models.model_sets import ModelSet

__all__ = ["edit_by_method", "task_of"]


def edit_by_method(
    loaded: LoadedImage,
    instruction: str,
    method: Method,
    models: ModelSet,
    *,
    llm: str | BaseChatModel | None = None,
    options: EditOverrides | None = None,
    progress: ProgressCallback | None = None,
) -> EditOutcome:
    """Edits a picture by a baseline.

    Args:
        loaded: the picture, as `imaging.load_image` read it.
        instruction: what to change, in words; several edits are handed to the method as one.
        method: from `baselines.registry.make_method`.
        models: the model set.
        llm: as in `agent.api.edit_image`; not asked by a method that takes the instruction itself.
        options: parameters to fix, and a mask of the person's own for a method that grounds.
        progress: called after each step of long work.

    Raises:
        BadParameterError: the method cannot use what was fixed.
        What `agent.language_processor.plan` and `Method.edit` raise; RefusedError as in `agent.api.edit_image`.
    """
    instruction, given = check_instruction(instruction), options or EditOverrides()
    mask = _own_mask(given, method, loaded)
    seconds: dict[str, float] = {}
    with timed(seconds, "total"):
        guard = guard_for(models)
        if guard is not None:
            guard.check_input(loaded.image)
        plans, seen, why, spec = _planned(loaded, instruction, method, models, llm)
        task = task_of(instruction, plans, mask)
        wanted = given.applied(method.defaults(models))
        result = method.edit(models, loaded.image, task, wanted, progress)
        if guard is not None:
            guard.check_output(result.image, result.region)
    seconds |= {stage: spent for stage, spent in result.seconds.items() if stage != "total"}
    record = TurnRecord(
        kind="edit",
        reply="",
        instruction=instruction,
        start_image_id="image_1",
        image_id="image_2",
        image_size=loaded.image.size,
        edits=(_part(task, plans, wanted, result.unet_evaluations),),
        described=seen is not None,
        description=seen.text if seen else None,
        why_described=why,
        unet_evaluations=result.unet_evaluations,
        models=models.name,
        llm=spec,
        seconds={stage: round(spent, 4) for stage, spent in seconds.items()},
        warnings=list(loaded.warnings),
        method=method.name,
    )
    origin = provenance_of(record.to_json(), loaded.image, result.region, revisions_of(models, (method.name,)))
    return EditOutcome(result.image, result.mask, result.region, record.to_json(), loaded, None, origin)


def task_of(instruction: str, plans: Sequence[EditPlan], mask: np.ndarray | None = None) -> EditTask:
    """All planned edits as one, as the published programs take several: joined captions, and phrases for the detector.

    Args:
        instruction: in the person's words.
        plans: may be empty, for a method that takes the instruction itself.
        mask: (H, W) bool, where one is given.
    """
    before = _joined([plan.input_caption for plan in plans])
    after = _joined([plan.edited_caption for plan in plans])
    phrases = " . ".join(plan.segmentation_prompt for plan in plans)
    return EditTask(instruction, before, after, phrases, mask=mask)


def _joined(captions: Sequence[str]) -> str:
    """Captions as one: "Photo of a red car" and "Photo of a dog" as "Photo of a red car and a dog"."""
    if not captions:
        return ""
    lead = captions[0].split(" of ", 1)[0] + " of "
    return " and ".join([captions[0], *(caption.removeprefix(lead) for caption in captions[1:])])


def _planned(
    loaded: LoadedImage, instruction: str, method: Method, models: ModelSet, llm: str | BaseChatModel | None
) -> tuple[tuple[EditPlan, ...], Description | None, str | None, str]:
    """The plans; what BLIP-2 said, and why it was asked, where it had to be; the language model's spec."""
    chat_model, spec, _ = chat_model_for(llm)
    if method.instructed:
        return (), None, None, spec

    def plan(description: str | None) -> Plan:
        if spec == "offline":
            from agent.grammar.planning import plan as plan_offline

            return plan_offline(instruction, description)
        from agent.language_processor import plan as plan_by_llm

        return plan_by_llm(instruction, description, chat_model)

    made = plan(None)
    if not made.needs_description:
        return tuple(made.edits), None, None, spec
    seen = models.describer.describe(loaded.image)
    return tuple(plan(seen.text).edits), seen, made.why, spec


def _own_mask(given: EditOverrides, method: Method, loaded: LoadedImage) -> np.ndarray | None:
    masking = given.masking or MaskRules()
    if masking.own is None and masking.refinement.nothing:
        return None
    if method.mask_source != "grounded":
        raise BadParameterError(f"The method {method.name} edits without a mask from outside; leave the mask out.")
    if not masking.replaces:
        raise BadParameterError(f"The method {method.name} takes a mask of your own only in place of what is found.")
    return masking.applied(np.zeros((loaded.image.height, loaded.image.width), bool))


def _part(task: EditTask, plans: Sequence[EditPlan], options: EditOptions, evaluations: int) -> EditPart:
    return EditPart(
        image_id="image_2",
        parent_id="image_1",
        mask_id="mask_1",
        segmentation_prompt=task.segmentation_prompt,
        input_caption=task.input_caption,
        edited_caption=task.edited_caption,
        change=plans[0].change if plans else "appearance",
        regions=(),
        encoding_ratio=options.encoding_ratio,
        steps=options.steps,
        guidance_scale=options.guidance_scale,
        seed=options.seed,
        unet_evaluations=evaluations,
        verified=False,
        check=None,
    )
