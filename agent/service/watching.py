"""Who wants to know when something happens in a job: the streams of a face, and those who wait for an end."""

from collections.abc import Callable
from threading import Lock

__all__ = ["Watchers"]

_EVERYBODY = ""


class Watchers:
    """Functions to call, by job; they are called on whatever thread something happens, and must be quick."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_job: dict[str, list[Callable[[], None]]] = {}

    def watch(self, job_id: str, call: Callable[[], None]) -> Callable[[], None]:
        """Has a function called whenever something happens in a job; returns what ends that."""
        with self._lock:
            self._by_job.setdefault(job_id, []).append(call)

        def leave() -> None:
            with self._lock:
                calls = self._by_job.get(job_id, [])
                if call in calls:
                    calls.remove(call)
                if not calls:
                    self._by_job.pop(job_id, None)

        return leave

    def watch_all(self, call: Callable[[], None]) -> Callable[[], None]:
        """The same for whatever moves the queue."""
        return self.watch(_EVERYBODY, call)

    def tell(self, job_id: str) -> None:
        """Something happened in a job."""
        with self._lock:
            calls = list(self._by_job.get(job_id, ()))
        for call in calls:
            call()

    def tell_all(self) -> None:
        """The queue moved, which concerns every job."""
        with self._lock:
            calls = [call for each in self._by_job.values() for call in each]
        for call in calls:
            call()

    @property
    def count(self) -> int:
        """How many functions would be called, for the metrics."""
        with self._lock:
            return sum(map(len, self._by_job.values()))
