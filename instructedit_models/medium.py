"""Which medium a picture is in, as CLIP sees it: captions of a painting should not ask for a photo.

Where the picture was not described, captions begin with "Photo of" (as the paper's do). A diffusion model takes that
at its word and draws a photo's cat into a painting, so `tools.editing` puts the medium right before an edit.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instructedit_models.errors import UnknownWordError
from instructedit_models.types import Scorer

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Media", "in_medium_of", "in_own_medium"]

_UNSAID = re.compile(r"^(?:an?\s+)?photo(?=\s+of\b)", re.IGNORECASE)
_SAID = re.compile(r"^((?:an?\s+)?[\w-]+(?:\s+[\w-]+)?)(?=\s+of\b)", re.IGNORECASE)
_SIDE = 512
"""Pixels that CLIP sees of the longer side at most; it sees fewer itself."""


@dataclass(frozen=True)
class Media:
    """What a model set tells apart.

    Attributes:
        words: "photo" and other media, as captions begin; none where captions are left as they are.
        margin: by how much (cosine) another medium must fit better than "photo".
    """

    words: tuple[str, ...] = ()
    margin: float = 0.05


def in_own_medium(captions: tuple[str, str], image: "Image.Image", media: Media, scorer: Scorer) -> tuple[str, str]:
    """The captions with the picture's medium in the place of "photo"; as they are where they name one, or in doubt.

    Args:
        captions: the input caption and the edited caption.
        image: PIL RGB, the whole picture.
        media: what to choose from.
        scorer: CLIP.
    """
    if not media.words or not all(_UNSAID.match(caption) for caption in captions):
        return captions
    small = image.copy()
    small.thumbnail((_SIDE, _SIDE))
    words = ("photo", *(word for word in media.words if word != "photo"))
    try:
        fits = scorer.similarity([small], [_UNSAID.sub(word, captions[0]) for word in words])[0]
    except UnknownWordError:
        return captions
    best = int(fits.argmax())
    if fits[best] - fits[0] < media.margin:
        return captions
    before, after = (_UNSAID.sub(words[best], caption) for caption in captions)
    return before[0].upper() + before[1:], after[0].upper() + after[1:]


def in_medium_of(caption: str, before: tuple[str, str]) -> str:
    """A new edited caption in the medium of an edit's captions before, where both had one and it says but "photo"."""
    media = [found[1] for text in before if (found := _SAID.match(text))]
    if len(media) != 2 or media[0] != media[1]:
        return caption
    return _UNSAID.sub(lambda _: media[0], caption)
