"""Detections of one thing under several nouns: keeps the surest, or drops what another noun fits better.

A detector that is asked for a cup alone finds something cup-like; asked for everything it knows, it names the flower.
"""

from collections.abc import Sequence

from instructedit_models.choosing import box_iou
from instructedit_models.types import Detection

__all__ = ["distinct", "unrivalled"]

SURE = 0.5
"""On validation scenes half of the things that were wrongly "not found" are found again with this, and 2 in 100 more
that are not there are taken for something else."""


def unrivalled(
    found: Sequence[Detection],
    noun: str,
    census: Sequence[Detection],
    *,
    same_iou: float,
    margin: float = 1.0,
    sure: float = SURE,
) -> list[Detection]:
    """The detections that no other noun fits better.

    Args:
        found: the candidates, found by a prompt of their own; asked for among many nouns a detector is less sure, so
            that the higher of both scores speaks for the noun.
        noun: what they were found as.
        census: what the detector finds for every noun it knows, doubles included, each with its noun as the phrase.
        same_iou: boxes that overlap by more are the same object.
        margin: how many times as sure the rival must be.
        sure: where others fit all of them better, the surest stays all the same if its own score is this high.

    Returns:
        Those that are kept, in their order.
    """
    kept = []
    for candidate in found:
        there = [each for each in census if box_iou(each.box, candidate.box) >= same_iou]
        own = max([candidate.score, *(each.score for each in there if each.phrase == noun)])
        rival = max((each.score for each in there if each.phrase != noun), default=0.0)
        if rival <= margin * own:
            kept.append(candidate)
    if not kept and found:
        best = max(found, key=lambda each: each.score)
        return [best] if best.score >= sure else []
    return kept


def distinct(detections: Sequence[Detection], same_iou: float) -> list[Detection]:
    """Of detections of the same thing, the surest; best first."""
    kept: list[Detection] = []
    for each in sorted(detections, key=lambda detection: -detection.score):
        if all(box_iou(each.box, other.box) < same_iou for other in kept):
            kept.append(each)
    return kept
