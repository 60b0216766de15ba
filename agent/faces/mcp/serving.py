"""Connects the MCP server to stdio or to streamable HTTP; over HTTP, who may ask is checked here.

`instructedit mcp` calls it.
"""

import hashlib
import hmac
import socket
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from agent.faces.door import Door, Token

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

__all__ = ["PATH", "http_app", "serve_http", "serve_stdio"]

PATH = "/mcp"
_BODY_OVERHEAD = 100_000
"""Bytes of a request beside the picture in it."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def serve_stdio(server: "Server[Any]") -> None:
    """Serves one client over stdin and stdout until stdin ends; nothing but the protocol goes to stdout meanwhile."""
    from mcp.server.stdio import stdio_server

    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def http_app(server: "Server[Any]", door: Door, max_bytes: int) -> Any:
    """The ASGI application: the protocol on `PATH`, behind the checks of Host, Origin, size and token.

    Args:
        server: what answers.
        door: whom it lets in.
        max_bytes: of a picture's file.
    """
    from mcp.server.transport_security import TransportSecuritySettings

    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=door.hosts,
        allowed_origins=[f"{scheme}://{host}" for scheme in ("http", "https") for host in door.hosts],
    )
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        transport_security=security,
        max_request_body_size=max_bytes * 4 // 3 + _BODY_OVERHEAD,
        host=door.host,
    )
    return _Guarded(app, door.tokens) if door.tokens else app


def serve_http(app: Any, listening: socket.socket) -> None:
    """Serves until SIGINT or SIGTERM; calls that run then have a few seconds to answer."""
    import uvicorn

    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=5)
    uvicorn.Server(config).run(sockets=[listening])


class _Guarded:
    """Lets only requests through that carry a token."""

    def __init__(self, app: Any, tokens: Sequence[Token]) -> None:
        self._app, self._tokens = app, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._known(scope):
            await self._app(scope, receive, send)
            return
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"www-authenticate", b"Bearer")]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": b"A valid token is needed: Authorization: Bearer TOKEN.\n"})

    def _known(self, scope: Scope) -> bool:
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        kind, _, token = given.partition(b" ")
        digest = hashlib.sha256(token.strip()).digest()
        now = datetime.now(UTC)
        # Every token is compared, so that the time taken tells nothing.
        fits = [
            hmac.compare_digest(digest, one.digest) and (one.until is None or now < one.until) for one in self._tokens
        ]
        return kind.lower() == b"bearer" and any(fits)
