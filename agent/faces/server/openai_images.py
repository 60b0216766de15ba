"""OpenAI's `POST /v1/images/edits`, so that its clients work with only the base URL changed."""

import base64
import hashlib
import io
import json
import re
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from PIL import Image
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException

from agent.faces.server.deps import Asking, Claim, Key, asking, ended
from agent.faces.server.errors import ERRORS, Refusal, status_of_kind
from agent.faces.server.shapes import ImagesAnswer
from agent.plans import check_instruction
from agent.service.jobs import Job
from agent.service.shelf import read_picture
from instructedit_models.errors import BadMaskError, BadParameterError, InstructEditError
from tools.context import EditOverrides

__all__ = ["router"]

router = APIRouter(prefix="/v1/images", tags=["openai"], responses=ERRORS)
_FIELDS = frozenset({"prompt", "n", "size", "response_format", "output_format", "stream", "seed", "encoding_ratio"})
_IGNORED = frozenset(
    {"model", "user", "quality", "background", "moderation", "input_fidelity", "output_compression", "partial_images"}
)
_SIZE = re.compile(r"([1-9]\d{1,4})x([1-9]\d{1,4})")
_SUFFIX = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}
_SHAPE = 0.01
"""Two sizes have the same shape where their ratios differ by no more than this share."""
_LONGEST_SECONDS = 600.0
_STRING = {"type": "string"}
_BINARY = {"type": "string", "format": "binary"}
_FORM = {
    "type": "object",
    "required": ["image", "prompt"],
    "properties": {
        "image": _BINARY,
        "mask": _BINARY,
        "prompt": _STRING | {"minLength": 1},
        "n": {"type": "integer", "minimum": 1, "maximum": 4},
        "size": _STRING,
        "response_format": _STRING | {"enum": ["b64_json"]},
        "output_format": _STRING | {"enum": list(_SUFFIX)},
        "seed": {"type": "integer", "minimum": 0},
        "encoding_ratio": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        **{name: _STRING for name in sorted(_IGNORED)},
    },
}


@dataclass(frozen=True)
class _Wanted:
    """A request, read and checked.

    Attributes:
        picture: the file.
        mask: (H, W) bool, True = may be edited; None where the place is to be found.
        payload: of the job.
        form: of the results, "png", "jpeg", "webp".
    """

    picture: bytes
    mask: np.ndarray | None
    payload: dict[str, Any]
    form: str


@router.post(
    "/edits",
    response_model=ImagesAnswer,
    openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}},
    summary="Edit a picture (OpenAI-compatible)",
)
async def edits(asked: asking, request: Request, key: Key = None) -> Response:
    """Does what the prompt says and answers with the picture; keeps no conversation."""
    wanted, said = await _read(asked, request)
    if key is None:
        return await _answer(asked, request, wanted)
    claim = await run_in_threadpool(Claim, asked, key, said)
    if claim.known is not None:
        return claim.known
    try:
        made = await _answer(asked, request, wanted)
    except BaseException:
        await run_in_threadpool(claim.release)
        raise
    return await run_in_threadpool(claim.settle, made.status_code, bytes(made.body).decode())


async def _answer(asked: Asking, request: Request, wanted: _Wanted) -> Response:
    service = asked.service
    job = await run_in_threadpool(service.submit_once, asked.caller, wanted.payload, wanted.picture, wanted.mask)
    until = time.monotonic() + _LONGEST_SECONDS
    try:
        while not job.over:
            if await request.is_disconnected() or time.monotonic() > until:
                await run_in_threadpool(service.cancel, asked.caller, job.id)
            job = await ended(service, job, 0.5)
            if service.stopping.is_set() and not job.over:
                raise Refusal(503, "stopping", "The server is stopping; try again in a moment.", {"Retry-After": "2"})
        return await run_in_threadpool(_made, asked, job, wanted.form)
    finally:
        await run_in_threadpool(service.drop_results, job)


def _made(asked: Asking, job: Job, form: str) -> Response:
    if job.error is not None or job.result is None:
        raise _failure(job.error or {"kind": "internal", "message": "Nothing came of it."})
    data = [{"b64_json": base64.b64encode(one).decode()} for one in asked.service.results(job)]
    told = {name: job.result[name] for name in ("reply", "verified", "warnings")}
    width, height = job.result["size"]
    body = {
        "created": int(job.created),
        "data": data,
        "output_format": form,
        "size": f"{width}x{height}",
        "instructedit": {"job": job.id, **told},
    }
    return Response(json.dumps(body), media_type="application/json")


def _failure(error: dict[str, str]) -> Refusal:
    return Refusal(status_of_kind(error["kind"]), error["kind"], error["message"])


