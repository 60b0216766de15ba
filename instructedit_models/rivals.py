"""Detections of one thing under several names: keeps the surest, or drops what another name fits better.

A detector that is asked for a cup alone finds something cup-like; asked for everything it knows, it names the flower.
Where it hesitates between the two, CLIP is asked as well: both are seldom wrong about the same thing.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import numpy as np
from PIL import Image

from instructedit_models.boxes import box_iou, square_around, surest_at
from instructedit_models.lexicon import with_article
from instructedit_models.types import Box, Detection, Scorer

__all__ = ["Opinion", "distinct", "plainest", "unrivalled"]


class Boxed(Protocol):
    """What lies in a box: a detection, or one with its mask."""

    @property
    def box(self) -> Box:
        """x0, y0, x1, y1 in pixels."""
        ...


Thing = TypeVar("Thing", bound=Boxed)

DOUBT = 0.3
"""In log-odds: on 140 validation scenes (231 nouns that are there, 560 that are not) 2 of those were "not found" and 2
of these found, with CLIP's opinion; 4 and 21 without it."""

PATTERNED = 0.5
"""In a detector's score, between a thing that has a pattern and one that is plain: less is its own doubt."""

_LOOKS = (1.1, 1.2, 1.5)
"""How wide the crops are, beside a box, on which CLIP is asked what is in it."""


class Opinion:
    """What CLIP takes a thing for."""

    def __init__(self, scorer: Callable[[], Scorer], weight: float) -> None:
        """Loads nothing yet.

        Args:
            scorer: gives CLIP, and is called when it is needed.
            weight: what a cosine similarity counts beside the log-odds of a detection.
        """
        self._scorer = scorer
        self._weight = weight

    def of(self, image: Image.Image, box: Box, nouns: Sequence[str]) -> np.ndarray:
        """How well each noun fits what is in the box, (len(nouns),) float, to be added to log-odds."""
        crops = [image.crop(square_around(box, look, image.size)) for look in _LOOKS]
        texts = [f"photo of {with_article(noun)}" for noun in nouns]
        return self._weight * self._scorer().similarity(crops, texts).mean(axis=0)


def unrivalled(
    found: Sequence[Detection],
    name: str,
    census: Sequence[Detection],
    *,
    same_iou: float,
    opinion: Callable[[Box, Sequence[str]], np.ndarray] | None = None,
    doubt: float = DOUBT,
) -> list[Detection]:
    """The detections that no other name fits better.

    Args:
        found: the candidates, found by a prompt of their own; asked for among many nouns a detector is less sure, so
            that the higher of both scores speaks for the name.
        name: what they were found as.
        census: what the detector finds for all names that come into question, doubles included, each with its name as
            the phrase: every noun that it knows, or a noun in every colour.
        same_iou: boxes that overlap by more are the same object.
        opinion: of a box and names, what is added to the log-odds of each; nobody else is asked by default.
        doubt: by how much a rival must be surer, in log-odds.

    Returns:
        Those that are kept, in their order.
    """
    kept = []
    for candidate in found:
        sure = {name: candidate.score}
        for each in census:
            if box_iou(each.box, candidate.box) >= same_iou:
                sure[each.phrase] = max(each.score, sure.get(each.phrase, 0.0))
        odds = _log_odds(np.array([*sure.values()]))
        if opinion is not None and len(sure) > 1:
            odds = odds + opinion(candidate.box, [*sure])
        if odds[0] >= odds.max() - doubt:
            kept.append(candidate)
    return kept


def plainest(
    found: Sequence[Thing], patterned: Sequence[Detection], *, same_iou: float, margin: float = PATTERNED
) -> list[Thing]:
    """Of several things, those that are not clearly more patterned than the plainest of them.

    Args:
        found: the candidates.
        patterned: what the detector finds when it is asked for each pattern.
        same_iou: boxes that overlap by more are the same object.
        margin: by how much a pattern's score may exceed that of the plainest one.

    Returns:
        Those that are kept, in their order.
    """
    scores = [surest_at(thing.box, patterned, same_iou) for thing in found]
    least = min(scores, default=0.0)
    return [thing for thing, score in zip(found, scores, strict=True) if score < least + margin]


def _log_odds(scores: np.ndarray) -> np.ndarray:
    bounded = scores.clip(1e-6, 1 - 1e-6)
    return np.log(bounded / (1 - bounded))


def distinct(detections: Sequence[Detection], same_iou: float) -> list[Detection]:
    """Of detections of the same thing, the surest; best first."""
    kept: list[Detection] = []
    for each in sorted(detections, key=lambda detection: -detection.score):
        if all(box_iou(each.box, other.box) < same_iou for other in kept):
            kept.append(each)
    return kept
