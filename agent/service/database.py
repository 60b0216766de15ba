"""The service's own SQLite file beside the workspace: whose conversations are whose, jobs, their events, keys.

`shelf`, `jobs` and `keys` read and write it. Several processes may (replicas); the
workspace itself knows nothing of it.
"""

import sqlite3
from pathlib import Path

from instructedit_models.errors import WorkspaceError
from tools.migrations import migrate
from tools.sqlite_file import SqliteFile, connect

__all__ = ["FILE", "Database"]

FILE = "service.sqlite"
_STEPS: tuple[tuple[str, str], ...] = (
    (
        "conversations, jobs, events, turns, keys",
        """
        CREATE TABLE conversations (
            id TEXT PRIMARY KEY,
            owner TEXT NOT NULL,
            name TEXT NOT NULL,
            warnings TEXT NOT NULL,
            original TEXT NOT NULL,
            own_masks INTEGER NOT NULL DEFAULT 0,
            created REAL NOT NULL
        );
        CREATE TABLE own_masks (
            conversation TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            image TEXT NOT NULL,
            made_by TEXT NOT NULL,
            area REAL NOT NULL,
            PRIMARY KEY (conversation, number)
        );
        CREATE TABLE turns (
            conversation TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            job TEXT,
            question TEXT,
            bundle TEXT NOT NULL,
            PRIMARY KEY (conversation, number)
        );
        CREATE TABLE jobs (
            id TEXT PRIMARY KEY,
            conversation TEXT REFERENCES conversations(id) ON DELETE CASCADE,
            client TEXT NOT NULL,
            owner TEXT NOT NULL,
            kind TEXT NOT NULL,
            payload TEXT NOT NULL,
            state TEXT NOT NULL,
            created REAL NOT NULL,
            started REAL,
            finished REAL,
            attempts INTEGER NOT NULL DEFAULT 0,
            worker TEXT,
            seen REAL,
            stop INTEGER NOT NULL DEFAULT 0,
            start TEXT,
            progress TEXT,
            result TEXT,
            error TEXT,
            last INTEGER NOT NULL DEFAULT 0
        );
        CREATE INDEX jobs_by_state ON jobs (state);
        CREATE INDEX jobs_by_conversation ON jobs (conversation, state);
        CREATE TABLE events (
            job TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            kind TEXT NOT NULL,
            body TEXT NOT NULL,
            PRIMARY KEY (job, number)
        );
        CREATE TABLE keys (
            client TEXT NOT NULL,
            key TEXT NOT NULL,
            fingerprint TEXT NOT NULL,
            status INTEGER,
            answer TEXT,
            created REAL NOT NULL,
            PRIMARY KEY (client, key)
        );
        """,
    ),
)


class Database(SqliteFile):
    """The service's tables; rows are `sqlite3.Row`.

    Raises:
        WorkspaceError: the file cannot be opened or written, or a newer version made it.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        with self._explained():
            connection = connect(self.path)
        super().__init__(connection, self._prepare)

    def _prepare(self) -> None:
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.execute("PRAGMA secure_delete = ON")
        migrate(self._connection, _STEPS)

    def _failure(self, error: sqlite3.Error) -> WorkspaceError:
        return WorkspaceError(f"The service's database {self.path} failed: {error}.")
