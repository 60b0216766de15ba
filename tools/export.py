"""Takes pictures out of a workspace: one version as a file, or a whole conversation as a folder.

`instructedit workspace export` and the chat's /save call it; what is written appears whole or not at all.
"""

import dataclasses
import json
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from instructedit_models.errors import BadImageError, BadOutputError
from instructedit_models.imaging import LoadedImage, load_image, save_image
from tools.conversation import Conversation
from tools.graph import MaskEntry, Version

__all__ = ["SCHEMA", "export_conversation", "export_version", "history", "original_of"]

SCHEMA = 1
"""The version of `history.json`."""


def export_version(conversation: Conversation, image_id: str, path: Path) -> tuple[str, ...]:
    """Writes one version as a picture file, with its original's mode, transparency, profile and EXIF where known.

    Returns:
        Sentences for the person, as `imaging.save_image` gives them.

    Raises:
        BadParameterError: there is no such version.
        BadOutputError: the file cannot be written, or lies inside the workspace.
        WorkspaceError: a file of the workspace is missing or damaged.
    """
    _outside(conversation, path)
    return save_image(conversation.image(image_id), path, original_of(conversation, image_id))


def export_conversation(conversation: Conversation, folder: Path) -> list[str]:
    """Writes every version and mask of a conversation, and `history.json`, into a new folder.

    Returns:
        The names of the files.

    Raises:
        BadOutputError: the folder exists and is not empty, lies inside the workspace, or cannot be written.
        WorkspaceError: a file of the workspace is missing or damaged; nothing is written then.
    """
    _outside(conversation, folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadOutputError(f"{folder} exists already and is not an empty folder; choose another one.")
    objects = conversation.workspace.objects
    files = {f"{version.id}.png": version.sha256 for version in conversation.versions()}
    files |= {f"{mask.id}.png": mask.sha256 for mask in conversation.masks()}
    for sha256 in files.values():
        objects.check(sha256)
    partial = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.partial")
    try:
        partial.mkdir(parents=True)
        for name, sha256 in files.items():
            shutil.copyfile(objects.path(sha256), partial / name)
        text = json.dumps(history(conversation), indent=1)
        (partial / "history.json").write_text(text + "\n", encoding="utf-8")
        os.replace(partial, folder)
    except OSError as error:
        raise BadOutputError(f"Cannot export to {folder}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return [*files, "history.json"]


def history(conversation: Conversation) -> dict[str, Any]:
    """A conversation as data: its versions with how each was made, masks, moves and turns; no pixels."""
    return {
        "schema": SCHEMA,
        "id": conversation.id,
        "current": conversation.current_id,
        "versions": [_version(version) for version in conversation.versions()],
        "masks": [_mask(mask) for mask in conversation.masks()],
        "moves": [dataclasses.asdict(move) for move in conversation.moves()],
        "turns": conversation.turns(),
    }


def original_of(conversation: Conversation, image_id: str) -> LoadedImage | None:
    """The file that a version's original was read from, where it still lies there and holds the same pixels.

    It carries what the workspace's RGB pictures do not: transparency, colour profile, EXIF, the file's own mode.
    """
    path = conversation.path(image_id)
    root = conversation.version(path[0].parent_id if path else image_id)
    if not root.source or not Path(root.source).is_file():
        return None
    try:
        loaded = load_image(root.source)
    except BadImageError:
        return None
    same = loaded.image.size == root.size and np.array_equal(
        np.asarray(loaded.image), np.asarray(conversation.image(root.id))
    )
    return loaded if same else None


def _outside(conversation: Conversation, path: Path) -> None:
    root = conversation.workspace.directory.resolve()
    if path.resolve().is_relative_to(root):
        raise BadOutputError(f"{path} lies inside the workspace {root}; export to a place outside it.")


def _version(version: Version) -> dict[str, Any]:
    edit = None
    if version.edit is not None:
        edit = dataclasses.asdict(version.edit)
        edit["verified"], edit["removal"] = version.edit.verified, version.edit.removal
    values = dataclasses.asdict(dataclasses.replace(version, edit=None))
    return {**values, "edit": edit}


def _mask(mask: MaskEntry) -> dict[str, Any]:
    shown = {field.name: getattr(mask, field.name) for field in dataclasses.fields(mask) if field.name != "regions"}
    return {**shown, "regions": [region.model_dump() for region in mask.regions]}
