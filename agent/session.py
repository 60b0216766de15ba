"""A conversation about one picture: `Session.turn(text)` runs the agent once and says what came of it.

Every face (command line, web, scripts, MCP) goes through it; `agent.api` wraps it for one-shot edits.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

import prompts
from agent.events import Asked, Called, EventCallback, Failed, Replied
from agent.outcome import Outcome, judge
from agent.plans import MAX_INSTRUCTION, check_instruction
from agent.policy import check_policy
from agent.record import EditPart, TurnRecord
from instructedit_models.errors import InstructEditError, LLMError
from instructedit_models.loading import loading_told
from tools.context import Models, ToolContext, ToolSettings, TurnLog
from tools.conversation import Conversation
from tools.marks import mark, take_back

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage

    from agent.guard import LoopLimits
    from agent.loop import AgentLoop

__all__ = ["Session"]

REMEMBERED_TURNS = 12
"""Turns whose messages the LLM still reads; the versions themselves are never forgotten."""


class Session:
    """A conversation with an agent; one turn at a time.

    Attributes:
        conversation: the pictures, masks and edits.
        context: what the tools work on; `context.settings` may be replaced between turns.
    """

    def __init__(
        self,
        models: Models,
        chat_model: BaseChatModel,
        conversation: Conversation,
        *,
        llm: str = "offline",
        settings: ToolSettings | None = None,
        limits: LoopLimits | None = None,
        on_event: EventCallback | None = None,
    ) -> None:
        """Takes up a conversation, a new one or one begun earlier.

        Args:
            models: the model set.
            chat_model: what `agent.llm.build_chat_model` built.
            conversation: from `Workspace.start` or `Workspace.conversation`.
            llm: the spec of the chat model, for the record.
            settings: what the person fixed for all edits.
            limits: bounds of one turn.
            on_event: receives every event at once, on the thread that works.
        """
        self.conversation = conversation
        self.context = ToolContext(models, conversation, settings or ToolSettings())
        if on_event:
            self.context.emit = on_event
        self._chat_model = chat_model
        self._llm = llm
        self._limits = limits
        self._loop: AgentLoop | None = None
        self._history: list[list[BaseMessage]] | None = None
        self._lock = Lock()

    def turn(self, text: str) -> TurnRecord:
        """Does what the person says; a turn that fails leaves the picture as it was and says why in `error`.

        Args:
            text: an instruction, a question or an answer, in any words.
        """
        return self._turn(text, lambda start: self._run(check_instruction(text), start))

    def act(self, text: str, tool: str, arguments: Mapping[str, Any], reply: str | None = None) -> TurnRecord:
        """Calls one tool as a turn of its own, without asking the LLM, which reads of it in later turns.

        What a button does, or a slider: a turn that fails leaves the picture as it was and says why in `error`.

        Args:
            text: what the person did, in words: "Undo.".
            tool: a name in `tools.registry.TOOLS`.
            arguments: which fit it.
            reply: what is said afterwards, "{image_id}" standing for the version then current; by default what the tool
                answers.
        """
        return self._turn(text, lambda start: self._call(text, tool, dict(arguments), reply, start))

    def _turn(self, text: str, run: Callable[[str], list[BaseMessage]]) -> TurnRecord:
        with self._lock:
            started = time.perf_counter()
            before = mark(self.conversation)
            start = before.image_id
            log = self.context.turn = TurnLog()
            messages: Sequence[BaseMessage] = ()
            try:
                with loading_told(self.context.progress):
                    messages = run(start)
                outcome = judge(log, self._edits_made(log), _text(messages[-1]), _claimed_kind(messages[-1]), self._llm)
            except InstructEditError as error:
                outcome = Outcome("error", str(error), error)
            except BaseException:
                take_back(self.conversation, before)
                raise
            if outcome.kind != "edit" and outcome.kind != "undo":
                self._restore(start)
            log.seconds["total"] = time.perf_counter() - started
            record = self._record(text, start, outcome)
            self._keep(record, messages)
        self._announce(record)
        return record

    def masks(self, record: TurnRecord) -> tuple[np.ndarray, np.ndarray]:
        """The turn's mask and region, each the union over its edits, (H, W) bool.

        The mask is what was segmented; the region is every pixel whose bytes may differ from the
        picture that the first of the edits was made on.
        """
        width, height = record.image_size
        mask, region = np.zeros((height, width), bool), np.zeros((height, width), bool)
        for part in record.edits:
            edit = self.conversation.version(part.image_id).edit
            if edit is not None:
                mask |= self.conversation.mask(edit.mask_id)
                region |= self.conversation.region(edit)
        return mask, region

    def _run(self, instruction: str, image_id: str) -> list[BaseMessage]:
        from langchain_core.messages import HumanMessage

        from agent.loop import AgentLoop

        if self._loop is None:
            self._loop = AgentLoop(self._chat_model, self.context, system_prompt(), self._limits)
        asked = HumanMessage(prompts.render("turn.md", image_id=image_id, instruction=instruction))
        before = [message for turn in self._remembered()[-REMEMBERED_TURNS:] for message in turn]
        added = self._loop.run([*before, asked])
        if not _text(added[-1]) and not self.context.turn.edits:
            raise LLMError("The LLM gave an empty answer; nothing was edited.")
        return [asked, *added]

    def _call(self, text: str, tool: str, arguments: dict, reply: str | None, image_id: str) -> list[BaseMessage]:
        from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

        from tools.registry import TOOLS, run_recorded

        self._remembered()
        for value in arguments.values():
            if isinstance(value, str):
                check_policy(value)
        called_id = f"act_{secrets.token_hex(4)}"
        self.context.emit(Called(tool=tool, arguments=arguments))
        result = run_recorded(self.context, TOOLS[tool], arguments)
        self.context.turn.tools_used.append(tool)
        said = result.text if reply is None else reply.replace("{image_id}", self.conversation.current_id)
        return [
            HumanMessage(prompts.render("turn.md", image_id=image_id, instruction=text)),
            AIMessage("", tool_calls=[{"name": tool, "args": arguments, "id": called_id}]),
            ToolMessage(result.text, tool_call_id=called_id, name=tool),
            AIMessage(said),
        ]

    def _remembered(self) -> list[list[BaseMessage]]:
        """The messages of earlier turns, read when they are first needed."""
        if self._history is None:
            self._history = _loaded(self.conversation.messages())
        return self._history

    def _edits_made(self, log: TurnLog) -> tuple[EditPart, ...]:
        """This turn's edits on the way to the current picture; not those made again or taken back."""
        made, conversation = {edit.image_id for edit in log.edits}, self.conversation
        path = conversation.path(conversation.current_id)
        return tuple(EditPart.of(e, conversation.mask_entry(e.mask_id)) for e in path if e.image_id in made)

    def _restore(self, image_id: str) -> None:
        if self.conversation.current_id != image_id:
            self.conversation.go_to(image_id, "turn failed")

    def _record(self, text: str, start: str, outcome: Outcome) -> TurnRecord:
        log, conversation = self.context.turn, self.conversation
        version = conversation.version(conversation.current_id)
        return TurnRecord(
            kind=outcome.kind,
            reply=outcome.reply,
            instruction=text.strip()[:MAX_INSTRUCTION],
            start_image_id=start,
            image_id=version.id,
            image_size=version.size,
            edits=self._edits_made(log),
            described=log.description is not None,
            description=log.description,
            why_described=log.why_described,
            unet_evaluations=sum(edit.unet_evaluations for edit in log.edits),
            models=self.context.models.name,
            llm=self._llm,
            seconds={stage: round(seconds, 4) for stage, seconds in log.seconds.items()},
            warnings=[*log.warnings, *outcome.warnings],
            error=outcome.error,
        )

    def _keep(self, record: TurnRecord, messages: Sequence[BaseMessage]) -> None:
        kept: list[dict] = []
        if messages and self._history is not None:
            from langchain_core.messages import messages_to_dict

            slim = [_slim(message) for message in messages]
            self._history = [*self._history[-REMEMBERED_TURNS:], slim]
            kept = messages_to_dict(slim)
        self.conversation.add_turn(record.kind, record.to_turn_json(), kept)

    def _asked(self, record: TurnRecord) -> Asked:
        """The question with what it is about: the candidates of the last segmentation that ties."""
        candidates = tuple(getattr(record.error, "candidates", ()))
        ambiguities = self.context.turn.ambiguities
        regions = ambiguities[-1].tied if ambiguities and candidates else ()
        return Asked(
            text=record.reply, candidates=candidates, image_id=record.image_id if regions else None, regions=regions
        )

    def _announce(self, record: TurnRecord) -> None:
        emit = self.context.emit
        if record.kind == "question":
            emit(self._asked(record))
        elif record.error is not None:
            emit(Failed(error=record.error.kind, text=str(record.error)))
        else:
            emit(Replied(text=record.reply, image_id=record.image_id))


def system_prompt() -> str:
    """What the LLM is told first."""
    return prompts.render("system.md", examples=prompts.worded_examples())


def _text(message: BaseMessage) -> str:
    """The words of a message, without what some models say to themselves between think tags."""
    text = message.text if isinstance(message.text, str) else str(message.content)
    return re.sub(r"<think>.*?</think>", "", text, flags=re.DOTALL).strip()


def _claimed_kind(message: BaseMessage) -> str | None:
    kind = message.response_metadata.get("kind")
    return kind if isinstance(kind, str) else None


def _slim(message: BaseMessage) -> BaseMessage:
    """The message without token counts and headers, which nobody reads again."""
    return message.model_copy(update={"response_metadata": {}, "additional_kwargs": {}, "usage_metadata": None})


def _loaded(turns: list[list[dict]]) -> list[list[BaseMessage]]:
    from langchain_core.messages import messages_from_dict

    return [list(messages_from_dict(turn)) for turn in turns[-REMEMBERED_TURNS:] if turn]
