"""The application: routes, page, errors, and the gate around all of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from typing import Any

from fastapi import FastAPI, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from agent.faces import __version__
from agent.faces.door import Door
from agent.faces.server import about, conversations, examples, jobs, openai_images, pictures
from agent.faces.server.errors import Refusal, on_broken, on_http_error, on_instructedit_error, on_validation_error
from agent.faces.server.gate import Gate
from agent.faces.server.metrics import Metrics
from agent.faces.server.uploads import AT_ONCE
from agent.service.service import Service
from instructedit_models.errors import InstructEditError

__all__ = ["build_app"]

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "ico": "image/x-icon",
    "json": "application/json",
    "woff2": "font/woff2",
    "webmanifest": "application/manifest+json",
}


def build_app(service: Service, door: Door) -> Any:
    """The ASGI application over a service.

    Args:
        service: already open; whoever opened it closes it.
        door: whom to let in.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.upload_slots = asyncio.Semaphore(AT_ONCE)
        yield

    app = FastAPI(
        title="InstructEdit",
        version=__version__,
        summary="Say what to change in a picture, and get it back with exactly that changed.",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service, app.state.door = service, door
    app.state.metrics = Metrics(service)
    for part in (about, examples, conversations, pictures, jobs, openai_images):
        app.include_router(part.router)
    _add_page(app)
    app.add_exception_handler(InstructEditError, on_instructedit_error)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(Exception, on_broken)
    return Gate(app, service, door, app.state.metrics)


def _add_page(app: FastAPI) -> None:
    """The files of the page, each by its own name: no path is ever put together from a request."""
    folder = resources.files("agent.faces.server").joinpath("page")
    files = {one.name: one for one in folder.iterdir() if one.is_file() and one.name.rpartition(".")[2] in _TYPES}

    def answer(name: str) -> Response:
        if name not in files:
            raise Refusal(404, "not_found", "There is no such file.")
        headers = {"Cache-Control": "no-cache"}
        return Response(files[name].read_bytes(), media_type=_TYPES[name.rpartition(".")[2]], headers=headers)

    @app.get("/", include_in_schema=False)
    def index() -> Response:
        return answer("index.html")

    @app.get("/page/{name}", include_in_schema=False)
    def page(name: str) -> Response:
        return answer(name)
