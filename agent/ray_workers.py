"""Workers on a Ray cluster: actors that keep their models; pictures and results travel as bytes.

`agent.batch` uses it for `--ray ADDRESS`. Ray is an extra (`pip install 'instructedit[ray]'`), imported when needed.
"""

import socket
from collections.abc import Callable, Iterator
from typing import Any

from agent.batch_worker import JobResult, JobWorker, Task, failed
from instructedit_models.errors import BadParameterError, InstructEditError, ModelUnavailableError

__all__ = ["RayWorkers"]

_PATIENCE = 10.0


class RayWorkers:
    """Actors on an existing cluster.

    Args:
        address: of the cluster, "auto", "ray://host:10001" …, or "local" for one that lives as long as the run.
        count: actors; each takes as many CPUs as its models use threads.
        threads: CPU threads per actor.
        make: makes the worker inside its actor; must be picklable.

    Raises:
        ModelUnavailableError: ray is not installed.
    """

    def __init__(self, address: str, count: int, threads: int, make: Callable[[], JobWorker] = JobWorker) -> None:
        try:
            import ray
        except ImportError as error:
            raise ModelUnavailableError("Ray is not installed; run `pip install 'instructedit[ray]'`.") from error
        self._ray: Any = ray
        self._address, self._count, self._threads, self._make = address, count, threads, make

    def run(self, tasks: Iterator[Task], stopped: Callable[[], bool]) -> Iterator[JobResult]:
        """As `LocalWorkers.run`; a job that is running when the run is stopped is given up.

        Raises:
            BadParameterError: there is no cluster at the address.
        """
        ray = self._ray
        begun = not ray.is_initialized()
        if begun:
            _require_reachable(self._address)
            try:
                ray.init(address=self._address, log_to_driver=False, logging_level="ERROR")
            except (ConnectionError, ValueError, RuntimeError) as error:
                words = " ".join(str(error).split())[:160]
                raise BadParameterError(f"There is no Ray cluster at {self._address!r} ({words}).") from error
        actors: list[Any] = []
        try:
            actor = ray.remote(num_cpus=self._threads, max_restarts=-1, max_task_retries=0)(_Actor)
            actors = [actor.remote(self._make) for _ in range(self._count)]
            yield from self._run(actors, tasks, stopped)
        finally:
            for one in actors:
                ray.kill(one)
            if begun:
                ray.shutdown()

    def _run(self, actors: list[Any], tasks: Iterator[Task], stopped: Callable[[], bool]) -> Iterator[JobResult]:
        ray = self._ray
        running: dict[Any, tuple[Any, Task]] = {}

        def give(actor: Any) -> None:
            task = None if stopped() else next(tasks, None)
            if task is not None:
                running[actor.run.remote(task)] = (actor, task)

        for actor in actors:
            give(actor)
        while running and not stopped():
            ready, _ = ray.wait(list(running), num_returns=1, timeout=0.5)
            for reference in ready:
                actor, task = running.pop(reference)
                try:
                    yield ray.get(reference)
                except Exception as error:  # ray's own errors: the actor died, the node is gone
                    words = " ".join(str(error).split())[:160]
                    yield failed(task, InstructEditError(f"The Ray worker failed ({words})."), 0.0)
                give(actor)


def _require_reachable(address: str) -> None:
    """Raises BadParameterError where nothing answers at host:port; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise BadParameterError(f"There is no Ray cluster at {address!r} ({error}).") from error


class _Actor:
    """A `JobWorker` as an actor."""

    def __init__(self, make: Callable[[], JobWorker]) -> None:
        self._worker = make()

    def run(self, task: Task) -> JobResult:
        return self._worker.run(task)
