"""All tools by name; `agent.loop` offers them to the LLM, `call` runs one from plain arguments."""

from typing import Any

from tools.adjust_edit import AdjustEdit
from tools.ask_image import AskImage
from tools.base import Tool
from tools.combine_masks import CombineMasks
from tools.context import CallMade, ToolContext, ToolResult
from tools.describe_image import DescribeImage
from tools.edit_image import EditImage
from tools.go_back import GoBack
from tools.list_versions import ListVersions
from tools.name_mask import NameMask
from tools.reapply_edit import ReapplyEdit
from tools.redo import Redo
from tools.remove_edit import RemoveEdit
from tools.segment import Segment
from tools.undo import Undo
from tools.variations import Variations

__all__ = ["TOOLS", "call", "run_recorded"]

TOOLS: dict[str, Tool[Any]] = {
    tool.name: tool
    for tool in (
        DescribeImage(),
        AskImage(),
        Segment(),
        CombineMasks(),
        NameMask(),
        EditImage(),
        AdjustEdit(),
        Variations(),
        ReapplyEdit(),
        RemoveEdit(),
        ListVersions(),
        Undo(),
        Redo(),
        GoBack(),
    )
}
"""Tools by name, in the order in which the LLM is shown them."""


def call(context: ToolContext, name: str, **arguments: Any) -> ToolResult:
    """Runs a tool; replays and tests call tools by it, without any LLM.

    Raises:
        pydantic.ValidationError: the arguments do not fit.
        InstructEditError: what the tool raises.
    """
    return run_recorded(context, TOOLS[name], arguments)


def run_recorded(context: ToolContext, tool: Tool[Any], arguments: dict[str, Any]) -> ToolResult:
    """Runs a tool and puts the call on the turn's log, whether it works or not; raises as `call`."""
    checked = tool.arguments.model_validate(arguments)
    plain = checked.model_dump(mode="json", exclude_unset=True)
    try:
        result = tool.run(context, checked)
    except BaseException:
        context.turn.calls.append(CallMade(tool.name, plain, False))
        raise
    context.turn.calls.append(CallMade(tool.name, plain, True))
    return result
