"""The tools that MCP clients see: one that does it all, the structured ones, and those for pictures and jobs.

`server` lists them and begins calls; each ends at once with an answer, or goes on as a job.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field

from agent.faces.mcp.desk import SCHEME, Answer, Desk
from agent.faces.mcp.jobs import Job, Jobs
from agent.schemas import EDIT_DESCRIPTION, EDIT_NAME, checked, plain
from instructedit_models.errors import BadParameterError
from prompts import tool_description
from tools.base import Arguments
from tools.registry import TOOLS

__all__ = ["INSTRUCTIONS", "WAIT_SECONDS", "Begun", "Offer", "Offers"]

WAIT_SECONDS = 40.0
"""How long a call waits before it answers with a job's id; clients give up near 60 seconds."""
LONGEST_WAIT = 50.0
INSTRUCTIONS = (
    "Edits pictures by instruction and changes nothing but what was asked for. edit_image does it all: give it a "
    "picture and an instruction in plain words, and go on with the address of the picture that it answers with. "
    "The other tools are its parts, for when you want to decide yourself what is masked and how it is edited; they "
    "need the conversation id that open_picture or edit_image gives. Answers hold a small preview; resources/read "
    "gives the whole picture. A long edit answers with a job id: call check_job with it."
)
_RENAMED = {"edit_image": "edit_inside_mask"}
_LOOKING = {"describe_image", "ask_image", "list_versions"}
_WAIT = Field(
    default=WAIT_SECONDS,
    ge=0,
    le=LONGEST_WAIT,
    description=f"Seconds to wait for the result before a job id is answered, at most {LONGEST_WAIT:g}.",
)


class _OpenArguments(Arguments):
    image_base64: str | None = Field(
        default=None, description="The picture's file (PNG, JPEG, WebP …) as base64, plain or as a data: URI."
    )
    path: str | None = Field(default=None, description="A picture's file below the folder that this server was given.")


class _EditArguments(_OpenArguments):
    instruction: str = Field(
        description="What to change, in plain words: 'make the car on the left blue', 'a bit stronger', 'undo'; or "
        "the answer to a question that was asked."
    )
    picture: str | None = Field(
        default=None, description=f"The address of a picture that this server gave: {SCHEME}://…/image_2."
    )
    take_best: bool = Field(default=False, description="Take the best candidate where several fit, instead of asking.")
    encoding_ratio: float | None = Field(
        default=None, description="Strength above 0 and at most 1; leave out unless asked for."
    )
    seed: int | None = Field(default=None, description="Another number gives another result; leave out otherwise.")
    wait_seconds: float = _WAIT


class _ViewArguments(Arguments):
    picture: str = Field(description=f"The address of a picture or mask: {SCHEME}://…/image_2, {SCHEME}://…/mask_1.")


class _SaveArguments(_ViewArguments):
    path: str = Field(description="A new file below the folder that this server was given, e.g. edited.png.")


class _JobArguments(Arguments):
    job: str = Field(description="The job id that a call answered with.")


class _CheckArguments(_JobArguments):
    wait_seconds: float = _WAIT


@dataclass(frozen=True)
class Offer:
    """A tool as the protocol lists it.

    Attributes:
        name: what is called.
        title: what people read.
        description: what the assistant reads.
        schema: JSON schema of the arguments.
        begin: checks the arguments and begins; `Begun.over` where that was all.
        reads_only: whether it makes nothing new.
    """

    name: str
    title: str
    description: str
    schema: dict[str, Any]
    begin: Callable[[Mapping[str, Any]], "Begun"]
    reads_only: bool = False


@dataclass(frozen=True)
class Begun:
    """A call that has begun.

    Attributes:
        over: its answer, where it is done already.
        job: the work that goes on, otherwise.
        wait_seconds: how long to wait for it.
    """

    over: Answer | None = None
    job: Job | None = None
    wait_seconds: float = 0.0


