"""A chat model without a network or weights: the grammar behind LangChain's interface.

It reads the conversation as any LLM would, and decides the next tool call from it: what `agent.grammar.dialogue`
understands is carried out by `agent.offline_policy`. `agent.llm` builds it.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, ToolCall
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from agent.conversation_reading import Reading, read
from agent.grammar import Understanding
from agent.grammar.dialogue import Asked, Talk, is_whole, understand_turn
from agent.grammar.naming import by_its_thing
from agent.grammar.owning import that_were_asked_about
from agent.offline_policy import Call, Policy, Words
from agent.plans import Plan
from instructedit_models.errors import BadInstructionError, InstructEditError, LLMError

__all__ = ["OfflineChatModel"]


class OfflineChatModel(BaseChatModel):
    """Deterministic: the same messages give the same answer."""

    @property
    def _llm_type(self) -> str:
        return "offline"

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The model, allowed to call these tools and no others."""
        return self.bind(tools=[_definition(tool) for tool in tools])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        tools = frozenset(tool["function"]["name"] for tool in kwargs.get("tools", ()))
        try:
            decided = self._decided(read(messages), tools)
        except InstructEditError:
            raise
        except Exception as error:  # a fault of ours, which would else be worded as one of a server's
            cause = f"{type(error).__name__}: {error}"
            raise LLMError(f"The offline language model failed on this; say it in other words ({cause}).") from error
        message = _message(decided, len(messages))
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _decided(self, reading: Reading, tools: frozenset[str]) -> Call | Words:
        understanding = self._understood(reading)
        if Plan.__name__ in tools:
            return Call(Plan.__name__, understanding.plan.model_dump())
        return Policy(reading, tools, self._understood).next(understanding)

    def _understood(self, reading: Reading) -> Understanding:
        """What the person wants in a turn; every path goes through here."""
        try:
            return understand_turn(self._talk(reading))
        except BadInstructionError as error:
            return Understanding("cannot_parse", message=str(error))

    def _talk(self, reading: Reading) -> Talk:
        pending, asked = reading.pending, None
        if pending is not None:
            meant = self._understood(pending.asked)
            asked = Asked(
                prompt=pending.prompt,
                instruction=pending.asked.instruction,
                ids=tuple(each.id for each in pending.candidates),
                phrases=tuple(each.phrase for each in pending.candidates),
                plans=that_were_asked_about(meant.edits, pending.prompt),
                before=pending.asked.edited_before,
                name=meant.name,
            )
        failed = self._understood(reading.failed).edits if reading.failed is not None else ()
        wholes = (made.plan for made in reversed(reading.made) if made.plan and is_whole(made.plan))
        before, last, whole = (
            by_its_thing(plan, reading.names) if plan else None
            for plan in (reading.edited_before, reading.last_plan, next(wholes, None))
        )
        return Talk(
            instruction=reading.instruction,
            description=reading.description,
            medium=reading.medium,
            before=before,
            last=last,
            whole=whole,
            question=reading.question,
            asked=asked,
            failed=failed[-1] if failed else None,
            names=reading.names,
        )


def _definition(tool: dict[str, Any] | type | Callable[..., Any] | BaseTool) -> dict[str, Any]:
    """The tool as OpenAI's interface describes it; this model reads only the name of our own tools."""
    if isinstance(tool, BaseTool):
        return {"type": "function", "function": {"name": tool.name, "description": tool.description}}
    return convert_to_openai_tool(tool)


def _message(decided: Call | Words, at: int) -> AIMessage:
    """The LLM's answer; the id of a tool call is unique in the conversation and the same in every run."""
    if isinstance(decided, Words):
        return AIMessage(decided.text, response_metadata={"kind": decided.kind, "model_name": "offline"})
    arguments = json.loads(json.dumps(decided.arguments))
    return AIMessage("", tool_calls=[ToolCall(name=decided.name, args=arguments, id=f"offline_{at}")])
