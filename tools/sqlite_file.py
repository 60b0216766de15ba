"""A SQLite file that all threads of a process share through one connection; a write is kept whole or not at all.

The workspace, the service's database and a study's votes are such files, each with its own tables and its own words
for what goes wrong.
"""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from instructedit_models.errors import InstructEditError

__all__ = ["BUSY_SECONDS", "SqliteFile", "connect"]

BUSY_SECONDS = 10.0
"""How long a process waits for another one's write."""


def connect(path: Path, busy_seconds: float = BUSY_SECONDS) -> sqlite3.Connection:
    """Opens a file for all threads; transactions are begun by hand. Raises sqlite3.Error."""
    return sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)


class SqliteFile(ABC):
    """A SQLite file; what SQLite raises comes out as `_failure` says it."""

    def __init__(self, connection: sqlite3.Connection, prepare: Callable[[], None]) -> None:
        """Takes a connection over, and closes it where it cannot be used.

        Args:
            connection: from `connect`.
            prepare: sets the connection up and brings its tables up to date.
        """
        self._lock = RLock()
        self._connection = connection
        try:
            with self._explained():
                prepare()
        except BaseException:
            connection.close()
            raise

    @abstractmethod
    def _failure(self, error: sqlite3.Error) -> InstructEditError:
        """What a person is told."""

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._connection.close()

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

    def query(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        """The rows of a read."""
        with self._lock, self._explained():
            return self._connection.execute(sql, parameters).fetchall()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._failure(error) from error
