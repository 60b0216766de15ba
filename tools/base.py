"""The shape of a tool: a name, pydantic arguments, and `run(context, arguments)`.

`tools.registry` lists them all; `tools.langchain_adapter` offers them to an agent.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

from pydantic import BaseModel

from tools.context import ToolContext, ToolResult

__all__ = ["Arguments", "Tool"]


class Arguments(BaseModel):
    """Base of all tools' arguments; descriptions of the fields are read by the LLM."""


ArgumentsT = TypeVar("ArgumentsT", bound=Arguments)


class Tool(ABC, Generic[ArgumentsT]):
    """One thing that the LLM may do.

    Attributes:
        name: what the LLM calls.
        description: what the LLM reads, where `prompts` has no text of its own.
        arguments: their pydantic model.
        repeatable: whether the same call may be made again in one turn with another effect.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    arguments: ClassVar[type[Arguments]]
    repeatable: ClassVar[bool] = False

    @abstractmethod
    def run(self, context: ToolContext, arguments: ArgumentsT) -> ToolResult:
        """Does it.

        Raises:
            InstructEditError: one sentence that helps the LLM (and the person) on.
        """
