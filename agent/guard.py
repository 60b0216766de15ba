"""Agent middleware that keeps one turn sane: errors of tools are told to the LLM, its own nonsense is bounded.

`agent.loop` puts it first in the middleware list, so that it sees each tool call first and each LLM answer last.
"""

import json
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse, hook_config
from langchain.agents.middleware.types import ToolCallRequest
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.errors import GraphBubbleUp
from langgraph.runtime import Runtime
from langgraph.types import Command

from agent.llm import explain_llm_error
from instructedit_models.errors import (
    CancelledError,
    InstructEditError,
    LLMError,
    ModelUnavailableError,
    RefusedError,
)
from tools.context import ToolContext, ToolFailure
from tools.events import Called
from tools.registry import TOOLS

__all__ = ["LoopLimits", "TurnGuard"]

ToolHandler = Callable[[ToolCallRequest], ToolMessage | Command[Any]]
_LOG = logging.getLogger(__name__)
_FINAL = (CancelledError, ModelUnavailableError, LLMError, RefusedError)
"""Errors after which asking the LLM again makes no sense: the turn ends."""


@dataclass(frozen=True)
class LoopLimits:
    """Bounds of one turn.

    Attributes:
        tool_calls: tool calls, all tools together.
        model_calls: calls of the LLM.
        same_call: how often the same call may be made; the second is answered from the first.
        wrong_calls: LLM answers in a row that name no tool, have wrong arguments, or are broken JSON.
    """

    tool_calls: int = 24
    model_calls: int = 30
    same_call: int = 2
    wrong_calls: int = 3


class TurnGuard(AgentMiddleware):
    """Watches over one turn; `begin` starts the next."""

    def __init__(self, context: ToolContext, limits: LoopLimits) -> None:
        super().__init__()
        self.context = context
        self.limits = limits
        self.begin()

    def begin(self) -> None:
        """Forgets the last turn."""
        self._made: Counter[str] = Counter()
        self._answers: dict[str, str] = {}
        self._edited: set[tuple[str | None, str]] = set()
        self._wrong_in_a_row = 0
        self._last_wrong: str | None = None

    def wrap_model_call(self, request: ModelRequest, handler: Callable[[ModelRequest], ModelResponse]) -> ModelResponse:
        """Times the LLM, and words its failures."""
        started = time.perf_counter()
        try:
            return handler(request)
        except (InstructEditError, GraphBubbleUp):
            raise
        except Exception as error:
            raise explain_llm_error(error) from error
        finally:
            self.context.turn.add_seconds("llm", time.perf_counter() - started)

    @hook_config(can_jump_to=["model"])
    def after_model(self, state: AgentState, runtime: Runtime) -> dict[str, Any] | None:
        """Sends arguments that are not JSON back to the LLM."""
        message = state["messages"][-1]
        if not isinstance(message, AIMessage) or not message.invalid_tool_calls:
            return None
        broken = message.invalid_tool_calls
        name = broken[0].get("name") or "a tool"
        self._count_wrong(message.id, f"the arguments of {name} are no valid JSON")
        if any(call.get("id") is None for call in broken):
            raise LLMError("The LLM called a tool in a form that cannot be read.")
        answers = [
            _error(call, f"The arguments of {call.get('name')} are no valid JSON; call it again with a JSON object.")
            for call in broken
        ]
        return {"messages": answers} if message.tool_calls else {"messages": answers, "jump_to": "model"}

    def wrap_tool_call(self, request: ToolCallRequest, handler: ToolHandler) -> ToolMessage | Command[Any]:
        """Runs a tool; an error becomes a ToolMessage and goes on the turn's log.

        Raises:
            CancelledError, ModelUnavailableError, LLMError: the turn is over.
        """
        call = request.tool_call
        name, arguments = call["name"], call["args"]
        batch = _batch(request)
        if request.tool is None or name not in TOOLS:
            self._count_wrong(batch, f"there is no tool '{name}'")
            return _error(call, f"There is no tool '{name}'; the tools are {', '.join(TOOLS)}.")
        key = f"{name} {json.dumps(arguments, sort_keys=True, default=str)}"
        if not TOOLS[name].repeatable and (answer := self._answered_before(name, key)):
            return _error(call, answer)
        if name == "edit_image" and (batch, str(arguments.get("image_id"))) in self._edited:
            return _error(
                call,
                f"{arguments.get('image_id')} was edited by the call beside this one; go on from the current picture: "
                f"call edit_image again with image_id {self.context.conversation.current_id}.",
            )
        self.context.emit(Called(tool=name, arguments=_plain(arguments)))
        message = self._run(request, handler, batch)
        text = str(message.content) if isinstance(message, ToolMessage) else ""
        if TOOLS[name].repeatable:
            self._answered_before(name, f"{key} {text}")
        self._answers[key] = text
        return message

    def _run(self, request: ToolCallRequest, handler: ToolHandler, batch: str | None) -> ToolMessage | Command[Any]:
        call = request.tool_call
        name, arguments = call["name"], call["args"]
        try:
            message = handler(request)
        except GraphBubbleUp:
            raise
        except _FINAL:
            raise
        except InstructEditError as error:
            return self._failed(call, error)
        except Exception as error:
            _LOG.exception("the tool %s failed", name)
            wrapped = InstructEditError(f"The tool {name} failed unexpectedly: {_short(error)}")
            wrapped.__cause__ = error
            return self._failed(call, wrapped)
        if isinstance(message, ToolMessage) and message.status == "error":
            self._count_wrong(batch, f"{name} was given wrong arguments")
            return message
        self._wrong_in_a_row = 0
        self.context.turn.tools_used.append(name)
        if name == "edit_image":
            self._edited.add((batch, str(arguments.get("image_id"))))
        return message

    def _failed(self, call: Any, error: InstructEditError) -> ToolMessage:
        self._wrong_in_a_row = 0
        self.context.turn.failures.append(ToolFailure(call["name"], dict(call["args"]), error))
        hint = "You may try again with other arguments." if error.retryable else "Trying again will not help."
        return _error(call, f"{error}\n{hint}")

    def _answered_before(self, name: str, key: str) -> str | None:
        self._made[key] += 1
        if self._made[key] > self.limits.same_call:
            raise LLMError(f"The LLM made the same call of {name} again and again and was stopped.")
        if self._made[key] == 1:
            return None
        return f"You made this call before; go on from its answer: {self._answers.get(key, '')}"

    def _count_wrong(self, batch: str | None, what: str) -> None:
        # Several wrong calls in one answer of the LLM are one mistake.
        if batch is None or batch != self._last_wrong:
            self._wrong_in_a_row += 1
        self._last_wrong = batch
        if self._wrong_in_a_row > self.limits.wrong_calls:
            raise LLMError(f"The LLM called tools wrongly {self._wrong_in_a_row} times in a row; at last, {what}.")


def _batch(request: ToolCallRequest) -> str | None:
    messages = request.state["messages"] if isinstance(request.state, dict) else request.state.messages
    last = next((message for message in reversed(messages) if isinstance(message, AIMessage)), None)
    return last.id if last else None


def _error(call: Any, text: str) -> ToolMessage:
    return ToolMessage(text, tool_call_id=call["id"], name=call.get("name"), status="error")


def _plain(arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value if isinstance(value, str | int | float | bool | None) else str(value)
        for name, value in arguments.items()
    }


def _short(error: Exception) -> str:
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return text if len(text) <= 300 else f"{text[:299]}…"
