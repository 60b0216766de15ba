"""Edits as layers over the original's pixels, so that no edit ever starts from another one's losses unless asked to.

`tools.editing` takes the pixels that an edit starts from out of a `Canvas` and gives the edited ones back to it; the
tools that replace or remove an edit in the middle of a chain come here too. No model is needed for any of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from instructedit_models.errors import BadParameterError
from tools.conversation import Conversation
from tools.graph import Base, EditNode, Layer

__all__ = ["Canvas", "Layer", "canvas", "composed", "live", "stand", "without"]

SAME_PLACE = 0.5
"""An edit from the source pixels supersedes those earlier edits of whose mask it covers at least this share."""


@dataclass(frozen=True)
class Canvas:
    """Where an edit starts, and what will lie above and below it.

    Attributes:
        image: the pixels that the edit starts from, PIL RGB.
        supersedes: versions whose edits will no longer show.
        restored: (H, W) bool, pixels of `image` that may differ from the parent's version.
        started: (H, W) bool, the mask where `image` holds the original's pixels; None where it holds the parent's.
        above: later edits that are put over the new one again.
    """

    image: Image.Image
    supersedes: tuple[str, ...] = ()
    restored: np.ndarray | None = field(default=None, repr=False, compare=False)
    started: np.ndarray | None = field(default=None, repr=False, compare=False)
    above: tuple[EditNode, ...] = ()
    conversation: Conversation | None = field(default=None, repr=False, compare=False)

    def finish(self, image: Image.Image, region: np.ndarray) -> Layer:
        """The new version from what the editor made of `self.image`.

        Args:
            image: the edited picture, PIL RGB.
            region: (H, W) bool, every pixel of it whose bytes may differ from `self.image`.
        """
        painted = region if self.started is None else region | self.started
        changed = painted if self.restored is None else painted | self.restored
        if not self.above or self.conversation is None:
            return Layer(image, changed, painted)
        over = Image.fromarray(_put_over(self.conversation, np.array(image), self.above))
        return Layer(over, changed, painted, under=image)


def canvas(
    conversation: Conversation,
    image_id: str,
    mask: np.ndarray,
    base: Base = "current",
    replaces: str | None = None,
) -> Canvas:
    """What an edit of a version starts from.

    Args:
        conversation: where the version lies.
        image_id: the version that the new one follows.
        mask: (H, W) bool, where the edit will be made; of the version's size.
        base: "current" builds on the picture as it is; "source" starts from the original's pixels inside the mask and
            supersedes every earlier edit of the same place, while edits of other places stay.
        replaces: an edit on the way to the version, in whose place the new one goes; those made later stay above it.

    Raises:
        BadParameterError: there is no such version, or `replaces` does not show in it.
        WorkspaceError: a file is missing or damaged.
    """
    if base == "current" and replaces is None:
        return Canvas(conversation.image(image_id))
    path = conversation.path(image_id)
    source = conversation.image(path[0].parent_id if path else image_id)
    layers = live(path)
    above: tuple[EditNode, ...] = ()
    if replaces is not None:
        at = _index(layers, replaces, image_id)
        gone, below, above = [layers[at]], layers[:at], tuple(layers[at + 1 :])
    else:
        gone = [edit for edit in layers if _covers(mask, conversation.mask(edit.mask_id))]
        below = [edit for edit in layers if edit not in gone]
    pixels = _put_over(conversation, np.array(source), below)
    started = None
    if base == "source":
        pixels[mask] = np.asarray(source)[mask]
        started = mask
    restored = np.zeros(mask.shape, bool)
    for edit in gone:
        restored |= conversation.painted(edit)
    supersedes = tuple(edit.image_id for edit in gone)
    return Canvas(Image.fromarray(pixels), supersedes, restored, started, above, conversation)


def without(conversation: Conversation, image_id: str, edit_id: str) -> tuple[EditNode, Layer]:
    """A version with one of its edits taken out and all others as they are.

    Returns:
        The edit that was taken out, and the layer of what is left, which paints nothing of its own.

    Raises:
        BadParameterError: there is no such version, or the edit does not show in it.
    """
    layers = live(conversation.path(image_id))
    taken = layers.pop(_index(layers, edit_id, image_id))
    painted = conversation.painted(taken)
    return taken, Layer(composed(conversation, image_id, layers), painted, np.zeros_like(painted))


def composed(conversation: Conversation, image_id: str, layers: Iterable[EditNode] | None = None) -> Image.Image:
    """The original of a version with layers over it: those that show in it, or others given; PIL RGB."""
    path = conversation.path(image_id)
    source = conversation.image(path[0].parent_id if path else image_id)
    return Image.fromarray(_put_over(conversation, np.array(source), live(path) if layers is None else layers))


def live(path: Sequence[EditNode]) -> list[EditNode]:
    """The edits on a path that still show, lowest layer first; one that replaces another stands in its place."""
    gone = {superseded for edit in path for superseded in edit.supersedes}
    order = {edit.image_id: number for number, edit in enumerate(path)}
    replaced = {edit.image_id: edit.replaces for edit in path}

    def place(edit: EditNode) -> int:
        image_id = edit.image_id
        while (below := replaced.get(image_id)) is not None and below in order:
            image_id = below
        return order[image_id]

    return sorted((edit for edit in path if edit.image_id not in gone and not edit.removal), key=place)


def stand(conversation: Conversation, edit: EditNode) -> tuple[str, str | None]:
    """Where an edit that is made again with other parameters goes: the parent of the new version, and what it replaces.

    An edit with later ones over it is made again in its place below them; the last one, or one of another branch, from
    its own parent.
    """
    current = conversation.current_id
    if edit.image_id != current and edit.image_id in {layer.image_id for layer in live(conversation.path(current))}:
        return current, edit.image_id
    return edit.parent_id, edit.replaces


def _put_over(conversation: Conversation, pixels: np.ndarray, layers: Iterable[EditNode]) -> np.ndarray:
    """Puts each layer's own pixels over (H, W, 3) uint8 pixels, in place."""
    for edit in layers:
        own = conversation.painted(edit)
        pixels[own] = np.asarray(conversation.layer_image(edit))[own]
    return pixels


def _index(layers: Sequence[EditNode], edit_id: str, image_id: str) -> int:
    for index, edit in enumerate(layers):
        if edit.image_id == edit_id:
            return index
    shown = ", ".join(edit.image_id for edit in layers)
    raise BadParameterError(
        f"The edit of '{edit_id}' does not show in {image_id}; "
        f"{f'the edits that do are those of {shown}' if shown else 'no edit does'}."
    )


def _covers(mask: np.ndarray, earlier: np.ndarray) -> bool:
    return bool(mask.shape == earlier.shape and (mask & earlier).sum() >= SAME_PLACE * earlier.sum() > 0)