async def _read(asked: Asking, request: Request) -> tuple[_Wanted, bytes]:
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise Refusal(415, "unsupported_media_type", "Send a form (multipart/form-data), as OpenAI's clients do.")
    async with request.app.state.upload_slots:
        try:
            async with request.form(max_files=4, max_fields=32, max_part_size=64_000) as form:
                picture = await _file(form, "image")
                mask = await _file(form, "mask", needed=False)
                fields = _text_fields(form)
        except MultiPartException as error:
            raise Refusal(422, "bad_request", f"The form cannot be read: {error.message}") from None
    wanted = await run_in_threadpool(_wanted, asked, picture or b"", mask, fields)
    said = json.dumps(fields, sort_keys=True).encode() + b"".join(
        hashlib.sha256(one or b"").digest() for one in (picture, mask)
    )
    return wanted, said


def _wanted(asked: Asking, picture: bytes, mask: bytes | None, fields: dict[str, str]) -> _Wanted:
    limits = asked.service.limits
    form = fields.get("output_format", "png")
    if form not in _SUFFIX:
        raise Refusal(400, "bad_parameter", f"output_format is one of {', '.join(_SUFFIX)}.", param="output_format")
    if fields.get("response_format", "b64_json") != "b64_json":
        words = "response_format is b64_json here: a picture is not put where others may fetch it."
        raise Refusal(400, "bad_parameter", words, param="response_format")
    if fields.get("stream", "false").lower() not in ("false", "0"):
        raise Refusal(400, "bad_parameter", "stream is not offered; leave it out.", param="stream")
    text = check_instruction(fields.get("prompt", ""))
    count = _number(fields, "n", int, 1)
    if not 1 <= count <= limits.results_each:
        raise Refusal(400, "bad_parameter", f"n is 1 to {limits.results_each}.", param="n")
    payload: dict[str, Any] = {"text": text, "n": count, "suffix": _SUFFIX[form]}
    for name, kind in (("seed", int), ("encoding_ratio", float)):
        if name in fields:
            payload[name] = _number(fields, name, kind, 0)
    try:
        EditOverrides(seed=payload.get("seed"), encoding_ratio=payload.get("encoding_ratio"))
    except BadParameterError as error:
        raise Refusal(400, "bad_parameter", str(error)) from None
    loaded = read_picture(picture, limits.picture_pixels)
    payload["size"] = _size(fields.get("size", "auto"), loaded.image.size, limits.picture_pixels)
    return _Wanted(picture, None if mask is None else _mask(mask, loaded.image.size), payload, form)


def _mask(data: bytes, size: tuple[int, int]) -> np.ndarray:
    """OpenAI's meaning: fully transparent = edit; (H, W) bool."""
    try:
        loaded = read_picture(data, size[0] * size[1])
    except InstructEditError as error:
        raise BadMaskError(str(error).replace("The picture", "The mask", 1)) from None
    if loaded.image.size != size:
        words = f"The mask is {loaded.image.width} x {loaded.image.height}, but the picture is {size[0]} x {size[1]}."
        raise BadMaskError(words)
    alpha = loaded.alpha
    if alpha is None:
        with Image.open(io.BytesIO(data)) as picture:
            alpha = np.asarray(picture.convert("RGBA"))[..., 3]
    mask: np.ndarray = alpha == 0
    if not mask.any():
        raise BadMaskError("The mask has no fully transparent pixel; make transparent what may be edited.")
    return mask


def _size(text: str, size: tuple[int, int], most: int) -> list[int] | None:
    if text == "auto":
        return None
    match = _SIZE.fullmatch(text)
    if match is None:
        raise Refusal(400, "bad_parameter", "size is 'auto' or WIDTHxHEIGHT, like 512x512.", param="size")
    width, height = int(match[1]), int(match[2])
    if width * height > most or width < 16 or height < 16:
        raise Refusal(400, "bad_parameter", f"A result has at most {most:,} pixels.", param="size")
    if abs(width * size[1] / (height * size[0]) - 1) > _SHAPE:
        words = (
            f"The picture is {size[0]} x {size[1]}; {text} has another shape: leave size out, or give one of its shape."
        )
        raise Refusal(400, "bad_parameter", words, param="size")
    return [width, height]


def _number(fields: dict[str, str], name: str, kind: type, default: int) -> Any:
    try:
        return kind(fields.get(name, default))
    except ValueError:
        raise Refusal(400, "bad_parameter", f"{name} is not a number.", param=name) from None


def _text_fields(form: FormData) -> dict[str, str]:
    fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    unknown = sorted(set(fields) - _FIELDS - _IGNORED)
    if unknown:
        raise Refusal(422, "bad_request", f"There is no field '{unknown[0][:40]}'.", param=unknown[0][:40])
    return fields


async def _file(form: FormData, name: str, needed: bool = True) -> bytes | None:
    found = [value for key, value in form.multi_items() if key in (name, f"{name}[]")]
    if not found and not needed:
        return None
    if len(found) != 1 or not isinstance(found[0], UploadFile):
        words = f"Send one file as '{name}'." if len(found) < 2 else f"One '{name}' is edited at a time."
        raise Refusal(422 if len(found) < 2 else 400, "bad_request", words, param=name)
    return await found[0].read()
