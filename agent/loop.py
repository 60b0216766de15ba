"""The tool-calling agent: LangChain's `create_agent` over our tools, bounded by middleware.

`agent.session` builds one per conversation and runs it once per turn. Importing this module imports LangChain.
"""

from collections.abc import Sequence
from typing import Any, cast

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ModelCallLimitMiddleware, ToolCallLimitMiddleware
from langchain.agents.middleware.model_call_limit import ModelCallLimitExceededError
from langchain.agents.middleware.tool_call_limit import ToolCallLimitExceededError
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphRecursionError

from agent.guard import LoopLimits, TurnGuard
from agent.policy import with_policy
from instructedit_models.errors import LLMError
from tools.context import ToolContext
from tools.langchain_adapter import langchain_tools

__all__ = ["AgentLoop", "LoopLimits"]


class AgentLoop:
    """A chat model and the tools, ready to run turn after turn."""

    def __init__(
        self, chat_model: BaseChatModel, context: ToolContext, system_prompt: str, limits: LoopLimits | None = None
    ) -> None:
        """Compiles the agent.

        Args:
            chat_model: any LangChain chat model that can call tools.
            context: what the tools work on; the caller puts a fresh `TurnLog` into it before each turn.
            system_prompt: what the LLM is told first.
            limits: bounds of one turn.
        """
        self.limits = limits or LoopLimits()
        self._guard = TurnGuard(context, self.limits)
        middleware: list[AgentMiddleware[Any, None, Any]] = [
            self._guard,
            ModelCallLimitMiddleware(run_limit=self.limits.model_calls, exit_behavior="error"),
            ToolCallLimitMiddleware(run_limit=self.limits.tool_calls, exit_behavior="error"),
        ]
        # One call at a time, in the order asked: parallel calls would compete for the models and the picture.
        self._config = RunnableConfig(
            max_concurrency=1, recursion_limit=10 * (self.limits.model_calls + self.limits.tool_calls)
        )
        self._agent = create_agent(
            chat_model,
            langchain_tools(context),
            system_prompt=with_policy(system_prompt),
            middleware=middleware,
        )

    def run(self, messages: Sequence[BaseMessage]) -> list[BaseMessage]:
        """Runs one turn: the messages so far, the person's last; returns the messages that it added.

        Raises:
            LLMError: the LLM failed, answered nothing, or went beyond a limit.
            CancelledError: the event callback stopped the work.
            ModelUnavailableError: a model that a tool needs is missing.
        """
        self._guard.begin()
        limits = self.limits
        try:
            result = self._agent.invoke(cast(Any, {"messages": list(messages)}), config=self._config)
        except ToolCallLimitExceededError as error:
            raise LLMError(f"The LLM made more than {limits.tool_calls} tool calls and was stopped.") from error
        except (ModelCallLimitExceededError, GraphRecursionError) as error:
            raise LLMError(f"The LLM came to no end within {limits.model_calls} calls and was stopped.") from error
        added = result["messages"][len(messages) :]
        if not added or not isinstance(added[-1], AIMessage):
            raise LLMError("The LLM gave no answer.")
        return added
