"""Tool `name_mask`: saves a mask under a name, by which it can be meant again later ("the skyline")."""

from pydantic import Field

from instructedit_models.errors import BadMaskError
from tools.base import Arguments, Tool
from tools.context import ToolContext, ToolResult
from tools.own_masks import check_name

__all__ = ["NameMask", "NameMaskArguments"]


class NameMaskArguments(Arguments):
    """Which mask, and what to call it."""

    mask_id: str = Field(description="The mask to save, e.g. mask_2.")
    label: str = Field(description="What the person calls it, e.g. 'skyline'; at most 40 characters.")


class NameMask(Tool[NameMaskArguments]):
    """Saves a mask under a name."""

    name = "name_mask"
    description = "Saves a mask under a name; segment and combine_masks then know it by that name."
    arguments = NameMaskArguments

    def run(self, context: ToolContext, arguments: NameMaskArguments) -> ToolResult:
        """The saved mask's own id.

        Raises:
            BadParameterError: there is no such mask, or the name cannot be one.
            BadMaskError: the mask is empty.
        """
        name = check_name(arguments.label)
        conversation = context.conversation
        entry = conversation.mask_entry(arguments.mask_id)
        mask = conversation.mask(entry.id)
        if not mask.any():
            raise BadMaskError(f"{entry.id} is empty: there is nothing to save.")
        mask_id = conversation.add_mask(mask, entry.image_id, "given", name, entry.regions, f"saved from {entry.id}")
        return ToolResult(f"{entry.id} is saved as '{name}' ({mask_id}).", image_id=entry.image_id, mask_id=mask_id)
