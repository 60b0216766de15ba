"""Content-addressed files: a picture or mask is stored once, under the SHA-256 of its PNG bytes.

The workspace calls this; nothing here knows of conversations or ids.
"""

import hashlib
import io
import os
import secrets
from collections import OrderedDict
from pathlib import Path
from threading import Lock

import numpy as np
from PIL import Image, UnidentifiedImageError

from instructedit_models.errors import UserError

__all__ = ["ObjectStore", "WorkspaceError"]

CACHED_PIXELS = 64_000_000


class WorkspaceError(UserError):
    """The workspace cannot be read or written: damaged, full, locked or too new."""

    kind = "workspace"
    retryable = False


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
        """Where the object lies."""
        return self.directory / f"{sha256}.png"

    def put_image(self, image: Image.Image) -> str:
        """Stores an RGB picture and returns its SHA-256."""
        picture = image.convert("RGB")
        sha256 = self._put(_png(picture, compress_level=1))
        self._remember(sha256, picture)
        return sha256

    def put_mask(self, mask: np.ndarray) -> str:
        """Stores a mask, (H, W) bool, as a 1-bit PNG and returns its SHA-256."""
        return self._put(_png(Image.fromarray(np.ascontiguousarray(mask, dtype=bool)), compress_level=6))

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

    def _remember(self, sha256: str, image: Image.Image) -> None:
        with self._lock:
            self._decoded[sha256] = image
            while len(self._decoded) > 1 and sum(i.width * i.height for i in self._decoded.values()) > CACHED_PIXELS:
                self._decoded.popitem(last=False)

    def _put(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.path(sha256)
        if path.exists():
            return sha256
        temporary = path.with_suffix(f".{os.getpid()}-{secrets.token_hex(4)}.tmp")
        try:
            with open(temporary, "wb") as file:
                file.write(data)
                if self.durable:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise WorkspaceError(f"Cannot write to the workspace {self.directory}: {error.strerror}.") from error
        return sha256

    def _decode(self, sha256: str) -> Image.Image:
        path = self.path(sha256)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise WorkspaceError(f"The workspace file {path} cannot be read: {error.strerror}.") from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise WorkspaceError(f"The workspace file {path} is damaged: its content does not match its name.")
        try:
            with Image.open(io.BytesIO(data)) as image:
                image.load()
                return image.copy()
        except (UnidentifiedImageError, OSError) as error:
            raise WorkspaceError(f"The workspace file {path} is not a picture.") from error


def _png(image: Image.Image, compress_level: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=compress_level)
    return buffer.getvalue()
