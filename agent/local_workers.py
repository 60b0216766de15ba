"""Worker processes on this machine: one job each at a time, replaced when one dies, stopped together.

`agent.batch` uses it; a worker is `agent.batch_worker.JobWorker` in a process of its own.
"""

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

from agent.batch_worker import JobResult, JobWorker, Task, failed
from instructedit_models.errors import CancelledError, InstructEditError

__all__ = ["LocalWorkers"]

_SPAWN = multiprocessing.get_context("spawn")
"""A forked process would share locks and threads of libraries that do not survive it."""
_PATIENCE = 10.0


class LocalWorkers:
    """A pool of processes.

    Args:
        count: how many.
        make: makes the worker inside its process; must be picklable.
    """

    def __init__(self, count: int, make: Callable[[], JobWorker] = JobWorker) -> None:
        self._count, self._make = count, make
        self._stopping = _SPAWN.Event()

    def run(self, tasks: Iterator[Task], stopped: Callable[[], bool]) -> Iterator[JobResult]:
        """Runs tasks and yields each result as it comes.

        Args:
            tasks: read one at a time, as workers become free.
            stopped: asked often; once True, no further task is handed out and running ones stop at their next step.
        """
        workers = [_Worker(self._make, self._stopping) for _ in range(self._count)]
        waiting = _Tasks(tasks, stopped)
        try:
            for worker in workers:
                if (task := waiting.next()) is not None:
                    worker.give(task)
            while busy := [worker for worker in workers if worker.task is not None]:
                ready = wait([worker.connection for worker in busy], timeout=0.2)
                if stopped():
                    self._stopping.set()
                for worker in busy:
                    if worker.connection in ready:
                        yield worker.take()
                        if (task := waiting.next()) is not None:
                            worker.give(task)
        finally:
            self._stopping.set()
            for worker in workers:
                worker.end()


class _Tasks:
    """The tasks one by one; none after a stop."""

    def __init__(self, tasks: Iterator[Task], stopped: Callable[[], bool]) -> None:
        self._tasks, self._stopped = tasks, stopped

    def next(self) -> Task | None:
        return None if self._stopped() else next(self._tasks, None)


class _Worker:
    """One process and the pipe to it; begun when it is first given a task."""

    def __init__(self, make: Callable[[], JobWorker], stopping: Any) -> None:
        self._make, self._stopping = make, stopping
        self._process: Any = None
        self.connection: Any = None
        self.task: Task | None = None

    def give(self, task: Task) -> None:
        if self._process is None or not self._process.is_alive():
            self._begin()
        self.task = task
        try:
            self.connection.send(task)
        except (BrokenPipeError, OSError):
            pass  # `take` finds it dead and says so

    def take(self) -> JobResult:
        """The result; of a process that died, the task's failure."""
        task, self.task = self.task, None
        assert task is not None  # noqa: S101 - only workers with a task are waited for
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            self._process.join(_PATIENCE)
            code = self._process.exitcode
            how = f"killed by signal {-code}" if code is not None and code < 0 else f"exit code {code}"
            self._process = None
            error = InstructEditError(f"The worker process died ({how}); perhaps the machine ran out of memory.")
            return failed(task, error, 0.0)

    def end(self) -> None:
        if self._process is None:
            return
        try:
            self.connection.send(None)
        except (BrokenPipeError, OSError):
            pass
        self._process.join(_PATIENCE)
        if self._process.is_alive():
            self._process.terminate()

    def _begin(self) -> None:
        self.connection, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_work, args=(theirs, self._make, self._stopping), daemon=True)
        self._process.start()
        theirs.close()


def _work(connection: Connection, make: Callable[[], JobWorker], stopping: Any) -> None:
    """The life of a worker process."""
    # Ctrl-C reaches the whole group; what becomes of the work is the parent's to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def check() -> None:
        if stopping.is_set():
            raise CancelledError("Stopped.")

    worker = make()
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        if task is None:
            return
        connection.send(worker.run(task, check))
