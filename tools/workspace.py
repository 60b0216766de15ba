"""The workspace: content-addressed pictures and masks on disk beside one SQLite database.

A face opens one and takes a `tools.conversation.Conversation` from it; the LLM only ever sees the
conversation's ids. Any number of threads and processes may hold the same workspace.
"""

import secrets
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Self

from PIL import Image

from instructedit_models.errors import BadParameterError
from tools.conversation import Conversation, now
from tools.migrations import migrate
from tools.objects import ObjectStore, WorkspaceError

__all__ = ["Workspace", "WorkspaceError"]

BUSY_SECONDS = 10.0


class Workspace:
    """A directory with `objects/` and `workspace.sqlite` (WAL); made on first use.

    Raises:
        WorkspaceError: the directory cannot be made, the database is damaged, locked or too new.
    """

    def __init__(self, directory: str | Path, durable: bool = True) -> None:
        """Opens or makes a workspace.

        Args:
            directory: where it lies.
            durable: whether writes are forced to the disk; a kill loses nothing without it, a power cut may.
        """
        self.directory = Path(directory)
        self.objects = ObjectStore(self.directory / "objects", durable)
        self._lock = RLock()
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        try:
            self.objects.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkspaceError(f"Cannot make a workspace in {self.directory}: {error.strerror}.") from error
        with self._explained():
            # Transactions are begun by hand (isolation_level None); the lock makes one connection safe for all threads.
            self._connection = sqlite3.connect(
                self.directory / "workspace.sqlite",
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                self._connection.execute(f"PRAGMA synchronous = {'NORMAL' if durable else 'OFF'}")
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA foreign_keys = ON")
                self.version = migrate(self._connection)
            except BaseException:
                self._connection.close()
                raise

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
            self._connection.close()
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
        conversation_id = secrets.token_hex(6)
        with self.transaction() as connection:
            connection.execute("INSERT INTO conversations VALUES (?, ?, NULL)", (conversation_id, now()))
        conversation = Conversation(self, conversation_id)
        conversation.add_image(image, source)
        return conversation

    def conversation(self, conversation_id: str) -> Conversation:
        """A conversation begun earlier.

        Raises:
            BadParameterError: there is none of that id.
        """
        if conversation_id not in self.conversation_ids():
            raise BadParameterError(f"The workspace {self.directory} has no conversation '{conversation_id}'.")
        return Conversation(self, conversation_id)

    def conversation_ids(self) -> list[str]:
        """All conversations, oldest first."""
        rows = self.query("SELECT id FROM conversations ORDER BY created, rowid")
        return [row[0] for row in rows]

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One write: all of it or nothing of it is kept; the write lock is taken at the start."""
        with self._lock, self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def query(self, sql: str, parameters: tuple[object, ...] = ()) -> list[tuple]:
        """The rows of a read."""
        with self._lock, self._explained():
            return self._connection.execute(sql, parameters).fetchall()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise WorkspaceError(f"The workspace database in {self.directory} failed: {error}.") from error
