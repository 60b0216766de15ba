"""Stripes on a red bus leave it red: the colour that is seen goes into captions that only ask for a pattern.

"Photo of a striped bus" lets a diffusion model choose the colour, and at a high encoding ratio it does. `tools.editing`
says what is there before an edit, as it does with the medium.
"""

import re
from dataclasses import dataclass

import numpy as np

from instructedit_models.colours import BASIC, COLOURS, main_colour

__all__ = ["Keeping", "in_own_colour"]

_THING = re.compile(r"^(?P<medium>.*?\bof )?(?P<article>(?:an?|the) )?(?P<thing>.+)$", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Keeping:
    """What leaves a thing its colour.

    Attributes:
        words: words of an edited caption that say nothing of a colour, where a person expects it to stay.
        colours: the colours that captions may name, words of `colours.COLOURS`.
    """

    words: tuple[str, ...] = ("striped", "dotted", "spotted", "checkered")
    colours: tuple[str, ...] = BASIC


def in_own_colour(captions: tuple[str, str], image: np.ndarray, mask: np.ndarray, keeping: Keeping) -> tuple[str, str]:
    """The captions with the colour of what is inside the mask, where the edit gives it a pattern and names no colour.

    Args:
        captions: the input caption and the edited caption.
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool.
        keeping: when, and which colours there are.

    Returns:
        As they are where the edited one names a colour, where no pattern is new, or where no colour has half of the
        pixels. A colour that the input caption alone names is taken for the edited one too.
    """
    before, after = (set(re.findall(r"[\w-]+", caption.lower())) for caption in captions)
    if not (after - before) & set(keeping.words) or after & set(COLOURS):
        return captions
    named = before & set(COLOURS)
    colour = named.pop() if len(named) == 1 else None if named else main_colour(image, mask, keeping.colours)
    if colour is None:
        return captions
    return captions[0] if colour in before else _coloured(captions[0], colour), _coloured(captions[1], colour)


def _coloured(caption: str, colour: str) -> str:
    match = _THING.match(caption)
    if match is None:
        return caption
    article = match["article"] or ""
    if article.strip().lower() in {"a", "an"}:
        article = "an " if colour[0] in "aeiou" else "a "
    return f"{match['medium'] or ''}{article}{colour} {match['thing']}"
