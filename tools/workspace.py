"""The workspace: content-addressed pictures and masks on disk beside one SQLite database.

A face opens one and takes a `tools.conversation.Conversation` from it; the LLM only ever sees the
conversation's ids. Any number of threads and processes may hold the same workspace.
"""

import secrets
import sqlite3
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from PIL import Image

from instructedit_models.errors import BadParameterError, WorkspaceError
from tools.conversation import Conversation
from tools.migrations import check_origin, migrate
from tools.objects import ObjectStore
from tools.sqlite_file import BUSY_SECONDS, SqliteFile, connect

__all__ = ["Overview", "Workspace", "WorkspaceError"]

DATABASE = "workspace.sqlite"
_CHECKPOINT_PAGES = 64
"""Pages of 4 kB after which the write-ahead log is folded into the database, so that it stays small from turn 1 on."""
_SHORTEST_PREFIX = 4


@dataclass(frozen=True)
class Overview:
    """A conversation in a list.

    Attributes:
        id: 12 hex digits.
        created, updated: UTC, ISO 8601.
        source: where its first picture came from.
        size: (width, height) of that picture in pixels.
        versions: pictures, originals included.
        turns: turns that were finished.
        current_id: the version that is current.
    """

    id: str
    created: str
    updated: str
    source: str
    size: tuple[int, int]
    versions: int
    turns: int
    current_id: str


class Workspace(SqliteFile):
    """A directory with `objects/` and `workspace.sqlite` (WAL); made on first use.

    Raises:
        WorkspaceError: the directory cannot be made, the database is damaged, locked or too new.
    """

    def __init__(self, directory: str | Path, durable: bool = True, create: bool = True) -> None:
        """Opens or makes a workspace.

        Args:
            directory: where it lies.
            durable: whether writes are forced to the disk; a kill loses nothing without it, a power cut may.
            create: whether to make one where there is none; otherwise that is a WorkspaceError.
        """
        self.directory = Path(directory)
        self.objects = ObjectStore(self.directory / "objects", durable)
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if not create and not self.database.is_file():
            raise WorkspaceError(f"There is no workspace in {self.directory}.")
        try:
            self.objects.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkspaceError(f"Cannot make a workspace in {self.directory}: {error.strerror}.") from error
        self._durable = durable
        with self._explained():
            connection = connect(self.database, BUSY_SECONDS)
        super().__init__(connection, self._prepare)

    def _prepare(self) -> None:
        check_origin(self._connection)
        _use_write_ahead_log(self._connection)
        self._connection.execute(f"PRAGMA synchronous = {'NORMAL' if self._durable else 'OFF'}")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self.version = migrate(self._connection)

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.directory / DATABASE

    @classmethod
    def temporary(cls) -> Self:
        """A workspace that is deleted when it is closed; for one-shot edits."""
        directory = tempfile.TemporaryDirectory(prefix="instructedit-")
        try:
            workspace = cls(directory.name, durable=False)
        except BaseException:
            directory.cleanup()
            raise
        workspace._temporary = directory
        return workspace

    def close(self) -> None:
        """Closes the database; a temporary workspace is deleted."""
        with self._lock:
            super().close()
            if self._temporary:
                self._temporary.cleanup()
                self._temporary = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self, image: Image.Image, source: str = "") -> Conversation:
        """Begins a conversation about a picture, which becomes `image_1`.

        Args:
            image: PIL picture, kept as RGB.
            source: where it came from, for people to read.
        """
        return Conversation.begin(self, secrets.token_hex(6), image, source)

    def conversation(self, conversation_id: str) -> Conversation:
        """A conversation begun earlier.

        Args:
            conversation_id: its id, or the first digits of it where no other id begins so.

        Raises:
            BadParameterError: there is none of that id, or there are several.
        """
        ids = self.conversation_ids()
        if conversation_id in ids:
            return Conversation(self, conversation_id)
        found = (
            [one for one in ids if one.startswith(conversation_id)] if len(conversation_id) >= _SHORTEST_PREFIX else []
        )
        if len(found) == 1:
            return Conversation(self, found[0])
        if found:
            raise BadParameterError(
                f"The workspace {self.directory} has {len(found)} conversations that begin with '{conversation_id}': "
                f"{', '.join(found[:5])}{' …' if len(found) > 5 else ''}."
            )
        raise BadParameterError(
            f"The workspace {self.directory} has no conversation '{conversation_id[:40]}'; "
            "`instructedit workspace list` names those it has."
        )

    def conversation_ids(self) -> list[str]:
        """All conversations, oldest first."""
        rows = self.query("SELECT id FROM conversations ORDER BY created, rowid")
        return [row[0] for row in rows]

    def overview(self) -> list[Overview]:
        """All conversations with what a list shows of them, oldest first."""
        rows = self.query(
            """
            SELECT id, created,
                   (SELECT COALESCE(MAX(created), conversations.created) FROM moves WHERE conversation = id),
                   (SELECT COALESCE(MAX(created), '') FROM turns WHERE conversation = id),
                   (SELECT source FROM images WHERE conversation = id AND number = 1),
                   (SELECT width FROM images WHERE conversation = id AND number = 1),
                   (SELECT height FROM images WHERE conversation = id AND number = 1),
                   (SELECT COUNT(*) FROM images WHERE conversation = id),
                   (SELECT COUNT(*) FROM turns WHERE conversation = id),
                   current_image
            FROM conversations ORDER BY created, rowid
            """
        )
        return [
            Overview(
                id_, created, max(moved, turned), source or "", (width or 0, height or 0), versions, turns, current
            )
            for id_, created, moved, turned, source, width, height, versions, turns, current in rows
        ]

    def _failure(self, error: sqlite3.Error) -> WorkspaceError:
        return WorkspaceError(_explanation(self.database, error))


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switches WAL on; unlike other statements, this one does not wait for a process that does the same."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            if _code(error) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {_CHECKPOINT_PAGES * 4096}")


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code, 0 where the error is none of SQLite's."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _explanation(database: Path, error: sqlite3.Error) -> str:
    code = _code(error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return (
            f"The workspace database {database} is locked: another program has been writing to it for more than "
            f"{BUSY_SECONDS:g} seconds; try again when it is done, nothing was lost."
        )
    if code == sqlite3.SQLITE_FULL:
        return f"The disk of the workspace database {database} is full; nothing was lost: make room and try again."
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR):
        return (
            f"The workspace database {database} is damaged ({error}); the pictures beside it in objects/ are "
            "untouched: put a copy of the database back, or move it away to begin a new one."
        )
    if code == sqlite3.SQLITE_CONSTRAINT:
        return f"The workspace database {database} refused a row ({error}): the conversation was deleted meanwhile."
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return f"The workspace database {database} cannot be opened for writing ({error}); check its permissions."
    return f"The workspace database {database} failed: {error}."
