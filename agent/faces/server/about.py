"""Routes about the server itself: what it takes, whether it is well, its figures, and the cookie of a browser."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from agent.faces import __version__
from agent.faces.server.errors import ERRORS, Refusal
from agent.faces.server.gate import COOKIE, known_token
from agent.faces.server.metrics import CONTENT_TYPE
from agent.faces.server.shapes import HealthAnswer, Login, ServerAnswer

__all__ = ["router"]

router = APIRouter(tags=["server"], responses=ERRORS)
_MONTH = 30 * 86_400


@router.get("/v1/server", response_model=ServerAnswer, response_model_exclude_none=True, summary="What is taken on")
def server(request: Request) -> Response:
    """Limits, abilities, and how long a new job would wait."""
    state = request.app.state
    service = state.service
    limits = service.limits
    names = ServerAnswer.model_fields["limits"].annotation.model_fields  # type: ignore[union-attr]
    told: dict[str, Any] = {
        "schema": 1,
        "version": __version__,
        "models": service.models,
        "llm": service.llm,
        "token_needed": bool(state.door.tokens),
        "limits": {name: getattr(limits, name) for name in names},
        "can": {"clicks": service.clicks, "preview": True},
    }
    if request.state.caller is not None:
        counts = service.jobs.counts()
        told["queue"] = {
            "waiting": counts.get("queued", 0),
            "running": bool(counts.get("running")),
            "seconds": service.jobs.wait_for_new(),
        }
    return JSONResponse(told)


@router.post("/v1/login", status_code=204, response_class=Response, summary="Keep a token in a cookie")
def login(request: Request, given: Login) -> Response:
    """For browsers, whose pictures and event streams send no headers."""
    if request.app.state.door.tokens and known_token(request.app.state.door.tokens, given.token) is None:
        raise Refusal(
            401, "unauthorized", "This token is not valid, or it has expired.", {"WWW-Authenticate": "Bearer"}
        )
    response = Response(status_code=204)
    if request.app.state.door.tokens:
        secure = request.url.scheme == "https"
        response.set_cookie(COOKIE, given.token, max_age=_MONTH, httponly=True, samesite="strict", secure=secure)
    return response


@router.post("/v1/logout", status_code=204, response_class=Response, summary="Forget the cookie")
def logout() -> Response:
    """The cookie is gone; the token stays valid."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


@router.get(
    "/healthz",
    response_model=HealthAnswer,
    responses={503: {"model": HealthAnswer, "description": "No work is taken on."}},
    summary="Whether the server is well",
)
def health(request: Request) -> Response:
    """200 where work is taken on."""
    service = request.app.state.service
    status = "stopping" if service.stopping.is_set() else "ok" if service.worker.alive else "worker_dead"
    return JSONResponse({"status": status}, 200 if status == "ok" else 503)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    summary="Figures for Prometheus",
)
def metrics(request: Request) -> Response:
    """Requests, queue, conversations, process."""
    return Response(request.app.state.metrics.text(), headers={"Content-Type": CONTENT_TYPE})
