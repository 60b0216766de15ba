"""A job as server-sent events: what has happened, then what happens, then its end."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from fastapi.concurrency import run_in_threadpool
from fastapi.sse import format_sse_event

from agent.faces.server.deps import Asking, Changed, shown
from agent.faces.server.views import event_json
from agent.service.jobs import Event, Job
from agent.service.limits import NotThereError

__all__ = ["job_events"]

_PING_SECONDS = 15.0
_POLL_SECONDS = 1.0
"""Another process may do the job, which wakes nobody here."""


async def job_events(asked: Asking, job_id: str, after: int) -> AsyncIterator[bytes]:
    """The events of a job, ready to be sent; ends with the job, or when the server stops.

    Args:
        asked: who asks.
        job_id: a job of theirs.
        after: the number of the last event that they have seen.
    """
    service = asked.service
    changed = Changed(service, job_id)
    last, queued, silent = after, None, 0.0
    try:
        while True:
            try:
                job, events, place = await run_in_threadpool(_news, asked, job_id, last)
            except NotThereError:
                return
            if place is not None and place != queued:
                queued, silent = place, 0.0
                yield _sent("queued", {"ahead": place[0], "seconds": place[1]}, last)
            for event in events:
                last, silent = event.number, 0.0
                yield _sent(event.kind, event_json(job.conversation, event.kind, event.data), last)
            if job.over:
                yield _sent("done", await run_in_threadpool(shown, asked, job), max(last, job.last))
                return
            if service.stopping.is_set():
                return
            if not await changed.wait(_POLL_SECONDS):
                silent += _POLL_SECONDS
                if silent >= _PING_SECONDS:
                    silent = 0.0
                    yield b": still here\n\n"
    finally:
        changed.leave()


def _news(asked: Asking, job_id: str, after: int) -> tuple[Job, list[Event], tuple[int, float] | None]:
    """The job, then its events: in this order, so that those of a job that is over are all there."""
    job = asked.service.job(asked.caller, job_id)
    place = asked.service.jobs.ahead(job) if job.state == "queued" else None
    return job, asked.service.jobs.events(job_id, after), place


def _sent(kind: str, data: Mapping[str, Any], number: int) -> bytes:
    return format_sse_event(data_str=json.dumps(data), event=kind, id=str(number))
