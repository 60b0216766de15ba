"""What a job does: a turn of the agent, an edit made again, a mask from clicks, one edit of a picture not kept.

`worker` calls `run` on its one thread; `act` is for what needs no models and is done at once (undo, redo, go).
"""

import contextlib
import dataclasses
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

import numpy as np

from agent.bundle import masking_data, turn_of
from agent.events import Asked, Event, Progressed
from agent.record import TurnRecord
from agent.service.jobs import Job, Jobs
from agent.service.limits import NotThereError, ServiceLimits
from agent.service.oneshot import edit_once
from agent.service.previews import Previews
from agent.service.shelf import Shelf
from agent.session import Session
from instructedit_models.errors import BadMaskError, BadParameterError, ModelUnavailableError
from instructedit_models.loading import loading_told
from instructedit_models.masks import MaskMode, MaskRules
from instructedit_models.types import Click
from tools.context import EditOverrides, ToolSettings
from tools.conversation import Conversation
from tools.marks import Mark, mark, take_back

__all__ = ["Bench", "NewSession", "Tell"]

Tell = Callable[[str, Mapping[str, Any]], None]
"""Is told each event of a job: its kind and the rest as data. Raises a BaseException where the job is to stop."""
NewSession = Callable[[Conversation], Session]
_PARAMETERS = ("encoding_ratio", "steps", "guidance_scale", "seed", "grow", "feather", "retries")
_QUARTER = 0.25
"""How far "stronger" and "weaker" move the encoding ratio towards 1 and 0."""
_WEAKEST = 0.05


