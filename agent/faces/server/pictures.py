"""Routes of pictures: versions, comparisons, candidates, masks; and masks that people paint or click."""

import hashlib
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from PIL import Image

from agent.faces.server.conversations import submit
from agent.faces.server.deps import Key, Wait, asking, once
from agent.faces.server.errors import ERRORS
from agent.faces.server.shapes import JobAnswer, MaskAnswer, Refine
from agent.faces.server.uploads import body_schema, read_upload
from agent.faces.server.views import mask_json
from agent.service.limits import NotThereError
from instructedit_models.errors import BadParameterError
from tools.conversation import Conversation

__all__ = ["router"]

router = APIRouter(prefix="/v1/conversations/{conversation}", tags=["pictures"], responses=ERRORS)
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_PNG: dict[str, Any] = {"response_class": Response, "responses": {200: {"content": {"image/png": _BINARY}}, 304: {}}}
_FILE: dict[str, Any] = {
    "response_class": Response,
    "responses": {200: {"content": {f"image/{one}": _BINARY for one in ("png", "jpeg", "webp")}}, 304: {}},
}
_FOR_EVER, _ASK = "private, max-age=31536000, immutable", "private, no-cache"
_SUFFIX = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}
_MOST_CANDIDATES = 40


@router.get("/images/{image_id}", summary="Show or download a version", **_FILE)
def image(
    asked: asking,
    request: Request,
    conversation: str,
    image_id: str,
    width: Annotated[int | None, Query(ge=16, le=2048)] = None,
    download: bool = False,
    format: Literal["png", "jpeg", "webp"] = "png",
) -> Response:
    """The version, or a smaller one; for keeping, with the input's metadata and how it was made."""
    found = asked.service.conversation(asked.caller, conversation)
    version = _there(lambda: found.version(image_id))
    if download:
        name = asked.service.shelf.held(conversation, asked.caller.owner).name
        return _attachment(found, image_id, format, name)

    def draw() -> Image.Image:
        picture = found.image(image_id)
        if width is not None and max(picture.size) > width:
            picture = picture.copy()
            picture.thumbnail((width, width), Image.Resampling.LANCZOS)
        return picture

    return _picture(request, f"{version.sha256}-{width or 0}", draw)


@router.get("/images/{image_id}/comparison", summary="Show before, mask and after", **_PNG)
def comparison(
    asked: asking, request: Request, conversation: str, image_id: str, before: str | None = None
) -> Response:
    """Side by side, with captions; of any two versions, what differs."""
    from agent.faces.comparison import Captions
    from agent.faces.comparison import comparison as drawn

    found = asked.service.conversation(asked.caller, conversation)
    after = _there(lambda: found.version(image_id))
    edit = after.edit
    first = _there(lambda: found.version(before or (edit.parent_id if edit else image_id)))
    if first.size != after.size:
        raise BadParameterError("Only versions of one size are compared.")

    def draw() -> Image.Image:
        old, new = found.image(first.id), found.image(after.id)
        names = f"{first.id} and {after.id}"
        if edit is not None and edit.parent_id == first.id:
            words = Captions(names, edit.input_caption, edit.segmentation_prompt, edit.edited_caption)
            return drawn(old, found.mask(edit.mask_id), new, words)
        differs = (np.asarray(old) != np.asarray(new)).any(axis=2)
        return drawn(old, differs, new, Captions(names, first.id, "what differs", after.id))

    return _picture(request, f"{first.sha256}-{after.sha256}-compared", draw)


@router.get("/images/{image_id}/candidates", summary="Show numbered candidates", **_PNG)
def candidates(
    asked: asking,
    request: Request,
    conversation: str,
    image_id: str,
    masks: Annotated[str, Query(max_length=1000, description="Ids of masks, with commas between.")],
) -> Response:
    """The picture with masks outlined and numbered from 1."""
    from agent.faces.overlay import overlay
    from instructedit_models.types import Region

    found = asked.service.conversation(asked.caller, conversation)
    version = _there(lambda: found.version(image_id))
    ids = masks.split(",")
    if len(ids) > _MOST_CANDIDATES:
        raise BadParameterError(f"At most {_MOST_CANDIDATES} masks are drawn.")
    entries = _there(lambda: [found.mask_entry(one) for one in ids])
    if any(found.version(entry.image_id).size != version.size for entry in entries):
        raise BadParameterError(f"A mask is of another size than {image_id}.")

    def draw() -> Image.Image:
        shown = []
        for number, entry in enumerate(entries, start=1):
            known = entry.regions[0] if entry.regions else None
            box = known.box if known else (0.0, 0.0, 1.0, 1.0)
            score = known.score if known else 1.0
            shown.append(Region(str(number), entry.prompt, score, box, found.mask(entry.id)))
        return overlay(found.image(image_id), shown)

    return _picture(request, f"{version.sha256}-{masks}", draw)


