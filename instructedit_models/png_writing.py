"""Writes large 8-bit PNGs in little more than half of PIL's time: numpy filters bands of rows, zlib packs them.

Called by `imaging` only. The chunks around the pixels (profile, EXIF, text) are PIL's own, taken from a picture of one
pixel.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

__all__ = ["MODES", "write_png"]

MODES = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
"""PIL's modes that can be written, with their bytes per pixel."""
_BAND = 2**21
"""Bytes that are filtered at once: small enough for a cache, so that the picture is walked through but once."""
_SAMPLED = 8
"""One row in so many decides which filter a band gets."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NONE, _SUB, _UP, _AVERAGE = range(4)


def write_png(image: Image.Image, file: BinaryIO, options: dict[str, Any]) -> None:
    """Writes a picture as a PNG.

    Args:
        image: of one of `MODES`.
        file: to write to.
        options: PIL's keyword arguments for saving; those on compression have no effect.

    Raises:
        What PIL and the file raise.
    """
    before, after = _around(image, options)
    file.write(before)
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    for rows in _filtered(image):
        file.write(_chunk(b"IDAT", packer.compress(rows.data)))
    file.write(_chunk(b"IDAT", packer.flush()))
    file.write(after)


def _filtered(image: Image.Image) -> Iterator[np.ndarray]:
    """Bands of rows, (n, 1 + width * bytes) uint8: the number of the filter, then the row as the filter leaves it."""
    step = MODES[image.mode]
    length = image.width * step
    above = np.zeros((1, length), np.uint8)
    rows = max(1, _BAND // length)
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height)))
        plain = np.concatenate([above, np.asarray(band).reshape(band.height, length)])
        above = plain[-1:]
        sample = {kind: _rows(plain, kind, step, _SAMPLED) for kind in (_NONE, _SUB, _UP, _AVERAGE)}
        kind = min(sample, key=lambda one: int(np.minimum(sample[one], -sample[one]).sum()))
        filtered = np.empty((band.height, 1 + length), np.uint8)
        filtered[:, 0] = kind
        filtered[:, 1:] = _rows(plain, kind, step)
        yield filtered


def _rows(plain: np.ndarray, kind: int, step: int, every: int = 1) -> np.ndarray:
    """Every so many rows as a filter leaves them; the first of `plain` is the one above them all."""
    here, above = plain[1::every], plain[:-1:every]
    if kind == _NONE:
        return here
    if kind == _UP:
        return here - above
    left = np.zeros_like(here)
    left[:, step:] = here[:, :-step]
    if kind == _SUB:
        return here - left
    return here - ((left & above) + ((left ^ above) >> 1))  # half of the sum, without a ninth bit


def _around(image: Image.Image, options: dict[str, Any]) -> tuple[bytes, bytes]:
    """What a PNG of the picture holds before its pixels, and after them."""
    buffer = io.BytesIO()
    Image.new(image.mode, (1, 1)).save(buffer, "PNG", **options)
    data, at = buffer.getvalue(), len(_SIGNATURE)
    parts = [_SIGNATURE, b""]
    past_pixels = False
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        at += 12 + length
        if kind == b"IDAT":
            past_pixels = True
            continue
        if kind == b"IHDR":
            body = struct.pack(">II", *image.size) + body[8:]
        parts[past_pixels] += _chunk(kind, body)
    return parts[0], parts[1]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))
