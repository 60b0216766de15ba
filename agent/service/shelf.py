"""Whose conversation is whose, the picture as each came, and masks of people's own: beside the workspace, not in it.

`service` and `bench` ask. Masks of one's own have ids of their own (own_1), so that those of a conversation are the
same when it is made again from its bundle.
"""

import json
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agent.service.database import Database
from agent.service.limits import NotThereError, ServiceLimits
from instructedit_models.errors import BadImageError, BadMaskError, BadParameterError
from instructedit_models.imaging import LoadedImage, load_image, load_mask, save_mask
from tools.conversation import Conversation
from tools.maintenance import delete
from tools.workspace import Workspace

__all__ = ["FOLDER", "Held", "KeptTurn", "OwnMask", "Shelf", "read_picture", "suffix_of"]

FOLDER = "service"
_ID = re.compile(r"[0-9a-f]{32}")
_OWN = re.compile(r"own_([1-9]\d{0,5})")
_SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif"}
_NAME = 120


@dataclass(frozen=True)
class Held:
    """A conversation on the shelf.

    Attributes:
        id: 32 hex digits.
        owner: hash of the token that began it; "" where none was needed.
        name: of the picture's file, as the person had it.
        warnings: what was said of the picture when it came.
        original: the file as it came.
        created: seconds since 1970.
    """

    id: str
    owner: str
    name: str
    warnings: tuple[str, ...]
    original: Path
    created: float


@dataclass(frozen=True)
class OwnMask:
    """A mask that a person painted or clicked.

    Attributes:
        id: "own_1" …
        image_id: the version that it was made on.
        made_by: "painted" or "clicks".
        area: its share of the picture, 0 to 1.
    """

    id: str
    image_id: str
    made_by: str
    area: float


@dataclass(frozen=True)
class KeptTurn:
    """What the service keeps of a turn beside the workspace.

    Attributes:
        number: of the turn.
        job: that did it; None for what was done at once.
        question: the `Asked` event, as data, where it asked.
        bundle: the `BundleTurn`, as data.
    """

    number: int
    job: str | None
    question: dict[str, Any] | None
    bundle: dict[str, Any]


