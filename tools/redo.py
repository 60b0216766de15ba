"""Tool `redo`: takes up again what was undone."""

from pydantic import Field

from tools.base import Arguments, Tool
from tools.context import ToolContext, ToolResult

__all__ = ["Redo", "RedoArguments"]


class RedoArguments(Arguments):
    """How far forward."""

    steps: int = Field(default=1, description="How many undone edits to take up again.")


class Redo(Tool[RedoArguments]):
    """Takes undone edits up again."""

    name = "redo"
    description = "Takes undone edits up again: the version that undo left becomes current."
    arguments = RedoArguments
    repeatable = True

    def run(self, context: ToolContext, arguments: RedoArguments) -> ToolResult:
        """The version that is now current.

        Raises:
            BadParameterError: there are not that many edits to redo.
        """
        image_id = context.conversation.redo(arguments.steps)
        context.moved_to(image_id)
        return ToolResult(f"{image_id} is current again.", image_id=image_id)
