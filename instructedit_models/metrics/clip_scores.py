"""CLIP score and CLIP directional similarity, with any CLIP: the miniature's, or ViT-L/14 of a real set.

`ModelSet.scorer` is such a CLIP; the benchmarks call the two functions.
"""

from typing import Protocol

import numpy as np
from PIL import Image

__all__ = ["Embedder", "clip_directional", "clip_score"]

_NOTHING = 1e-6


class Embedder(Protocol):
    """What is needed of a CLIP: `scorer.ClipScorer` has it."""

    def embed_images(self, images: list[Image.Image]) -> np.ndarray:
        """Unit vectors, (len(images), D) float32."""
        ...

    def embed_texts(self, texts: list[str]) -> np.ndarray:
        """Unit vectors, (len(texts), D) float32."""
        ...


def clip_score(clip: Embedder, image: Image.Image, caption: str) -> float:
    """How well a picture fits a caption: 100 max(cos, 0), the scale of the paper's Table 1 (Hessel et al., 2021).

    Args:
        clip: embeds both.
        image: PIL RGB.
        caption: e.g. the edited caption.

    Raises:
        UnknownWordError: the caption holds words that CLIP's text encoder does not know.
    """
    return 100 * max(float(clip.embed_images([image])[0] @ clip.embed_texts([caption])[0]), 0.0)


def clip_directional(clip: Embedder, images: tuple[Image.Image, Image.Image], captions: tuple[str, str]) -> float:
    """Whether the picture changed as the captions did: the cosine of both changes, -1 to 1 (Gal et al., 2021, Eq. 3).

    Args:
        clip: embeds all four.
        images: before and after, PIL RGB.
        captions: input and edited caption.

    Returns:
        cos(E(after) - E(before), E(edited) - E(input)), of unit embeddings E; 0 where nothing changed.

    Raises:
        UnknownWordError: a caption holds words that CLIP's text encoder does not know.
    """
    shown, said = clip.embed_images(list(images)), clip.embed_texts(list(captions))
    seen, asked = shown[1] - shown[0], said[1] - said[0]
    length = float(np.linalg.norm(seen) * np.linalg.norm(asked))
    return float(seen @ asked) / length if length > _NOTHING else 0.0
