"""What Prometheus reads under /metrics: requests, the queue, conversations, and the process itself."""

from collections.abc import Iterator
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily

from agent.service.service import Service

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0)


class Metrics:
    """The figures of one application; two in one process do not mix."""

    def __init__(self, service: Service) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "instructedit_requests", "Requests.", ("method", "route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "instructedit_request_seconds", "Seconds to answer.", ("route",), buckets=_SECONDS, registry=self._registry
        )
        self._registry.register(_ServiceCollector(service))

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts a request."""
        named = method if method in ("GET", "POST", "DELETE", "HEAD", "OPTIONS") else "other"
        self._requests.labels(named, route, str(status or 499)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """All figures, as Prometheus reads them."""
        return generate_latest(self._registry)


class _ServiceCollector:
    """What the service knows at the moment it is asked."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Any]:
        """The figures."""
        jobs = GaugeMetricFamily("instructedit_jobs", "Jobs of the last day by state.", labels=["state"])
        counts = self._service.jobs.counts()
        for state in ("queued", "running", "done", "failed", "cancelled"):
            jobs.add_metric([state], counts.get(state, 0))
        yield jobs
        for name, words, value in (
            ("instructedit_conversations", "Conversations that are kept.", self._service.shelf.count()),
            ("instructedit_wait_seconds", "Seconds that a new job would wait.", self._service.jobs.wait_for_new()),
            ("instructedit_watchers", "Streams of events that are open.", self._service.watchers.count),
            ("instructedit_worker_alive", "1 while the worker lives.", int(self._service.worker.alive)),
        ):
            yield GaugeMetricFamily(name, words, value=value)
