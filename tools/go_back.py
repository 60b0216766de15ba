"""Tool `go_back`: makes any version current, named by number, id, place in the history, or what it was."""

from pydantic import Field

from tools.base import Arguments, Tool
from tools.context import ToolContext, ToolResult
from tools.finding import matching_versions, what_it_was

__all__ = ["GoBack", "GoBackArguments"]


class GoBackArguments(Arguments):
    """Which version."""

    version: str = Field(
        description="Its number or id ('2', 'image_2'), 'original', 'previous' (where we were), 'latest', "
        "what it was ('the tiger', 'the blue car'), or 'before the tiger'."
    )


class GoBack(Tool[GoBackArguments]):
    """Goes to any version."""

    name = "go_back"
    description = "Makes any earlier or later version current, by number, id or what it was; nothing is deleted."
    arguments = GoBackArguments
    repeatable = True

    def run(self, context: ToolContext, arguments: GoBackArguments) -> ToolResult:
        """The version that is now current, and others that the words fit as well.

        Raises:
            BadParameterError: no version fits; the message lists those there are.
        """
        conversation = context.conversation
        version, *others = matching_versions(conversation, arguments.version)
        if version.id == conversation.current_id:
            state = f"{version.id} is current already ({what_it_was(version)})."
        else:
            conversation.go_to(version.id)
            state = f"{version.id} is current again ({what_it_was(version)})."
        context.moved_to(version.id)
        if others:
            state += f" The words fit {', '.join(other.id for other in others)} as well."
        return ToolResult(state, image_id=version.id)
