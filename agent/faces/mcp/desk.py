"""What the MCP tools do, without the protocol: pictures in, answers with ids and a preview out.

`server` calls these on the worker's thread (`edit`, `tool`) or on any other (`start`, `show`, `read`).
"""

import json
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import TYPE_CHECKING, Any

from agent.faces.mcp.jobs import Job
from agent.faces.mcp.pictures import Intake, Preview, candidates_preview, mask_preview, preview
from agent.faces.output import STAGES
from instructedit_models.errors import BadParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.events import Asked, Event
    from agent.record import TurnRecord
    from agent.session import Session
    from instructedit_models.imaging import LoadedImage
    from tools.context import EditOverrides
    from tools.conversation import Conversation
    from tools.workspace import Workspace

__all__ = ["SCHEME", "Answer", "Desk"]

SCHEME = "instructedit"
_URI = re.compile(rf"{SCHEME}://([0-9a-f]{{32}})/((?:image|mask)_[1-9]\d{{0,8}}|history)")
_KEY = re.compile(r"[0-9a-f]{32}")
_OPEN_SESSIONS = 32
"""Sessions that are held ready; one that was dropped is read from the workspace again."""
_LISTED = 200


@dataclass(frozen=True)
class Answer:
    """What a tool answers.

    Attributes:
        text: for the assistant.
        data: the same for programs: ids, addresses, what was verified.
        preview: a picture to look at.
    """

    text: str
    data: dict[str, Any] = field(default_factory=dict)
    preview: Preview | None = None


