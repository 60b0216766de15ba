"""One conversation's pictures, masks and edit graph under short ids (image_3, mask_2).

The tools write here, `agent.session` and the faces read. Nothing is ever overwritten: undo moves the
current pointer, and an edit of an older version begins a branch.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from instructedit_models.errors import BadMaskError, BadParameterError
from instructedit_models.types import EditOptions
from tools.graph import EditNode, MaskEntry, NewEdit, Origin, Version
from tools.regions import RegionRecord

if TYPE_CHECKING:
    from tools.workspace import Workspace

__all__ = ["Conversation", "now"]


class Conversation:
    """The pictures, masks, edits, turns and messages of one conversation in a `Workspace`."""

    def __init__(self, workspace: Workspace, conversation_id: str) -> None:
        self.workspace = workspace
        self.id = conversation_id

    @property
    def current_id(self) -> str:
        """The id of the picture that the next edit is made on."""
        rows = self.workspace.query("SELECT current_image FROM conversations WHERE id = ?", (self.id,))
        return rows[0][0]

    def add_image(self, image: Image.Image, source: str = "") -> str:
        """Keeps an original picture, makes it current, and returns its id."""
        sha256 = self.workspace.objects.put_image(image)
        with self.workspace.transaction() as connection:
            image_id = self._insert_image(connection, sha256, image.size, source)
            self._move(connection, image_id, "image")
        return image_id

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
        sha256 = self.workspace.objects.put_mask(mask)
        kept = json.dumps([region.model_dump() for region in regions])
        values = (image_id, sha256, origin, prompt, kept, note)
        with self.workspace.transaction() as connection:
            known = connection.execute(
                "SELECT number FROM masks WHERE conversation = ? AND image = ? AND sha256 = ? AND origin = ?"
                " AND prompt = ? AND regions = ? AND note IS ?",
                (self.id, *values),
            ).fetchone()
            if known:
                return f"mask_{known[0]}"
            number = self._next(connection, "masks")
            connection.execute(
                "INSERT INTO masks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (self.id, number, *values, now())
            )
        return f"mask_{number}"

    def add_edit(self, image: Image.Image, region: np.ndarray, edit: NewEdit) -> EditNode:
        """Keeps an edited picture as a new version and makes it current.

        Args:
            image: the edited picture.
            region: (H, W) bool, every pixel whose bytes may differ from the parent's.
            edit: how it was made.
        """
        objects = self.workspace.objects
        sha256, region_sha256 = objects.put_image(image), objects.put_mask(region)
        with self.workspace.transaction() as connection:
            image_id = self._insert_image(connection, sha256, image.size, "")
            connection.execute(
                f"INSERT INTO nodes VALUES ({', '.join('?' * 18)})",
                (
                    self.id,
                    image_id,
                    edit.parent_id,
                    edit.mask_id,
                    region_sha256,
                    edit.segmentation_prompt,
                    edit.input_caption,
                    edit.edited_caption,
                    edit.change,
                    json.dumps(dataclasses.asdict(edit.options)),
                    edit.options.seed,
                    edit.unet_evaluations,
                    edit.inversion_cached,
                    json.dumps(edit.seconds),
                    json.dumps(edit.models),
                    json.dumps(edit.verification),
                    edit.adjusts,
                    now(),
                ),
            )
            self._move(connection, image_id, "edit")
        values = {field.name: getattr(edit, field.name) for field in dataclasses.fields(NewEdit)}
        return EditNode(**values, image_id=image_id, region_sha256=region_sha256)

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

    def mask_entry(self, mask_id: str) -> MaskEntry:
        """What is known of a mask.

        Raises:
            BadParameterError: there is none of that id.
        """
        rows = self.workspace.query(
            "SELECT image, sha256, origin, prompt, regions, note FROM masks WHERE conversation = ? AND number = ?",
            (self.id, _number(mask_id, "mask")),
        )
        if not rows:
            raise BadParameterError(f"There is no mask '{mask_id}'; segment the picture first and use the id it gives.")
        image_id, sha256, origin, prompt, regions, note = rows[0]
        kept = tuple(RegionRecord.model_validate(region) for region in json.loads(regions))
        return MaskEntry(mask_id, image_id, sha256, origin, prompt, kept, note)

    def version(self, image_id: str) -> Version:
        """What is known of a picture.

        Raises:
            BadParameterError: there is none of that id.
        """
        rows = self.workspace.query(
            "SELECT sha256, width, height, source FROM images WHERE conversation = ? AND number = ?",
            (self.id, _number(image_id, "image")),
        )
        if not rows:
            raise BadParameterError(f"There is no picture '{image_id}'; the current one is {self.current_id}.")
        sha256, width, height, source = rows[0]
        return Version(image_id, sha256, (width, height), source, self._edit(image_id))

    def versions(self) -> list[Version]:
        """All pictures in the order they were made."""
        rows = self.workspace.query("SELECT number FROM images WHERE conversation = ? ORDER BY number", (self.id,))
        return [self.version(f"image_{row[0]}") for row in rows]

    def path(self, image_id: str, since: str | None = None) -> list[EditNode]:
        """The edits that lead to a picture, first edit first; only those after `since` where it lies on the path."""
        edits: list[EditNode] = []
        while image_id != since and (edit := self.version(image_id).edit):
            edits.insert(0, edit)
            image_id = edit.parent_id
        return edits

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
        before: list[str] = []
        image_id = self.current_id
        while edit := self.version(image_id).edit:
            image_id = edit.adjusts or edit.parent_id
            before.append(image_id)
        if steps < 1 or steps > len(before):
            have = f"only {len(before)} can be undone" if before else "the current picture is the original"
            raise BadParameterError(f"Cannot undo {steps} edit{'s' if steps != 1 else ''}: {have}.")
        self.go_to(before[steps - 1], "undo")
        return before[steps - 1]

    def add_turn(self, kind: str, record: dict, messages: list[dict]) -> int:
        """Keeps a finished turn: its record and the messages it added (ids only, never bytes)."""
        with self.workspace.transaction() as connection:
            turn = self._next(connection, "turns")
            connection.execute(
                "INSERT INTO turns VALUES (?, ?, ?, ?, ?)", (self.id, turn, kind, json.dumps(record), now())
            )
            for number, message in enumerate(messages, start=self._next(connection, "messages")):
                connection.execute(
                    "INSERT INTO messages VALUES (?, ?, ?, ?)", (self.id, number, turn, json.dumps(message))
                )
        return turn

    def turns(self) -> list[dict]:
        """The records of all turns, first turn first."""
        rows = self.workspace.query("SELECT record FROM turns WHERE conversation = ? ORDER BY number", (self.id,))
        return [json.loads(row[0]) for row in rows]

    def messages(self) -> list[list[dict]]:
        """The messages of each turn, first turn first."""
        rows = self.workspace.query(
            "SELECT turn, body FROM messages WHERE conversation = ? ORDER BY number", (self.id,)
        )
        turns: dict[int, list[dict]] = {}
        for turn, body in rows:
            turns.setdefault(turn, []).append(json.loads(body))
        return list(turns.values())

    def _edit(self, image_id: str) -> EditNode | None:
        rows = self.workspace.query(
            "SELECT parent, mask, segmentation_prompt, input_caption, edited_caption, change, parameters,"
            " unet_evaluations, inversion_cached, seconds, models, verification, adjusts, region_sha256"
            " FROM nodes WHERE conversation = ? AND image = ?",
            (self.id, image_id),
        )
        if not rows:
            return None
        parent, mask, prompt, before, after, change, parameters, evaluations, cached, *rest = rows[0]
        seconds, models, verification, adjusts, region = rest
        return EditNode(
            parent_id=parent,
            mask_id=mask,
            segmentation_prompt=prompt,
            input_caption=before,
            edited_caption=after,
            change=change,
            options=EditOptions(**json.loads(parameters)),
            unet_evaluations=evaluations,
            inversion_cached=bool(cached),
            seconds=json.loads(seconds),
            models=json.loads(models),
            verification=json.loads(verification) if verification else None,
            adjusts=adjusts,
            image_id=image_id,
            region_sha256=region,
        )

    def _insert_image(self, connection: sqlite3.Connection, sha256: str, size: tuple[int, int], source: str) -> str:
        number = self._next(connection, "images")
        connection.execute(
            "INSERT INTO images VALUES (?, ?, ?, ?, ?, ?, ?)", (self.id, number, sha256, *size, source, now())
        )
        return f"image_{number}"

    def _move(self, connection: sqlite3.Connection, image_id: str, reason: str) -> None:
        row = connection.execute("SELECT current_image FROM conversations WHERE id = ?", (self.id,)).fetchone()
        number = self._next(connection, "moves")
        connection.execute(
            "INSERT INTO moves VALUES (?, ?, ?, ?, ?, ?)", (self.id, number, row[0], image_id, reason, now())
        )
        connection.execute("UPDATE conversations SET current_image = ? WHERE id = ?", (image_id, self.id))

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
