"""The tools as LangChain tools; `agent.loop` binds them to the chat model. Nothing else in `tools` knows LangChain."""

from typing import Any

from langchain_core.tools import BaseTool, StructuredTool

from prompts import tool_description
from tools.base import Tool
from tools.context import ToolContext
from tools.registry import TOOLS, run_recorded

__all__ = ["langchain_tools"]


def langchain_tools(context: ToolContext) -> list[BaseTool]:
    """All tools, bound to one context; errors are raised, the agent's middleware words them."""
    return [_adapted(tool, context) for tool in TOOLS.values()]


def _adapted(tool: Tool[Any], context: ToolContext) -> BaseTool:
    def run(**arguments: Any) -> str:
        return run_recorded(context, tool, arguments).text

    return StructuredTool.from_function(
        func=run, name=tool.name, description=tool_description(tool.name), args_schema=tool.arguments
    )
