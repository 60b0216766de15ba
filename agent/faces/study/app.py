"""The web application of a user study: a page, the next triplet, a picture, a vote. Needs the extra `server`.

A person is a cookie. Pictures go out as pixels alone under names that tell nothing, and which side a method is on is
worked out again when the vote comes in, so that nothing the browser holds gives it away.
"""

import re
import secrets
from collections.abc import Awaitable, Callable
from functools import lru_cache
from importlib import resources
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Cookie, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field

from agent.study import Choice, Shown, Study, picture_bytes, token_of
from agent.study_votes import VoteBook
from instructedit_models.errors import BadImageError, InstructEditError

__all__ = ["create_app"]

PERSON, TOKEN = "study_person", "study_token"
MAX_BODY = 4096
_PERSON = re.compile(r"[0-9a-f]{32}")
_FILES = {"study.js": "text/javascript", "study.css": "text/css"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
Person = Annotated[str | None, Cookie(alias=PERSON)]


class _Vote(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    triplet: str = Field(pattern=r"^[0-9a-f]{16}$")
    choice: Choice


def create_app(study: Study, book: VoteBook, hosts: tuple[str, ...] = ("*",), token: str | None = None) -> FastAPI:
    """The application.

    Args:
        study: what is compared; `book.begin(study)` was called.
        book: where votes are kept.
        hosts: names under which it may be reached, "*" for any; others are refused, so that no other site's page gets
            through to a local address.
        token: what the address of the page must carry as `?token=…`; None lets everybody in.
    """
    app = FastAPI(title="InstructEdit study", docs_url=None, redoc_url=None, openapi_url=None)
    secret = book.secret
    files = study.pictures(secret)
    by_id = {one.id: one for one in study.triplets}

    @lru_cache(maxsize=64)
    def encoded(name: str) -> bytes:
        return picture_bytes(files[name])

    @lru_cache(maxsize=1024)
    def order(person: str) -> tuple[Shown, ...]:
        return tuple(study.order(secret, person))

    @app.middleware("http")
    async def guard(request: Request, handle: Callable[[Request], Awaitable[Response]]) -> Response:
        refused = _refusal(request, hosts, token)
        response = refused if refused is not None else await handle(request)
        response.headers.update(_HEADERS)
        if refused is None and token is not None and request.query_params.get("token"):
            response.set_cookie(TOKEN, token, httponly=True, samesite="strict")
        return response

    @app.exception_handler(InstructEditError)
    async def failed(_request: Request, error: InstructEditError) -> JSONResponse:
        return JSONResponse({"error": {"kind": error.kind, "message": str(error)}}, 500)

    @app.get("/")
    def page(person: Person = None) -> Response:
        response = Response(_file("study.html"), media_type="text/html")
        if not _known(person):
            response.set_cookie(PERSON, secrets.token_hex(16), max_age=365 * 86400, httponly=True, samesite="strict")
        return response

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in _FILES:
            raise HTTPException(404, "There is no such file.")
        return Response(_file(name), media_type=_FILES[name])

    @app.get("/api/next")
    def following(person: Person = None) -> dict[str, Any]:
        who = _someone(person)
        done = book.voted(who) & by_id.keys()
        waiting = next((one for one in order(who) if one.triplet.id not in done), None)
        shown = None
        if waiting is not None:
            case = waiting.triplet.case
            sides = {"left": case.results[waiting.left], "right": case.results[waiting.right]}
            pictures = {"input": case.original} | sides
            shown = {"id": waiting.triplet.id, "instruction": case.instruction}
            shown |= {name: f"/picture/{token_of(secret, file)}" for name, file in pictures.items()}
        return {"done": len(done), "total": len(by_id), "triplet": shown}

    @app.post("/api/vote")
    def vote(cast: _Vote, person: Person = None) -> dict[str, Any]:
        who = _someone(person)
        shown = next((one for one in order(who) if one.triplet.id == cast.triplet), None)
        if shown is None:
            raise HTTPException(404, "The study has no such pair.")
        return {"counted": book.add(who, shown, shown.preferred(cast.choice))}

    @app.get("/picture/{name}")
    def picture(name: str) -> Response:
        if name not in files:
            raise HTTPException(404, "There is no such picture.")
        try:
            return Response(encoded(name), media_type="image/png")
        except BadImageError as error:
            raise HTTPException(404, "This picture cannot be read.") from error

    return app


def _refusal(request: Request, hosts: tuple[str, ...], token: str | None) -> Response | None:
    """Why a request is not answered, or None."""
    host = urlsplit(f"//{request.headers.get('host', '')}").hostname
    if "*" not in hosts and host not in hosts:
        return PlainTextResponse("The study is not reached under this name.", 421)
    if request.method == "POST":
        length = request.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > MAX_BODY:
            return PlainTextResponse("A vote is shorter than that.", 413)
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            return PlainTextResponse("Votes come from the study's own page.", 403)
    given = request.query_params.get("token") or request.cookies.get(TOKEN) or ""
    if token is not None and not secrets.compare_digest(given.encode(), token.encode()):
        return PlainTextResponse("Open the address that you were given, with its token.", 401)
    return None


def _known(person: str | None) -> bool:
    return person is not None and _PERSON.fullmatch(person) is not None


def _someone(person: str | None) -> str:
    if person is None or not _known(person):
        raise HTTPException(401, "Open the page of the study first; it needs a cookie.")
    return person


def _file(name: str) -> str:
    return resources.files("agent.faces.study").joinpath(name).read_text(encoding="utf-8")
