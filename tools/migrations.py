"""The workspace database's schema as numbered steps; `migrate` brings any older database up to date.

A step, once released, is never edited: a change of schema is a new step at the end.
"""

import sqlite3

from instructedit_models.errors import WorkspaceError

__all__ = ["MIGRATIONS", "check_origin", "migrate"]

APPLICATION_ID = 0x49456431
"""Marks the database file as ours ("IEd1"), so that no other program's database is ever written to."""

MIGRATIONS: tuple[tuple[str, str], ...] = (
    (
        "conversations, images, masks, nodes, moves, turns, messages",
        """
        CREATE TABLE conversations (
            id TEXT PRIMARY KEY,
            created TEXT NOT NULL,
            current_image TEXT
        );
        CREATE TABLE images (
            conversation TEXT NOT NULL REFERENCES conversations(id),
            number INTEGER NOT NULL,
            sha256 TEXT NOT NULL,
            width INTEGER NOT NULL,
            height INTEGER NOT NULL,
            source TEXT NOT NULL,
            created TEXT NOT NULL,
            PRIMARY KEY (conversation, number)
        );
        CREATE TABLE masks (
            conversation TEXT NOT NULL REFERENCES conversations(id),
            number INTEGER NOT NULL,
            image TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            origin TEXT NOT NULL,
            prompt TEXT NOT NULL,
            regions TEXT NOT NULL,
            note TEXT,
            created TEXT NOT NULL,
            PRIMARY KEY (conversation, number)
        );
        CREATE INDEX masks_by_content ON masks (conversation, sha256);
        CREATE TABLE nodes (
            conversation TEXT NOT NULL REFERENCES conversations(id),
            image TEXT NOT NULL,
            parent TEXT NOT NULL,
            mask TEXT NOT NULL,
            region_sha256 TEXT NOT NULL,
            segmentation_prompt TEXT NOT NULL,
            input_caption TEXT NOT NULL,
            edited_caption TEXT NOT NULL,
            change TEXT NOT NULL,
            parameters TEXT NOT NULL,
            seed INTEGER NOT NULL,
            unet_evaluations INTEGER NOT NULL,
            inversion_cached INTEGER NOT NULL,
            seconds TEXT NOT NULL,
            models TEXT NOT NULL,
            verification TEXT,
            adjusts TEXT,
            created TEXT NOT NULL,
            PRIMARY KEY (conversation, image)
        );
        CREATE TABLE moves (
            conversation TEXT NOT NULL REFERENCES conversations(id),
            number INTEGER NOT NULL,
            from_image TEXT,
            to_image TEXT NOT NULL,
            reason TEXT NOT NULL,
            created TEXT NOT NULL,
            PRIMARY KEY (conversation, number)
        );
        CREATE TABLE turns (
            conversation TEXT NOT NULL REFERENCES conversations(id),
            number INTEGER NOT NULL,
            kind TEXT NOT NULL,
            record TEXT NOT NULL,
            created TEXT NOT NULL,
            PRIMARY KEY (conversation, number)
        );
        CREATE TABLE messages (
            conversation TEXT NOT NULL REFERENCES conversations(id),
            number INTEGER NOT NULL,
            turn INTEGER NOT NULL,
            body TEXT NOT NULL,
            PRIMARY KEY (conversation, number)
        );
        """,
    ),
    (
        "layers: what an edit starts from, what it replaces, and its own pixels",
        f"""
        ALTER TABLE nodes ADD COLUMN base TEXT NOT NULL DEFAULT 'current';
        ALTER TABLE nodes ADD COLUMN replaces TEXT;
        ALTER TABLE nodes ADD COLUMN supersedes TEXT NOT NULL DEFAULT '[]';
        ALTER TABLE nodes ADD COLUMN reapplies TEXT;
        ALTER TABLE nodes ADD COLUMN painted_sha256 TEXT;
        ALTER TABLE nodes ADD COLUMN under_sha256 TEXT;
        PRAGMA application_id = {APPLICATION_ID};
        """,
    ),
    ("parts that a change of the look left", "ALTER TABLE nodes ADD COLUMN kept_parts TEXT NOT NULL DEFAULT '[]'"),
)
"""(name, SQL) in order; step i brings `PRAGMA user_version` from i to i + 1."""


def migrate(connection: sqlite3.Connection, steps: tuple[tuple[str, str], ...] = MIGRATIONS) -> int:
    """Applies the steps that the database lacks, each in one transaction, and returns its version.

    Raises:
        WorkspaceError: the database was made by a newer version of the program.
    """
    version = _version(connection)
    _refuse_newer(version, len(steps))
    while version < len(steps):
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = _version(connection)  # another process may have migrated while we waited for the lock
            if version < len(steps):
                _apply(connection, version + 1, *steps[version])
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        version = _version(connection)
    return version


def check_origin(connection: sqlite3.Connection) -> None:
    """Sees that the file is empty or ours and not too new, before anything is written to it.

    Raises:
        WorkspaceError: it is the database of another program, or of a newer version of this one.
    """
    owner = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if owner not in (0, APPLICATION_ID) or (owner == 0 and tables and "migrations" not in tables):
        raise WorkspaceError(
            "The file workspace.sqlite there is the database of another program; choose another folder."
        )
    _refuse_newer(_version(connection), len(MIGRATIONS))


def _refuse_newer(version: int, known: int) -> None:
    if version > known:
        raise WorkspaceError(
            f"The workspace has schema version {version}, but this program knows only up to {known}; "
            "open it with the newer InstructEdit that made it."
        )


def _apply(connection: sqlite3.Connection, number: int, name: str, sql: str) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied TEXT NOT NULL)"
    )
    for statement in sql.split(";"):
        if statement.strip():
            connection.execute(statement)
    connection.execute("INSERT INTO migrations VALUES (?, ?, datetime('now'))", (number, name))
    connection.execute(f"PRAGMA user_version = {number}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