class Bench:
    """Does jobs, and keeps the sessions of recent conversations at hand."""

    def __init__(self, shelf: Shelf, jobs: Jobs, new_session: NewSession, limits: ServiceLimits) -> None:
        self.shelf = shelf
        self._jobs = jobs
        self._new_session = new_session
        self._limits = limits
        self._sessions: OrderedDict[str, tuple[Session, int]] = OrderedDict()
        self._lock = Lock()
        self._previews = Previews()

    def run(self, job: Job, tell: Tell) -> dict[str, Any]:
        """Does a job and returns its result, as data; raises InstructEditError where it cannot be done."""
        if job.kind == "image_edit":
            return edit_once(
                self._new_session, self.shelf.folder / job.id, job.payload, lambda event: _pass(event, tell)
            )
        conversation = self.shelf.conversation(job.conversation or "", job.owner)
        if job.kind == "refine":
            with loading_told(lambda step: _pass(Progressed(stage=step.stage, step=step.step, total=step.total), tell)):
                return self._refine(conversation, job.payload)
        if job.kind == "message" and job.start is None:
            self._go(conversation, job)
        done = self._begun(conversation, job)
        if done is not None:
            return {"turn": done}
        if job.kind == "adjust":
            return self._adjust(conversation, job, tell)
        text = job.payload["text"]
        session = self.session(conversation)
        return self._turn(session, job, tell, lambda: session.turn(text))

    def take_back(self, job: Job) -> None:
        """Takes out of a conversation what a try that died with its process left there."""
        if job.conversation is None or job.start is None:
            return
        with contextlib.suppress(NotThereError):
            take_back(self.shelf.conversation(job.conversation, job.owner), Mark(**job.start))
            self.forget(job.conversation)

    def act(self, conversation: Conversation, text: str, tool: str, arguments: Mapping[str, Any]) -> TurnRecord:
        """Calls a tool that needs no models, as a turn; raises InstructEditError where it fails."""
        session = self.session(conversation)
        record = session.act(text, tool, arguments)
        self._keep(session, record, None, None)
        if record.error is not None:
            raise record.error
        return record

    def forget(self, key: str) -> None:
        """Drops the session of a conversation that is deleted, or was changed behind it."""
        with self._lock:
            self._sessions.pop(key, None)

    def _go(self, conversation: Conversation, job: Job) -> None:
        """Makes the version current that a message goes on from, as a turn before its own."""
        wanted = job.payload.get("image_id")
        if wanted is not None and wanted != conversation.current_id:
            session = self.session(conversation)
            self._keep(session, session.act(f"Go to {wanted}.", "go_back", {"version": wanted}), job.id, None)

    def _adjust(self, conversation: Conversation, job: Job, tell: Tell) -> dict[str, Any]:
        given = job.payload
        session = self.session(conversation)
        image_id = given.get("image_id") or conversation.current_id
        arguments: dict[str, Any] = {
            name: given[name] for name in ("edited_caption", "seed", "grow", "guidance_scale") if name in given
        }
        arguments["image_id"] = image_id
        ratio = given.get("encoding_ratio") or self._moved(conversation, image_id, given.get("direction"))
        if ratio is not None:
            arguments["encoding_ratio"] = ratio
        changed = ", ".join(
            f"{_WORDS.get(name, name)} {value}" for name, value in arguments.items() if name != "image_id"
        )
        text = f"Make {image_id} again: {changed}." if changed else f"Make {image_id} again."
        reply = f"Made again ({changed}): {{image_id}}."
        return self._turn(session, job, tell, lambda: session.act(text, "adjust_edit", arguments, reply))

    def _turn(self, session: Session, job: Job, tell: Tell, run: Callable[[], TurnRecord]) -> dict[str, Any]:
        asked: list[dict[str, Any]] = []

        def on_event(event: Event) -> None:
            if isinstance(event, Asked):
                asked.append(event.model_dump(mode="json"))
            _pass(event, tell)
            if wanted and isinstance(event, Progressed) and (preview := self._previews.of(event)):
                tell("preview", preview)

        wanted = job.payload.get("previews", False)
        context = session.context
        before = context.settings
        context.emit = on_event
        context.settings = self._settings(before, session.conversation, job.payload)
        try:
            record = run()
            number = self._keep(session, record, job.id, asked[-1] if asked and record.kind == "question" else None)
        finally:
            context.settings, context.emit = before, lambda event: None
        if isinstance(record.error, ModelUnavailableError):
            raise record.error
        return {"turn": number}

    def _settings(self, base: ToolSettings, conversation: Conversation, given: Mapping[str, Any]) -> ToolSettings:
        """The settings of one turn: what the request fixed, over what the service has."""
        fixed = EditOverrides(**{name: given[name] for name in _PARAMETERS if given.get(name) is not None})
        values = {field.name: getattr(fixed, field.name) for field in dataclasses.fields(fixed)}
        overrides = dataclasses.replace(base.overrides, **{k: v for k, v in values.items() if v is not None})
        masking = base.masking
        if given.get("mask_id"):
            mode: MaskMode = given.get("mask_mode") or "replace"
            masking = MaskRules(self._mask(conversation, given["mask_id"]), mode)
        retries = base.retries if fixed.retries is None and fixed.encoding_ratio is None else fixed.sweeps
        return dataclasses.replace(
            base,
            overrides=overrides,
            masking=masking,
            retries=retries,
            assume_yes=base.assume_yes or bool(given.get("yes")),
        )

    def _refine(self, conversation: Conversation, given: Mapping[str, Any]) -> dict[str, Any]:
        image_id = given.get("image_id") or conversation.current_id
        image = conversation.image(image_id)
        segmenter: Any = self.session(conversation).context.models.grounded.segmenter
        if not hasattr(segmenter, "mask_at"):
            raise ModelUnavailableError("The segmenter of this model set cannot be asked with clicks.")
        clicks = [Click(one["x"], one["y"], one.get("inside", True)) for one in given["clicks"]]
        rough = self._mask(conversation, given["mask_id"]) if given.get("mask_id") else None
        made = segmenter.mask_at(image, clicks, mask=rough)
        if not made.any():
            raise BadMaskError("These clicks mean nothing in the picture; click once inside of what you want.")
        own = self.shelf.add_own(conversation.id, made, image_id, "clicks")
        return {"mask": own.id}

    def _mask(self, conversation: Conversation, mask_id: str) -> np.ndarray:
        return self.shelf.mask(conversation, mask_id)[0]

    def _moved(self, conversation: Conversation, image_id: str, direction: str | None) -> float | None:
        """The encoding ratio of "stronger" or "weaker"."""
        edit = conversation.version(image_id).edit
        if direction is None or edit is None:
            return None
        ratio = edit.options.encoding_ratio
        if direction == "stronger":
            if ratio >= 1.0:
                raise BadParameterError(f"{image_id} was made with all the strength there is.")
            return min(1.0, math.ceil((ratio + _QUARTER * (1.0 - ratio)) * 100) / 100)
        if ratio <= _WEAKEST:
            raise BadParameterError(f"{image_id} was made with as little strength as makes sense.")
        return max(_WEAKEST, math.floor(ratio * (1.0 - _QUARTER) * 100) / 100)

    def _begun(self, conversation: Conversation, job: Job) -> int | None:
        """Notes how a conversation stands before a job; the number of its turn where an earlier try had ended it."""
        if job.start is None:
            self._jobs.keep_start(job.id, dataclasses.asdict(mark(conversation)))
            return None
        first = int(job.start["turns"])
        for number, turn in enumerate(conversation.turns()[first:], start=first + 1):
            if job.kind == "adjust" or turn.get("instruction") == str(job.payload.get("text", "")).strip():
                return number
        return None

    def session(self, conversation: Conversation) -> Session:
        """The session of a conversation, made anew where somebody else took turns meanwhile."""
        turns = len(conversation.turns())
        with self._lock:
            known = self._sessions.get(conversation.id)
            if known is not None and known[1] == turns:
                self._sessions.move_to_end(conversation.id)
                return known[0]
        session = self._new_session(conversation)
        with self._lock:
            self._sessions[conversation.id] = session, turns
            while len(self._sessions) > self._limits.sessions:
                self._sessions.popitem(last=False)
        return session

    def _keep(
        self, session: Session, record: TurnRecord, job_id: str | None, question: Mapping[str, Any] | None
    ) -> int:
        """Keeps what a bundle needs of the turn that was just ended, and returns its number."""
        conversation, settings = session.conversation, session.context.settings
        number = len(conversation.turns())
        fixed = {name: getattr(settings.overrides, name) for name in _PARAMETERS if name not in ("feather", "retries")}
        data = turn_of(session, record).model_dump(mode="json")
        data["settings"] = {
            **{name: value for name, value in fixed.items() if value is not None},
            **masking_data(settings),
            "yes": settings.assume_yes,
            "retries": settings.retries,
        }
        self.shelf.keep_turn(conversation.id, number, job_id, question, data)
        with self._lock:
            if conversation.id in self._sessions:
                self._sessions[conversation.id] = session, number
        return number


_WORDS = {
    "encoding_ratio": "encoding ratio",
    "guidance_scale": "guidance scale",
    "edited_caption": "caption",
    "grow": "growth",
}


def _pass(event: Event, tell: Tell) -> None:
    """Hands an event of the agent on."""
    data = event.model_dump(mode="json", exclude={"kind"})
    if isinstance(event, Progressed):
        tell("progress", data)
    else:
        tell(event.kind, data)
