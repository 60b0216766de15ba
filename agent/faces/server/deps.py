"""What routes are given: the service, who asks, and an answer that is made once per idempotency key."""

import asyncio
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from agent.faces.server.errors import Refusal
from agent.faces.server.views import job_json
from agent.service.jobs import Job
from agent.service.limits import NotThereError
from agent.service.service import Caller, Service

__all__ = ["Asking", "Changed", "Claim", "Key", "Wait", "asking", "ended", "job_answer", "once", "shown"]

_KEY = re.compile(r"[\x21-\x7e]{1,128}")
_POLL_SECONDS = 0.5
LONGEST_WAIT = 30.0
Wait = Annotated[
    float,
    Query(ge=0, le=LONGEST_WAIT, allow_inf_nan=False, description="Seconds to wait for the job before answering."),
]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="1 to 128 visible characters; the same request with the same key makes one thing.",
    ),
]


class Asking:
    """A request with the service that it goes to and who asks."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.service: Service = request.app.state.service
        self.caller: Caller = request.state.caller


Asked = Annotated[Asking, Depends(Asking)]
asking = Asked


def once(asked: Asking, key: str | None, said: bytes, make: Callable[[], tuple[int, Mapping[str, Any]]]) -> Response:
    """Answers with what `make` gives; under a key, with what it gave the first time. Blocks.

    Args:
        asked: the request.
        key: its Idempotency-Key.
        said: all that the request says beside its method and address.
        make: does what is asked and returns a status and the answer.
    """
    if key is None:
        return _json(*make())
    claim = Claim(asked, key, said)
    if claim.known is not None:
        return claim.known
    try:
        status, answer = make()
    except BaseException:
        claim.release()
        raise
    return claim.settle(status, json.dumps(answer))


class Claim:
    """An idempotency key taken for a request. Blocks, but never for long.

    Attributes:
        known: what was answered under the key before; None where this is the first request with it.
    """

    def __init__(self, asked: Asking, key: str, said: bytes) -> None:
        if not _KEY.fullmatch(key):
            raise Refusal(
                422, "bad_request", "An Idempotency-Key has 1 to 128 visible characters.", param="Idempotency-Key"
            )
        url = asked.request.url
        words = f"{asked.request.method} {url.path}?{url.query}\n".encode()
        fingerprint = hashlib.sha256(words + hashlib.sha256(said).digest()).hexdigest()
        self._keys, self._key = asked.service.keys, key
        self._client = asked.caller.owner or asked.caller.client
        known = self._keys.claim(self._client, key, fingerprint)
        self.known: Response | None = None
        if known is not None:
            self.known = Response(known[1], known[0], {"Idempotent-Replayed": "true"}, "application/json")

    def settle(self, status: int, text: str) -> Response:
        """Keeps the answer and gives it."""
        self._keys.settle(self._client, self._key, status, text)
        return Response(text, status, media_type="application/json")

    def release(self) -> None:
        """Gives the key back: nothing was made."""
        self._keys.release(self._client, self._key)


async def ended(service: Service, job: Job, seconds: float) -> Job:
    """The job once it is over, or as it stands after so many seconds."""
    until = asyncio.get_running_loop().time() + seconds
    changed = Changed(service, job.id)
    try:
        while not job.over and not service.stopping.is_set():
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                break
            await changed.wait(min(left, _POLL_SECONDS))
            job = await run_in_threadpool(service.jobs.get, job.id)
    finally:
        changed.leave()
    return job


async def job_answer(asked: Asking, job: Job, wait: float) -> JSONResponse:
    """A job that was just asked for: 200 where it is over within a wait that was asked for, 202 otherwise."""
    job = await ended(asked.service, job, wait)
    return JSONResponse(await run_in_threadpool(shown, asked, job), 200 if job.over and wait > 0 else 202)


def shown(asked: Asking, job: Job) -> dict[str, Any]:
    """A job with its result in full, where its conversation is still there. Blocks."""
    conversation = None
    if job.conversation is not None:
        try:
            conversation = asked.service.conversation(asked.caller, job.conversation)
        except NotThereError:
            conversation = None
    return job_json(asked.service, job, conversation)


class Changed:
    """Something happened in a job: an event of asyncio that the worker's thread sets."""

    def __init__(self, service: Service, job_id: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self.leave = service.watch(job_id, self._set)

    def _set(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._event.set)
        except RuntimeError:  # the loop has been closed; nobody waits any more
            return

    async def wait(self, seconds: float) -> bool:
        """Waits until something happens, for so many seconds at most; False where nothing did."""
        try:
            await asyncio.wait_for(self._event.wait(), seconds)
        except TimeoutError:
            return False
        self._event.clear()
        return True


def _json(status: int, answer: Mapping[str, Any]) -> JSONResponse:
    return JSONResponse(dict(answer), status)
