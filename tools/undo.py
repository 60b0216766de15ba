"""Tool `undo`: makes an earlier version current; nothing is deleted."""

from pydantic import Field

from tools.base import Arguments, Tool
from tools.context import ToolContext, ToolResult

__all__ = ["Undo", "UndoArguments"]


class UndoArguments(Arguments):
    """How far back."""

    steps: int = Field(default=1, description="How many edits to take back.")


class Undo(Tool[UndoArguments]):
    """Takes edits back."""

    name = "undo"
    description = "Takes back the last edits: the version before them becomes current again."
    arguments = UndoArguments
    repeatable = True

    def run(self, context: ToolContext, arguments: UndoArguments) -> ToolResult:
        """The version that is now current.

        Raises:
            BadParameterError: there are not that many edits to take back.
        """
        image_id = context.conversation.undo(arguments.steps)
        context.moved_to(image_id)
        return ToolResult(f"{image_id} is current again.", image_id=image_id)
