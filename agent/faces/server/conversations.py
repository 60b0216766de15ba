"""Routes of conversations: begin, show, delete; say something, adjust, go about in the history."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from agent.faces.server.archive import zipped
from agent.faces.server.deps import Asking, Key, Wait, asking, job_answer, once
from agent.faces.server.errors import ERRORS
from agent.faces.server.examples import example_picture
from agent.faces.server.shapes import Adjust, ConversationAnswer, FromExample, Go, JobAnswer, Message, Steps
from agent.faces.server.uploads import Upload, body_schema, is_json, read_json, read_upload
from agent.faces.server.views import conversation_json
from agent.service.jobs import Kind

__all__ = ["router", "submit"]

router = APIRouter(prefix="/v1/conversations", tags=["conversations"], responses=ERRORS)
_JOB: dict[str, Any] = {
    "status_code": 202,
    "response_model": JobAnswer,
    "responses": {200: {"model": JobAnswer, "description": "The job, over within the wait."}},
}


@router.post(
    "",
    status_code=201,
    response_model=ConversationAnswer,
    openapi_extra=body_schema("image", FromExample),
    summary="Begin a conversation about a picture",
)
async def begin(asked: asking, request: Request, key: Key = None) -> Response:
    """Takes a picture as a form, as it is, or by the name of an example."""
    if is_json(request):
        wanted: FromExample = await read_json(request, FromExample)
        data, name = example_picture(wanted.example)
        upload = Upload(data, name)
    else:
        upload = await read_upload(request, "image")

    def make() -> tuple[int, dict[str, Any]]:
        conversation = asked.service.begin(asked.caller, upload.data, upload.name)
        return 201, conversation_json(asked.service, asked.caller, conversation.id)

    return await run_in_threadpool(once, asked, key, upload.data + upload.name.encode(), make)


@router.get("/{conversation}", response_model=ConversationAnswer, summary="Show a conversation")
def show(asked: asking, conversation: str) -> Response:
    """All versions, turns, the open question and the open jobs."""
    return JSONResponse(conversation_json(asked.service, asked.caller, conversation))


@router.delete("/{conversation}", status_code=204, response_class=Response, summary="Delete a conversation")
def delete(asked: asking, conversation: str) -> Response:
    """Its rows, its files, its jobs; what runs is stopped first."""
    asked.service.delete(asked.caller, conversation)
    return Response(status_code=204)


@router.post("/{conversation}/messages", summary="Say something", **_JOB)
async def say(asked: asking, conversation: str, message: Message, wait: Wait = 0.0, key: Key = None) -> Response:
    """An instruction, a question, or the answer to one; done by the agent as a job."""
    payload = message.model_dump(exclude_none=True)
    if message.answer is not None:
        payload["text"] = str(payload.pop("answer"))
    return await submit(asked, conversation, "message", payload, wait, key)


@router.post("/{conversation}/adjust", summary="Make an edit again, differently", **_JOB)
async def adjust(asked: asking, conversation: str, change: Adjust, wait: Wait = 0.0, key: Key = None) -> Response:
    """With another strength, caption or seed; costs denoising alone."""
    return await submit(asked, conversation, "adjust", change.model_dump(exclude_none=True), wait, key)


@router.post("/{conversation}/undo", response_model=ConversationAnswer, summary="Undo edits")
def undo(asked: asking, conversation: str, steps: Annotated[Steps | None, Body()] = None, key: Key = None) -> Response:
    """Makes the version before the last edits current, at once."""
    return _moved(asked, conversation, "undo", steps or Steps(), key)


@router.post("/{conversation}/redo", response_model=ConversationAnswer, summary="Redo edits")
def redo(asked: asking, conversation: str, steps: Annotated[Steps | None, Body()] = None, key: Key = None) -> Response:
    """Takes undone edits up again, at once."""
    return _moved(asked, conversation, "redo", steps or Steps(), key)


@router.post("/{conversation}/go", response_model=ConversationAnswer, summary="Go to a version")
def go(asked: asking, conversation: str, where: Go, key: Key = None) -> Response:
    """Makes any version current, at once; the next edit begins a branch there."""

    def make() -> tuple[int, dict[str, Any]]:
        asked.service.go(asked.caller, conversation, where.image_id)
        return 200, conversation_json(asked.service, asked.caller, conversation)

    return once(asked, key, where.image_id.encode(), make)


@router.get(
    "/{conversation}/bundle",
    response_class=Response,
    responses={200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}},
    summary="Take everything along",
)
def bundle(asked: asking, conversation: str) -> Response:
    """Versions, masks, history and what `instructedit replay` reads, as a ZIP file."""
    found = asked.service.conversation(asked.caller, conversation)
    asked.service.idle(conversation)
    held = asked.service.shelf.held(conversation, asked.caller.owner)
    data = zipped(asked.service, found, held)
    headers = {"Content-Disposition": f'attachment; filename="instructedit-{conversation[:6]}.zip"'}
    return Response(data, media_type="application/zip", headers=headers | {"Cache-Control": "no-store"})


async def submit(
    asked: Asking, conversation: str, kind: Kind, payload: dict[str, Any], wait: float, key: str | None
) -> Response:
    """Asks for work on a conversation and answers with the job."""

    def make() -> tuple[int, dict[str, Any]]:
        found = asked.service.conversation(asked.caller, conversation)
        _check_names(asked, found, payload)
        job = asked.service.submit(asked.caller, kind, payload, conversation)
        return 202, {"job": job.id}

    answer = await run_in_threadpool(once, asked, key, json.dumps(payload, sort_keys=True).encode(), make)
    job = await run_in_threadpool(asked.service.job, asked.caller, json.loads(bytes(answer.body))["job"])
    shown = await job_answer(asked, job, wait)
    if "idempotent-replayed" in answer.headers:
        shown.headers["Idempotent-Replayed"] = "true"
    return shown


def _check_names(asked: Asking, conversation: Any, payload: dict[str, Any]) -> None:
    """Raises where a version or a mask is named that is not there, before any job waits for it."""
    if "image_id" in payload:
        conversation.version(payload["image_id"])
    if "mask_id" in payload and asked.service.shelf.own(conversation.id, payload["mask_id"]) is None:
        conversation.mask_entry(payload["mask_id"])


def _moved(asked: Asking, conversation: str, name: str, wanted: Steps, key: str | None) -> Response:
    def make() -> tuple[int, dict[str, Any]]:
        asked.service.undo(asked.caller, conversation, name, wanted.steps)
        return 200, conversation_json(asked.service, asked.caller, conversation)

    return once(asked, key, str(wanted.steps).encode(), make)
