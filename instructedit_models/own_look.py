"""Stripes on a red bus leave it red, and a red striped bus that becomes blue keeps its stripes.

"Photo of a striped bus" lets a diffusion model choose the colour, "photo of a blue bus" the pattern, and at a high
encoding ratio it does. So `tools.editing` puts into both captions what is there and shall stay, as it does with the
medium: the colour as the pixels tell it, the pattern as Grounding DINO sees it in an enlarged crop.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from instructedit_models.caption_text import caption_words
from instructedit_models.colours import BASIC, COLOURS, main_colour, neighbours
from instructedit_models.errors import UserError
from instructedit_models.lexicon import singular, with_article
from instructedit_models.patterns import named_plainly, pattern_scores
from instructedit_models.types import Detector

__all__ = ["Keeping", "from_own_colour", "in_own_colour", "in_own_pattern", "shape_in_own_colour"]

_THING = re.compile(r"^(?P<medium>.*?\bof )?(?P<article>(?:an?|the) )?(?P<thing>.+)$", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Keeping:
    """What an edit of something else leaves a thing.

    Attributes:
        words: words of an edited caption that say nothing of a colour, where a person expects it to stay.
        colours: the colours that captions may name, words of `colours.COLOURS`.
        patterns: what a new colour leaves as it is, each as the detector may be asked for it; none: nothing is looked
            for.
        sure: the detector's least score for a pattern, 0 to 1.
        shapes: whether a thing that becomes something else stays in its colour, where nobody names one.
    """

    words: tuple[str, ...] = ("striped", "dotted", "spotted", "checkered")
    colours: tuple[str, ...] = BASIC
    patterns: tuple[str, ...] = ()
    sure: float = 0.6
    shapes: bool = False


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
    before, after = map(caption_words, captions)
    if not (after - before) & set(keeping.words) or after & set(COLOURS):
        return captions
    return _coloured(captions, [*before & set(COLOURS)], image, mask, keeping)


def shape_in_own_colour(
    captions: tuple[str, str], image: np.ndarray, mask: np.ndarray, keeping: Keeping, nouns: Sequence[str]
) -> tuple[str, str]:
    """The captions with the colour of what is inside the mask, where the edit makes something else of it.

    "Photo of a cup" for what was a red ball leaves the colour to chance.

    Args:
        captions: the input caption and the edited caption.
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool.
        keeping: whether, and which colours there are.
        nouns: things that there may be; of what is none of them ("grass", where something goes) no colour is named.

    Returns:
        As they are where the edited one names a colour or joins several things, or where no colour has half of the
        pixels. A colour that the input caption alone names is taken for the edited one too.
    """
    after, thing = caption_words(captions[1]), captions[1].lower().split()[-1]
    if not keeping.shapes or after & {*COLOURS, "and", "with"} or not {thing, singular(thing)} & set(nouns):
        return captions
    return _coloured(captions, _look_colours(captions[0]), image, mask, keeping)


def from_own_colour(
    captions: tuple[str, str], image: np.ndarray, mask: np.ndarray, keeping: Keeping
) -> tuple[str, str]:
    """The captions for guidance that leads away from the input one: it names the colour that has to go.

    "Photo of a boat" beside "photo of a blue boat" does not say that the red has to go. A colour that borders on the
    one asked for is left out instead: what leads away from yellow makes orange red.

    Args:
        captions: the input caption and the edited caption.
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool.
        keeping: which colours captions may name.

    Returns:
        As they are where the edited caption names no colour or several, where no colour has half of the pixels, and
        where that colour is the one asked for.
    """
    before, after = map(caption_words, captions)
    asked = after & set(COLOURS) - before
    if len(asked) != 1:
        return captions
    wanted = asked.pop()
    named = _look_colours(captions[0])
    for colour in named:
        if neighbours(colour, wanted):
            return _unlooking(captions[0], colour), captions[1]
    own = None if named else main_colour(image, mask, keeping.colours)
    if own is None or own == wanted or neighbours(own, wanted):
        return captions
    return _looking(captions[0], own), captions[1]


def in_own_pattern(
    captions: tuple[str, str], image: Image.Image, mask: np.ndarray, keeping: Keeping, detector: Detector
) -> tuple[str, str]:
    """The captions with the pattern of what is inside the mask, where the edit gives it a colour and names no pattern.

    Args:
        captions: the input caption and the edited caption.
        image: PIL RGB.
        mask: (H, W) bool, not empty.
        keeping: which patterns there are.
        detector: Grounding DINO.
    """
    before, after = map(caption_words, captions)
    patterns = {*keeping.patterns, *keeping.words}
    if not keeping.patterns or not (after - before) & set(COLOURS) or (before | after) & patterns:
        return captions
    match = _THING.match(captions[0])
    thing = named_plainly(match["thing"], COLOURS) if match else ""
    if not thing:
        return captions
    try:
        scores = pattern_scores(image, mask, thing, keeping.patterns, detector)
    except UserError:  # the detector does not know the thing by these words
        return captions
    best = max(scores, key=scores.__getitem__)
    if scores[best] < keeping.sure:
        return captions
    return _looking(captions[0], best), _looking(captions[1], best)


def _look_colours(caption: str) -> list[str]:
    """The colours that a caption gives its thing, which is its last word: an orange is no colour."""
    return [word for word in caption.lower().split()[:-1] if word in COLOURS]


def _coloured(
    captions: tuple[str, str], named: Sequence[str], image: np.ndarray, mask: np.ndarray, keeping: Keeping
) -> tuple[str, str]:
    """Both captions in the one colour that the input caption named, or else in the one that is seen."""
    colour = named[0] if len(named) == 1 else None if named else main_colour(image, mask, keeping.colours)
    if colour is None:
        return captions
    return captions[0] if named else _looking(captions[0], colour), _looking(captions[1], colour)


def _looking(caption: str, look: str) -> str:
    """The caption with one more word for the look: "photo of a bus" to "photo of a striped bus"."""
    return _reworded(caption, lambda thing: f"{look} {thing}")


def _unlooking(caption: str, look: str) -> str:
    """The caption without a word for the look: "photo of an orange bus" to "photo of a bus"."""
    word = re.compile(rf"\b{re.escape(look)} (?=\w)", re.IGNORECASE)
    return _reworded(caption, lambda thing: word.sub("", thing, count=1))


def _reworded(caption: str, reword: Callable[[str], str]) -> str:
    """The caption with what it calls its thing in other words, "a" and "an" as these need."""
    match = _THING.match(caption)
    if match is None:
        return caption
    article, thing = match["article"] or "", reword(match["thing"])
    named = with_article(thing) if article.strip().lower() in {"a", "an"} else f"{article}{thing}"
    return f"{match['medium'] or ''}{named}"
