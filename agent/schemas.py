"""The tools as functions for a language model that is not ours: schemas as OpenAI takes them, and what runs a call.

    functions = Functions(session)                      # the structured tools, or Functions(session, "edit")
    client.chat.completions.create(..., tools=functions.schemas())
    functions.run(call.function.name, call.function.arguments)  # a string for the next message

`agent.toolkit` and the MCP face call tools through here too, so that all of them obey the same rules.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from agent.policy import check_policy, raise_if_refused
from instructedit_models.errors import BadParameterError, CancelledError, InstructEditError
from prompts import tool_description
from tools.base import Arguments
from tools.context import ToolResult, TurnLog
from tools.registry import TOOLS, run_recorded

if TYPE_CHECKING:
    from agent.record import TurnRecord
    from agent.session import Session

__all__ = [
    "EDIT_DESCRIPTION",
    "EDIT_NAME",
    "EditInstruction",
    "Functions",
    "Offer",
    "call_tool",
    "checked",
    "edit_by_words",
    "misfit",
    "plain",
    "told",
]

ModelT = TypeVar("ModelT", bound=BaseModel)

Offer = Literal["structured", "edit"]
"""Which functions are offered: every tool with typed arguments, or a single one that takes an instruction in words."""

EDIT_NAME = "edit_image"
EDIT_DESCRIPTION = (
    "Edits a picture as an instruction in plain words says, and changes nothing else: finds the object, masks it, "
    "edits inside the mask, checks the result. Also takes follow-ups ('a bit stronger', 'undo', 'the other one') and "
    "questions about the picture. Answers in words; where several things could be meant it asks, and the answer to "
    "that question is the next instruction."
)
_LONGEST_ARGUMENTS = 100_000


class EditInstruction(Arguments):
    """What to do, in words."""

    instruction: str = Field(
        description="What to change, in plain words: 'make the car on the left blue', 'a bit stronger', 'undo'; "
        "or the answer to a question that was asked."
    )
    image_id: str | None = Field(
        default=None, description="The version to go on from, e.g. image_2; leave out for the current one."
    )


class Functions:
    """A conversation as functions that a language model may call; one call at a time, whatever threads call."""

    def __init__(
        self, session: Session, offer: Offer = "structured", lock: AbstractContextManager[Any] | None = None
    ) -> None:
        """Takes a session.

        Args:
            session: whose pictures, masks and versions the functions work on.
            offer: "structured" for every tool under its own name, "edit" for the single function `edit_image`.
            lock: held during every call, where others work on the session too; one of its own by default.
        """
        self.session = session
        self.offer = offer
        self._lock = lock or RLock()

    def schemas(self, form: Literal["chat", "responses"] = "chat", strict: bool = False) -> list[dict[str, Any]]:
        """The functions as OpenAI's `tools` parameter takes them.

        Args:
            form: "chat" for chat completions (name and parameters under "function"), "responses" for the Responses API.
            strict: whether OpenAI should hold the model to the schema; every argument is then required.
        """
        offered = {EDIT_NAME: EDIT_DESCRIPTION} if self.offer == "edit" else {n: tool_description(n) for n in TOOLS}
        made = [_schema(name, text, self._arguments(name), strict) for name, text in offered.items()]
        return made if form == "chat" else [{"type": "function", **one["function"]} for one in made]

    def run(self, name: str, arguments: str | Mapping[str, Any]) -> str:
        """Runs a call and says what came of it; what the model may mend becomes a sentence that begins with "Error:".

        Args:
            name: the function that was called.
            arguments: what the model wrote, as JSON or read already.

        Raises:
            CancelledError: the event callback stopped the work.
        """
        try:
            return self.call(name, arguments).text
        except CancelledError:
            raise
        except InstructEditError as error:
            return f"Error: {error}"

    def call(self, name: str, arguments: str | Mapping[str, Any]) -> ToolResult:
        """As `run`, but with ids, and with errors raised.

        Raises:
            BadParameterError: there is no such function, or its arguments do not fit.
            InstructEditError: what the tool or the turn raised.
        """
        given = _read(name, arguments)
        with self._lock:
            if self.offer == "structured":
                return call_tool(self.session, name, given)
            if name != EDIT_NAME:
                raise BadParameterError(f"There is no function '{_short(name)}'; the only one is {EDIT_NAME}.")
            asked = checked(EditInstruction, name, given)
            record = edit_by_words(self.session, asked.instruction, asked.image_id)
            return ToolResult(told(record), record.image_id, record.edits[-1].mask_id if record.edits else None)

    def _arguments(self, name: str) -> type[BaseModel]:
        return EditInstruction if self.offer == "edit" else TOOLS[name].arguments


def call_tool(session: Session, name: str, arguments: Mapping[str, Any]) -> ToolResult:
    """Runs one structured tool on a session, for a caller that is not the session's own agent.

    The operator's rules hold here too, though no instruction is read: every text among the arguments is checked.

    Raises:
        BadParameterError: there is no such tool, or the arguments do not fit it.
        RefusedError: a text breaks a rule of the operator.
        InstructEditError: what the tool raises.
    """
    tool = TOOLS.get(name)
    if tool is None:
        raise BadParameterError(f"There is no tool '{_short(name)}'; the tools are {', '.join(TOOLS)}.")
    given = checked(tool.arguments, name, arguments).model_dump(exclude_unset=True)
    for value in given.values():
        if isinstance(value, str):
            check_policy(value)
    session.context.turn = TurnLog()
    return run_recorded(session.context, tool, given)


def edit_by_words(session: Session, instruction: str, image_id: str | None = None) -> TurnRecord:
    """Runs one turn of the session's own agent, from a version that need not be the current one.

    Raises:
        BadParameterError: there is no such version.
        RefusedError: the operator's rules do not allow the instruction.
        InstructEditError: the turn failed; the picture is as it was before it.
    """
    before = session.conversation.current_id
    if image_id is not None and image_id != before:
        session.conversation.go_to(image_id)
    record = session.turn(instruction)
    if record.kind == "error":
        if session.conversation.current_id != before:
            session.conversation.go_to(before)
        raise record.error or InstructEditError(record.reply)
    if record.kind == "answer":
        raise_if_refused(record.reply)
    return record


def told(record: TurnRecord) -> str:
    """What an outer assistant reads of a turn that did not fail: the reply, the current picture, what to know of it."""
    lines = [record.reply.strip() or "Done."]
    if record.kind == "question":
        lines.append("Nothing was changed yet: call again with the answer as the instruction.")
    else:
        checked_too = "" if not record.edits else ", verified" if record.verified else ", not verified"
        lines.append(f"Current picture: {record.image_id}{checked_too}.")
    return "\n".join([*lines, *(f"Note: {warning}" for warning in record.warnings)])


def checked(model: type[ModelT], name: str, arguments: Mapping[str, Any]) -> ModelT:
    """The arguments as their model.

    Args:
        model: what they should be.
        name: of the function, for the error.
        arguments: what was given.

    Raises:
        BadParameterError: one does not fit, is missing or unknown.
    """
    unknown = sorted(set(arguments) - set(model.model_fields))
    if unknown:
        raise BadParameterError(
            f"{name} takes no argument '{_short(unknown[0])}'; it takes {', '.join(model.model_fields)}."
        )
    try:
        return model.model_validate(dict(arguments))
    except ValidationError as error:
        raise misfit(name, error) from None


def misfit(name: str, error: Any) -> BadParameterError:
    """The sentence for arguments that do not fit.

    Args:
        name: of the function.
        error: a pydantic ValidationError, of whichever pydantic.
    """
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    what = f"{name} needs '{where}'" if first["type"] == "missing" else f"{name} was called with a wrong '{where}'"
    return BadParameterError(f"{what}: {first['msg'].rstrip('.').lower()}.")


def _read(name: str, arguments: str | Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(arguments, str):
        return arguments
    if len(arguments) > _LONGEST_ARGUMENTS:
        raise BadParameterError(f"The arguments of {_short(name)} are too long.")
    try:
        given = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise BadParameterError(f"The arguments of {_short(name)} are no JSON object; call it again with one.")
    return given


def _schema(name: str, description: str, model: type[BaseModel], strict: bool) -> dict[str, Any]:
    """One function in the form of chat completions."""
    if strict:
        from openai import pydantic_function_tool

        made: dict[str, Any] = dict(pydantic_function_tool(model, name=name, description=description))
        made["function"]["parameters"] = plain(made["function"]["parameters"])
        return made
    parameters = plain(model.model_json_schema()) | {"additionalProperties": False}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A model's JSON schema without the words that are meant for people who read the code."""
    kept = {key: value for key, value in schema.items() if key not in ("title", "description")}
    properties = {
        name: {key: value for key, value in one.items() if key != "title"}
        for name, one in schema.get("properties", {}).items()
    }
    return kept | {"properties": properties}


def _short(name: str) -> str:
    return name if len(name) <= 40 else f"{name[:39]}…"
