"""`instructedit inspect`: what a picture file is, and what it says of how it was made."""

import argparse
from pathlib import Path
from typing import Any

from agent.faces import parser as options
from agent.faces.output import Output
from agent.faces.parser import Commands


def configure(commands: Commands) -> None:
    """Adds `inspect`."""
    parser = commands.add_parser("inspect", help="what a picture file is, and how it says it was made")
    parser.add_argument("image", metavar="FILE", help="the picture")
    options.add_common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, output: Output) -> None:
    """Reads the file; exits with 0 also where it carries nothing, since that is an answer."""
    with output.silenced():
        from instructedit_models.c2pa_signing import read_manifest
        from instructedit_models.imaging import load_image

        loaded = load_image(args.image)
        manifest = read_manifest(Path(args.image))
    held = loaded.held
    payload = {
        "file": args.image,
        "format": loaded.format,
        "image_size": list(loaded.image.size),
        "mode": loaded.mode,
        "alpha": loaded.alpha is not None,
        "icc_profile_bytes": len(held.icc_profile or b""),
        "exif_bytes": len(held.exif or b""),
        "xmp_bytes": len(held.xmp or b""),
        "text": dict(held.text),
        "provenance": held.provenance,
        "c2pa": _summary(manifest),
        "warnings": list(loaded.warnings),
    }
    output.result(payload, _text(payload))
    for warning in loaded.warnings:
        output.note(f"Note: {warning}")


def _summary(manifest: dict[str, Any] | None) -> dict[str, Any] | None:
    """The active manifest in short; "validation_state" is the C2PA library's word."""
    if manifest is None:
        return None
    active = (manifest.get("manifests") or {}).get(manifest.get("active_manifest"), {})
    signature = active.get("signature_info") or {}
    assertions = active.get("assertions") or []
    return {
        "validation_state": manifest.get("validation_state"),
        "problems": [one.get("code") for one in manifest.get("validation_status") or []],
        "claim_generator": active.get("claim_generator_info"),
        "issuer": signature.get("issuer"),
        "time": signature.get("time"),
        "assertions": [one.get("label") for one in assertions if isinstance(one, dict)],
    }


def _text(payload: dict[str, Any]) -> str:
    width, height = payload["image_size"]
    alpha = ", with transparency" if payload["alpha"] else ""
    lines = [f"{payload['file']}: {payload['format']}, {width} x {height}, {payload['mode']}{alpha}"]
    kept = [
        f"{name} {payload[key]:,} bytes"
        for name, key in (("colour profile", "icc_profile_bytes"), ("EXIF", "exif_bytes"), ("XMP", "xmp_bytes"))
        if payload[key]
    ]
    lines += [f"Holds:    {', '.join(kept)}"] if kept else []
    record = payload["provenance"]
    if record is None:
        lines.append("Edited:   the file does not say that it was edited by instructedit.")
    else:
        for one in [*record.get("history", []), record]:
            lines += _record_lines(one)
    signed = payload["c2pa"]
    if signed is not None:
        problems = f" ({', '.join(map(str, signed['problems']))})" if signed["problems"] else ""
        lines.append(
            f"Signed:   C2PA manifest of {signed['issuer'] or 'unknown'}, {signed['validation_state']}{problems}"
        )
    return "\n".join(lines)


def _record_lines(record: dict[str, Any]) -> list[str]:
    said = record.get("instruction")
    lines = [f"Edited:   by {record.get('software')} {record.get('version')}" + (f": {said}" if said else "")]
    for edit in record.get("edits", []):
        if edit.get("edited_caption"):
            lines.append(f"          {edit.get('input_caption')} -> {edit.get('edited_caption')}")
    region = record.get("region")
    if isinstance(region, dict) and isinstance(region.get("area"), int | float):
        lines.append(f"Region:   box {region.get('box')}, {region['area'] * 100:.1f}% of the picture")
    models = record.get("models")
    if isinstance(models, dict) and models:
        revisions = models.get("revisions")
        revisions = revisions if isinstance(revisions, dict) else {}
        shown = ", ".join(f"{role} {revision}" for role, revision in revisions.items())
        lines.append(f"Models:   {models.get('set')}" + (f" ({shown})" if shown else ""))
    return lines