@router.get("/masks/{mask_id}", summary="Show a mask", **_PNG)
def mask(
    asked: asking,
    request: Request,
    conversation: str,
    mask_id: str,
    shape: Annotated[Literal["mask", "overlay", "layer"], Query(alias="as")] = "mask",
    download: bool = False,
) -> Response:
    """White where it is edited; or the picture, pale outside of it; or a layer to lay over the picture."""
    from agent.faces.comparison import mask_overlay

    found = asked.service.conversation(asked.caller, conversation)
    own = asked.service.shelf.own(conversation, mask_id)
    sha256 = None if own else _there(lambda: found.mask_entry(mask_id)).sha256
    tag = f"{sha256 or f'{conversation}-{mask_id}'}-{shape}"

    def draw() -> Image.Image:
        pixels, image_id = asked.service.shelf.mask(found, mask_id)
        if shape == "overlay":
            return mask_overlay(found.image(image_id), pixels)
        if shape == "mask":
            return Image.fromarray(pixels.astype(np.uint8) * 255)
        layer = np.full((*pixels.shape, 4), 255, np.uint8)
        layer[..., 3] = np.where(pixels, 255, 0)
        return Image.fromarray(layer, "RGBA")

    response = _picture(request, tag, draw)
    if download and response.status_code == 200:
        response.headers["Content-Disposition"] = f'attachment; filename="{mask_id}.png"'
    return response


@router.post(
    "/masks",
    status_code=201,
    response_model=MaskAnswer,
    openapi_extra=body_schema("mask"),
    summary="Give a mask that was painted",
)
async def paint(
    asked: asking, request: Request, conversation: str, image_id: str | None = None, key: Key = None
) -> Response:
    """A picture of the picture's size: white may be edited, black and transparent may not."""
    upload = await read_upload(request, "mask")

    def make() -> tuple[int, dict[str, Any]]:
        found = asked.service.conversation(asked.caller, conversation)
        own = asked.service.shelf.add_painted(found, upload.data, image_id or found.current_id)
        return 201, {"schema": 1, **mask_json(conversation, own)}

    return await run_in_threadpool(once, asked, key, upload.data, make)


@router.post(
    "/masks/refine",
    status_code=202,
    response_model=JobAnswer,
    responses={200: {"model": JobAnswer, "description": "The job, over within the wait."}},
    summary="Make or correct a mask by clicks",
)
async def refine(asked: asking, conversation: str, clicks: Refine, wait: Wait = 0.0, key: Key = None) -> Response:
    """SAM's mask for points inside and outside; the picture is not changed."""
    return await submit(asked, conversation, "refine", clicks.model_dump(exclude_none=True), wait, key)


def _there(find: Callable[[], Any]) -> Any:
    """What a path names; raises NotThereError where there is no such version or mask."""
    try:
        return find()
    except BadParameterError as error:
        raise NotThereError(str(error)) from None


def _picture(request: Request, tag: str, draw: Callable[[], Image.Image]) -> Response:
    """A picture, drawn only where the client has not got it.

    An id may come to mean another picture where a try was cut off and taken back; an address with `v` never does.
    """
    etag = f'"{hashlib.sha256(tag.encode()).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": _FOR_EVER if "v" in request.query_params else _ASK}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    buffer = io.BytesIO()
    draw().save(buffer, "PNG", compress_level=1)
    return Response(buffer.getvalue(), media_type="image/png", headers=headers)


def _attachment(conversation: Conversation, image_id: str, form: str, name: str) -> Response:
    from urllib.parse import quote

    from agent.saving import save_version

    stem = Path(name).stem[:80] or "picture"
    shown = f"{stem}-{image_id}{_SUFFIX[form]}"
    with tempfile.TemporaryDirectory(prefix="instructedit-") as folder:
        path = Path(folder) / f"picture{_SUFFIX[form]}"
        save_version(conversation, image_id, path)
        data = path.read_bytes()
    disposition = f"attachment; filename=\"{image_id}{_SUFFIX[form]}\"; filename*=UTF-8''{quote(shown)}"
    headers = {"Content-Disposition": disposition, "Cache-Control": "no-store"}
    return Response(data, media_type=f"image/{form}", headers=headers)
