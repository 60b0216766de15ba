"""Care of a workspace: `verify` names what is missing or altered, `collect` clears away what nothing names.

`instructedit workspace verify | gc | delete` call it. Nothing here ever changes a version; `delete` takes a whole
conversation out of the database, and its files are then what nothing names.
"""

import contextlib
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from instructedit_models.errors import WorkspaceError
from instructedit_models.types import Progress, ProgressCallback
from tools.workspace import Workspace

__all__ = ["SHOWN", "Collected", "Deleted", "Fault", "Verified", "collect", "delete", "verify"]

SHOWN = "shown"
"""The folder of a workspace for pictures that a chat shows as files; they can all be made again."""

_OBJECTS = """
    SELECT sha256, conversation || ' image_' || number FROM images
    UNION ALL SELECT sha256, conversation || ' mask_' || number FROM masks
    UNION ALL SELECT region_sha256, conversation || ' region of ' || image FROM nodes
    UNION ALL SELECT painted_sha256, conversation || ' own pixels of ' || image FROM nodes
              WHERE painted_sha256 IS NOT NULL
    UNION ALL SELECT under_sha256, conversation || ' layer of ' || image FROM nodes WHERE under_sha256 IS NOT NULL
"""
_DANGLING = """
    SELECT conversation || ' ' || image || ': its parent ' || parent || ' is not there' FROM nodes
    WHERE NOT EXISTS (SELECT 1 FROM images WHERE images.conversation = nodes.conversation
                      AND 'image_' || images.number = nodes.parent)
    UNION ALL
    SELECT conversation || ' ' || image || ': the picture itself is not there' FROM nodes
    WHERE NOT EXISTS (SELECT 1 FROM images WHERE images.conversation = nodes.conversation
                      AND 'image_' || images.number = nodes.image)
    UNION ALL
    SELECT conversation || ' ' || image || ': its mask ' || mask || ' is not there' FROM nodes
    WHERE NOT EXISTS (SELECT 1 FROM masks WHERE masks.conversation = nodes.conversation
                      AND 'mask_' || masks.number = nodes.mask)
    UNION ALL
    SELECT id || ': its current picture ' || COALESCE(current_image, '(none)') || ' is not there' FROM conversations
    WHERE NOT EXISTS (SELECT 1 FROM images WHERE images.conversation = conversations.id
                      AND 'image_' || images.number = conversations.current_image)
"""
"""Every object that a row names, with the row; and every row that names another one which is not there."""


@dataclass(frozen=True)
class Fault:
    """Something that is wrong with a workspace.

    Attributes:
        kind: a missing or altered object file, a damaged database, or a row that names nothing.
        what: the file, or a sentence.
        used_by: what is lost with it: "3f6a… image_2", "3f6a… mask_1".
    """

    kind: Literal["missing", "altered", "database", "reference"]
    what: str
    used_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verified:
    """What `verify` found.

    Attributes:
        objects: object files that the database names.
        faults: what is wrong; empty in a sound workspace.
        unused: files that no row names, left by interrupted work; `collect` clears them away.
    """

    objects: int
    faults: tuple[Fault, ...]
    unused: int


@dataclass(frozen=True)
class Collected:
    """What `collect` cleared away, or would.

    Attributes:
        files: names of the files.
        bytes: their size together.
    """

    files: tuple[str, ...]
    bytes: int


@dataclass(frozen=True)
class Deleted:
    """A conversation that is gone.

    Attributes:
        id: 12 hex digits.
        versions, turns: how many it had.
        files: how many files nothing names any more; `collect` removes them.
        bytes: their size together.
    """

    id: str
    versions: int
    turns: int
    files: int
    bytes: int


def verify(workspace: Workspace, progress: ProgressCallback | None = None) -> Verified:
    """Reads every file that the workspace names, and checks it against its name and the database against itself.

    Args:
        workspace: what to check; nothing in it is changed.
        progress: told of each file, stage "check".
    """
    faults = [Fault("database", line) for line in _integrity(workspace)]
    used: dict[str, list[str]] = {}
    try:
        for sha256, row in workspace.query(_OBJECTS):
            used.setdefault(sha256, []).append(row)
        faults += [Fault("reference", sentence) for (sentence,) in workspace.query(_DANGLING)]
    except WorkspaceError as error:
        return Verified(len(used), (*faults, Fault("database", str(error))), 0)
    for step, (sha256, rows) in enumerate(sorted(used.items()), start=1):
        fault = _file_fault(workspace, sha256)
        if fault is not None:
            faults.append(Fault(fault.kind, fault.what, tuple(sorted(rows))))
        if progress:
            progress(Progress("check", step, len(used)))
    unused = sum(sha256 not in used for sha256, _ in workspace.objects.stored())
    return Verified(len(used), tuple(faults), unused)


