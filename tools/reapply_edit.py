"""Tool `reapply_edit`: makes an edit once more on another version, as it was made before."""

from pydantic import Field

from instructedit_models.errors import BadParameterError
from tools.base import Arguments, Tool
from tools.context import ToolContext, ToolResult
from tools.conversation import Conversation
from tools.editing import EditRequest, edit_text, perform
from tools.graph import EditNode
from tools.layers import live
from tools.segment import Segment, SegmentArguments

__all__ = ["ReapplyEdit", "ReapplyEditArguments"]


class ReapplyEditArguments(Arguments):
    """Which edit, and on which version."""

    image_id: str = Field(description="The picture whose edit is made once more, e.g. image_2.")
    onto: str | None = Field(default=None, description="The picture to make it on; leave out for the current one.")
    segmentation_prompt: str | None = Field(
        default=None, description="What to edit there instead, e.g. 'other car'; leave out for the same place."
    )


class ReapplyEdit(Tool[ReapplyEditArguments]):
    """Makes an edit once more, elsewhere."""

    name = "reapply_edit"
    description = "Makes the edit behind a picture once more on another version, with the same captions and seed."
    arguments = ReapplyEditArguments

    def run(self, context: ToolContext, arguments: ReapplyEditArguments) -> ToolResult:
        """The new version, or the question which of several candidates is meant.

        Raises:
            BadParameterError: the picture is an original, or the edit shows in the other one already.
            NothingFoundError: what is to be edited is not in the other picture.
        """
        conversation = context.conversation
        edit = conversation.version(arguments.image_id).edit
        if edit is None or edit.removal:
            raise BadParameterError(f"{arguments.image_id} was not made by an edit that could be made once more.")
        onto, mask_id = arguments.onto or conversation.current_id, edit.mask_id
        prompt = (arguments.segmentation_prompt or edit.segmentation_prompt).strip()
        if arguments.segmentation_prompt or not _same_original(conversation, edit, onto):
            found = Segment().run(context, SegmentArguments(image_id=onto, segmentation_prompt=prompt))
            if found.mask_id is None:
                return found
            mask_id = found.mask_id
        elif any(layer.image_id == edit.image_id for layer in live(conversation.path(onto))):
            raise BadParameterError(f"The edit of {edit.image_id} shows in {onto} already.")
        made = perform(
            context,
            EditRequest(
                image_id=onto,
                mask_id=mask_id,
                segmentation_prompt=prompt,
                input_caption=edit.input_caption,
                edited_caption=edit.edited_caption,
                change=edit.change,
                options=edit.options,
                base=edit.base,
                reapplies=edit.image_id,
            ),
        )
        return ToolResult(edit_text(made), image_id=made.image_id, mask_id=made.mask_id)


def _same_original(conversation: Conversation, edit: EditNode, onto: str) -> bool:
    """Whether both come from one original, so that the mask fits."""
    here, there = conversation.path(edit.image_id), conversation.path(onto)
    return here[0].parent_id == (there[0].parent_id if there else onto)
