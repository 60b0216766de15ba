"""Who comes in: names, origins, tokens, rates, sizes and slowness, checked before any route; and what is noted of it.

One ASGI layer around the application, so that it holds for every route, the page's files too.
"""

import asyncio
import hashlib
import hmac
import ipaddress
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from agent.faces.door import Door, Token
from agent.faces.server.errors import Refusal, of_error, refused
from agent.faces.server.metrics import Metrics
from agent.service.limits import TooManyError
from agent.service.service import Caller, Service

__all__ = ["COOKIE", "Gate", "known_token"]

COOKIE = "instructedit_token"
_LOG = logging.getLogger("instructedit.http")
_OPEN = ("/healthz", "/v1/server", "/v1/login", "/v1/logout", "/v1/openapi.json")
_SAFE = ("GET", "HEAD", "OPTIONS")
_SMALL_BODY = 100_000
_BODY_SECONDS = 60.0
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
        b"object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def known_token(tokens: tuple[Token, ...], given: str) -> str | None:
    """The hash of a token that is one of the server's and has not expired; None for any other.

    Every token is compared, so that the time taken tells nothing.
    """
    digest = hashlib.sha256(given.encode()).digest()
    now = datetime.now(UTC)
    fits = [hmac.compare_digest(digest, one.digest) and (one.until is None or now < one.until) for one in tokens]
    return digest.hex() if any(fits) else None


@dataclass
class _Seen:
    """What is noted of one request."""

    status: int = 0
    began: float = 0.0


class Gate:
    """Lets a request through to the application, or answers it."""

    def __init__(self, app: Any, service: Service, door: Door, metrics: Metrics) -> None:
        self._app, self._service, self._door, self._metrics = app, service, door, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI calls it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = _Seen(began=time.perf_counter())
        wrapped = self._noting(scope, send, seen)
        try:
            answer = await self._check(scope)
            if answer is not None:
                await answer(scope, receive, wrapped)
            else:
                await self._app(scope, self._bounded(scope, receive), wrapped)
        finally:
            self._note(scope, seen)

    async def _check(self, scope: Scope) -> Any:
        headers = _headers(scope)
        path, method = scope["path"], scope["method"]
        if not self._named(headers.get("host", "")):
            return refused(421, "wrong_host", "The server is not reached under this name; see --allow-host.")
        origin = headers.get("origin")
        if origin is not None and method not in _SAFE and urlsplit(origin).netloc != headers.get("host"):
            return refused(403, "forbidden", "The request comes from another site's page.")
        caller = self._caller(scope, headers)
        if caller is None and (path.startswith("/v1/") or path == "/metrics") and path not in _OPEN:
            return refused(
                401,
                "unauthorized",
                "A valid token is needed: send 'Authorization: Bearer TOKEN'.",
                {"WWW-Authenticate": "Bearer"},
            )
        if path != "/healthz":
            try:
                self._service.rates.take(caller.client if caller else _address(scope))
            except TooManyError as error:
                return of_error(error)
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._largest(path):
            return _too_large(self._largest(path))
        scope.setdefault("state", {})["caller"] = caller
        return None

    def _caller(self, scope: Scope, headers: dict[str, str]) -> Caller | None:
        """Who asks; None where a token is needed and none is good."""
        if not self._door.tokens:
            return Caller(_address(scope))
        kind, _, given = headers.get("authorization", "").partition(" ")
        token = given.strip() if kind.lower() == "bearer" else _cookie(headers.get("cookie", ""))
        digest = known_token(self._door.tokens, token) if token else None
        return Caller(f"token:{digest[:16]}", digest) if digest else None

    def _named(self, host: str) -> bool:
        """Whether the Host header says a name that the server goes by, so that no other site's name leads here."""
        return any(
            host == name or (name.endswith(":*") and host.rpartition(":")[0] == name[:-2]) for name in self._door.hosts
        )

    def _largest(self, path: str) -> int:
        picture = self._service.limits.picture_bytes
        if path == "/v1/images/edits":
            return 2 * picture + _SMALL_BODY
        uploads = path == "/v1/conversations" or (path.startswith("/v1/conversations/") and path.endswith("/masks"))
        return picture + _SMALL_BODY if uploads else _SMALL_BODY

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        """Reads the body no further and no longer than is allowed."""
        largest = self._largest(scope["path"])
        until = time.monotonic() + _BODY_SECONDS
        read, whole = 0, False

        async def bounded() -> Message:
            nonlocal read, whole
            if whole:  # what comes now is only that the client has gone
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(0.01, until - time.monotonic()))
            except TimeoutError:
                raise Refusal(
                    408, "too_slow", "The request did not arrive in time; send it again.", {"Connection": "close"}
                ) from None
            if message["type"] == "http.request":
                read += len(message.get("body", b""))
                whole = not message.get("more_body", False)
                if read > largest:
                    raise Refusal(413, "too_large", _too_large_words(largest), {"Connection": "close"})
            return message

        return bounded

    def _noting(self, scope: Scope, send: Send, seen: _Seen) -> Send:
        async def wrapped(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                present = {name for name, _ in message.get("headers", ())}
                message["headers"] = [
                    *message.get("headers", ()),
                    *(one for one in _HEADERS if one[0] not in present),
                    (b"x-request-id", _request_id(scope).encode()),
                ]
            await send(message)

        return wrapped

    def _note(self, scope: Scope, seen: _Seen) -> None:
        """Counts and logs a request: by its route, since addresses hold ids that are as good as keys."""
        seconds = time.perf_counter() - seen.began
        route = getattr(scope.get("route"), "path", "(none)")
        self._metrics.request(scope["method"], route, seen.status, seconds)
        if route != "/healthz":
            _LOG.info(
                "request",
                extra={
                    "id": _request_id(scope),
                    "method": scope["method"],
                    "route": route,
                    "status": seen.status,
                    "seconds": round(seconds, 4),
                },
            )


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _cookie(header: str) -> str:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _address(scope: Scope) -> str:
    """Who asks, where there are no tokens: the address, of which IPv6 counts by its network."""
    host = (scope.get("client") or ("unknown", 0))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"ip:{host}"
    if address.version == 6:
        address = ipaddress.ip_network(f"{host}/64", strict=False).network_address
    return f"ip:{address}"


def _request_id(scope: Scope) -> str:
    return str(scope.setdefault("instructedit_request", secrets.token_hex(6)))


def _too_large_words(largest: int) -> str:
    return f"The request has more than the {largest:,} bytes that are taken here; send a smaller picture."


def _too_large(largest: int) -> Any:
    return refused(413, "too_large", _too_large_words(largest), {"Connection": "close"})