class Desk:
    """The conversations of all clients, each under an id that nobody can guess and that is listed to nobody else."""

    def __init__(
        self, workspace: "Workspace", new_session: "Callable[[Conversation], Session]", intake: Intake
    ) -> None:
        """Takes what the server was started with.

        Args:
            workspace: where conversations are kept.
            new_session: makes a session, which loads its models when they are first used.
            intake: what is taken from clients.
        """
        self.workspace = workspace
        self.intake = intake
        self._new_session = new_session
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._begun: list[str] = []
        self._lock = Lock()

    def start(self, image_base64: str | None = None, path: str | None = None) -> "tuple[Conversation, LoadedImage]":
        """Begins a conversation about a picture.

        Raises:
            BadParameterError: not exactly one of the two is given, or the path is not allowed.
            BadImageError: it cannot be read.
        """
        from tools.conversation import Conversation

        if (image_base64 is None) == (path is None):
            raise BadParameterError(f"Give one picture: {self._ways()}.")
        if path is not None:
            loaded, place = self.intake.read(path)
            source = str(place)
        else:
            loaded, source = self.intake.decode(image_base64 or ""), ""
        # 128 bits: over HTTP, who knows the id may see the pictures.
        conversation = Conversation.begin(self.workspace, secrets.token_hex(16), loaded.image, source)
        with self._lock:
            self._begun = [*self._begun[1 - _LISTED :], conversation.id]
        return conversation, loaded

    def conversation(self, key: str) -> "Conversation":
        """A conversation by its whole id; raises BadParameterError where there is none."""
        known = bool(_KEY.fullmatch(key)) and bool(
            self.workspace.query("SELECT 1 FROM conversations WHERE id = ?", (key,))
        )
        if not known:
            raise BadParameterError("There is no such conversation here; open_picture or edit_image begins one.")
        return self.workspace.conversation(key)

    def find(self, address: str) -> "tuple[Conversation, str]":
        """The conversation of an address and what it names there: "image_2", "mask_1", "history".

        Raises:
            BadParameterError: there is no such thing.
        """
        match = _URI.fullmatch(address.strip())
        if match is None:
            raise BadParameterError(
                f"'{address[:60]}' is no picture of this server; its pictures have addresses like "
                f"{SCHEME}://CONVERSATION/image_1."
            )
        conversation, name = self.conversation(match.group(1)), match.group(2)
        if name.startswith("image"):
            conversation.version(name)
        elif name.startswith("mask"):
            conversation.mask_entry(name)
        return conversation, name

    def edit(self, job: Job, start: str, instruction: str, image_id: str, fixed: "EditOverrides", yes: bool) -> Answer:
        """Runs one turn of the agent.

        Args:
            job: whose steps are told.
            start: the conversation.
            instruction: what to do, in words.
            image_id: the version to go on from.
            fixed: parameters of the edit.
            yes: take the best candidate where several tie.

        Raises:
            InstructEditError: nothing was edited, and why.
        """
        from agent.events import Asked
        from agent.schemas import edit_by_words, told

        seen: list[Event] = []
        with self._working(job, start, seen) as session:
            settings = session.context.settings
            session.context.settings = replace(
                settings,
                overrides=replace(settings.overrides, **_given(fixed)),
                assume_yes=settings.assume_yes or yes,
                retries=settings.retries if fixed.encoding_ratio is None else fixed.sweeps,
            )
            try:
                record = edit_by_words(session, instruction, image_id)
            finally:
                session.context.settings = settings
        conversation = session.conversation
        data = self._names(conversation, record.image_id, record.edits[-1].mask_id if record.edits else None)
        data |= {"kind": record.kind, "reply": record.reply, "warnings": list(record.warnings)}
        if record.edits:
            data["verified"] = record.verified
        asked = [event for event in seen if isinstance(event, Asked)]
        return Answer(f"{told(record)}\n{_addresses(data)}", data, _shown(conversation, record, asked))

    def tool(self, job: Job, key: str, name: str, arguments: Mapping[str, Any]) -> Answer:
        """Runs one structured tool on a conversation; raises as `agent.schemas.call_tool`."""
        from agent.events import Segmented
        from agent.schemas import call_tool

        seen: list[Event] = []
        with self._working(job, key, seen) as session:
            conversation = session.conversation
            before = {version.id for version in conversation.versions()}
            current = conversation.current_id
            result = call_tool(session, name, arguments)
        data = self._names(conversation, conversation.current_id, result.mask_id) | {"result": result.text}
        shown = None
        found = [event for event in seen if isinstance(event, Segmented)]
        if found:
            shown = candidates_preview(conversation, found[-1].image_id, found[-1].regions, numbered=False)
        elif result.mask_id and result.image_id in before:
            shown = mask_preview(conversation, result.image_id, result.mask_id)
        elif conversation.current_id != current:
            shown = preview(conversation.image(conversation.current_id))
        return Answer(f"{result.text}\n{_addresses(data)}", data, shown)

    def opened(self, conversation: "Conversation", loaded: "LoadedImage") -> Answer:
        """What `open_picture` answers."""
        width, height = loaded.image.size
        data = self._names(conversation, conversation.current_id) | {"size": [width, height]}
        notes = "".join(f"\nNote: {note}" for note in loaded.warnings)
        text = f"{conversation.current_id}, {width} x {height} pixels.{notes}\n{_addresses(data)}"
        return Answer(text, data, preview(loaded.image))

    def show(self, address: str) -> Answer:
        """A preview of a version, or of a mask on its picture."""
        conversation, name = self.find(address)
        if name.startswith("mask"):
            entry = conversation.mask_entry(name)
            data = self._names(conversation, entry.image_id, name)
            return Answer(
                f"{name} of {entry.image_id}: '{entry.prompt}'.", data, mask_preview(conversation, entry.image_id, name)
            )
        if name == "history":
            raise BadParameterError("A history is text; read it as a resource, or call list_versions.")
        width, height = conversation.version(name).size
        data = self._names(conversation, name) | {"size": [width, height]}
        return Answer(f"{name}, {width} x {height} pixels.", data, preview(conversation.image(name)))

    def read(self, address: str) -> tuple[bytes, str]:
        """A resource whole: a version or mask as PNG, the history as JSON; its bytes and their type."""
        from agent.saving import save_version
        from instructedit_models.imaging import save_mask
        from tools.export import history

        conversation, name = self.find(address)
        if name == "history":
            return json.dumps(history(conversation), indent=1).encode(), "application/json"
        with TemporaryDirectory(prefix="instructedit-") as folder:
            path = Path(folder) / f"{name}.png"
            if name.startswith("mask"):
                save_mask(conversation.mask(name), path)
            else:
                save_version(conversation, name, path)
            return path.read_bytes(), "image/png"

    def save(self, address: str, path: str) -> Answer:
        """Writes a version below the root, as `agent.saving.save_version` does; never over a file that is there."""
        from agent.saving import save_version

        conversation, name = self.find(address)
        if not name.startswith("image"):
            raise BadParameterError("Only pictures are saved; give the address of one.")
        target = self.intake.target(path)
        notes = save_version(conversation, name, target)
        text = "\n".join([f"Saved {name} as {target}.", *(f"Note: {note}" for note in notes)])
        return Answer(text, self._names(conversation, name) | {"path": str(target)})

    def listed(self) -> list[tuple[str, str]]:
        """Address and name of every version of the conversations that this process began, newest conversation first."""
        with self._lock:
            begun = self._begun[::-1]
        found: list[tuple[str, str]] = []
        for key in begun:
            versions = self.conversation(key).versions()
            found += [(f"{SCHEME}://{key}/{one.id}", f"{one.id} of {key[:6]}") for one in versions]
        return found[:_LISTED]

    @contextmanager
    def _working(self, job: Job, key: str, seen: "list[Event]") -> "Iterator[Session]":
        """The session of a conversation, which tells its events to a job and adds them to a list."""
        session = self._session(key)

        def on_event(event: "Event") -> None:
            seen.append(event)
            if words := _words(event):
                job.step(words)
            else:
                job.check()

        session.context.emit = on_event
        try:
            yield session
        finally:
            session.context.emit = lambda event: None

    def _session(self, key: str) -> "Session":
        conversation = self.conversation(key)
        with self._lock:
            if key in self._sessions:
                self._sessions.move_to_end(key)
                return self._sessions[key]
        session = self._new_session(conversation)
        with self._lock:
            self._sessions[key] = session
            while len(self._sessions) > _OPEN_SESSIONS:
                self._sessions.popitem(last=False)
        return session

    def _names(self, conversation: "Conversation", image_id: str, mask_id: str | None = None) -> dict[str, Any]:
        base = f"{SCHEME}://{conversation.id}"
        data: dict[str, Any] = {"conversation": conversation.id, "image_id": image_id, "picture": f"{base}/{image_id}"}
        if mask_id is not None:
            data |= {"mask_id": mask_id, "mask": f"{base}/{mask_id}"}
        return data

    def _ways(self) -> str:
        path = "" if self.intake.root is None else ", or path (a file below the server's folder)"
        return f"image_base64{path}"