def collect(workspace: Workspace, dry_run: bool = False) -> Collected:
    """Removes files that no row names: left by killed processes, edits that were never finished, and `delete`.

    No other process can write meanwhile, so a file that is about to be named is safe.

    Args:
        workspace: what to tidy.
        dry_run: only say what would go.

    Raises:
        WorkspaceError: the database is damaged or locked; nothing is removed then.
    """
    if damage := _integrity(workspace):
        raise WorkspaceError(
            f"The database of {workspace.directory} is damaged ({damage[0]}), so nothing was removed; "
            "`instructedit workspace verify` says more."
        )
    files: list[str] = []
    size = 0
    with workspace.transaction() as connection:
        used = _named(connection)
        kept = {row[0] for row in connection.execute("SELECT id FROM conversations")}
        for sha256, path in workspace.objects.stored():
            if sha256 in used:
                continue
            with contextlib.suppress(FileNotFoundError):
                weight = path.stat().st_size
                if not dry_run:
                    path.unlink()
                files.append(path.name)
                size += weight
        for folder in _shown(workspace):
            if folder.name not in kept:
                previews = [path for path in folder.rglob("*") if path.is_file()]
                size += sum(path.stat().st_size for path in previews)
                files += [str(path.relative_to(workspace.directory)) for path in previews]
                if not dry_run:
                    shutil.rmtree(folder, ignore_errors=True)
    if not dry_run:
        workspace.query("PRAGMA wal_checkpoint(TRUNCATE)")
    return Collected(tuple(files), size)


def delete(workspace: Workspace, conversation_id: str) -> Deleted:
    """Takes a conversation out of the database, in one step: all of it is gone afterwards, or nothing.

    What was said is overwritten in the database, not only unlinked. The files stay until `collect`; those that other
    conversations name stay for good.

    Args:
        workspace: where it is.
        conversation_id: its id, or the first digits of it where no other id begins so.

    Raises:
        BadParameterError: there is none of that id, or there are several.
        WorkspaceError: the database is damaged or locked; nothing is deleted then.
    """
    found = workspace.conversation(conversation_id).id
    workspace.query("PRAGMA secure_delete = ON")
    with workspace.transaction() as connection:
        before = _named(connection)
        versions, turns = (
            int(connection.execute(f"SELECT COUNT(*) FROM {table} WHERE conversation = ?", (found,)).fetchone()[0])
            for table in ("images", "turns")
        )
        connection.execute("PRAGMA defer_foreign_keys = ON")
        for table, column in _belonging(connection):
            connection.execute(f'DELETE FROM "{table}" WHERE "{column}" = ?', (found,))
        connection.execute("DELETE FROM conversations WHERE id = ?", (found,))
        unnamed = before - _named(connection)
    workspace.query("PRAGMA wal_checkpoint(TRUNCATE)")
    return Deleted(found, versions, turns, len(unnamed), sum(map(workspace.objects.bytes_of, unnamed)))


def _named(connection: sqlite3.Connection) -> set[str]:
    """The SHA-256 of every object that a row names."""
    return {row[0] for row in connection.execute(_OBJECTS)}


def _belonging(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Every table with rows that belong to a conversation, and the column that says to which."""
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return [
        (table, key[3])
        for table in tables
        for key in connection.execute(f'PRAGMA foreign_key_list("{table}")')
        if key[2] == "conversations"
    ]


def _shown(workspace: Workspace) -> list[Path]:
    """The folders in which a chat put pictures for looking at, one per conversation."""
    place = workspace.directory / SHOWN
    return sorted(path for path in place.iterdir() if path.is_dir()) if place.is_dir() else []


def _integrity(workspace: Workspace) -> list[str]:
    """What SQLite itself finds wrong, at most ten sentences."""
    try:
        lines = [str(row[0]) for row in workspace.query("PRAGMA integrity_check(10)")]
        broken = workspace.query("PRAGMA foreign_key_check")
    except WorkspaceError as error:
        return [str(error)]
    found = [line for line in lines if line != "ok"]
    return found + [f"a row of {table} belongs to no conversation" for table in sorted({row[0] for row in broken})]


def _file_fault(workspace: Workspace, sha256: str) -> Fault | None:
    try:
        path = workspace.objects.path(sha256)
        workspace.objects.check(sha256)
    except WorkspaceError as error:
        if "no SHA-256" in str(error):
            return Fault("reference", str(error))
        return Fault("altered" if path.exists() else "missing", str(path))
    return None