class Offers:
    """All tools over one desk and one queue."""

    def __init__(self, desk: Desk, jobs: Jobs) -> None:
        self._desk, self._jobs = desk, jobs
        made = [
            self._offer(EDIT_NAME, "Edit a picture", EDIT_DESCRIPTION, _EditArguments, self._edit),
            self._offer(
                "open_picture",
                "Open a picture",
                "Takes a picture in and begins a conversation about it, without editing; answers with the "
                "conversation id that the other tools need.",
                _OpenArguments,
                self._open,
            ),
            *(self._structured(name) for name in TOOLS),
            self._offer(
                "view_picture",
                "Look at a picture",
                "Shows a small preview of a version or of a mask by its address.",
                _ViewArguments,
                self._view,
                reads_only=True,
            ),
            self._offer(
                "check_job",
                "Wait for a job",
                "Waits for an edit that takes long, and answers with its result or with how far it is.",
                _CheckArguments,
                self._check,
                reads_only=True,
            ),
            self._offer(
                "cancel_job", "Cancel a job", "Stops an edit; nothing is changed.", _JobArguments, self._cancel
            ),
        ]
        if desk.intake.root is not None:
            made.append(
                self._offer(
                    "save_picture",
                    "Save a picture",
                    f"Writes a version whole to a new file below {desk.intake.root}; never over another file.",
                    _SaveArguments,
                    self._save,
                )
            )
        self.by_name = {offer.name: offer for offer in made}

    def begin(self, name: str, arguments: Mapping[str, Any]) -> Begun:
        """Begins a call; may read a picture, so it is called on a thread.

        Raises:
            InstructEditError: there is no such tool, or it cannot be called so.
        """
        offer = self.by_name.get(name)
        if offer is None:
            raise BadParameterError(f"There is no tool '{name[:40]}'; the tools are {', '.join(self.by_name)}.")
        return offer.begin(arguments)

    def _offer(
        self,
        name: str,
        title: str,
        description: str,
        model: type[BaseModel],
        begin: Callable[[Any], Begun],
        reads_only: bool = False,
    ) -> Offer:
        schema = plain(model.model_json_schema()) | {"additionalProperties": False}
        if self._desk.intake.root is None:
            schema["properties"].pop("path", None)
        return Offer(
            name, title, description, schema, lambda arguments: begin(checked(model, name, arguments)), reads_only
        )

    def _structured(self, name: str) -> Offer:
        """A tool of the registry, with the conversation that it works on among its arguments."""
        schema = plain(TOOLS[name].arguments.model_json_schema())
        more = {"conversation": {"type": "string", "description": "The conversation id."}}
        wait = plain(_CheckArguments.model_json_schema())["properties"]["wait_seconds"]
        schema |= {
            "properties": more | schema["properties"] | {"wait_seconds": wait},
            "required": ["conversation", *schema.get("required", ())],
            "additionalProperties": False,
        }
        shown = _RENAMED.get(name, name)

        def begin(arguments: Mapping[str, Any]) -> Begun:
            given = dict(arguments)
            wait = checked(_Waiting, shown, {k: given.pop(k) for k in tuple(given) if k in _Waiting.model_fields})
            checked(TOOLS[name].arguments, shown, given)
            key = self._desk.conversation(wait.conversation).id
            job = self._jobs.submit(key, lambda job: self._desk.tool(job, key, name, given))
            return Begun(job=job, wait_seconds=wait.wait_seconds)

        title = shown.replace("_", " ").capitalize()
        return Offer(shown, title, tool_description(name), schema, begin, name in _LOOKING)

    def _edit(self, given: _EditArguments) -> Begun:
        from tools.context import EditOverrides

        desk = self._desk
        ways = [given.picture, given.image_base64, given.path]
        if sum(way is not None for way in ways) != 1:
            raise BadParameterError("Give one picture: its address as picture, or the picture itself as image_base64.")
        fixed = EditOverrides(encoding_ratio=given.encoding_ratio, seed=given.seed)
        self._jobs.check_room()
        if given.picture is not None:
            conversation, image_id = desk.find(given.picture)
            if not image_id.startswith("image"):
                raise BadParameterError("Only pictures are edited; give the address of one.")
        else:
            conversation, _ = desk.start(given.image_base64, given.path)
            image_id = conversation.current_id
        key = conversation.id
        job = self._jobs.submit(
            key, lambda job: desk.edit(job, key, given.instruction, image_id, fixed, given.take_best)
        )
        return Begun(job=job, wait_seconds=given.wait_seconds)

    def _open(self, given: _OpenArguments) -> Begun:
        return Begun(self._desk.opened(*self._desk.start(given.image_base64, given.path)))

    def _view(self, given: _ViewArguments) -> Begun:
        return Begun(self._desk.show(given.picture))

    def _save(self, given: _SaveArguments) -> Begun:
        return Begun(self._desk.save(given.picture, given.path))

    def _check(self, given: _CheckArguments) -> Begun:
        return Begun(job=self._jobs.get(given.job), wait_seconds=given.wait_seconds)

    def _cancel(self, given: _JobArguments) -> Begun:
        job = self._jobs.get(given.job)
        was_over = job.over
        self._jobs.cancel(job)
        text = f"It was {job.state} already." if was_over else "It stops; nothing is changed."
        return Begun(Answer(text, {"job": job.id, "state": job.state}))


class _Waiting(Arguments):
    conversation: str
    wait_seconds: float = _WAIT
