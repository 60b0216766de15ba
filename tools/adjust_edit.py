"""Tool `adjust_edit`: makes an edit again from its parent with other parameters; the inversion comes from the cache."""

from pydantic import Field

from instructedit_models.errors import BadParameterError
from instructedit_models.medium import in_medium_of
from tools import layers
from tools.base import Arguments, Tool
from tools.context import EditOverrides, ToolContext, ToolResult
from tools.editing import EditRequest, edit_text, perform

__all__ = ["AdjustEdit", "AdjustEditArguments"]


class AdjustEditArguments(Arguments):
    """Which edit to make again, and what to do differently; what is left out stays."""

    image_id: str = Field(description="The picture whose edit is made again, e.g. image_2.")
    encoding_ratio: float | None = Field(
        default=None, description="Strength above 0 and at most 1: larger for 'stronger', smaller for 'less'."
    )
    edited_caption: str | None = Field(default=None, description="What should be there instead.")
    seed: int | None = Field(default=None, description="Another seed for another variation.")
    grow: int | None = Field(
        default=None,
        description="Pixels by which the mask is widened: 0 keeps the shape, more gives a new shape room.",
    )
    guidance_scale: float | None = Field(
        default=None, description="How strictly the caption is followed, 1 to 100; the usual is 7.5."
    )


class AdjustEdit(Tool[AdjustEditArguments]):
    """Makes an edit again, differently."""

    name = "adjust_edit"
    description = (
        "Makes the edit behind a picture again from the same original, with another strength, caption or seed; "
        "for 'stronger', 'less', 'make it brown instead', 'another one'."
    )
    arguments = AdjustEditArguments

    def run(self, context: ToolContext, arguments: AdjustEditArguments) -> ToolResult:
        """The new version.

        Raises:
            BadParameterError: the picture is an original, or nothing would be different.
        """
        edit = context.conversation.version(arguments.image_id).edit
        if edit is None:
            raise BadParameterError(f"{arguments.image_id} is an original picture: there is no edit to adjust.")
        if edit.removal:
            raise BadParameterError(f"{arguments.image_id} only took an earlier edit out: there is no edit to adjust.")
        wanted = EditOverrides(
            encoding_ratio=arguments.encoding_ratio,
            guidance_scale=arguments.guidance_scale,
            seed=arguments.seed,
            grow=arguments.grow,
        )
        options = wanted.applied(edit.options)
        captions = edit.input_caption, edit.edited_caption
        caption = in_medium_of(arguments.edited_caption, captions) if arguments.edited_caption else edit.edited_caption
        if (options, caption) == (edit.options, edit.edited_caption):
            raise BadParameterError(
                f"Nothing would be different from {arguments.image_id}: give another encoding ratio "
                f"(it was {edit.options.encoding_ratio:g}), edited caption or seed (it was {edit.options.seed})."
            )
        parent_id, replaces = layers.stand(context.conversation, edit)
        adjusted = perform(
            context,
            EditRequest(
                image_id=parent_id,
                mask_id=edit.mask_id,
                segmentation_prompt=edit.segmentation_prompt,
                input_caption=edit.input_caption,
                edited_caption=caption,
                change=edit.change,
                options=options,
                adjusts=edit.image_id,
                base=edit.base,
                replaces=replaces,
                retry=wanted == EditOverrides(),  # a strength that was asked for is not to be searched over
            ),
        )
        return ToolResult(edit_text(adjusted), image_id=adjusted.image_id, mask_id=adjusted.mask_id)
