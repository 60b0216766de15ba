"""Referring expressions that are true of a drawn scene and fit nothing else in it.

`language`, `edits` and `questions` call these. Positions and sizes are read from the masks, with
margins, so that a person who sees the picture would choose the same object.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from instructedit_models.miniature.captions import NUMBERS, look
from instructedit_models.miniature.choices import BODY_PARTS, chance, pick, weighted
from instructedit_models.miniature.relations import relations
from instructedit_models.miniature.scene import Picture, Scene
from instructedit_models.miniature.seen import Seen, see
from instructedit_models.miniature.words import PARTS, plural

APART = 8.0
"""Centres nearer than this, in pixels, are neither left nor right of each other."""
CLEARLY_APART = 20.0
"""What "on the left" asks of three or more, where "leftmost" asks `APART`."""
BIGGER = 1.35
"""The least ratio of areas that makes one thing bigger than another."""
LEAST_VISIBLE = 0.6
"""The least visible share of an object that may be referred to."""
LEAST_PART = 12
"""The fewest visible pixels of a part that may be referred to."""

_KINDS = {
    "attribute": 4.0, "position": 3.0, "size": 2.0, "ordinal": 1.2, "relation": 1.5, "not": 1.0,
    "all": 2.0, "except": 1.0, "part": 3.0, "with part": 0.7, "bare": 0.3,
}  # fmt: skip
"""How often each kind of expression is drawn where the scene allows it."""

_WORDY = (1.0, 0.6, 0.25)
"""How often an expression is drawn by how much it says of the looks."""

_ORDINALS = ("first", "second", "third", "fourth")
_ENDS = {
    "left": ("the {} on the left", "the {} on the left", "the left {}", "the leftmost {}", "the {} on the left side"),
    "right": (
        "the {} on the right", "the {} on the right", "the right {}", "the rightmost {}", "the {} on the right side",
    ),
    "top": ("the {} at the top", "the {} at the top", "the top {}", "the topmost {}", "the upper {}"),
    "bottom": ("the {} at the bottom", "the {} at the bottom", "the bottom {}", "the bottommost {}", "the lower {}"),
}  # fmt: skip
_MOST = {side: (forms[3],) for side, forms in _ENDS.items()}


@dataclass(frozen=True)
class Referring:
    """A phrase that picks out objects of a scene, or one part of them.

    Attributes:
        phrase: lower case, words of `words.VOCABULARY`.
        objects: indices of the scene's items that are meant, ascending.
        part: the part of those objects that is meant (all its instances), or None for the whole objects.
        kind: what it goes by, a key of the kinds above: "attribute", "position", "part" …
        says: which of "colour" and "material" of the objects the phrase gives away.
    """

    phrase: str
    objects: tuple[int, ...]
    part: str | None = None
    kind: str = ""
    says: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Group:
    """All the things that one description fits."""

    noun: str
    colour: str | None
    material: str | None
    members: tuple[Seen, ...]

    @property
    def says(self) -> frozenset[str]:
        return frozenset(word for word in ("colour", "material") if getattr(self, word))

    def head(self, rng: np.random.Generator, count: int = 1) -> str:
        return look(self.noun if count == 1 else plural(self.noun), self.colour, self.material, rng)


def referring(
    scene: Scene, picture: Picture, rng: np.random.Generator, n: int, without_article: float = 0.35
) -> list[Referring]:
    """Up to `n` different expressions, each true and unambiguous, of mixed kinds.

    Args:
        scene: the scene.
        picture: the same scene, drawn.
        rng: decides which expressions and which words.
        n: how many are wanted; a scene of one plain object has few.
        without_article: share of the expressions that lose their first "the", as in "cat on the left".
    """
    chosen = sample(candidates(scene, picture, rng), rng, n)
    return [
        replace(one, phrase=one.phrase.removeprefix("the ")) if chance(rng, without_article) else one for one in chosen
    ]


def sample(options: list[Referring], rng: np.random.Generator, n: int) -> list[Referring]:
    """Draws `n` of the expressions: first the kind, then the expression, so that no kind crowds the others out."""
    by_kind: dict[str, list[Referring]] = {}
    for option in options:
        by_kind.setdefault(option.kind, []).append(option)
    chosen: list[Referring] = []
    while by_kind and len(chosen) < n:
        kind = weighted(rng, {kind: _KINDS.get(kind, 1.0) for kind in by_kind})
        pool = by_kind[kind]
        # Short descriptions are commoner: "the car on the left" rather than "the striped red car on the left".
        option = pool.pop(weighted(rng, {i: _WORDY[len(one.says)] for i, one in enumerate(pool)}))
        if not pool:
            del by_kind[kind]
        if all(option.phrase != other.phrase for other in chosen):
            chosen.append(option)
    return chosen


def candidates(scene: Scene, picture: Picture, rng: np.random.Generator) -> list[Referring]:
    """Every expression of the scene that holds, each with "the" (or "all", "both", "every") in front."""
    things = see(scene, picture)
    groups = _groups(things)
    singles = [one for group in groups for one in _singles(group, groups, rng)]
    singles += _bare(things)
    several = [one for group in groups for one in _several(group, rng)]
    visible = {thing.index for thing in things if thing.visible >= LEAST_VISIBLE}
    whole = [one for one in (*singles, *several) if visible.issuperset(one.objects)]
    return whole + list(_with_parts(scene, picture, groups, visible)) + list(_parts(scene, picture, whole, visible))


def _groups(things: list[Seen]) -> list[_Group]:
    """The objects by everything that may be said of them: noun; noun and colour; and so on."""
    members: dict[tuple[str, str | None, str | None], list[Seen]] = {}
    for thing in things:
        item = thing.item
        for colour in (None, item.colour):
            for material in (None, item.material):
                members.setdefault((item.noun, colour, material), []).append(thing)
    return [
        _Group(noun, colour, material, tuple(sorted(group, key=lambda thing: thing.index)))
        for (noun, colour, material), group in members.items()
    ]


def _singles(group: _Group, groups: list[_Group], rng: np.random.Generator) -> Iterator[Referring]:
    """Expressions that mean one object of the group."""
    only = group.members[0] if len(group.members) == 1 else None

    def found(phrase: str, thing: Seen, kind: str, *also: str) -> Referring:
        return Referring(phrase, (thing.index,), None, kind, group.says | set(also))

    # "The plain car" is seldom said, and then only to tell it from others.
    if group.material == "plain" and not (only and chance(rng, 0.15)):
        return
    if only:
        yield found(f"the {group.head(rng)}", only, "attribute")
        for side in ("left", "right", "top", "bottom"):
            if _lies(only, side) and not group.material:
                yield found(_ENDS[side][0].format(group.head(rng)), only, "position")
    else:
        for side, thing, forms in _ends(group.members):
            yield found(pick(rng, forms).format(group.head(rng)), thing, "position")
            if side in ("left", "right") and len(group.members) > 2:
                yield from (found(p, t, "ordinal") for p, t in _ordinals(group, side, rng))
        middle = _middle(group.members)
        if middle:
            form = pick(rng, ("the {} in the middle", "the {} in the middle", "the middle {}", "the {} in the center"))
            yield found(form.format(group.head(rng)), middle, "position")
        yield from (found(phrase, thing, "size") for phrase, thing in _sizes(group, rng))
        if not group.colour:
            yield from (found(phrase, thing, "not", "colour") for phrase, thing in _exceptions(group, rng))
    if not group.material:
        anchors = [
            (other.noun, other.members[0])
            for other in groups
            if len(other.members) == 1 and not other.colour and not other.material and other.noun != group.noun
        ]
        for phrase, thing in relations(group.members, anchors):
            yield found(f"the {group.head(rng)} {phrase}", thing, "relation")


def _lies(thing: Seen, side: str) -> bool:
    """Whether a lone object lies plainly on that side of the picture."""
    share = (thing.x if side in ("left", "right") else thing.y) / thing.canvas
    return share <= 0.36 if side in ("left", "top") else share >= 0.64


def _axis(side: str) -> Callable[[Seen], float]:
    """A key that grows away from the side: the first in order is the one nearest to it."""
    if side in ("left", "right"):
        return (lambda thing: thing.x) if side == "left" else (lambda thing: -thing.x)
    return (lambda thing: thing.y) if side == "top" else (lambda thing: -thing.y)


def _ends(members: tuple[Seen, ...]) -> Iterator[tuple[str, Seen, tuple[str, ...]]]:
    """The sides that one member is plainly the outermost on: (side, member, phrases that say so)."""
    for side, forms in _ENDS.items():
        key = _axis(side)
        first, second = sorted(members, key=key)[:2]
        gap = key(second) - key(first)
        if gap >= APART:
            yield side, first, forms if len(members) == 2 or gap >= CLEARLY_APART else _MOST[side]


def _ordinals(group: _Group, side: str, rng: np.random.Generator) -> Iterator[tuple[str, Seen]]:
    """Phrases such as "the second ball from the left", where every gap in the row is wide enough to count."""
    key = _axis(side)
    row = sorted(group.members, key=key)
    if any(key(after) - key(before) < APART for before, after in pairwise(row)):
        return
    for ordinal, thing in zip(_ORDINALS, row[:-1], strict=False):
        yield f"the {ordinal} {group.head(rng)} from the {side}", thing


def _middle(members: tuple[Seen, ...]) -> Seen | None:
    """The middle one of three in a row that is wider than high, or None."""
    if len(members) != 3:
        return None
    first, middle, last = sorted(members, key=lambda thing: thing.x)
    heights = [thing.y for thing in members]
    wide = last.x - first.x >= 1.2 * (max(heights) - min(heights))
    apart = min(middle.x - first.x, last.x - middle.x) >= CLEARLY_APART / 2
    return middle if wide and apart else None


def _sizes(group: _Group, rng: np.random.Generator) -> Iterator[tuple[str, Seen]]:
    """Phrases such as "the bigger red car" and "the smallest tree"."""
    members = group.members
    for first, forms in (
        (max(members, key=lambda thing: thing.area), (("bigger", "larger", "big"), ("biggest", "largest"))),
        (min(members, key=lambda thing: thing.area), (("smaller", "small", "little"), ("smallest",))),
    ):
        others = [thing for thing in members if thing is not first]
        big = forms[1][0] == "biggest"
        if all((first.outsizes(other) if big else other.outsizes(first)) >= BIGGER for other in others):
            yield f"the {pick(rng, forms[0] if len(members) == 2 else forms[1])} {group.head(rng)}", first


def _exceptions(group: _Group, rng: np.random.Generator) -> Iterator[tuple[str, Seen]]:
    """Phrases such as "the car that is not red", where every other car is."""
    for thing in group.members:
        others = {other.item.colour for other in group.members if other is not thing}
        if len(others) == 1 and thing.item.colour not in others:
            form = pick(rng, ("that is not", "that is not", "which is not"))
            yield f"the {group.head(rng)} {form} {others.pop()}", thing


def _several(group: _Group, rng: np.random.Generator) -> Iterator[Referring]:
    """Expressions that mean all the members of the group, or all but one kind of them."""
    count = len(group.members)
    if count < 2 or group.material == "plain":
        return
    everything = tuple(thing.index for thing in group.members)
    one, many = group.head(rng), group.head(rng, 2)
    phrases = [f"all the {many}", f"every {one}", f"all {many}", f"each {one}", f"all of the {many}"]
    if count < len(NUMBERS):
        phrases.append(f"the {NUMBERS[count]} {many}")
    if count == 2:
        phrases += [f"both {many}"] * 2 + [f"both of the {many}"]
    if group.noun != plural(group.noun):
        phrases.append(f"the {many}")
    for phrase in phrases:
        yield Referring(phrase, everything, None, "all", group.says)
    if group.colour or group.material:
        return
    for colour in dict.fromkeys(thing.item.colour for thing in group.members):
        rest = tuple(thing.index for thing in group.members if thing.item.colour != colour)
        if len(rest) < 2:
            continue
        left_out = count - len(rest)
        forms = [f"all the {many} that are not {colour}"]
        forms.append(f"all the {many} except the {colour} {'one' if left_out == 1 else plural(group.noun)}")
        if left_out == 1:
            forms.append(f"all {many} except the {colour} {group.noun}")
        yield Referring(pick(rng, forms), rest, None, "except", frozenset({"colour"}))


def _bare(things: list[Seen]) -> Iterator[Referring]:
    """Expressions such as "the red one" and "the striped thing", where nothing else is red or striped."""
    for thing in things:
        for says, word in (("colour", thing.item.colour), ("material", thing.item.material)):
            same = [other for other in things if getattr(other.item, says) == word]
            if word != "plain" and len(same) == 1:
                for noun in ("one", "object", "thing"):
                    yield Referring(f"the {word} {noun}", (thing.index,), None, "bare", frozenset({says}))


def _with_parts(scene: Scene, picture: Picture, groups: list[_Group], visible: set[int]) -> Iterator[Referring]:
    """Expressions such as "the house with the red roof", where no other house has one."""
    for group in groups:
        if group.material or group.colour:
            continue
        for part in PARTS.get(group.noun, ()):
            colours = [thing.item.part_colour(part) for thing in group.members]
            for thing, colour in zip(group.members, colours, strict=True):
                own = part in dict(thing.item.own_colours)
                shown = picture.part_mask(thing.index, part).sum() >= 2 * LEAST_PART
                if own and shown and colours.count(colour) == 1 and thing.index in visible:
                    phrase = f"the {group.noun} with the {colour} {part}"
                    yield Referring(phrase, (thing.index,), None, "with part")


def _parts(scene: Scene, picture: Picture, whole: list[Referring], visible: set[int]) -> Iterator[Referring]:
    """Parts of what the other expressions mean: "the roof of the house", "the dog's ears"."""
    shown = {
        (index, part): int(picture.part_mask(index, part).sum()) >= LEAST_PART
        for index in visible
        for part in PARTS.get(scene.items[index].noun, ())
    }
    for one in whole:
        nouns = {scene.items[index].noun for index in one.objects}
        simple = len(one.objects) == 1 and one.kind in ("attribute", "position", "size", "ordinal")
        together = one.kind == "all" and one.phrase.startswith(("all the", "both"))
        if len(nouns) > 1 or not (simple or together):
            continue
        noun = nouns.pop()
        for part in PARTS.get(noun, ()):
            if not all(shown[index, part] for index in one.objects):
                continue
            # Of the part's own colour, "the roof of the red house" gives nothing away.
            says = one.says if (noun, part) in BODY_PARTS else frozenset()
            yield Referring(f"the {part} of {one.phrase}", one.objects, part, "part", says)
            if one.kind == "attribute" or (one.kind != "ordinal" and simple and one.phrase.endswith(noun)):
                yield Referring(f"{one.phrase}'s {part}", one.objects, part, "part", says)
    owners: dict[str, list[int]] = {}
    for index, item in enumerate(scene.items):
        for part in PARTS.get(item.noun, ()):
            owners.setdefault(part, []).append(index)
    for part, indices in owners.items():
        if len(indices) == 1 and shown.get((indices[0], part)):
            yield Referring(f"the {part}", (indices[0],), part, "part")
