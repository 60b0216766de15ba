"""Tool `adjust_edit`: makes an edit again from its parent with other parameters; the inversion comes from the cache."""

from pydantic import Field

from instructedit_models.errors import BadParameterError
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
        options = EditOverrides(encoding_ratio=arguments.encoding_ratio, seed=arguments.seed).applied(edit.options)
        caption = arguments.edited_caption or edit.edited_caption
        if (options, caption) == (edit.options, edit.edited_caption):
            raise BadParameterError(
                f"Nothing would be different from {arguments.image_id}: give another encoding ratio "
                f"(it was {edit.options.encoding_ratio:g}), edited caption or seed (it was {edit.options.seed})."
            )
        adjusted = perform(
            context,
            EditRequest(
                image_id=edit.parent_id,
                mask_id=edit.mask_id,
                segmentation_prompt=edit.segmentation_prompt,
                input_caption=edit.input_caption,
                edited_caption=caption,
                change=edit.change,
                options=options,
                adjusts=arguments.image_id,
            ),
        )
        return ToolResult(edit_text(adjusted), image_id=adjusted.image_id, mask_id=adjusted.mask_id)
