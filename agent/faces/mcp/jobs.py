"""Work for the models: one piece at a time, first come first served, with a bounded queue, progress and cancellation.

The MCP server submits, waits a while, and answers with the job's id where that was not enough.
"""

import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from instructedit_models.errors import BadParameterError, CancelledError, InstructEditError, UserError

__all__ = ["BusyError", "Job", "JobLimits", "Jobs", "State"]

State = Literal["waiting", "working", "done", "failed", "cancelled"]
Watcher = Callable[["Job"], None]


class BusyError(UserError):
    """Too much waits already."""

    kind = "busy"


@dataclass(frozen=True)
class JobLimits:
    """What a server takes on.

    Attributes:
        waiting: jobs that may wait.
        waiting_each: jobs of one owner that may wait.
        kept: finished jobs whose results are kept.
        seconds: how long they are kept.
    """

    waiting: int = 16
    waiting_each: int = 2
    kept: int = 64
    seconds: float = 3600.0


class Job:
    """One piece of work.

    Attributes:
        id: unguessable; whoever knows it may ask for the result.
        owner: the conversation that it works on.
        state: how far it is.
        steps: steps that were done, over all stages.
        message: what is being done, in words.
        result: what the work returned.
        error: why it failed.
    """

    def __init__(self, owner: str, work: Callable[["Job"], Any]) -> None:
        self.id = secrets.token_hex(16)
        self.owner = owner
        self.state: State = "waiting"
        self.steps = 0
        self.message = "Waiting"
        self.result: Any = None
        self.error: InstructEditError | None = None
        self.finished = 0.0
        self._work = work
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._watchers: list[Watcher] = []
        self._lock = threading.Lock()

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self._ended.is_set()

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Has a function called after each step and at the end, on the thread that works; returns what ends that."""
        with self._lock:
            self._watchers.append(watcher)

        def leave() -> None:
            with self._lock:
                if watcher in self._watchers:
                    self._watchers.remove(watcher)

        return leave

    def wait(self, seconds: float | None = None) -> bool:
        """Blocks until the end; False where that took longer."""
        return self._ended.wait(seconds)

    def step(self, message: str) -> None:
        """Says what is being done. Raises CancelledError where somebody asked to stop."""
        self.check()
        self.steps += 1
        self.message = message
        self._tell()

    def check(self) -> None:
        """Raises CancelledError where somebody asked to stop."""
        if self._stop.is_set():
            raise CancelledError("The job was cancelled; nothing was changed.")

    def _run(self) -> None:
        self.state = "working"
        try:
            self.check()
            self.result = self._work(self)
            self._end("done")
        except CancelledError as error:
            self.error = error
            self._end("cancelled")
        except InstructEditError as error:
            self.error = error
            self._end("failed")
        except Exception as error:
            self.error = InstructEditError(f"Something broke inside instructedit ({type(error).__name__}).")
            self.error.__cause__ = error
            self._end("failed")

    def _end(self, state: State) -> None:
        with self._lock:
            if self._ended.is_set():
                return
            self.state, self.finished = state, time.monotonic()
            self._ended.set()
        self._tell()

    def _tell(self) -> None:
        with self._lock:
            watchers = list(self._watchers)
        for watcher in watchers:
            watcher(self)


class Jobs:
    """The queue and its one worker, which begins with the first job."""

    def __init__(self, limits: JobLimits | None = None) -> None:
        self.limits = limits or JobLimits()
        self._known: OrderedDict[str, Job] = OrderedDict()
        self._queue: deque[Job] = deque()
        self._running: Job | None = None
        self._worker: threading.Thread | None = None
        self._closed = False
        self._changed = threading.Condition()

    def submit(self, owner: str, work: Callable[[Job], Any]) -> Job:
        """Puts work at the end of the queue.

        Args:
            owner: the conversation that it works on.
            work: is given the job, whose `step` it calls as it goes on.

        Raises:
            BusyError: too much waits already, or the server stops.
        """
        with self._changed:
            self.check_room()
            if sum(one.owner == owner for one in self._queue) >= self.limits.waiting_each:
                raise BusyError("Work on this conversation waits already; wait for it with check_job.")
            job = Job(owner, work)
            self._forget()
            self._known[job.id] = job
            self._queue.append(job)
            if self._worker is None:
                self._worker = threading.Thread(target=self._serve, name="instructedit-mcp-worker", daemon=True)
                self._worker.start()
            self._changed.notify_all()
        return job

    def check_room(self) -> None:
        """Raises BusyError where nothing more is taken on; asked before a picture is kept for a job."""
        with self._changed:
            if self._closed:
                raise BusyError("The server is stopping; try again when it is back.")
            if len(self._queue) >= self.limits.waiting:
                raise BusyError(f"{len(self._queue)} pictures wait to be edited already; try again in a minute.")

    def get(self, job_id: str) -> Job:
        """A job that waits, works or ended a while ago.

        Raises:
            BadParameterError: there is none of that id.
        """
        with self._changed:
            self._forget()
            if job_id not in self._known:
                raise BadParameterError("There is no such job; results are kept for an hour, and not over a restart.")
            return self._known[job_id]

    def ahead(self, job: Job) -> int:
        """How many jobs must end before this one begins."""
        with self._changed:
            if job not in self._queue:
                return 0
            return self._queue.index(job) + (self._running is not None)

    def cancel(self, job: Job) -> None:
        """Stops a job: at once where it waits, at its next step where it works."""
        job._stop.set()
        with self._changed:
            waited = job in self._queue
            if waited:
                self._queue.remove(job)
        if waited:
            job._run()  # which ends it, for it checks first

    def close(self, seconds: float = 5.0) -> None:
        """Cancels everything and waits a while for the worker."""
        with self._changed:
            self._closed = True
            open_jobs = [*self._queue, *([self._running] if self._running else [])]
            self._changed.notify_all()
        for job in open_jobs:
            self.cancel(job)
        if self._worker is not None:
            self._worker.join(seconds)

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._running = None
                while not self._queue and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                job = self._running = self._queue.popleft()
            job._run()

    def _forget(self) -> None:
        """Drops results that are old, or too many."""
        over = [job for job in self._known.values() if job.over]
        late = time.monotonic() - self.limits.seconds
        surplus = len(over) - self.limits.kept
        for number, job in enumerate(over):
            if number < surplus or job.finished < late:
                del self._known[job.id]
