"""The workspace database's schema as numbered steps; `migrate` brings any older database up to date.

A step, once released, is never edited: a change of schema is a new step at the end.
"""

import sqlite3

from tools.objects import WorkspaceError

__all__ = ["MIGRATIONS", "migrate"]

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
)
"""(name, SQL) in order; step i brings `PRAGMA user_version` from i to i + 1."""


def migrate(connection: sqlite3.Connection, steps: tuple[tuple[str, str], ...] = MIGRATIONS) -> int:
    """Applies the steps that the database lacks, each in one transaction, and returns its version.

    Raises:
        WorkspaceError: the database was made by a newer version of the program.
    """
    version = _version(connection)
    if version > len(steps):
        raise WorkspaceError(
            f"The workspace has schema version {version}, but this program knows only up to {len(steps)}; "
            "open it with the newer InstructEdit that made it."
        )
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
