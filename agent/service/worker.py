"""The one thread that works with the models: it takes a job, does it, tells of it, ends it, and takes the next.

`service` starts and stops it. A stop lets the running job end for a while, then puts it back into the queue.
"""

import logging
import secrets
import threading
import time
from collections.abc import Mapping
from typing import Any

from agent.service.bench import Bench
from agent.service.jobs import Job, Jobs
from instructedit_models.errors import CancelledError, InstructEditError

__all__ = ["Worker"]

_LOG = logging.getLogger("instructedit.service")
_IDLE_SECONDS = 0.5
"""How often a queue that other processes write to is looked at."""
_ALIVE_SECONDS = 5.0
_PROGRESS_SECONDS = 0.1
_LAST = ("reply", "question", "error")
"""Events that end a turn."""
_STOPPED_SECONDS = 0.25
"""How often a running job asks whether somebody wants it stopped."""


class _Cancelled(BaseException):
    """Somebody wants the job stopped. No Exception, so that nothing on the way takes it for a turn that failed."""


class _PutBack(BaseException):
    """The service stops, so the job goes back into the queue, as though it had never begun."""


class Worker:
    """Does the jobs of a queue, one at a time."""

    def __init__(self, jobs: Jobs, bench: Bench, *, alone: bool = True) -> None:
        """Takes the queue.

        Args:
            jobs: what is to be done.
            bench: how.
            alone: whether no other process works on this queue.
        """
        self.name = secrets.token_hex(4)
        self._jobs, self._bench, self._alone = jobs, bench, alone
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._give_up = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="instructedit-worker", daemon=True)
        self._alive = threading.Thread(target=self._live, name="instructedit-alive", daemon=True)
        self._leave = jobs.watchers.watch_all(self._wake.set)
        self.busy = False

    def start(self) -> None:
        """Begins to work."""
        self._thread.start()
        self._alive.start()

    @property
    def alive(self) -> bool:
        """Whether it works, or would if there were something to do."""
        return self._thread.is_alive()

    def stop(self, seconds: float) -> bool:
        """Takes no further job, lets the running one end for a while, then puts it back.

        Args:
            seconds: that the running job is given.

        Returns:
            Whether it has come to rest; not so where a model does not come back from what it does.
        """
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(seconds)
            self._give_up.set()
            self._thread.join(_ALIVE_SECONDS)
        self._ended.set()
        self._leave()
        return not self._thread.is_alive()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                job = self._next()
            except InstructEditError:
                _LOG.exception("queue failed")
                job = None
            if job is None:
                self._wake.wait(_IDLE_SECONDS)
                continue
            self.busy = True
            try:
                self._do(job)
            except Exception:
                _LOG.exception("job could not be ended", extra={"job": job.id[:8]})
            finally:
                self.busy = False

    def _next(self) -> Job | None:
        if not self._alone:
            self._jobs.take_up(self._bench.take_back, alone=False)
        return self._jobs.claim(self.name)

    def _do(self, job: Job) -> None:
        started = time.perf_counter()
        error: InstructEditError | None = None
        try:
            self._jobs.add_event(job.id, "started", {})
            result = self._bench.run(job, _Teller(self._jobs, job.id, self._give_up).tell)
            self._jobs.end(job.id, "done", result)
            state = "done"
        except _Cancelled:
            error, state = CancelledError("The job was cancelled; the picture is as it was."), "cancelled"
            self._jobs.end(job.id, "cancelled", error=error)
        except (_PutBack, Exception) as broken:
            if isinstance(broken, _PutBack) or self._give_up.is_set():  # what breaks in a stop is no fault of the job
                self._jobs.put_back(job.id)
                state = "put_back"
            else:
                error, state = self._explained(job, broken), "failed"
                self._jobs.end(job.id, "failed", error=error)
        _LOG.info(
            "job",
            extra={
                "job": job.id[:8],
                "kind": job.kind,
                "state": state,
                "error": error.kind if error else None,
                "waited": round((job.started or 0.0) - job.created, 3),
                "seconds": round(time.perf_counter() - started, 3),
            },
        )

    @staticmethod
    def _explained(job: Job, broken: Exception) -> InstructEditError:
        if isinstance(broken, InstructEditError):
            return broken
        _LOG.exception("job broke", extra={"job": job.id[:8]})
        return InstructEditError(f"Something broke inside instructedit ({type(broken).__name__}).")

    def _live(self) -> None:
        while not self._ended.wait(_ALIVE_SECONDS):
            if self.busy:
                try:
                    self._jobs.seen(self.name)
                except InstructEditError:
                    _LOG.exception("queue failed")


class _Teller:
    """Keeps what happens in one job, progress not too often; raises where the job is to stop."""

    def __init__(self, jobs: Jobs, job_id: str, give_up: threading.Event) -> None:
        self._jobs, self._job_id, self._give_up = jobs, job_id, give_up
        self._told = self._asked = 0.0
        self._stage = ""

    def tell(self, kind: str, data: Mapping[str, Any]) -> None:
        """As `bench.Tell`, but what it raises is `_Cancelled` or `_PutBack`."""
        now = time.monotonic()
        if kind in _LAST:  # the turn is kept already, and cannot be taken back
            self._jobs.add_event(self._job_id, kind, data)
            return
        if self._give_up.is_set():
            raise _PutBack
        if now - self._asked >= _STOPPED_SECONDS or kind != "progress":
            self._asked = now
            if self._jobs.stopped(self._job_id):
                raise _Cancelled
        if kind == "progress":
            first = data["stage"] != self._stage
            if not first and data["step"] != data["total"] and now - self._told < _PROGRESS_SECONDS:
                return
            self._told, self._stage = now, data["stage"]
        self._jobs.add_event(self._job_id, kind, data)
