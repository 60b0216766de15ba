"""Takes pictures out of a workspace: a whole conversation as a folder, and what a version's original file still holds.

`agent.saving` calls it, which also knows how a file tells how it was made.
"""

import dataclasses
import json
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from instructedit_models.errors import BadImageError, BadOutputError
from instructedit_models.imaging import LoadedImage, load_image
from tools.conversation import Conversation
from tools.graph import MaskEntry, Version

__all__ = ["SCHEMA", "check_outside", "export_conversation", "history", "original_of"]

SCHEMA = 1
"""The version of `history.json`."""


def export_conversation(
    conversation: Conversation, folder: Path, save: Callable[[str, Path], None] | None = None
) -> list[str]:
    """Writes every version and mask of a conversation, and `history.json`, into a new folder.

    Args:
        conversation: what to write.
        folder: which must not exist, or be empty.
        save: writes a version, by its id, to a path; by default a copy of the workspace's own file.

    Returns:
        The names of the files.

    Raises:
        BadOutputError: the folder exists and is not empty, lies inside the workspace, or cannot be written.
        WorkspaceError: a file of the workspace is missing or damaged; nothing is written then.
    """
    check_outside(conversation, folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadOutputError(f"{folder} exists already and is not an empty folder; choose another one.")
    objects = conversation.workspace.objects
    pictures = {version.id: version.sha256 for version in conversation.versions()}
    files = pictures | {mask.id: mask.sha256 for mask in conversation.masks()}
    for sha256 in files.values():
        objects.check(sha256)
    partial = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.partial")
    try:
        partial.mkdir(parents=True)
        for name, sha256 in files.items():
            if save is not None and name in pictures:
                save(name, partial / f"{name}.png")
            else:
                shutil.copyfile(objects.path(sha256), partial / f"{name}.png")
        text = json.dumps(history(conversation), indent=1)
        (partial / "history.json").write_text(text + "\n", encoding="utf-8")
        os.replace(partial, folder)
    except OSError as error:
        raise BadOutputError(f"Cannot export to {folder}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return [*(f"{name}.png" for name in files), "history.json"]


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


def check_outside(conversation: Conversation, path: Path) -> None:
    """Raises BadOutputError where a path to write to lies inside the conversation's own workspace."""
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
