"""Reads a picture from a request: a form with a file in it, the file itself, or JSON that names an example."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException

from agent.faces.server.errors import Refusal

__all__ = ["AT_ONCE", "Upload", "body_schema", "is_json", "read_json", "read_upload"]

_FORM = "multipart/form-data"
_RAW = ("image/", "application/octet-stream")
AT_ONCE = 16
"""Uploads that are held in memory at a time; the others wait at the socket."""


@dataclass(frozen=True)
class Upload:
    """A file that came.

    Attributes:
        data: its bytes.
        name: what the client calls it; "" where it says nothing.
    """

    data: bytes
    name: str


async def read_upload(request: Request, field: str) -> Upload:
    """The one file of a request.

    Args:
        request: whose body is a form, or the file.
        field: of the form.

    Raises:
        Refusal: the body is of another kind, or the form has no such file.
    """
    kind = _kind(request)
    slots: asyncio.Semaphore = request.app.state.upload_slots
    async with slots:
        if kind == _FORM:
            return await _from_form(request, field)
        if kind.startswith(_RAW):
            data = await request.body()
            if not data:
                raise Refusal(400, "bad_image", "The body is empty; send the picture's file.")
            return Upload(data, unquote(request.headers.get("x-filename", ""))[:500])
    raise Refusal(
        415,
        "unsupported_media_type",
        f"Send the picture as a form ({_FORM}, field '{field}') or as it is, with a Content-Type of image/….",
    )


async def read_json(request: Request, model: type[BaseModel]) -> Any:
    """The body as a model; raises Refusal where it is none."""
    try:
        return model.model_validate(json.loads(await request.body()))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refusal(422, "bad_request", f"'{where}': {first['msg'].lower()}.", param=where or None) from None
    except (ValueError, RecursionError):
        raise Refusal(422, "bad_request", "The body is no JSON.") from None


def is_json(request: Request) -> bool:
    """Whether the body says that it is JSON."""
    return _kind(request) == "application/json"


def body_schema(field: str, json_model: type[BaseModel] | None = None) -> dict[str, Any]:
    """The OpenAPI part of a route that reads files."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    form = {"type": "object", "properties": {field: {"type": "string", "format": "binary"}}, "required": [field]}
    content: dict[str, Any] = {_FORM: {"schema": form}, "image/png": binary, "application/octet-stream": binary}
    if json_model is not None:
        content["application/json"] = {"schema": json_model.model_json_schema()}
    return {"requestBody": {"required": True, "content": content}}


async def _from_form(request: Request, field: str) -> Upload:
    try:
        async with request.form(max_files=1, max_fields=4, max_part_size=64_000) as form:
            file = form.get(field)
            if not isinstance(file, UploadFile):
                raise Refusal(422, "bad_request", f"The form has no file '{field}'.", param=field)
            data = await file.read()
            if not data:
                raise Refusal(400, "bad_image", "The file is empty; send a picture.", param=field)
            return Upload(data, file.filename or "")
    except MultiPartException as error:
        raise Refusal(422, "bad_request", f"The form cannot be read: {error.message}") from None


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
