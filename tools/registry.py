"""All tools by name; `agent.loop` offers them to the LLM, `call` runs one from plain arguments."""

from typing import Any

from tools.adjust_edit import AdjustEdit
from tools.ask_image import AskImage
from tools.base import Tool
from tools.combine_masks import CombineMasks
from tools.context import ToolContext, ToolResult
from tools.describe_image import DescribeImage
from tools.edit_image import EditImage
from tools.list_versions import ListVersions
from tools.segment import Segment
from tools.undo import Undo

__all__ = ["TOOLS", "call"]

TOOLS: dict[str, Tool[Any]] = {
    tool.name: tool
    for tool in (
        DescribeImage(),
        AskImage(),
        Segment(),
        CombineMasks(),
        EditImage(),
        AdjustEdit(),
        ListVersions(),
        Undo(),
    )
}
"""Tools by name, in the order in which the LLM is shown them."""


def call(context: ToolContext, name: str, **arguments: Any) -> ToolResult:
    """Runs a tool; replays and tests call tools by it, without any LLM.

    Raises:
        pydantic.ValidationError: the arguments do not fit.
        InstructEditError: what the tool raises.
    """
    tool = TOOLS[name]
    return tool.run(context, tool.arguments.model_validate(arguments))
