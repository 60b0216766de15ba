"""Connects the MCP server to stdio or to streamable HTTP; over HTTP, who may ask is checked here.

`instructedit mcp` calls it.
"""

import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instructedit_models.errors import BadParameterError

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

__all__ = ["PATH", "Door", "Token", "http_app", "listen", "read_tokens", "serve_http", "serve_stdio"]

PATH = "/mcp"
_LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
_SHORTEST_TOKEN = 16
_BODY_OVERHEAD = 100_000
"""Bytes of a request beside the picture in it."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Token:
    """Who knows it may ask.

    Attributes:
        digest: SHA-256 of the token; the token itself is not kept.
        until: when it ends; None for never.
    """

    digest: bytes
    until: datetime | None = None


@dataclass(frozen=True)
class Door:
    """Where a server listens, and whom it lets in.

    Attributes:
        host: the address.
        port: 0 for any that is free.
        tokens: bearer tokens; none are needed on this machine's own address.
        names: further names under which clients reach the server, as their Host header says.

    Raises:
        BadParameterError: another address than this machine's own without a token.
    """

    host: str = "127.0.0.1"
    port: int = 0
    tokens: tuple[Token, ...] = ()
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.local and not self.tokens:
            raise BadParameterError(
                f"On {self.host} others could reach the server: give --token-file FILE with a token, or leave --host "
                "out to serve this machine alone."
            )
        if self.host in ("", "0.0.0.0", "::") and not self.names:  # noqa: S104
            raise BadParameterError(
                f"On {self.host or 'all addresses'} say with --allow-host NAME under which name clients reach it."
            )

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def hosts(self) -> list[str]:
        """What a Host header may say: each name, with any port or none."""
        own = _LOCAL_NAMES if self.local else (f"[{self.host}]" if ":" in self.host else self.host,)
        return [host for name in (*own, *self.names) for host in (name, f"{name}:*")]


def read_tokens(path: Path) -> tuple[Token, ...]:
    """Reads bearer tokens: one a line, then, if it ends, when: an ISO 8601 time. "#" begins a remark.

    Raises:
        BadParameterError: the file cannot be read, holds none, or one that is too short or whose time cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise BadParameterError(f"The file of tokens '{path}' cannot be read: {type(error).__name__}.") from error
    found = []
    for number, line in enumerate(lines, start=1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if len(words) > 2 or len(words[0]) < _SHORTEST_TOKEN:
            raise BadParameterError(
                f"Line {number} of '{path}' is no token of at least {_SHORTEST_TOKEN} characters with an optional time."
            )
        found.append(
            Token(hashlib.sha256(words[0].encode()).digest(), _time(words[1], path, number) if words[1:] else None)
        )
    if not found:
        raise BadParameterError(f"The file of tokens '{path}' holds none.")
    return tuple(found)


async def serve_stdio(server: "Server[Any]") -> None:
    """Serves one client over stdin and stdout until stdin ends; nothing but the protocol goes to stdout meanwhile."""
    from mcp.server.stdio import stdio_server

    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def listen(door: Door) -> socket.socket:
    """The socket to serve on; raises BadParameterError where the address cannot be had."""
    family = socket.AF_INET6 if ":" in door.host else socket.AF_INET
    try:
        return socket.create_server((door.host, door.port), family=family)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadParameterError(f"Cannot listen on {door.host}, port {door.port}: {reason}.") from error


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


def _time(text: str, path: Path, number: int) -> datetime:
    try:
        until = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadParameterError(f"Line {number} of '{path}' ends with '{text[:40]}', which is no time.") from error
    return until if until.tzinfo is not None else until.replace(tzinfo=UTC)
