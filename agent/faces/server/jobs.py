"""Routes of jobs: how one stands, what happens in it, and stopping it."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, StreamingResponse

from agent.faces.server.deps import Wait, asking, job_answer, shown
from agent.faces.server.errors import ERRORS
from agent.faces.server.shapes import JobAnswer
from agent.faces.server.stream import job_events

__all__ = ["router"]

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=ERRORS)
_TEXT = {"type": "string"}
_EVENT = {"type": "object", "properties": {"event": _TEXT, "data": _TEXT, "id": _TEXT}}
_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {"schema": _EVENT}}}}


@router.get("/{job}", response_model=JobAnswer, summary="Show a job")
async def show(asked: asking, job: str, wait: Wait = 0.0) -> Response:
    """As it stands, with what it made once it is over."""
    found = await run_in_threadpool(asked.service.job, asked.caller, job)
    answer = await job_answer(asked, found, wait)
    answer.status_code = 200
    return answer


@router.delete("/{job}", status_code=202, response_model=JobAnswer, summary="Stop a job")
def cancel(asked: asking, job: str) -> Response:
    """At once where it waits, at its next step where it runs; the picture stays as it was."""
    return JSONResponse(shown(asked, asked.service.cancel(asked.caller, job)), 202)


@router.get("/{job}/events", response_class=StreamingResponse, responses=_STREAM, summary="Listen to a job")
async def events(
    asked: asking,
    job: str,
    after: Annotated[int | None, Query(ge=0, le=10**9, description="The last event that was seen.")] = None,
    last: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
) -> Response:
    """Server-sent events: all that has happened, then what happens, then `done`."""
    await run_in_threadpool(asked.service.job, asked.caller, job)
    seen = int(last) if last and last.isascii() and last.isdecimal() and len(last) < 10 else after or 0
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(job_events(asked, job, seen), media_type="text/event-stream", headers=headers)
