"""Tool `variations`: several results of the edit behind a picture, with other seeds, in one batch."""

from pydantic import Field

from instructedit_models.errors import BadParameterError
from instructedit_models.separate import sweep_separately
from tools import layers
from tools.base import Arguments, Tool
from tools.context import EditOverrides, ToolContext, ToolResult
from tools.editing import EditRequest, keep, log_seconds, prepare
from tools.trying import Attempt, Tried, check, verifier_for

__all__ = ["Variations", "VariationsArguments"]

FEWEST, MOST = 2, 8


class VariationsArguments(Arguments):
    """Which edit, and how many results."""

    image_id: str = Field(description="The picture whose edit is varied, e.g. image_2.")
    count: int = Field(default=4, description=f"How many variations, {FEWEST} to {MOST}.")


class Variations(Tool[VariationsArguments]):
    """Makes an edit again with other seeds."""

    name = "variations"
    description = (
        "Makes several variations of the edit behind a picture at once, each a new picture id; the best becomes "
        "current. For 'give me four variations', 'show me some others'."
    )
    arguments = VariationsArguments

    def run(self, context: ToolContext, arguments: VariationsArguments) -> ToolResult:
        """The new versions.

        Raises:
            BadParameterError: the picture is an original, or the count is out of range.
        """
        if not FEWEST <= arguments.count <= MOST:
            raise BadParameterError(f"The number of variations must be {FEWEST} to {MOST}; got {arguments.count}.")
        conversation = context.conversation
        edit = conversation.version(arguments.image_id).edit
        if edit is None:
            raise BadParameterError(f"{arguments.image_id} is an original picture: there is no edit to vary.")
        if edit.removal:
            raise BadParameterError(f"{arguments.image_id} took an edit out: there is nothing to vary.")
        parent_id, replaces = layers.stand(conversation, edit)
        seeds = [edit.options.seed + number for number in range(1, arguments.count + 1)]
        options = [EditOverrides(seed=seed).applied(edit.options) for seed in seeds]
        request = EditRequest(
            image_id=parent_id,
            mask_id=edit.mask_id,
            segmentation_prompt=edit.segmentation_prompt,
            input_caption=edit.input_caption,
            edited_caption=edit.edited_caption,
            change=edit.change,
            options=options[0],
            adjusts=edit.image_id,
            base=edit.base,
            replaces=replaces,
        )
        prepared = prepare(context, request)
        image, mask, editor = prepared.canvas.image, prepared.mask, context.models.editor
        with context.turn.timed("edit"):
            results = sweep_separately(
                editor, image, mask, prepared.captions, options, context.progress, prepared.things
            )
        verifier = verifier_for(context, image, mask, prepared.captions, edit.change)
        made = [Attempt(*each) for each in zip(options, results, check(context, verifier, results), strict=True)]
        ids = []
        for attempt in made:
            log_seconds(context, attempt.result)
            ids.append(keep(context, prepared, Tried((attempt,))).image_id)
        best = ids[max(range(len(made)), key=lambda place: made[place].rank)]
        if conversation.current_id != best:
            conversation.go_to(best, "variation")
        cached = ", inversion from the cache" if results[0].inversion_cached else ""
        spent = sum(result.unet_evaluations for result in results)
        text = (
            f"{', '.join(ids)} are variations of {arguments.image_id} (seeds {', '.join(map(str, seeds))}; "
            f"{spent} UNet evaluations{cached}); {best} is current."
        )
        return ToolResult(text, image_id=best, mask_id=edit.mask_id)
