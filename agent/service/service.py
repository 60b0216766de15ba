"""What a face holds: conversations of many people, their jobs, and the worker that does them.

    with Service(Workspace(folder), new_session) as service:
        conversation = service.begin(Caller("ip:127.0.0.1"), data, "photo.jpg")
        job = service.submit(Caller(...), "message", {"text": "make the cup green"}, conversation.id)

Nothing here knows HTTP; a restart over the same folder goes on where the last one stopped.
"""

import fcntl
import logging
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from agent.service.bench import Bench, NewSession
from agent.service.database import Database
from agent.service.jobs import Job, Jobs, Kind, NewJob
from agent.service.keys import Keys
from agent.service.limits import BusyError, NotThereError, ServiceLimits, StoppingError
from agent.service.oneshot import INPUT, MASK
from agent.service.rates import RateLimiter
from agent.service.shelf import Shelf
from agent.service.watching import Watchers
from agent.service.worker import Worker
from instructedit_models.errors import BadParameterError, CancelledError, WorkspaceError
from tools.conversation import Conversation
from tools.maintenance import collect
from tools.workspace import Workspace

__all__ = ["Caller", "Service"]

_LOG = logging.getLogger("instructedit.service")
_STEPS = {"undo": "Undo.", "redo": "Redo."}
_TIDY_SECONDS = 600.0
_NO_CLICKS = (
    "The SAM of this model set was trained on boxes alone and does not understand clicks; paint the mask instead."
)


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        client: by whom turns are taken in the queue and requests are counted.
        owner: to whom conversations belong; "" where ids alone protect them.
    """

    client: str
    owner: str = ""


class Service:
    """Everything of one server; close it, or use it in a `with` statement."""

    def __init__(
        self,
        workspace: Workspace,
        new_session: NewSession,
        limits: ServiceLimits | None = None,
        *,
        names: tuple[str, str] = ("", ""),
        clicks: bool = True,
        alone: bool = True,
        work: bool = True,
    ) -> None:
        """Opens the service's files beside a workspace, takes up what waits there, and begins to work.

        Args:
            workspace: where conversations are kept.
            new_session: makes a session; the models are loaded when they are first used.
            limits: what is taken on.
            names: of the model set and of the language model, to be told and kept in bundles.
            clicks: whether the model set's SAM can be asked with clicks.
            alone: no other process serves this workspace; otherwise all that do must say False (replicas).
            work: begin the worker; tests do without.

        Raises:
            WorkspaceError: another process serves this workspace.
        """
        self.workspace = workspace
        self.limits = limits or ServiceLimits()
        self.models, self.llm = names
        self.clicks = clicks
        self._lock_file = (workspace.directory / "service.lock").open("a")
        _lock(self._lock_file, workspace, alone)
        self.database = Database(workspace.directory)
        self.watchers = Watchers()
        self.jobs = Jobs(self.database, self.limits, self.watchers)
        self.shelf = Shelf(workspace, self.database, self.limits)
        self.keys = Keys(self.database, self.limits.kept_seconds)
        self.rates = RateLimiter(self.limits.requests_a_minute)
        self.bench = Bench(self.shelf, self.jobs, new_session, self.limits)
        self.stopping = threading.Event()
        if alone:
            self.keys.release_unsettled()
            again = self.jobs.take_up(self.bench.take_back, alone=True)
            self._drop_unheard()
            self.shelf.tidy()
            if again:
                _LOG.info("took up jobs", extra={"jobs": len(again)})
        self.worker = Worker(self.jobs, self.bench, alone=alone)
        self._tidier = threading.Thread(target=self._tidy_often, name="instructedit-tidy", daemon=True)
        if work:
            self.worker.start()
            self._tidier.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self, seconds: float = 30.0) -> None:
        """Takes nothing more on, lets the running job end for a while, puts it back otherwise, and closes the files."""
        self.stopping.set()
        at_rest = self.worker.stop(seconds)
        if self._tidier.is_alive():
            self._tidier.join(5.0)
        if at_rest:  # otherwise the job counts as died when the service is opened again
            self.database.close()
        self._lock_file.close()

    def begin(self, caller: Caller, data: bytes, name: str) -> Conversation:
        """Begins a conversation about a picture; raises as `Shelf.begin`, and StoppingError."""
        self._check_open()
        return self.shelf.begin(caller.owner, data, name)

    def conversation(self, caller: Caller, key: str) -> Conversation:
        """A conversation of the caller's; raises NotThereError."""
        return self.shelf.conversation(key, caller.owner)

    def delete(self, caller: Caller, key: str) -> None:
        """Takes a conversation away with its versions, files and jobs; what runs is stopped first."""
        self.shelf.held(key, caller.owner)
        running = [self.jobs.stop(job.id) for job in self.jobs.open_of(key)]
        until = time.monotonic() + 10.0
        while any(not self.jobs.get(job.id).over for job in running) and time.monotonic() < until:
            time.sleep(0.02)
        self.shelf.delete(key)
        self.bench.forget(key)
        self.watchers.tell_all()

    def submit(self, caller: Caller, kind: Kind, payload: Mapping[str, Any], conversation: str | None = None) -> Job:
        """Asks for work on a conversation.

        Raises:
            NotThereError: there is no such conversation of the caller's.
            BadParameterError: it needs clicks, which the models do not understand.
            TooManyError: too much waits already.
            StoppingError: the service is going down.
        """
        self._check_open()
        if kind == "refine" and not self.clicks:
            raise BadParameterError(_NO_CLICKS)
        if conversation is not None:
            self.shelf.held(conversation, caller.owner)
        return self.jobs.submit(NewJob(caller.client, caller.owner, kind, payload, conversation))

    def submit_once(self, caller: Caller, payload: Mapping[str, Any], picture: bytes, mask: Any = None) -> Job:
        """Asks for one edit of a picture that is not kept; see `oneshot.edit_once` for the payload.

        Args:
            caller: who asks.
            payload: what to do.
            picture: the file.
            mask: (H, W) bool, or None.
        """
        self._check_open()
        new = NewJob(caller.client, caller.owner, "image_edit", payload)
        folder = self.shelf.folder / new.id

        def write() -> None:
            from instructedit_models.imaging import save_mask

            folder.mkdir()
            (folder / INPUT).write_bytes(picture)
            if mask is not None:
                save_mask(mask, folder / MASK)

        try:
            return self.jobs.submit(new, room=write)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def results(self, job: Job) -> list[bytes]:
        """The files that a one-shot edit made, which are gone after `drop_results`."""
        folder = self.shelf.folder / job.id
        return [(folder / name).read_bytes() for name in (job.result or {}).get("files", ())]

    def drop_results(self, job: Job) -> None:
        """Takes away the files of a one-shot edit."""
        if job.conversation is None:
            shutil.rmtree(self.shelf.folder / job.id, ignore_errors=True)

    def job(self, caller: Caller, job_id: str) -> Job:
        """A job of the caller's; raises NotThereError."""
        job = self.jobs.get(job_id)
        if job.owner != caller.owner:
            raise NotThereError("There is no such job; ended ones are kept for a day.")
        return job

    def cancel(self, caller: Caller, job_id: str) -> Job:
        """Stops a job of the caller's."""
        return self.jobs.stop(self.job(caller, job_id).id)

    def undo(self, caller: Caller, key: str, name: str, steps: int) -> None:
        """Undoes or redoes edits at once.

        Args:
            caller: who asks.
            key: the conversation.
            name: "undo" or "redo".
            steps: how many.

        Raises:
            BusyError: a job of the conversation is open.
            BadParameterError: there are not so many.
        """
        text = _STEPS[name] if steps == 1 else f"{_STEPS[name][:-1]} {steps} edits."
        self._act(caller, key, text, name, {"steps": steps})

    def go(self, caller: Caller, key: str, image_id: str) -> None:
        """Makes a version current at once; raises as `undo`."""
        self.conversation(caller, key).version(image_id)
        self._act(caller, key, f"Go to {image_id}.", "go_back", {"version": image_id})

    def idle(self, key: str) -> None:
        """Raises BusyError where a job of the conversation waits or runs."""
        if self.jobs.open_of(key):
            raise BusyError("Work on this conversation is waiting or running; wait for it, or cancel it.")

    def watch(self, job_id: str, call: Callable[[], None]) -> Callable[[], None]:
        """Has a function called whenever something happens in a job; returns what ends that."""
        return self.watchers.watch(job_id, call)

    def _act(self, caller: Caller, key: str, text: str, tool: str, arguments: Mapping[str, Any]) -> None:
        self._check_open()
        conversation = self.conversation(caller, key)
        self.idle(key)
        self.bench.act(conversation, text, tool, arguments)

    def _check_open(self) -> None:
        if self.stopping.is_set():
            raise StoppingError("The server is stopping; try again in a moment.")

    def _drop_unheard(self) -> None:
        """Ends one-shot edits whose clients went with the process that they waited in."""
        rows = self.database.query("SELECT id FROM jobs WHERE kind = 'image_edit' AND state = 'queued'")
        for row in rows:
            words = "The server was started again and the connection is gone; send the request again."
            self.jobs.end(row["id"], "cancelled", error=CancelledError(words))

    def _tidy_often(self) -> None:
        while not self.stopping.wait(_TIDY_SECONDS):
            try:
                for job_id in self.jobs.forget_old():
                    shutil.rmtree(self.shelf.folder / job_id, ignore_errors=True)
                collect(self.workspace)
            except (WorkspaceError, OSError):
                _LOG.exception("tidying failed")


def _lock(file: Any, workspace: Workspace, alone: bool) -> None:
    """Makes sure that one process alone serves a workspace, or that all that do know of each other."""
    try:
        fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise WorkspaceError(
            f"Another process serves the workspace {workspace.directory}; stop it, or choose another --workspace."
        ) from None