class Shelf:
    """The conversations of a service."""

    def __init__(self, workspace: Workspace, database: Database, limits: ServiceLimits) -> None:
        self.workspace = workspace
        self.folder = workspace.directory / FOLDER
        self._database = database
        self._limits = limits
        self.folder.mkdir(parents=True, exist_ok=True)

    def begin(self, owner: str, data: bytes, name: str) -> Conversation:
        """Begins a conversation about a picture.

        Args:
            owner: to whom it belongs.
            data: the picture's file.
            name: of the file, to be shown; nothing is opened by it.

        Raises:
            BadImageError: it cannot be read as a picture, or is too large.
        """
        loaded = read_picture(data, self._limits.picture_pixels)
        key = secrets.token_hex(16)
        original = self.folder / key / f"input{suffix_of(loaded)}"
        original.parent.mkdir()
        original.write_bytes(data)
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO conversations VALUES (?, ?, ?, ?, ?, 0, ?)",
                (key, owner, _shown_name(name), json.dumps(loaded.warnings), original.name, time.time()),
            )
        return Conversation.begin(self.workspace, key, loaded.image, str(original))

    def held(self, key: str, owner: str) -> Held:
        """What is known of a conversation; raises NotThereError where there is none of that id that is the owner's."""
        rows = self._database.query("SELECT * FROM conversations WHERE id = ?", (key,)) if _ID.fullmatch(key) else []
        if not rows or rows[0]["owner"] != owner:
            raise NotThereError("There is no such conversation; it may have been deleted.")
        row = rows[0]
        original = self.folder / key / row["original"]
        return Held(key, row["owner"], row["name"], tuple(json.loads(row["warnings"])), original, row["created"])

    def conversation(self, key: str, owner: str) -> Conversation:
        """A conversation; raises as `held`."""
        held = self.held(key, owner)
        if not self.workspace.query("SELECT 1 FROM conversations WHERE id = ?", (held.id,)):
            raise NotThereError("There is no such conversation; it may have been deleted.")
        return Conversation(self.workspace, held.id)

    def delete(self, key: str) -> None:
        """Takes a conversation away with all that is known of it, and its files."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM conversations WHERE id = ?", (key,))
        if self.workspace.query("SELECT 1 FROM conversations WHERE id = ?", (key,)):
            delete(self.workspace, key)
        shutil.rmtree(self.folder / key, ignore_errors=True)

    def count(self) -> int:
        """How many conversations there are."""
        return int(self._database.query("SELECT COUNT(*) FROM conversations")[0][0])

    def tidy(self) -> None:
        """Takes away what a process that died, or `instructedit workspace delete`, left behind."""
        known = set(self.workspace.conversation_ids())
        for row in self._database.query("SELECT id FROM conversations"):
            if row["id"] not in known:
                self.delete(row["id"])
        kept = {row["id"] for row in self._database.query("SELECT id FROM conversations UNION SELECT id FROM jobs")}
        for folder in self.folder.iterdir():
            if folder.is_dir() and folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    def add_painted(self, conversation: Conversation, data: bytes, image_id: str) -> OwnMask:
        """Keeps a mask that was painted.

        Raises:
            BadImageError, BadMaskError: it is no picture, has another size, or is all black.
            BadParameterError: there is no such version, or there are too many masks.
        """
        size = conversation.version(image_id).size
        with _as_file(data) as path:
            try:
                mask = load_mask(path, size)
            except (BadImageError, BadMaskError) as error:
                raise type(error)(str(error).replace(f"'{path}'", "").replace("  ", " ").strip()) from None
        return self.add_own(conversation.id, mask, image_id, "painted")

    def add_own(self, key: str, mask: np.ndarray, image_id: str, made_by: str) -> OwnMask:
        """Keeps a mask, (H, W) bool; raises BadMaskError where it is empty, BadParameterError for too many."""
        if not mask.any():
            raise BadMaskError("The mask is empty: nothing in it is white.")
        area = round(float(mask.mean()), 4)
        with self._database.transaction() as connection:
            row = connection.execute("SELECT own_masks FROM conversations WHERE id = ?", (key,)).fetchone()
            if row is None:
                raise NotThereError("There is no such conversation; it may have been deleted.")
            number = int(row["own_masks"]) + 1
            if number > self._limits.own_masks:
                raise BadParameterError(f"A conversation holds at most {self._limits.own_masks} masks of your own.")
            connection.execute("UPDATE conversations SET own_masks = ? WHERE id = ?", (number, key))
            connection.execute("INSERT INTO own_masks VALUES (?, ?, ?, ?, ?)", (key, number, image_id, made_by, area))
            save_mask(mask, self.folder / key / f"own_{number}.png")
        return OwnMask(f"own_{number}", image_id, made_by, area)

    def own(self, key: str, mask_id: str) -> OwnMask | None:
        """What is known of a mask of one's own; None where the id is of no such mask."""
        match = _OWN.fullmatch(mask_id)
        rows = (
            self._database.query(
                "SELECT image, made_by, area FROM own_masks WHERE conversation = ? AND number = ?", (key, int(match[1]))
            )
            if match
            else []
        )
        return OwnMask(mask_id, *rows[0]) if rows else None

    def mask(self, conversation: Conversation, mask_id: str) -> tuple[np.ndarray, str]:
        """A mask by either kind of id, (H, W) bool, and the version that it was made on.

        Raises:
            BadParameterError: there is none.
        """
        own = self.own(conversation.id, mask_id)
        if own is None:
            entry = conversation.mask_entry(mask_id)
            return conversation.mask(mask_id), entry.image_id
        path = self.folder / conversation.id / f"{mask_id}.png"
        return load_mask(path, conversation.version(own.image_id).size), own.image_id

    def keep_turn(
        self, key: str, number: int, job: str | None, question: Mapping[str, Any] | None, bundle: Mapping[str, Any]
    ) -> None:
        """Keeps what `turns` gives."""
        asked = None if question is None else json.dumps(dict(question))
        with self._database.transaction() as connection:
            known = connection.execute("SELECT 1 FROM conversations WHERE id = ?", (key,)).fetchone()
            if known is not None:
                connection.execute(
                    "INSERT OR REPLACE INTO turns VALUES (?, ?, ?, ?, ?)",
                    (key, number, job, asked, json.dumps(dict(bundle))),
                )

    def turns(self, key: str) -> dict[int, KeptTurn]:
        """What is kept of each turn, by its number."""
        rows = self._database.query("SELECT * FROM turns WHERE conversation = ? ORDER BY number", (key,))
        return {
            row["number"]: KeptTurn(
                row["number"],
                row["job"],
                json.loads(row["question"]) if row["question"] else None,
                json.loads(row["bundle"]),
            )
            for row in rows
        }


def read_picture(data: bytes, max_pixels: int) -> LoadedImage:
    """Reads a picture that came as bytes; raises BadImageError."""
    with _as_file(data) as path:
        try:
            return load_image(path, max_pixels=max_pixels)
        except BadImageError as error:
            raise BadImageError(str(error).replace(f"'{path}'", "The picture")) from None


def suffix_of(loaded: LoadedImage) -> str:
    """The suffix for a file of a picture's format."""
    return _SUFFIXES.get(loaded.format, ".img")


@contextmanager
def _as_file(data: bytes) -> Iterator[str]:
    """Bytes as a file, while a block lasts; decoders want one."""
    with tempfile.NamedTemporaryFile(prefix="instructedit-", suffix=".img") as file:
        file.write(data)
        file.flush()
        yield file.name


def _shown_name(name: str) -> str:
    tidy = "".join(letter for letter in re.split(r"[/\\]", name)[-1] if letter.isprintable()).strip()
    return tidy[:_NAME] or "picture"
