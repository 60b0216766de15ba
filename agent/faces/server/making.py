"""From a parsed command line to what makes sessions; `serve` and the replicas use it."""

import argparse
from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.session import Session
    from tools.conversation import Conversation

__all__ = ["session_maker"]


def session_maker(args: argparse.Namespace) -> "tuple[Callable[[Conversation], Session], tuple[str, str], bool]":
    """What makes a session of a conversation, the names of model set and language model, and whether SAM takes clicks.

    The set is found and the language model is built at once, so that a wrong name is said before anything is served;
    each model is loaded when it is first used.

    Raises:
        BadParameterError: there is no such model set, language model or device.
        ModelUnavailableError: the device, a package or a key is missing.
    """
    from agent.api import settings_for
    from agent.faces.request import model_set_of, settings_of
    from agent.guard import LoopLimits
    from agent.llm import build_chat_model, default_llm_spec
    from tools.context import EditOverrides

    settings = settings_of(args)
    spec = default_llm_spec(settings)
    models = model_set_of(args)
    limits = LoopLimits(tool_calls=settings.max_tool_calls, model_calls=settings.max_model_calls)
    lock = Lock()

    @cache
    def parts() -> tuple[Any, Any]:
        fixed = settings_for(EditOverrides(retries=getattr(args, "retries", None)), False, models)
        return build_chat_model(spec, settings), fixed

    def new_session(conversation: "Conversation") -> "Session":
        from agent.session import Session

        with lock:
            chat_model, fixed = parts()
        return Session(models, chat_model, conversation, llm=spec, settings=fixed, limits=limits)

    parts()
    return new_session, (settings.models, spec), models.takes_clicks
