"""Tool `describe_image`: BLIP-2 looks at the picture, by the paper's protocol (Section 3.1)."""

from pydantic import Field

from tools.base import Arguments, Tool
from tools.context import ToolContext, ToolResult
from tools.events import Described

__all__ = ["DescribeImage", "DescribeImageArguments"]


class DescribeImageArguments(Arguments):
    """Which picture, and why the instruction alone is not enough."""

    image_id: str = Field(description="The picture, e.g. image_1.")
    reason: str = Field(default="", description="Why the instruction alone does not say what to edit, one sentence.")


class DescribeImage(Tool[DescribeImageArguments]):
    """Describes a picture."""

    name = "describe_image"
    description = (
        "Describes the picture in one sentence, beginning with its medium (photo of …, painting of …). "
        "Use it only when the instruction does not itself name what to edit."
    )
    arguments = DescribeImageArguments

    def run(self, context: ToolContext, arguments: DescribeImageArguments) -> ToolResult:
        """The description; it goes on record together with the reason."""
        image = context.conversation.image(arguments.image_id)
        with context.turn.timed("describe"):
            description = context.models.describer.describe(image)
        reason = arguments.reason.strip() or None
        context.turn.description = description.text
        context.turn.why_described = reason
        context.emit(Described(image_id=arguments.image_id, text=description.text, reason=reason))
        return ToolResult(description.text, image_id=arguments.image_id)
