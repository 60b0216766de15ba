"""One conversation's pictures, masks and edit graph under short ids (image_3, mask_2).

The tools write here, `agent.session` and the faces read. Nothing is ever overwritten: undo moves the
current pointer, and an edit of an older version begins a branch.
"""

from __future__ import annotations

import json
import re
import sqlite3
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from PIL import Image

from instructedit_models.errors import BadMaskError, BadParameterError
from tools.graph import EditNode, Layer, MaskEntry, NewEdit, Origin, Version
from tools.history import Move, earlier, redoable
from tools.nodes import insert_node, node_of, select_versions, version_of
from tools.objects import Encoded
from tools.regions import RegionRecord

if TYPE_CHECKING:
    from tools.workspace import Workspace

__all__ = ["Conversation", "now"]

_PICTURE = re.compile(r"(?:data:[\w/+.-]+;base64,)?[A-Za-z0-9+/_-]{4000,}={0,2}")
"""A picture that is written out in base64, as messages to some servers hold them; no word is that long."""


class Conversation:
    """The pictures, masks, edits, turns and messages of one conversation in a `Workspace`."""

    def __init__(self, workspace: Workspace, conversation_id: str) -> None:
        self.workspace = workspace
        self.id = conversation_id
        self._known: dict[int, Version] = {}
        """Versions by number as far as they were read; rows of versions are never changed, at most taken back."""
        self._lock = Lock()

    @classmethod
    def begin(cls, workspace: Workspace, conversation_id: str, image: Image.Image, source: str) -> Self:
        """Makes a conversation and its first picture in one step; `Workspace.start` calls it."""
        conversation = cls(workspace, conversation_id)
        encoded = workspace.objects.encode_image(image)
        with workspace.transaction() as connection:
            connection.execute("INSERT INTO conversations VALUES (?, ?, NULL)", (conversation_id, now()))
            conversation._insert_image(connection, encoded, image.size, source, "image")
        return conversation

    @property
    def current_id(self) -> str:
        """The id of the picture that the next edit is made on.

        Raises:
            BadParameterError: the conversation was deleted meanwhile.
        """
        rows = self.workspace.query("SELECT current_image FROM conversations WHERE id = ?", (self.id,))
        return self._there(rows[0] if rows else None)[0]

    def add_image(self, image: Image.Image, source: str = "") -> str:
        """Keeps an original picture, makes it current, and returns its id."""
        encoded = self.workspace.objects.encode_image(image)
        with self.workspace.transaction() as connection:
            return self._insert_image(connection, encoded, image.size, source, "image")

    def add_mask(
        self,
        mask: np.ndarray,
        image_id: str,
        origin: Origin,
        prompt: str,
        regions: tuple[RegionRecord, ...] = (),
        note: str | None = None,
    ) -> str:
        """Keeps a mask, (H, W) bool, and returns its id; the same mask made again keeps its first id.

        Raises:
            BadMaskError: it has not the size of its picture.
        """
        width, height = self.version(image_id).size
        if mask.shape != (height, width):
            raise BadMaskError(
                f"The mask is {mask.shape[-1]} x {mask.shape[0]} pixels, but {image_id} is {width} x {height}."
            )
        encoded = self.workspace.objects.encode_mask(mask)
        kept = json.dumps([region.model_dump() for region in regions])
        values = (image_id, encoded.sha256, origin, prompt, kept, note)
        with self.workspace.transaction() as connection:
            known = connection.execute(
                "SELECT number FROM masks WHERE conversation = ? AND image = ? AND sha256 = ? AND origin = ?"
                " AND prompt = ? AND regions = ? AND note IS ?",
                (self.id, *values),
            ).fetchone()
            if known:
                return f"mask_{known[0]}"
            self.workspace.objects.keep(encoded)
            number = self._next(connection, "masks")
            connection.execute(
                "INSERT INTO masks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (self.id, number, *values, now())
            )
        return f"mask_{number}"

    def add_edit(self, image: Image.Image, region: np.ndarray, edit: NewEdit, layer: Layer | None = None) -> EditNode:
        """Keeps an edited picture as a new version and makes it current.

        Args:
            image: the edited picture.
            region: (H, W) bool, every pixel whose bytes may differ from the parent's.
            edit: how it was made.
            layer: what `tools.layers.Canvas.finish` gave; None where the edit's own pixels are all of the region.
        """
        objects = self.workspace.objects
        picture, changed = objects.encode_image(image), objects.encode_mask(region)
        painted = under = None
        if layer is not None and not np.array_equal(layer.painted, region):
            painted = objects.encode_mask(layer.painted)
        if layer is not None and layer.under is not None:
            under = objects.encode_image(layer.under)
        files = (changed.sha256, painted.sha256 if painted else None, under.sha256 if under else None)
        # First the files, then the rows that name them: a kill in between leaves files that `gc` clears away.
        with self.workspace.transaction() as connection:
            for encoded in (changed, painted, under):
                if encoded is not None:
                    objects.keep(encoded)
            image_id = self._insert_image(connection, picture, image.size, "", "edit")
            node = node_of(edit, image_id, files)
            insert_node(connection, self.id, node, now())
        return node

    def image(self, image_id: str) -> Image.Image:
        """The picture, PIL RGB.

        Raises:
            BadParameterError: there is none of that id.
            WorkspaceError: its file is missing or damaged.
        """
        return self.workspace.objects.image(self.version(image_id).sha256)

    def mask(self, mask_id: str) -> np.ndarray:
        """The mask, (H, W) bool; errors as in `image`."""
        return self.workspace.objects.mask(self.mask_entry(mask_id).sha256)

    def region(self, edit: EditNode) -> np.ndarray:
        """(H, W) bool, every pixel whose bytes the edit may have changed."""
        return self.workspace.objects.mask(edit.region_sha256)

    def painted(self, edit: EditNode) -> np.ndarray:
        """(H, W) bool, the pixels that are the edit's own; see `tools.layers`."""
        return self.workspace.objects.mask(edit.painted_sha256 or edit.region_sha256)

    def layer_image(self, edit: EditNode) -> Image.Image:
        """The picture that holds the edit's own pixels, PIL RGB."""
        return self.workspace.objects.image(edit.under_sha256) if edit.under_sha256 else self.image(edit.image_id)

    def mask_entry(self, mask_id: str) -> MaskEntry:
        """What is known of a mask.

        Raises:
            BadParameterError: there is none of that id.
        """
        found = self._masks("AND number = ?", _number(mask_id, "mask"))
        if not found:
            raise BadParameterError(f"There is no mask '{mask_id}'; segment the picture first and use the id it gives.")
        return found[0]

    def masks(self) -> list[MaskEntry]:
        """All masks in the order they were made."""
        return self._masks()

    def version(self, image_id: str) -> Version:
        """What is known of a picture.

        Raises:
            BadParameterError: there is none of that id.
        """
        number = _number(image_id, "image")
        found = self._known.get(number) or self._read_new().get(number)
        if found is None:
            raise BadParameterError(f"There is no picture '{image_id}'; the current one is {self.current_id}.")
        return found

    def versions(self) -> list[Version]:
        """All pictures in the order they were made."""
        return list(self._read_new().values())

    def path(self, image_id: str, since: str | None = None) -> list[EditNode]:
        """The edits that lead to a picture, first edit first; only those after `since` where it lies on the path.

        Raises:
            BadParameterError: there is no such picture.
        """
        edits: list[EditNode] = []
        while image_id != since and (edit := self.version(image_id).edit):
            edits.append(edit)
            image_id = edit.parent_id
        return edits[::-1]

    def moves(self) -> list[Move]:
        """Every change of the current picture, first one first."""
        rows = self.workspace.query(
            "SELECT from_image, to_image, reason FROM moves WHERE conversation = ? ORDER BY number", (self.id,)
        )
        return [Move(*row) for row in rows]

    def go_to(self, image_id: str, reason: str = "go_to") -> None:
        """Makes any version current; errors as in `version`."""
        self.version(image_id)
        with self.workspace.transaction() as connection:
            self._move(connection, image_id, reason)

    def undo(self, steps: int = 1) -> str:
        """Makes the version from before the last `steps` edits current and returns its id.

        An edit that re-does another one is taken back to that one.

        Raises:
            BadParameterError: there are not that many edits to undo.
        """
        before = earlier({version.id: version for version in self.versions()}, self.current_id)
        if steps < 1 or steps > len(before):
            have = f"only {len(before)} can be undone" if before else "the current picture is the original"
            raise BadParameterError(f"Cannot undo {steps} edit{'s' if steps != 1 else ''}: {have}.")
        self.go_to(before[steps - 1], "undo")
        return before[steps - 1]

    def redo(self, steps: int = 1) -> str:
        """Takes `steps` undone edits up again and returns the id of the version that is current then.

        Going back to an earlier version counts as undoing what came after it; a new edit ends what can be redone.

        Raises:
            BadParameterError: there are not that many edits to redo.
        """
        ahead = redoable({version.id: version for version in self.versions()}, self.moves())
        if steps < 1 or steps > len(ahead):
            have = f"only {len(ahead)} can be redone" if ahead else "nothing was undone since the last edit"
            raise BadParameterError(f"Cannot redo {steps} edit{'s' if steps != 1 else ''}: {have}.")
        self.go_to(ahead[steps - 1], "redo")
        return ahead[steps - 1]

    def add_turn(self, kind: str, record: dict, messages: list[dict]) -> int:
        """Keeps a finished turn: its record and the messages it added.

        Pictures are named in them by id; the bytes of one that a message holds all the same are left out.
        """
        kept, bodies = json.dumps(_without_bytes(record)), [json.dumps(_without_bytes(one)) for one in messages]
        with self.workspace.transaction() as connection:
            turn = self._next(connection, "turns")
            connection.execute("INSERT INTO turns VALUES (?, ?, ?, ?, ?)", (self.id, turn, kind, kept, now()))
            for number, body in enumerate(bodies, start=self._next(connection, "messages")):
                connection.execute("INSERT INTO messages VALUES (?, ?, ?, ?)", (self.id, number, turn, body))
        return turn

    def turns(self) -> list[dict]:
        """The records of all turns, first turn first."""
        rows = self.workspace.query("SELECT record FROM turns WHERE conversation = ? ORDER BY number", (self.id,))
        return [json.loads(row[0]) for row in rows]

    def messages(self, last: int | None = None) -> list[list[dict]]:
        """The messages of each turn, first turn first; only those of the `last` turns that have any."""
        rows = self.workspace.query(
            "SELECT turn, body FROM messages WHERE conversation = ? AND turn IN"
            " (SELECT DISTINCT turn FROM messages WHERE conversation = ? ORDER BY turn DESC LIMIT ?) ORDER BY number",
            (self.id, self.id, -1 if last is None else last),
        )
        turns: dict[int, list[dict]] = {}
        for turn, body in rows:
            turns.setdefault(turn, []).append(json.loads(body))
        return list(turns.values())

    def reread(self) -> None:
        """Forgets what was read of versions, since some were taken back."""
        with self._lock:
            self._known.clear()

    def _read_new(self) -> dict[int, Version]:
        """All versions by number, in order; those made since the last call are read, also another process's."""
        with self._lock:
            newest = max(self._known, default=0)
            for row in self.workspace.query(select_versions("AND images.number > ?"), (self.id, newest)):
                self._known[row[0]] = version_of(row)
            return dict(self._known)

    def _masks(self, where: str = "", *parameters: object) -> list[MaskEntry]:
        rows = self.workspace.query(
            "SELECT number, image, sha256, origin, prompt, regions, note FROM masks"
            f" WHERE conversation = ? {where} ORDER BY number",
            (self.id, *parameters),
        )
        return [
            MaskEntry(f"mask_{number}", image_id, sha256, origin, prompt, _regions(regions), note)
            for number, image_id, sha256, origin, prompt, regions, note in rows
        ]

    def _insert_image(
        self, connection: sqlite3.Connection, encoded: Encoded, size: tuple[int, int], source: str, reason: str
    ) -> str:
        self.workspace.objects.keep(encoded)
        number = self._next(connection, "images")
        connection.execute(
            "INSERT INTO images VALUES (?, ?, ?, ?, ?, ?, ?)", (self.id, number, encoded.sha256, *size, source, now())
        )
        self._move(connection, f"image_{number}", reason)
        return f"image_{number}"

    def _move(self, connection: sqlite3.Connection, image_id: str, reason: str) -> None:
        row = self._there(
            connection.execute("SELECT current_image FROM conversations WHERE id = ?", (self.id,)).fetchone()
        )
        number = self._next(connection, "moves")
        connection.execute(
            "INSERT INTO moves VALUES (?, ?, ?, ?, ?, ?)", (self.id, number, row[0], image_id, reason, now())
        )
        connection.execute("UPDATE conversations SET current_image = ? WHERE id = ?", (image_id, self.id))

    def _there(self, row: tuple | None) -> tuple:
        if row is None:
            raise BadParameterError(f"The conversation {self.id} is not there any more: it was deleted meanwhile.")
        return row

    def _next(self, connection: sqlite3.Connection, table: str) -> int:
        row = connection.execute(
            f"SELECT COALESCE(MAX(number), 0) + 1 FROM {table} WHERE conversation = ?", (self.id,)
        ).fetchone()
        return int(row[0])


def now() -> str:
    """The time as the database keeps it: UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _number(identifier: str, kind: str) -> int:
    match = re.fullmatch(rf"{kind}_([1-9]\d{{0,8}})", identifier)
    return int(match.group(1)) if match else 0


def _regions(kept: str) -> tuple[RegionRecord, ...]:
    return tuple(RegionRecord.model_validate(region) for region in json.loads(kept))


def _without_bytes(value: Any) -> Any:
    """The value with a few words in place of every picture that is written out in base64."""
    if isinstance(value, dict):
        return {name: _without_bytes(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_bytes(one) for one in value]
    if isinstance(value, str) and _PICTURE.fullmatch(value):
        return "(the picture is kept by its id alone)"
    return value
