"""Pictures to try with on first sight; files beside this one, drawn by the picture world of the miniature models."""

import json
from functools import cache
from importlib import resources
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from agent.faces.server.errors import ERRORS
from agent.faces.server.shapes import ExamplesAnswer
from agent.service.limits import NotThereError

__all__ = ["example_picture", "router"]

router = APIRouter(prefix="/v1/examples", tags=["examples"], responses=ERRORS)


@router.get("", response_model=ExamplesAnswer, summary="List the example pictures")
def examples() -> Response:
    """Each with what could be said of it."""
    shown = [{**one, "image_url": f"/v1/examples/{one['name']}"} for one in _list()]
    return JSONResponse({"schema": 1, "examples": shown})


@router.get(
    "/{name}",
    response_class=Response,
    responses={200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}},
    summary="Show an example picture",
)
def example(name: str) -> Response:
    """The picture."""
    return Response(example_picture(name)[0], media_type="image/png", headers={"Cache-Control": "max-age=86400"})


def example_picture(name: str) -> tuple[bytes, str]:
    """An example's file and its name; raises NotThereError where there is none of that name."""
    if name not in {one["name"] for one in _list()}:
        raise NotThereError("There is no example of that name.")
    return _folder().joinpath(f"{name}.png").read_bytes(), f"{name}.png"


@cache
def _list() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(_folder().joinpath("examples.json").read_text(encoding="utf-8"))
    return found


def _folder() -> Any:
    return resources.files("agent.faces.server").joinpath("pictures")
