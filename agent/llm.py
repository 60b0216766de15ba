"""Builds the chat model, the only place that does, and words its failures.

The commands, the session and the language processor call it; specs are "offline", "smollm2" and
"openai:MODEL".
"""

import json

from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr, ValidationError

from agent.config import OFFLINE, Settings, default_llm_spec
from instructedit_models.errors import BadParameterError, InstructEditError, LLMError

__all__ = ["OFFLINE", "SMOLLM2", "build_chat_model", "default_llm_spec", "explain_llm_error"]

SMOLLM2 = "smollm2"


def build_chat_model(spec: str, settings: Settings) -> BaseChatModel:
    """The chat model that a spec names.

    Raises:
        BadParameterError: the spec is none of "offline", "smollm2" and "openai:MODEL".
        LLMError: OpenAI is asked for and neither a key nor a base URL is configured.
        ModelUnavailableError: SmolLM2 is asked for and its packages are not installed.
    """
    kind, _, model = spec.partition(":")
    if kind == OFFLINE and not model:
        from agent.offline_llm import OfflineChatModel

        return OfflineChatModel()
    if kind == SMOLLM2 and not model:
        from agent.smollm2 import SmolLM2ChatModel, check_installed

        check_installed()
        return SmolLM2ChatModel()
    if kind != "openai" or not model:
        raise BadParameterError(
            f'There is no LLM "{spec}"; use "offline", "smollm2" or "openai:MODEL", as in "openai:gpt-4o-mini".'
        )
    if settings.openai_api_key is None and not settings.openai_base_url:
        raise LLMError(
            f'"{spec}" needs a key: set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own, '
            'or use the LLM "offline".'
        )
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        model=model,
        api_key=settings.openai_api_key or SecretStr("none"),
        base_url=settings.openai_base_url,
        timeout=settings.llm_timeout,
        max_retries=settings.llm_max_retries,
        temperature=settings.llm_temperature,
        use_responses_api=False,
    )


def explain_llm_error(error: BaseException) -> LLMError:
    """One sentence for whatever went wrong between us and the LLM; never its key, never a traceback."""
    import openai

    if isinstance(error, LLMError):
        return error
    if isinstance(error, InstructEditError):
        return LLMError(str(error))
    if isinstance(error, openai.APITimeoutError):  # before APIConnectionError, whose subclass it is
        return LLMError(
            "The LLM did not answer in time; try again, or allow more seconds with INSTRUCTEDIT_LLM_TIMEOUT."
        )
    if isinstance(error, openai.APIConnectionError):
        return LLMError("The LLM's server could not be reached; check the network and OPENAI_BASE_URL.")
    if isinstance(error, openai.APIStatusError):
        return LLMError(_STATUS.get(error.status_code) or _other_status(error))
    if isinstance(error, openai.APIResponseValidationError | json.JSONDecodeError | KeyError | IndexError | TypeError):
        return LLMError("The LLM's server answered something that is no chat completion; check OPENAI_BASE_URL.")
    if isinstance(error, OutputParserException | ValidationError):
        return LLMError("The LLM did not answer in the form that it was asked for.")
    return LLMError(f"The LLM failed: {_one_line(error)}.")


_STATUS = {
    401: "The LLM's server refused the key (401); check OPENAI_API_KEY.",
    403: "The LLM's server does not allow this request with this key (403).",
    404: "The LLM's server does not know this model or address (404); check the model's name and OPENAI_BASE_URL.",
    429: "The LLM's server says too many requests or no quota left (429); wait a little, or check the account.",
}


def _other_status(error: object) -> str:
    status = getattr(error, "status_code", 0)
    if status >= 500:
        return f"The LLM's server has a problem of its own ({status}); try again later."
    return f"The LLM's server refused the request ({status}): {_one_line(getattr(error, 'message', error))}."


def _one_line(error: object) -> str:
    line = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return line if len(line) <= 200 else f"{line[:199]}…"
