"""The pictures of a chat: versions, masks, candidates and comparisons, drawn in the terminal or put into files.

`chat` and its commands ask for them by version.
"""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from agent.faces.chat_view import View
from agent.faces.comparison import Captions, comparison, mask_overlay
from agent.faces.overlay import overlay
from agent.faces.targets import Target, checked_targets
from instructedit_models.types import Region

if TYPE_CHECKING:
    from tools.conversation import Conversation
    from tools.graph import Version
    from tools.regions import RegionRecord

__all__ = ["Gallery"]


class Gallery:
    """Shows and saves pictures of one conversation."""

    def __init__(self, conversation: "Conversation", view: View, folder: Path) -> None:
        """Takes a conversation.

        Args:
            conversation: whose pictures.
            view: where they are shown.
            folder: where files for looking at are put, if the view cannot draw; made on first use.
        """
        self._conversation = conversation
        self._view = view
        self._folder = folder

    def show(self, image_id: str) -> None:
        """Shows a version."""
        self._present(self._conversation.image(image_id), image_id)

    def show_mask(self, version: "Version") -> None:
        """Shows where a version was edited, on the picture it was made from."""
        if version.edit is not None:
            self.show_mask_on(version.edit.parent_id, version.edit.mask_id)

    def show_mask_on(self, image_id: str, mask_id: str) -> None:
        """Shows a mask on a picture."""
        conversation = self._conversation
        picture = mask_overlay(conversation.image(image_id), conversation.mask(mask_id))
        self._present(picture, f"{image_id}_{mask_id}")

    def show_candidates(self, image_id: str, regions: Sequence["RegionRecord"]) -> None:
        """Shows candidates, numbered from 1 in the order given."""
        conversation = self._conversation
        shown = [
            Region(str(number), one.phrase, one.score, one.box, conversation.mask(one.mask_id))
            for number, one in enumerate(regions, start=1)
            if one.mask_id is not None
        ]
        if shown:
            self._present(overlay(conversation.image(image_id), shown), f"{image_id}_candidates")

    def show_comparison(self, before: "Version", after: "Version") -> None:
        """Shows two versions with what lies between them."""
        conversation = self._conversation
        one, other = conversation.image(before.id), conversation.image(after.id)
        edit = after.edit
        if edit is not None and edit.parent_id == before.id:
            mask = conversation.mask(edit.mask_id)
            captions = Captions(
                f"{before.id} and {after.id}", edit.input_caption, edit.segmentation_prompt, edit.edited_caption
            )
        else:
            mask = (np.asarray(one) != np.asarray(other)).any(axis=2) if one.size == other.size else _nothing(one)
            captions = Captions(f"{before.id} and {after.id}", before.id, "what differs", after.id)
        self._present(comparison(one, mask, other, captions), f"{before.id}_{after.id}")

    def save(self, version: "Version", path: Path) -> tuple[str, ...]:
        """Writes a version whole or not at all, with what the original file held and how it was made.

        Returns:
            Sentences for the person on what could not be kept.

        Raises:
            BadOutputError: the file cannot be written there, is the original, or lies inside the workspace.
        """
        from agent.saving import save_version

        first = self._conversation.version("image_1")
        source = Path(first.source) if first.source else path.with_name(secrets.token_hex(8))
        checked_targets([Target("/save", str(path))], source)
        return save_version(self._conversation, version.id, path)

    def _present(self, picture: Image.Image, name: str) -> None:
        if self._view.silent:
            return
        path = self._kept(picture, name) if self._view.protocol is None else None
        self._view.picture(picture, path, name)

    def _kept(self, picture: Image.Image, name: str) -> Path | None:
        """The file of a picture for looking at; None where it cannot be written, for the chat must go on."""
        path = self._folder / f"{name}.png"
        if path.is_file() and name.count("_") == 1:  # a version never changes; a comparison may
            return path
        part = path.with_name(f".{secrets.token_hex(4)}.part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            picture.save(part, "PNG", compress_level=1)
            os.replace(part, path)
        except OSError:
            part.unlink(missing_ok=True)
            return None
        return path


def _nothing(picture: Image.Image) -> np.ndarray:
    return np.zeros((picture.height, picture.width), dtype=bool)
