"""Every error as one JSON shape and a status; `app` registers the handlers, `gate` answers before any route."""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from agent.faces.server.shapes import ErrorAnswer
from agent.service.limits import TooManyError
from instructedit_models.errors import InstructEditError, UserError, WorkspaceError

__all__ = [
    "ERRORS",
    "Refusal",
    "error_body",
    "of_error",
    "on_broken",
    "on_http_error",
    "on_instructedit_error",
    "on_validation_error",
    "refused",
    "status_of_kind",
]

_LOG = logging.getLogger("instructedit.http")
_STATUS = {
    "not_found": 404,
    "busy": 409,
    "bad_request": 422,
    "too_many_requests": 429,
    "queue_full": 429,
    "stopping": 503,
    "cancelled": 409,
}
_KINDS = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}
_SENTENCES = {
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
}
_OURS = ("internal", "llm_failed", "model_unavailable", "workspace")
_RETRY_SECONDS = 2
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": words}
    for status, words in {
        400: "The request can be mended.",
        401: "A valid token is needed.",
        403: "Another site's page sent the request.",
        404: "There is no such thing, or it is somebody else's.",
        405: "This address does not take that method.",
        408: "The body did not arrive in time.",
        409: "Work on the conversation is waiting or running.",
        413: "The body is too large.",
        415: "The body is of a kind that is not read here.",
        421: "The server is not reached under this name.",
        422: "A field is missing or does not fit.",
        429: "Slow down; Retry-After says for how long.",
        500: "A model failed, or the server did.",
        503: "The server is stopping.",
    }.items()
}
"""What any route may answer beside its own, for the OpenAPI document."""


class Refusal(HTTPException):
    """A request that is not answered, with its kind."""

    def __init__(
        self, status: int, kind: str, message: str, headers: Mapping[str, str] | None = None, param: str | None = None
    ) -> None:
        super().__init__(status, message, dict(headers) if headers else None)
        self.kind = kind
        self.param = param


def error_body(status: int, kind: str, message: str, param: str | None = None) -> dict[str, Any]:
    """The shape of every error."""
    family = "server_error" if status >= 500 else "rate_limit_error" if status == 429 else "invalid_request_error"
    told = {"kind": kind, "message": " ".join(message.split()), "type": family, "param": param, "code": kind}
    return {"schema": 1, "error": told}


def status_of_kind(kind: str) -> int:
    """The status of an error that is known by its kind alone, as jobs keep them."""
    return _STATUS.get(kind, 500 if kind in _OURS else 400)


def refused(
    status: int, kind: str, message: str, headers: Mapping[str, str] | None = None, param: str | None = None
) -> JSONResponse:
    """An error as an answer."""
    return JSONResponse(error_body(status, kind, message, param), status, dict(headers) if headers else None)


async def on_instructedit_error(_request: Request, error: Exception) -> JSONResponse:
    """What the service or the agent raised."""
    return of_error(error if isinstance(error, InstructEditError) else InstructEditError(str(error)))


def of_error(error: InstructEditError) -> JSONResponse:
    """An error of ours as an answer."""
    ours = isinstance(error, WorkspaceError) or not isinstance(error, UserError)
    status = 500 if isinstance(error, WorkspaceError) else _STATUS.get(error.kind, 500 if ours else 400)
    headers = {}
    if isinstance(error, TooManyError):
        headers["Retry-After"] = str(max(1, round(error.seconds + 0.5)))
    elif status in (409, 503):
        headers["Retry-After"] = str(_RETRY_SECONDS)
    message = (
        "The workspace of the server failed; its log says more." if isinstance(error, WorkspaceError) else str(error)
    )
    return refused(status, error.kind, message, headers)


async def on_http_error(_request: Request, error: Exception) -> JSONResponse:
    """What the framework or the gate raised."""
    status = getattr(error, "status_code", 500)
    kind = getattr(error, "kind", _KINDS.get(status, "internal" if status >= 500 else "bad_request"))
    message = _SENTENCES.get(status) if not isinstance(error, Refusal) else None
    headers = getattr(error, "headers", None)
    return refused(
        status, kind, message or str(getattr(error, "detail", error)), headers, getattr(error, "param", None)
    )


async def on_validation_error(_request: Request, error: Exception) -> JSONResponse:
    """A field that is missing or does not fit."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    if not found:
        return refused(422, "bad_request", "The request cannot be read.")
    first = found[0]
    where = ".".join(str(part) for part in first["loc"][1:])  # the first part says whether it is the body, a query …
    words = str(first["msg"]).removeprefix("Value error, ").rstrip(".")
    message = f"'{where[:80]}': {words[:1].lower()}{words[1:]}." if where else f"{words}."
    return refused(422, "bad_request", message, param=where[:80] or None)


async def on_broken(_request: Request, error: Exception) -> JSONResponse:
    """What should not have happened; its words go nowhere, since they may quote what a person wrote."""
    _LOG.error("broke", exc_info=error)
    return refused(500, "internal", f"Something broke inside the server ({type(error).__name__}); its log says more.")
