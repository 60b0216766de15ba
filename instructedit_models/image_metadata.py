"""What a picture file holds beside its pixels, and how it is handed on to the file that is written.

Called by `imaging` only.
"""

from dataclasses import dataclass, field
from typing import Any

from PIL import Image, JpegImagePlugin, PngImagePlugin

from instructedit_models.provenance import PNG_KEY, embedded, packet_of, packet_with

__all__ = ["XMP_FORMATS", "Metadata", "embed", "read_metadata"]

XMP_FORMATS = {"PNG", "JPEG", "WEBP", "TIFF", "AVIF"}
"""The formats that are written with an XMP packet."""
METADATA_FORMATS = {"PNG", "JPEG", "WEBP", "TIFF", "AVIF"}
_JPEG_BYTES = 65_533
_JPEG_XMP_BYTES = 65_502
_TEXT_BYTES = 2**20
_XMP_TAG = 700
_ORIENTATION = 0x0112
_TIFF_TAGS = {0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298, 0x8769, 0x8825}
"""Of a TIFF's tags those that describe the picture; the others describe how the file is laid out."""


@dataclass(frozen=True)
class Metadata:
    """What a file holds beside its pixels.

    Attributes:
        icc_profile: the colour profile.
        exif: without orientation, which has been applied.
        xmp: the XMP packet.
        text: a PNG's text chunks, ours left out.
        dpi: horizontal and vertical dots per inch.
        provenance: the record that an earlier edit left, as data.
    """

    icc_profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    text: dict[str, str] = field(default_factory=dict)
    dpi: tuple[float, float] | None = None
    provenance: dict[str, Any] | None = None


def read_metadata(opened: Image.Image) -> Metadata:
    """Of a picture whose pixels have been loaded; what is broken raises what PIL raises."""
    exif = opened.getexif()
    exif.pop(_ORIENTATION, None)
    if opened.format == "TIFF":
        for tag in set(exif) - _TIFF_TAGS:
            del exif[tag]
    elif _XMP_TAG in exif:
        del exif[_XMP_TAG]
    return Metadata(
        icc_profile=opened.info.get("icc_profile") or None,
        exif=exif.tobytes() if len(exif) else None,
        xmp=packet_of(opened),
        text=_text(opened),
        dpi=_dpi(opened.info.get("dpi")),
        provenance=embedded(opened),
    )


def encoding_of(opened: Image.Image) -> dict[str, Any]:
    """How a JPEG was compressed, for writing the same format again; empty for other formats."""
    if not isinstance(opened, JpegImagePlugin.JpegImageFile):
        return {}
    return {"qtables": opened.quantization, "subsampling": JpegImagePlugin.get_sampling(opened)}


def embed(
    options: dict[str, Any], form: str, held: Metadata, record: str | None, same_colours: bool = True
) -> list[str]:
    """Adds metadata and a provenance record to an encoder's options.

    Args:
        options: PIL's keyword arguments for saving; changed in place.
        form: the format, as PIL names it.
        held: what the input file held.
        record: `Provenance.text`, or None.
        same_colours: whether the picture still has the colour mode that the profile is for.

    Returns:
        Sentences for the person on what the format cannot hold.
    """
    notes = []
    if form in METADATA_FORMATS:
        if held.exif and form == "JPEG" and len(held.exif) > _JPEG_BYTES:
            notes.append("The picture's EXIF is too long for JPEG: it was left out.")
        elif held.exif:
            options["exif"] = held.exif
        if held.icc_profile and same_colours:
            options["icc_profile"] = held.icc_profile
        elif held.icc_profile:
            notes.append("The picture's colour profile is for another colour mode: it was left out.")
        if held.dpi and form in ("PNG", "JPEG", "TIFF"):
            options["dpi"] = held.dpi
    if form in XMP_FORMATS:
        notes += _embed_xmp(options, form, held, record)
    elif record is not None:
        notes.append(f"{form} cannot hold where the picture comes from; choose PNG, WebP, TIFF or JPEG for that.")
    return notes


def _embed_xmp(options: dict[str, Any], form: str, held: Metadata, record: str | None) -> list[str]:
    notes = []
    packet = packet_with(record, held.xmp)
    if packet is not None and form == "JPEG" and len(packet) > _JPEG_XMP_BYTES:
        packet = packet_with(record, None)
        notes.append("The picture's XMP is too long for JPEG: it was left out.")
        if packet is not None and len(packet) > _JPEG_XMP_BYTES:
            packet = None
            notes.append("The record of where the picture comes from is too long for JPEG: choose PNG for it.")
    if form == "PNG":
        chunks = PngImagePlugin.PngInfo()
        for key, value in held.text.items():
            chunks.add_itxt(key, value) if not value.isascii() else chunks.add_text(key, value)
        if record is not None:
            chunks.add_itxt(PNG_KEY, record)
        if packet is not None:
            chunks.add_itxt("XML:com.adobe.xmp", packet.decode("utf-8", "replace"))
        if chunks.chunks:
            options["pnginfo"] = chunks
    elif packet is not None and form == "TIFF":
        exif = Image.Exif()
        if held.exif:
            exif.load(held.exif)
        exif[_XMP_TAG] = packet
        options["exif"] = exif
    elif packet is not None:
        options["xmp"] = packet
    return notes


def _text(opened: Image.Image) -> dict[str, str]:
    """A PNG's text chunks, as many as fit into a mebibyte."""
    chunks = getattr(opened, "text", None) if opened.format == "PNG" else None
    kept: dict[str, str] = {}
    room = _TEXT_BYTES
    for key, value in (chunks or {}).items():
        room -= len(key) + len(value)
        own = key in (PNG_KEY, "XML:com.adobe.xmp") or key.startswith("Raw profile type")
        if room > 0 and not own and 0 < len(key) < 80 and key.isascii():
            kept[key] = str(value)
    return kept


def _dpi(value: object) -> tuple[float, float] | None:
    try:
        x, y = (float(side) for side in value)  # type: ignore[attr-defined]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if 1 <= x <= 30_000 and 1 <= y <= 30_000 else None
