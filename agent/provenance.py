"""What a saved picture says of itself, from a turn's record and the operator's settings; the faces save with it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from agent.bundle import pixel_hash
from instructedit_models.errors import BadParameterError
from instructedit_models.provenance import Provenance, region_data

if TYPE_CHECKING:
    from instructedit_models.c2pa_signing import C2paSigner

__all__ = ["SOFTWARE", "provenance_of", "signer_of"]

SOFTWARE = "instructedit"
_WORDS = ("segmentation_prompt", "input_caption", "edited_caption")
_NUMBERS = ("change", "encoding_ratio", "steps", "guidance_scale", "seed", "verified")


def provenance_of(
    record: Mapping[str, Any],
    before: Image.Image,
    region: np.ndarray,
    revisions: Mapping[str, str],
    instruction: str | None = None,
) -> Provenance | None:
    """The record that goes into a picture's file, or None where the operator keeps it out.

    Args:
        record: of a turn, as `TurnRecord.to_json` gives it.
        before: the picture that was edited, PIL RGB.
        region: (H, W) bool, every pixel whose bytes may differ from it.
        revisions: of the models, by role.
        instruction: what the person said, where it is more than the record's.
    """
    from agent.config import load_settings

    much = load_settings().provenance
    if much == "off":
        return None
    names = (*_WORDS, *_NUMBERS) if much == "full" else _NUMBERS
    parts = [part for part in record.get("edits") or [record] if part.get("edited_caption")]
    return Provenance(
        software=SOFTWARE,
        version=_version(),
        instruction=(instruction or record["instruction"]) if much == "full" else None,
        edits=tuple({name: part.get(name) for name in names} for part in parts),
        region=region_data(region),
        models={"set": record["models"], "revisions": dict(revisions)},
        llm=record["llm"],
        input_pixels=pixel_hash(before),
    )


def signer_of() -> C2paSigner | None:
    """What signs saved pictures, where the operator has given a certificate and a key.

    Raises:
        BadParameterError: only one of the two is given, or a file is missing.
    """
    from agent.config import load_settings

    settings = load_settings()
    certificate, key = settings.c2pa_certificate, settings.c2pa_key
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise BadParameterError("Signing needs both INSTRUCTEDIT_C2PA_CERTIFICATE and INSTRUCTEDIT_C2PA_KEY.")
    for file in (certificate, key):
        if not file.is_file():
            raise BadParameterError(f"There is no file {file} to sign pictures with.")
    from instructedit_models.c2pa_signing import C2paSigner

    return C2paSigner(certificate, key, settings.c2pa_algorithm, settings.c2pa_timestamp_url)


def _version() -> str:
    try:
        return metadata.version(SOFTWARE)
    except metadata.PackageNotFoundError:
        return "unknown"
