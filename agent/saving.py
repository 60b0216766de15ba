"""Saves a version of a conversation as a file for a person: with what the original held, and how it was made.

The chat's `/save` and `workspace export` write with `save_version`; `edit` and scripted runs, which know the input's
file already, take the same record from `origin_of`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from agent.provenance import provenance_of, signer_of
from agent.record import EditPart
from instructedit_models.errors import BadOutputError
from instructedit_models.imaging import save_image
from instructedit_models.provenance import Provenance
from tools.conversation import Conversation
from tools.export import check_outside, export_conversation, original_of
from tools.graph import EditNode
from tools.layers import live

__all__ = ["origin_of", "save_conversation", "save_version"]

_LOST = (
    "The original file is gone or was changed, so its transparency, colour profile and metadata are not carried over."
)


def save_version(conversation: Conversation, image_id: str, path: Path) -> tuple[str, ...]:
    """Writes one version whole or not at all, signed where the operator has set that up.

    Args:
        conversation: whose version.
        image_id: which one; the original is written without a record, since nothing made it here.
        path: as `imaging.save_image` takes it.

    Returns:
        Sentences for the person on what could not be kept.

    Raises:
        BadParameterError: there is no such version, or signing is set up by halves.
        BadOutputError: the file cannot be written, is the original itself, or lies inside the workspace.
        WorkspaceError: a file of the workspace is missing or damaged.
    """
    check_outside(conversation, path)
    _not_the_original(conversation, image_id, path)
    like = original_of(conversation, image_id)
    origin = origin_of(conversation, image_id)
    notes = save_image(conversation.image(image_id), path, like, origin, signer_of())
    return notes if like is not None else (*notes, _LOST)


def save_conversation(conversation: Conversation, folder: Path) -> tuple[list[str], tuple[str, ...]]:
    """Writes every version as `save_version` does, every mask, and `history.json`, into a new folder.

    Returns:
        The names of the files, and sentences for the person on what could not be kept.

    Raises:
        As `tools.export.export_conversation` and `save_version`.
    """
    signer = signer_of()
    turns = conversation.turns()
    originals = {one.id: original_of(conversation, one.id) for one in conversation.versions() if one.edit is None}

    notes: list[str] = []

    def save(image_id: str, path: Path) -> None:
        like = originals[_root(conversation, image_id)]
        origin = origin_of(conversation, image_id, turns)
        notes.extend(save_image(conversation.image(image_id), path, like, origin, signer))
        notes.extend([_LOST] if like is None else [])

    files = export_conversation(conversation, folder, save)
    return files, tuple(dict.fromkeys(notes))


def origin_of(
    conversation: Conversation, image_id: str, turns: Iterable[Mapping[str, Any]] | None = None
) -> Provenance | None:
    """The record that goes into a version's file: of every edit that shows in it, since its original.

    Args:
        conversation: whose version.
        image_id: which one.
        turns: what `conversation.turns()` gives, where it was read before.

    Returns:
        None where the version shows no edit, or the operator keeps the record out.

    Raises:
        BadParameterError: there is no such version.
    """
    path = conversation.path(image_id)
    edits = live(path)
    if not edits:
        return None
    parts = [EditPart.of(edit, conversation.mask_entry(edit.mask_id)).to_json(ids=False) for edit in edits]
    told = _told(conversation.turns() if turns is None else turns)
    said = [words for edit in edits for words in _words(edit, conversation, told)]
    region = np.logical_or.reduce([conversation.painted(edit) for edit in edits])
    made = {name: value for name, value in edits[-1].models.items() if name != "set"}
    record = {
        "instruction": "; ".join(dict.fromkeys(said)) or None,
        "edits": parts,
        "models": edits[-1].models.get("set"),
        "llm": next((told[edit.image_id]["llm"] for edit in reversed(edits) if edit.image_id in told), None),
    }
    before = conversation.image(_root(conversation, image_id))
    return provenance_of(record, before, region, made)


def _told(turns: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """By the id of each edit: what the person had said for it, and to which language model.

    The answer to a question counts together with what was asked for before it.
    """
    told: dict[str, dict[str, Any]] = {}
    open_words: list[str] = []
    for turn in turns:
        words = [*open_words, str(turn.get("instruction") or "")]
        open_words = words if turn.get("kind") == "question" else []
        if turn.get("kind") != "edit":
            continue
        for made in [part.get("image_id") for part in turn.get("edits") or ()] or [turn.get("image_id")]:
            told[str(made)] = {"words": [each for each in words if each], "llm": turn.get("llm")}
    return told


def _words(edit: EditNode, conversation: Conversation, told: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What was said for an edit, after what was said for the one that it makes again: "make it red", "stronger"."""
    chain: list[str] = []
    seen: set[str] = set()
    one: EditNode | None = edit
    while one is not None and one.image_id not in seen:
        seen.add(one.image_id)
        chain = [*told.get(one.image_id, {}).get("words", ()), *chain]
        earlier = one.adjusts or one.reapplies
        one = conversation.version(earlier).edit if earlier else None
    return chain


def _not_the_original(conversation: Conversation, image_id: str, path: Path) -> None:
    source = conversation.version(_root(conversation, image_id)).source
    if source and path.resolve() == Path(source).resolve():
        raise BadOutputError(f"{path} is the picture that the conversation began with; choose another file.")


def _root(conversation: Conversation, image_id: str) -> str:
    path = conversation.path(image_id)
    return path[0].parent_id if path else image_id
