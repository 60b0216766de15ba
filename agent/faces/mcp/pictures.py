"""Pictures of MCP clients: what they give, read safely, and what they are shown, small enough for every client.

No path or address from a client is ever opened, except files below a folder that whoever started the server named.
"""

import base64
import binascii
import io
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from instructedit_models.errors import BadImageError, BadOutputError, BadParameterError
from instructedit_models.imaging import LoadedImage, load_image

if TYPE_CHECKING:
    from tools.conversation import Conversation
    from tools.regions import RegionRecord

__all__ = ["PREVIEW_BYTES", "PREVIEW_SIDE", "Intake", "Preview", "candidates_preview", "mask_preview", "preview"]

PREVIEW_SIDE = 512
"""Pixels of a preview's longer side."""
PREVIEW_BYTES = 200_000
"""Bytes of a preview, before base64: clients cap a whole answer near 1 MiB."""
_DATA = re.compile(r"data:image/[\w.+-]+;base64,", re.IGNORECASE)
_QUALITIES = (88, 75, 60, 40)


@dataclass(frozen=True)
class Preview:
    """A picture to look at.

    Attributes:
        data: the file.
        mime_type: "image/png" or "image/jpeg".
    """

    data: bytes
    mime_type: str


@dataclass(frozen=True)
class Intake:
    """What the server takes from clients.

    Attributes:
        root: the only folder whose files may be named; None for none.
        max_bytes: of a picture's file.
        max_pixels: of a picture.
    """

    root: Path | None = None
    max_bytes: int = 16_000_000
    max_pixels: int = 40_000_000

    def decode(self, text: str) -> LoadedImage:
        """Reads a picture that came as base64, plain or as a data URI.

        Raises:
            BadImageError: it is no base64, no picture, or too large.
        """
        head = _DATA.match(text[:100])
        body = "".join(text[head.end() if head else 0 :].split())
        if len(body) > self.max_bytes * 4 // 3 + 4:
            raise BadImageError(f"The picture has more than {self.max_bytes:,} bytes; send a smaller one.")
        try:
            data = base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            data = b""
        if not data:
            raise BadImageError(
                "The picture is not base64; send the bytes of a PNG or JPEG file as base64, plain or as a data: URI."
            )
        with tempfile.NamedTemporaryFile(prefix="instructedit-") as file:
            file.write(data)
            file.flush()
            try:
                loaded = load_image(file.name, max_pixels=self.max_pixels)
            except BadImageError as error:
                raise BadImageError(str(error).replace(f"'{file.name}'", "The picture")) from None
        if loaded.alpha is not None:
            loaded.warnings.append("The picture's transparency is not kept.")
        return loaded

    def read(self, path: str) -> tuple[LoadedImage, Path]:
        """Reads a file below the root; returns where it lies, too.

        Raises:
            BadParameterError: it lies elsewhere, or there is no root.
            BadImageError: it cannot be read as a picture.
        """
        inside = self.inside(path)
        loaded = load_image(inside, max_pixels=self.max_pixels)
        return loaded, inside

    def target(self, path: str) -> Path:
        """Where a picture may be written: a new file below the root.

        Raises:
            BadParameterError: it lies elsewhere, or there is no root.
            BadOutputError: something is there already.
        """
        inside = self.inside(path)
        if inside.exists():
            raise BadOutputError(f"There is a file '{path}' already; choose another name.")
        return inside

    def inside(self, path: str) -> Path:
        """The path, with every link followed; raises BadParameterError where it does not lie below the root."""
        if self.root is None:
            raise BadParameterError("This server takes no paths; send the picture as base64, or its id.")
        root = self.root.resolve()
        try:
            found = (root / path).resolve()
        except (OSError, ValueError, RuntimeError):
            found = Path("/")
        if root not in found.parents:
            raise BadParameterError(f"'{path[:200]}' does not lie in the folder that this server was given ({root}).")
        return found


def preview(picture: Image.Image) -> Preview:
    """A picture small enough for every client: at most `PREVIEW_SIDE` pixels and `PREVIEW_BYTES` bytes.

    PNG where that fits, else JPEG, of lower and lower quality and then of smaller size.
    """
    shown = picture.convert("RGB")
    side = PREVIEW_SIDE
    while True:
        shown.thumbnail((side, side), Image.Resampling.LANCZOS)
        data = _saved(shown, "PNG", optimize=True)
        if len(data) <= PREVIEW_BYTES:
            return Preview(data, "image/png")
        for quality in _QUALITIES:
            data = _saved(shown, "JPEG", quality=quality)
            if len(data) <= PREVIEW_BYTES:
                return Preview(data, "image/jpeg")
        side = side * 3 // 4


def mask_preview(conversation: "Conversation", image_id: str, mask_id: str) -> Preview:
    """A picture, pale outside a mask."""
    from agent.faces.comparison import mask_overlay

    return preview(mask_overlay(conversation.image(image_id), conversation.mask(mask_id)))


def candidates_preview(
    conversation: "Conversation", image_id: str, regions: Sequence["RegionRecord"], numbered: bool
) -> Preview | None:
    """A picture with candidates outlined; None where they have no masks.

    Args:
        conversation: whose.
        image_id: the picture.
        regions: the candidates.
        numbered: label them 1, 2 … in the order given, as a question names them; by their ids otherwise.
    """
    from agent.faces.overlay import overlay
    from instructedit_models.types import Region

    shown = [
        Region(
            str(i) if numbered else one.id, one.phrase, one.score, one.box, conversation.mask(one.mask_id), one.chosen
        )
        for i, one in enumerate(regions, start=1)
        if one.mask_id is not None
    ]
    return preview(overlay(conversation.image(image_id), shown)) if shown else None


def _saved(picture: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()
