"""Where a server listens and whom it lets in: its address, its bearer tokens, and the names by which it is reached.

The HTTP server and the MCP server stand behind the same kind of door; each checks requests in its own way.
"""

import hashlib
import ipaddress
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from instructedit_models.errors import BadParameterError

__all__ = ["Door", "Token", "listen", "read_tokens"]

_LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
_SHORTEST_TOKEN = 16


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


def listen(door: Door) -> socket.socket:
    """The socket to serve on; raises BadParameterError where the address cannot be had."""
    family = socket.AF_INET6 if ":" in door.host else socket.AF_INET
    try:
        return socket.create_server((door.host, door.port), family=family)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadParameterError(f"Cannot listen on {door.host}, port {door.port}: {reason}.") from error


def _time(text: str, path: Path, number: int) -> datetime:
    try:
        until = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadParameterError(f"Line {number} of '{path}' ends with '{text[:40]}', which is no time.") from error
    return until if until.tzinfo is not None else until.replace(tzinfo=UTC)
