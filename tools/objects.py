"""Content-addressed files: a picture or mask is stored once, under the SHA-256 of its PNG bytes.

The workspace calls this; nothing here knows of conversations or ids.
"""

import contextlib
import errno
import hashlib
import io
import os
import re
import secrets
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import numpy as np
from PIL import Image, UnidentifiedImageError

from instructedit_models.errors import WorkspaceError

__all__ = ["Encoded", "ObjectStore"]

CACHED_PIXELS = 64_000_000
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Encoded:
    """A picture or mask as the file it will be.

    Attributes:
        sha256: its name, 64 hex digits.
        data: its PNG bytes.
        picture: the picture, PIL RGB; None for masks.
    """

    sha256: str
    data: bytes = field(repr=False)
    picture: Image.Image | None = field(default=None, repr=False, compare=False)


class ObjectStore:
    """Files named `<sha256>.png` in one directory; a file that has its final name is whole."""

    def __init__(self, directory: Path, durable: bool = True) -> None:
        """Takes a directory, which need not exist before the first write.

        Args:
            directory: where the files lie.
            durable: whether each file is forced to the disk; a kill loses nothing without it, a power cut may.
        """
        self.directory = directory
        self.durable = durable
        self._decoded: OrderedDict[str, Image.Image] = OrderedDict()
        self._lock = Lock()

    def path(self, sha256: str) -> Path:
        """Where the object lies.

        Raises:
            WorkspaceError: that is no SHA-256; a database that was tampered with reaches no other file.
        """
        if not _SHA256.fullmatch(sha256):
            raise WorkspaceError(f"The workspace database names an object '{sha256[:80]}', which is no SHA-256.")
        return self.directory / f"{sha256}.png"

    @staticmethod
    def encode_image(image: Image.Image) -> Encoded:
        """An RGB picture as the file it will be; slow, so do it before any lock is taken."""
        picture = image.convert("RGB")
        data = _png(picture, compress_level=1)
        return Encoded(hashlib.sha256(data).hexdigest(), data, picture)

    @staticmethod
    def encode_mask(mask: np.ndarray) -> Encoded:
        """A mask, (H, W) bool, as the 1-bit PNG it will be."""
        data = _png(Image.fromarray(np.ascontiguousarray(mask, dtype=bool)), compress_level=6)
        return Encoded(hashlib.sha256(data).hexdigest(), data)

    def keep(self, encoded: Encoded) -> str:
        """Writes the file unless it is there, and returns its SHA-256.

        Called inside the transaction that names the file, so that a `gc` beside it never takes it away.

        Raises:
            WorkspaceError: it cannot be written; nothing is left of it.
        """
        path = self.path(encoded.sha256)
        if not path.exists():
            self._write(path, encoded.data)
        if encoded.picture is not None:
            self._remember(encoded.sha256, encoded.picture)
        return encoded.sha256

    def image(self, sha256: str) -> Image.Image:
        """The picture, PIL RGB; it may be shared, so do not draw on it.

        Raises:
            WorkspaceError: the file is missing or damaged.
        """
        with self._lock:
            if sha256 in self._decoded:
                self._decoded.move_to_end(sha256)
                return self._decoded[sha256]
        image = self._decode(sha256).convert("RGB")
        self._remember(sha256, image)
        return image

    def mask(self, sha256: str) -> np.ndarray:
        """The mask, (H, W) bool.

        Raises:
            WorkspaceError: the file is missing or damaged.
        """
        return np.asarray(self._decode(sha256).convert("1"), dtype=bool).copy()

    def check(self, sha256: str) -> None:
        """Reads the object's file whole, past any cache; raises WorkspaceError where it is missing or altered."""
        self._decode(sha256)

    def bytes_of(self, sha256: str) -> int:
        """The file's size in bytes, 0 where it is missing."""
        with contextlib.suppress(OSError):
            return self.path(sha256).stat().st_size
        return 0

    def stored(self) -> Iterator[tuple[str, Path]]:
        """Every file of the store with its SHA-256; an empty string for what is no object (an interrupted write)."""
        for path in sorted(self.directory.iterdir()):
            if path.is_file() and not path.is_symlink():
                yield (path.stem if path.suffix == ".png" and _SHA256.fullmatch(path.stem) else ""), path

    def _remember(self, sha256: str, image: Image.Image) -> None:
        with self._lock:
            self._decoded[sha256] = image
            while len(self._decoded) > 1 and sum(i.width * i.height for i in self._decoded.values()) > CACHED_PIXELS:
                self._decoded.popitem(last=False)

    def _write(self, path: Path, data: bytes) -> None:
        temporary = path.with_suffix(f".{os.getpid()}-{secrets.token_hex(4)}.tmp")
        try:
            with open(temporary, "wb") as file:
                file.write(data)
                if self.durable:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(temporary, path)
            if self.durable:
                _flush_directory(self.directory)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise WorkspaceError(_why_not_written(self.directory, error)) from error

    def _decode(self, sha256: str) -> Image.Image:
        path = self.path(sha256)
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise WorkspaceError(f"The workspace file {path} is missing.") from error
        except OSError as error:
            raise WorkspaceError(f"The workspace file {path} cannot be read: {error.strerror}.") from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise WorkspaceError(f"The workspace file {path} is damaged: its content does not match its name.")
        try:
            with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
                image.load()
                return image.copy()
        except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
            raise WorkspaceError(f"The workspace file {path} is not a picture.") from error


def _png(image: Image.Image, compress_level: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=compress_level)
    return buffer.getvalue()


def _flush_directory(directory: Path) -> None:
    """Forces a rename to the disk, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _why_not_written(directory: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"The disk of the workspace {directory.parent} is full ({error.strerror}); nothing was lost: make room, "
            "for instance with `instructedit workspace gc`, and try again."
        )
    return f"Cannot write to the workspace {directory.parent}: {error.strerror}; nothing was lost."
