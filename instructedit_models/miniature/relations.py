"""Where one object stands to another: next to, left of, above, between.

`referring` and `questions` use it; margins keep out whatever two people would not agree on.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from instructedit_models.miniature.seen import Seen

NEAR = 24.0
"""The widest gap between the boxes of two things that stand next to each other, in pixels."""

_SIDES = {
    "to the left of": (0, -1), "to the right of": (0, 1), "above": (1, -1), "below": (1, 1),
}  # fmt: skip
_BESIDE = ("next to", "next to", "beside", "near")


def nearest(thing: Seen, others: Sequence[Seen]) -> Seen | None:
    """The one that stands next to `thing` and is clearly the nearest of the others, or None."""
    by_gap = sorted((other for other in others if other.index != thing.index), key=thing.gap)
    if not by_gap or thing.gap(by_gap[0]) > NEAR:
        return None
    if len(by_gap) > 1 and not _clearly_nearer(by_gap[0], by_gap[1], thing):
        return None
    return by_gap[0]


def relations(members: Sequence[Seen], anchors: Sequence[tuple[str, Seen]]) -> Iterator[tuple[str, Seen]]:
    """Phrases that tell one member from the others by where it stands: ("next to the dog", member).

    Args:
        members: all the things that the description before the phrase fits; at least one.
        anchors: (noun, thing) of the things that their noun alone names.
    """
    for noun, anchor in anchors:
        beside = nearest(anchor, members)
        if beside:
            form = _BESIDE[(beside.index + anchor.index) % len(_BESIDE)]
            yield f"{form} the {noun}", beside
        for side, (axis, sign) in _SIDES.items():
            there = [thing for thing in members if sign * (_centre(thing, axis) - _centre(anchor, axis)) > -8]
            if len(there) == 1 and _beyond(there[0], anchor, axis, sign):
                yield f"{side} the {noun}", there[0]
    for i, (noun, anchor) in enumerate(anchors):
        for other_noun, other in anchors[i + 1 :]:
            inside = [thing for thing in members if _between(thing, anchor, other, slack=1.6)]
            if len(inside) == 1 and _between(inside[0], anchor, other, slack=1.0):
                yield f"between the {noun} and the {other_noun}", inside[0]


def _clearly_nearer(first: Seen, second: Seen, thing: Seen) -> bool:
    by_gap = thing.gap(second) >= 1.3 * thing.gap(first) + 4
    return by_gap and _distance(thing, second) >= 1.15 * _distance(thing, first) + 2


def _distance(a: Seen, b: Seen) -> float:
    return float(np.hypot(a.x - b.x, a.y - b.y))


def _centre(thing: Seen, axis: int) -> float:
    return (thing.x, thing.y)[axis]


def _beyond(thing: Seen, anchor: Seen, axis: int, sign: int) -> bool:
    """Whether the thing's whole box lies past the anchor's, and more that way than to the side."""
    edge = anchor.box[axis] - thing.box[axis + 2] if sign < 0 else thing.box[axis] - anchor.box[axis + 2]
    along = abs(_centre(thing, axis) - _centre(anchor, axis))
    across = abs(_centre(thing, 1 - axis) - _centre(anchor, 1 - axis))
    return edge >= -4 and along >= 1.2 * across


def _between(thing: Seen, a: Seen, b: Seen, slack: float) -> bool:
    """Whether the thing lies on the way from a to b; a larger slack lets in more."""
    way = np.array([b.x - a.x, b.y - a.y])
    length = float(np.hypot(*way))
    if length < 30:
        return False
    offset = np.array([thing.x - a.x, thing.y - a.y])
    along = float(offset @ way) / length**2
    across = abs(float(way[0] * offset[1] - way[1] * offset[0])) / length
    return abs(along - 0.5) <= 0.28 * slack and across <= 16 * slack
