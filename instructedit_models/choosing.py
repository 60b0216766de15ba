"""Picks out of the detector's candidates those that a reference means, by geometry alone.

`GroundedSegmenter` calls `choose`; whatever needs other objects (the anchors of relations, what is excluded) it asks
for through `resolve`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from instructedit_models.boxes import box_iou
from instructedit_models.reference import Reference, Relation, Side
from instructedit_models.types import Box

__all__ = ["Candidate", "Choice", "choose"]


@dataclass(frozen=True)
class Candidate:
    """An object that may be meant.

    Attributes:
        box: x0, y0, x1, y1 in pixels.
        score: the detector's confidence that it fits noun and attributes, 0 to 1.
        area: its pixels; those of the box where the mask is not known.
    """

    box: Box
    score: float = 1.0
    area: float = field(default=-1.0)

    def __post_init__(self) -> None:
        if self.area < 0:
            object.__setattr__(self, "area", (self.box[2] - self.box[0]) * (self.box[3] - self.box[1]))

    @property
    def x(self) -> float:
        """Middle of the box, from the left."""
        return (self.box[0] + self.box[2]) / 2

    @property
    def y(self) -> float:
        """Middle of the box, from the top."""
        return (self.box[1] + self.box[3]) / 2


@dataclass(frozen=True)
class Choice:
    """What `choose` decides; indices are into the candidates given.

    Attributes:
        chosen: those that are meant, ascending.
        ambiguous: those that fit equally well where fewer were asked for, ascending; else empty.
        note: how the reference was solved, in a few words, or None where nothing had to be solved.
    """

    chosen: tuple[int, ...]
    ambiguous: tuple[int, ...] = ()
    note: str | None = None


@dataclass(frozen=True)
class ChoosingOptions:
    """Margins of `choose`.

    Attributes:
        weak_share: candidates whose score is less than this share of the best one's are left out.
        clear_share: the best of several stands out if the second best has less than this share of its score.
        clear_share_attributes: the same where attributes were given, which scores tell apart more sharply.
        same_iou: boxes that overlap by more are the same object.
        inner_share: a candidate inside the box of a better one is left out where its score is less than this share of
            that one's: it is a piece of it, found again.
    """

    weak_share: float = 0.45
    clear_share: float = 0.55
    clear_share_attributes: float = 0.8
    same_iou: float = 0.6
    inner_share: float = 0.7


Resolve = Callable[[Reference], Sequence[Candidate]]
"""Finds the objects that another reference means: all of them where it leaves that open."""

DEFAULTS = ChoosingOptions()
_INSIDE = 0.9
"""The share of a box that must lie in another for it to be inside."""
NEAR = 0.19
"""The widest gap of things next to each other, as a share of the longer side of the picture."""


def choose(
    reference: Reference,
    candidates: Sequence[Candidate],
    size: tuple[int, int],
    resolve: Resolve | None = None,
    *,
    last: Box | None = None,
    options: ChoosingOptions = DEFAULTS,
) -> Choice:
    """Solves everything in a reference but noun, attributes and owner.

    Args:
        reference: what is meant.
        candidates: all objects that noun and attributes fit; any order.
        size: the picture's (width, height) in pixels.
        resolve: finds anchors and exclusions; without it relations are left unsolved.
        last: box of what was spoken of before, for "the other one".
        options: margins.

    Returns:
        The choice; `chosen` is empty only where there is no candidate or exclusions leave none.
    """
    if not candidates:
        return Choice(())
    best = max(candidate.score for candidate in candidates)
    pool = [i for i, candidate in enumerate(candidates) if candidate.score >= options.weak_share * best]
    pool = [i for i in pool if not any(_piece_of(candidates[i], candidates[k], options) for k in pool)]
    solver = _Solver(reference, candidates, size, resolve, options)
    pool = solver.without_excluded(pool)
    if reference.other and last is not None:
        pool = solver.without_last(pool, last) or pool
    if not pool:
        return Choice((), (), "everything that fits is excluded")
    if reference.quantifier == "one":
        return solver.one(pool)
    return solver.several(pool)


class _Solver:
    def __init__(
        self,
        reference: Reference,
        candidates: Sequence[Candidate],
        size: tuple[int, int],
        resolve: Resolve | None,
        options: ChoosingOptions,
    ) -> None:
        self.reference = reference
        self.candidates = candidates
        self.size = size
        self.resolve = resolve
        self.options = options
        self.notes: list[str] = []

    def without_excluded(self, pool: list[int]) -> list[int]:
        excluded = self.reference.excluded
        if excluded is None or self.resolve is None:
            return pool
        out = self.resolve(excluded)
        kept = [i for i in pool if not any(self._same(i, other.box) for other in out)]
        self.notes.append(f"left out {len(pool) - len(kept)} of {len(pool)}")
        return kept

    def without_last(self, pool: list[int], last: Box) -> list[int]:
        return [i for i in pool if not self._same(i, last)]

    def _same(self, i: int, box: Box) -> bool:
        return box_iou(self.candidates[i].box, box) >= self.options.same_iou

    def one(self, pool: list[int]) -> Choice:
        reference = self.reference
        if len(pool) == 1:
            return self._choice(pool)
        total = len(pool)
        pool = self._related(pool)
        if reference.size and reference.rank:
            pool = [self._by_size(pool, reference.rank)]
        elif reference.size and not reference.sides:
            pool = [self._by_size(pool)]
        elif reference.size:
            pool = self._size_group(pool)
        if reference.rank and not reference.size:
            pool = [self._by_rank(pool, reference.rank, reference.sides[0] if reference.sides else "left")]
        elif reference.sides:
            pool = [self._by_sides(pool)]
        if len(pool) == 1:
            self.notes.append(f"1 of {total}")
            return self._choice(pool)
        by_score = sorted(pool, key=lambda i: -self.candidates[i].score)
        share = self.options.clear_share_attributes if reference.attributes else self.options.clear_share
        first, second = (self.candidates[i].score for i in by_score[:2])
        if second < share * first and not reference.positional:
            self.notes.append(f"the best of {total} by its score")
            return self._choice(by_score[:1])
        # "It" is the largest thing, where it has to be one; of several cats a score says which is most of a cat.
        taken = max(pool, key=lambda i: self.candidates[i].area) if reference.generic else by_score[0]
        return Choice((taken,), tuple(sorted(pool)), f"{len(pool)} fit equally well")

    def several(self, pool: list[int]) -> Choice:
        reference, total = self.reference, len(pool)
        pool = self._related(pool, many=True)
        if reference.size:
            pool = self._size_group(pool)
        count = reference.count
        if reference.sides:
            ordered = sorted(pool, key=self._side_key(reference.sides))
            if count is None:
                pool = [i for i in pool if self._on_sides(i)] or ordered[:1]
            else:
                pool = ordered[:count]
        if count is not None and len(pool) > count:
            by_score = sorted(pool, key=lambda i: -self.candidates[i].score)
            last, next_best = (self.candidates[by_score[k]].score for k in (count - 1, count))
            tied = next_best >= self.options.clear_share * last
            note = f"{count} of {len(pool)} were asked for"
            return Choice(tuple(sorted(by_score[:count])), tuple(sorted(pool)) if tied else (), note)
        if count is not None and len(pool) < count:
            self.notes.append(f"only {len(pool)} of {count} found")
        if len(pool) < total:
            self.notes.append(f"{len(pool)} of {total}")
        return self._choice(pool)

    def _choice(self, pool: Sequence[int]) -> Choice:
        return Choice(tuple(sorted(pool)), (), "; ".join(self.notes) or None)

    # sizes

    def _by_size(self, pool: list[int], rank: int = 1) -> int:
        by_area = sorted(pool, key=lambda i: self.candidates[i].area, reverse=self.reference.size == "big")
        if self.reference.size == "medium":
            return by_area[len(by_area) // 2]
        return by_area[min(rank, len(by_area)) - 1 if rank > 0 else -1]

    def _size_group(self, pool: list[int]) -> list[int]:
        """Those that count as big (or small) among the pool: split at the geometric mean of the extremes."""
        areas = [max(self.candidates[i].area, 1.0) for i in pool]
        middle = (min(areas) * max(areas)) ** 0.5
        if max(areas) < 1.2 * min(areas) or self.reference.size == "medium":
            return pool
        big = self.reference.size == "big"
        return [i for i, area in zip(pool, areas, strict=True) if (area >= middle) == big]

    # positions

    def _side_key(self, sides: Sequence[Side]) -> Callable[[int], float]:
        def key(i: int) -> float:
            one = self.candidates[i]
            along = {"left": one.x, "right": -one.x, "top": one.y, "bottom": -one.y}
            along |= {"front": -one.box[3], "back": one.box[3], "middle": 0.0}
            return sum(along[side] for side in sides)

        return key

    def _by_sides(self, pool: list[int]) -> int:
        sides = self.reference.sides
        if "middle" in sides:
            return self._middle(pool)
        return min(pool, key=self._side_key(sides))

    def _middle(self, pool: list[int]) -> int:
        xs = [self.candidates[i].x for i in pool]
        ys = [self.candidates[i].y for i in pool]
        if len(pool) == 2:
            middle = (self.size[0] / 2, self.size[1] / 2)
            return min(pool, key=lambda i: np.hypot(self.candidates[i].x - middle[0], self.candidates[i].y - middle[1]))
        wide = max(xs) - min(xs) >= max(ys) - min(ys)
        along = xs if wide else ys
        if len(pool) == 3:
            return sorted(zip(along, pool, strict=True))[1][1]
        centre = (min(along) + max(along)) / 2
        return min(zip(along, pool, strict=True), key=lambda pair: abs(pair[0] - centre))[1]

    def _by_rank(self, pool: list[int], rank: int, side: Side) -> int:
        ordered = sorted(pool, key=self._side_key((side,)))
        if rank > len(ordered):
            self.notes.append(f"only {len(ordered)} found")
            return ordered[-1]
        return ordered[rank - 1 if rank > 0 else -1]

    def _on_sides(self, i: int) -> bool:
        """Whether it lies in that part of the picture."""
        x, y = self.candidates[i].x / self.size[0], self.candidates[i].y / self.size[1]
        lies = {"left": x < 0.5, "right": x >= 0.5, "top": y < 0.5, "bottom": y >= 0.5}
        lies |= {"front": y >= 0.5, "back": y < 0.5, "middle": abs(x - 0.5) < 0.25}
        return all(lies[side] for side in self.reference.sides)

    # relations

    def _related(self, pool: list[int], many: bool = False) -> list[int]:
        for relation in self.reference.relations:
            if self.resolve is None or (len(pool) == 1 and not many):
                continue
            anchors = [list(self.resolve(anchor)) for anchor in relation.anchors]
            if not all(anchors):
                missing = relation.anchors[[bool(group) for group in anchors].index(False)]
                self.notes.append(f"no {missing.phrase} was found to go by")
                continue
            fits = {i: self._fit(relation, self.candidates[i], anchors) for i in pool}
            fitting = [i for i in pool if fits[i][0]] or pool
            pool = fitting if many else [min(fitting, key=lambda i: fits[i][1])]
            self.notes.append(relation.kind.replace("_", " "))
        return pool

    def _fit(self, relation: Relation, one: Candidate, anchors: list[list[Candidate]]) -> tuple[bool, float]:
        """Whether the relation holds, and a cost that is the less the better it holds."""
        scale = float(max(self.size))
        others = [[other for other in group if box_iou(one.box, other.box) < 0.8] for group in anchors]
        if not all(others):
            return False, scale * 10
        if relation.kind == "between":
            ends = others if len(others) == 2 else [others[0], others[0]]
            fits = [_between(one, a, b, scale) for a in ends[0] for b in ends[1] if a is not b]
        else:
            fits = [_RELATIONS[relation.kind](one, other, scale) for other in others[0]]
        return min(fits, key=lambda fit: (not fit[0], fit[1]), default=(False, scale * 10))


def _piece_of(one: Candidate, other: Candidate, options: ChoosingOptions) -> bool:
    """Whether it is found inside the other, and much less surely."""
    across = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])
    down = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    inside = max(0.0, across) * max(0.0, down)
    whole = (one.box[2] - one.box[0]) * (one.box[3] - one.box[1])
    return inside >= _INSIDE * whole and one.score < options.inner_share * other.score


def _gap(one: Candidate, other: Candidate) -> float:
    """Pixels between the two boxes, 0 where they touch."""
    across = max(one.box[0] - other.box[2], other.box[0] - one.box[2], 0.0)
    down = max(one.box[1] - other.box[3], other.box[1] - one.box[3], 0.0)
    return float(np.hypot(across, down))


def _distance(one: Candidate, other: Candidate) -> float:
    """The gap, and a little of the way between the centres to break ties, in pixels."""
    return _gap(one, other) + 0.25 * float(np.hypot(one.x - other.x, one.y - other.y))


def _next_to(one: Candidate, other: Candidate, scale: float) -> tuple[bool, float]:
    return _gap(one, other) <= NEAR * scale, _distance(one, other)


def _beyond(forward: float, aside: float, distance: float) -> tuple[bool, float]:
    """Whether it lies `forward` of the anchor, and rather straight than aside."""
    return forward > 0, distance + max(0.0, abs(aside) - forward)


def _left_of(one: Candidate, other: Candidate, scale: float) -> tuple[bool, float]:
    return _beyond(other.x - one.x, other.y - one.y, _distance(one, other))


def _right_of(one: Candidate, other: Candidate, scale: float) -> tuple[bool, float]:
    return _beyond(one.x - other.x, other.y - one.y, _distance(one, other))


def _above(one: Candidate, other: Candidate, scale: float) -> tuple[bool, float]:
    return _beyond(other.y - one.y, other.x - one.x, _distance(one, other))


def _below(one: Candidate, other: Candidate, scale: float) -> tuple[bool, float]:
    return _beyond(one.y - other.y, other.x - one.x, _distance(one, other))


def _behind(one: Candidate, other: Candidate, scale: float) -> tuple[bool, float]:
    """What stands farther away ends higher in the picture, and is covered where the two overlap."""
    return _beyond(other.box[3] - one.box[3], other.x - one.x, _distance(one, other))


def _in_front_of(one: Candidate, other: Candidate, scale: float) -> tuple[bool, float]:
    return _beyond(one.box[3] - other.box[3], other.x - one.x, _distance(one, other))


def _touching(one: Candidate, other: Candidate, scale: float) -> tuple[bool, float]:
    wide = max(0.0, min(one.box[2], other.box[2]) - max(one.box[0], other.box[0]))
    high = max(0.0, min(one.box[3], other.box[3]) - max(one.box[1], other.box[1]))
    areas = [(each.box[2] - each.box[0]) * (each.box[3] - each.box[1]) for each in (one, other)]
    share = wide * high / max(min(areas), 1e-6)
    # Of two roofs the surer one counts more in "the house with the red roof".
    return _gap(one, other) <= 0.03 * scale, _distance(one, other) - scale * (share + 0.5 * other.score)


def _between(one: Candidate, a: Candidate, b: Candidate, scale: float) -> tuple[bool, float]:
    """Near the middle of the way from a to b; the cost is 1 where one would just about still say so."""
    way = np.array([b.x - a.x, b.y - a.y])
    length = max(float(np.hypot(*way)), 1e-6)
    offset = np.array([one.x - a.x, one.y - a.y])
    along = float(offset @ way) / length**2
    across = abs(float(way[0] * offset[1] - way[1] * offset[0])) / length
    cost = max(abs(along - 0.5) / 0.28, across / (0.125 * scale))
    return cost <= 1.6, cost


_RELATIONS: dict[str, Callable[[Candidate, Candidate, float], tuple[bool, float]]] = {
    "next_to": _next_to,
    "left_of": _left_of,
    "right_of": _right_of,
    "above": _above,
    "below": _below,
    "behind": _behind,
    "in_front_of": _in_front_of,
    "touching": _touching,
}
