"""Tool `remove_edit`: takes one edit out of the current picture and keeps those made before and after it."""

from pydantic import Field

from tools.base import Arguments, Tool
from tools.context import ToolContext, ToolResult
from tools.graph import NewEdit
from tools.layers import without

__all__ = ["RemoveEdit", "RemoveEditArguments"]


class RemoveEditArguments(Arguments):
    """Which edit."""

    image_id: str = Field(description="The picture whose edit is taken out of the current one, e.g. image_2.")


class RemoveEdit(Tool[RemoveEditArguments]):
    """Takes one edit out of the middle."""

    name = "remove_edit"
    description = "Takes one earlier edit out of the current picture and keeps the others; makes a new picture id."
    arguments = RemoveEditArguments

    def run(self, context: ToolContext, arguments: RemoveEditArguments) -> ToolResult:
        """The new version.

        Raises:
            BadParameterError: the edit does not show in the current picture.
        """
        conversation = context.conversation
        current = conversation.current_id
        taken, layer = without(conversation, current, arguments.image_id)
        made = conversation.add_edit(
            layer.image,
            layer.region,
            NewEdit(
                parent_id=current,
                mask_id=taken.mask_id,
                segmentation_prompt=taken.segmentation_prompt,
                input_caption=taken.edited_caption,
                edited_caption=taken.input_caption,
                change=taken.change,
                options=taken.options,
                unet_evaluations=0,
                inversion_cached=False,
                seconds={},
                models={},
                base="source",
                supersedes=(taken.image_id,),
            ),
            layer,
        )
        context.moved_to(made.image_id)
        return ToolResult(
            f"{made.image_id} is {current} without the edit of {taken.image_id} ('{taken.segmentation_prompt}'); "
            "it is current.",
            image_id=made.image_id,
        )
