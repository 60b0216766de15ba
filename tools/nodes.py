"""Edits and versions as rows of the database; `tools.conversation` writes and reads them here."""

import dataclasses
import json
import sqlite3

from instructedit_models.types import EditOptions
from tools.graph import EditNode, NewEdit, Version

__all__ = ["insert_node", "node_of", "select_versions", "version_of"]

_COLUMNS = (
    "conversation", "image", "parent", "mask", "region_sha256", "segmentation_prompt", "input_caption",
    "edited_caption", "change", "parameters", "seed", "unet_evaluations", "inversion_cached", "seconds", "models",
    "verification", "adjusts", "created", "base", "replaces", "supersedes", "reapplies", "painted_sha256",
    "under_sha256", "kept_parts",
)  # fmt: skip
_READ = (
    "parent", "mask", "segmentation_prompt", "input_caption", "edited_caption", "change", "parameters",
    "unet_evaluations", "inversion_cached", "seconds", "models", "verification", "adjusts", "base", "replaces",
    "supersedes", "reapplies", "region_sha256", "painted_sha256", "under_sha256", "kept_parts",
)  # fmt: skip
_OPTIONS = {field.name for field in dataclasses.fields(EditOptions)}


def insert_node(connection: sqlite3.Connection, conversation_id: str, node: EditNode, created: str) -> None:
    """Writes an edit."""
    values = (
        conversation_id, node.image_id, node.parent_id, node.mask_id, node.region_sha256, node.segmentation_prompt,
        node.input_caption, node.edited_caption, node.change, json.dumps(dataclasses.asdict(node.options)),
        node.options.seed, node.unet_evaluations, node.inversion_cached, json.dumps(node.seconds),
        json.dumps(node.models), json.dumps(node.verification), node.adjusts, created, node.base, node.replaces,
        json.dumps(node.supersedes), node.reapplies, node.painted_sha256, node.under_sha256,
        json.dumps(node.kept_parts),
    )  # fmt: skip
    connection.execute(f"INSERT INTO nodes ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})", values)


def select_versions(where: str = "") -> str:
    """The SQL that reads versions, oldest first; its first parameter is the conversation.

    Args:
        where: more conditions on `images`, for instance "AND images.number = ?".
    """
    read = ", ".join(f"nodes.{column}" for column in _READ)
    return (
        f"SELECT images.number, images.sha256, images.width, images.height, images.source, images.created, {read}"
        " FROM images LEFT JOIN nodes"
        " ON nodes.conversation = images.conversation AND nodes.image = 'image_' || images.number"
        f" WHERE images.conversation = ? {where} ORDER BY images.number"
    )


def version_of(row: tuple) -> Version:
    """A version from a row of `select_versions`."""
    number, sha256, width, height, source, created, *rest = row
    edit = _node(f"image_{number}", dict(zip(_READ, rest, strict=True))) if rest[0] is not None else None
    return Version(f"image_{number}", sha256, (width, height), source, edit, created)


def _node(image_id: str, row: dict) -> EditNode:
    values = {
        **{name: row[name] for name in _READ if name in {field.name for field in dataclasses.fields(EditNode)}},
        "parent_id": row["parent"],
        "mask_id": row["mask"],
        # A newer program of the same schema may know more options than this one.
        "options": EditOptions(**{k: v for k, v in json.loads(row["parameters"]).items() if k in _OPTIONS}),
        "inversion_cached": bool(row["inversion_cached"]),
        "seconds": json.loads(row["seconds"]),
        "models": json.loads(row["models"]),
        "verification": json.loads(row["verification"]) if row["verification"] else None,
        "supersedes": tuple(json.loads(row["supersedes"])),
        "kept_parts": tuple(json.loads(row["kept_parts"])),
        "image_id": image_id,
    }
    return EditNode(**values)


def node_of(edit: NewEdit, image_id: str, files: tuple[str, str | None, str | None]) -> EditNode:
    """A new edit that has been given an id.

    Args:
        edit: how it was made.
        image_id: its id.
        files: SHA-256 of its region, of its own pixels and of the picture under later layers, as in `EditNode`.
    """
    values = {field.name: getattr(edit, field.name) for field in dataclasses.fields(NewEdit)}
    region, painted, under = files
    return EditNode(**values, image_id=image_id, region_sha256=region, painted_sha256=painted, under_sha256=under)
