"""Where a picture comes from, in the file itself: JSON in PNG text and in XMP (JPEG, WebP, TIFF, AVIF too).

`imaging.save_image` embeds a `Provenance`; `instructedit inspect` reads it back. `c2pa_signing` signs manifests.
Nothing depends on the clock, so that a replay gives the same bytes.
"""

import hashlib
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image

__all__ = [
    "PNG_KEY",
    "SOURCE_TYPE",
    "Provenance",
    "embedded",
    "packet_of",
    "packet_with",
    "parsed",
    "read_packet",
    "region_data",
]

SCHEMA = 1
"""The version of the record; it grows when a field changes its meaning."""
PNG_KEY = "instructedit"
"""The keyword of the PNG text chunk."""
NAMESPACE = "urn:instructedit:xmp:1.0:"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's term for a real picture with parts that a trained model made; other programs look for it."""
MAX_BYTES = 2**20
MAX_HISTORY = 32

_BLOCK = re.compile(
    rb"\s*<rdf:Description\b[^>]*\bxmlns:instructedit=[^>]*>.*?</rdf:Description>|"
    rb"\s*<rdf:Description\b[^>]*\bxmlns:instructedit=[^>]*/>",
    re.DOTALL,
)
_PROVENANCE = re.compile(rb"<instructedit:provenance>(.*?)</instructedit:provenance>", re.DOTALL)
_END_OF_RDF = re.compile(rb"</rdf:RDF\s*>")
_ORIENTATION = re.compile(rb"(tiff:Orientation(?:=[\"']|>))[2-8](?=[\"'<])")


@dataclass(frozen=True)
class Provenance:
    """How a picture was made.

    Attributes:
        software, version: the program.
        instruction: what the person said; None where the operator keeps it out.
        edits: each edit's captions and parameters, as data.
        region: where bytes may differ from the input: `region_data`.
        models: the set's name and its revisions by role.
        llm: the spec of the language model.
        input_pixels: SHA-256 of the input's size and RGB pixels.
        history: the records that the input already carried, oldest first.
    """

    software: str
    version: str
    instruction: str | None = None
    edits: tuple[Mapping[str, Any], ...] = ()
    region: Mapping[str, Any] | None = None
    models: Mapping[str, Any] = field(default_factory=dict)
    llm: str | None = None
    input_pixels: str | None = None
    history: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As data; `from_json` takes it."""
        return {
            "schema": SCHEMA,
            "software": self.software,
            "version": self.version,
            "digital_source_type": SOURCE_TYPE,
            "instruction": self.instruction,
            "edits": [dict(edit) for edit in self.edits],
            "region": dict(self.region) if self.region is not None else None,
            "models": dict(self.models),
            "llm": self.llm,
            "input_pixels": self.input_pixels,
            "history": [dict(one) for one in self.history],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Provenance":
        """The record that `to_json` gave."""
        known = {name: data.get(name) for name in ("instruction", "region", "llm", "input_pixels")}
        return cls(
            software=str(data.get("software", "instructedit")),
            version=str(data.get("version", "unknown")),
            edits=tuple(data.get("edits") or ()),
            models=data.get("models") or {},
            history=tuple(data.get("history") or ()),
            **known,
        )

    def after(self, earlier: Mapping[str, Any] | None) -> "Provenance":
        """The record with what the input carried put into its history."""
        if not earlier:
            return self
        before = {name: value for name, value in earlier.items() if name != "history"}
        return replace(self, history=(*(earlier.get("history") or ()), before)[-MAX_HISTORY:])

    def text(self, most_bytes: int = MAX_BYTES) -> str:
        """The record as one line of JSON, its oldest history left out where it would be longer than `most_bytes`."""
        record = self
        while len(line := json.dumps(record.to_json(), ensure_ascii=True, sort_keys=True)) > most_bytes:
            if not record.history:
                return json.dumps(replace(record, edits=(), instruction=None, models={}).to_json(), sort_keys=True)
            record = replace(record, history=record.history[1:])
        return line


def region_data(region: np.ndarray) -> dict[str, Any] | None:
    """An edited region as data: its box in pixels, its share of the picture and a hash of its pixels.

    Args:
        region: (H, W) bool, every pixel whose bytes may differ.
    """
    if not region.any():
        return None
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    digest = hashlib.sha256(f"{region.shape[1]}x{region.shape[0]}:".encode() + np.packbits(region).tobytes())
    return {
        "box": [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1],
        "image_size": [int(region.shape[1]), int(region.shape[0])],
        "area": round(float(region.mean()), 6),
        "sha256": digest.hexdigest(),
    }


def packet_with(record: str | None, packet: bytes | None, upright: bool = True) -> bytes | None:
    """An XMP packet that holds a record beside all that the file's own packet holds.

    Args:
        record: `Provenance.text`; None adds nothing.
        packet: the file's own packet, or None.
        upright: whether the picture has been turned, so that an orientation in the packet is past.

    Returns:
        The packet, or None where there is nothing to write.
    """
    own = packet if packet and len(packet) <= 16 * MAX_BYTES and _END_OF_RDF.search(packet) else None
    if own is not None and upright:
        own = _ORIENTATION.sub(rb"\g<1>1", own)
    if record is None:
        return own
    block = (
        f'<rdf:Description rdf:about="" xmlns:instructedit="{NAMESPACE}" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
        f"<Iptc4xmpExt:DigitalSourceType>{SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>"
        f"<instructedit:provenance>{escape(record)}</instructedit:provenance></rdf:Description>"
    ).encode("ascii")
    if own is not None:
        own = _without_source_type(_BLOCK.sub(b"", own))
        place = list(_END_OF_RDF.finditer(own))[-1].start()
        return own[:place] + block + own[place:]
    return (
        b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        + block
        + b'</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )


def read_packet(packet: bytes | None) -> dict[str, Any] | None:
    """The record in an XMP packet, or None."""
    found = _PROVENANCE.search(packet) if packet else None
    return parsed(html.unescape(found.group(1).decode("utf-8", "replace"))) if found else None


def parsed(text: str | None) -> dict[str, Any] | None:
    """A record from its JSON; None where it is no such thing, for anybody may write into a file."""
    if not text or len(text) > MAX_BYTES:
        return None
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or not isinstance(data.get("schema"), int) or not _plain(data):
        return None
    return data


def embedded(picture: Image.Image) -> dict[str, Any] | None:
    """The record that an opened picture carries, or None; PNG text goes before XMP."""
    own = getattr(picture, "text", None) if picture.format == "PNG" else None
    text = own.get(PNG_KEY) if isinstance(own, dict) else None
    return parsed(str(text) if text is not None else None) or read_packet(packet_of(picture))


def packet_of(picture: Image.Image) -> bytes | None:
    """The XMP packet of an opened picture, or None."""
    packet = picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp")
    if isinstance(packet, str):
        packet = packet.encode("utf-8")
    return packet if isinstance(packet, bytes) and packet else None


def _without_source_type(packet: bytes) -> bytes:
    """The packet without another DigitalSourceType, which the edit has made untrue."""
    packet = re.sub(rb"<Iptc4xmpExt:DigitalSourceType>[^<]*</Iptc4xmpExt:DigitalSourceType>", b"", packet)
    return re.sub(rb"\sIptc4xmpExt:DigitalSourceType=(\"[^\"]*\"|'[^']*')", b"", packet)


def _plain(data: Mapping[str, Any]) -> bool:
    """Whether the fields that code walks over are of the right kind."""
    lists = [data.get(name) or [] for name in ("edits", "history")]
    return all(isinstance(one, list) and all(isinstance(each, dict) for each in one) for one in lists)