def _given(fixed: "EditOverrides") -> dict[str, Any]:
    names = ("encoding_ratio", "seed", "steps", "guidance_scale", "grow", "feather")
    return {name: getattr(fixed, name) for name in names if getattr(fixed, name) is not None}


def _addresses(data: Mapping[str, Any]) -> str:
    mask = f" Mask: {data['mask']}" if "mask" in data else ""
    return f"Picture: {data['picture']}{mask}"


def _shown(conversation: "Conversation", record: "TurnRecord", asked: "list[Asked]") -> Preview | None:
    """The candidates where a question is about some, the picture where it changed."""
    if record.kind == "question" and asked and asked[-1].image_id:
        return candidates_preview(conversation, asked[-1].image_id, asked[-1].regions, numbered=True)
    if record.kind in ("edit", "undo"):
        return preview(conversation.image(record.image_id))
    return None


def _words(event: "Event") -> str | None:
    """What an event says to somebody who waits; None where it says nothing new."""
    from agent.events import Called, Edited, Progressed

    if isinstance(event, Progressed):
        words = STAGES.get(event.stage, event.stage)
        return f"{words} {event.step}/{event.total}" if event.total else words
    if isinstance(event, Called):
        return f"Calling {event.tool}"
    if isinstance(event, Edited):
        return f"Made {event.image_id}"
    return None
