"""The meaning of a segmentation prompt, as plain data: what `referring.parse` makes and `choosing.choose` solves."""

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["GENERIC_NOUN", "Quantifier", "Reference", "Relation", "RelationKind", "Side", "SizeWord"]

Side = Literal["left", "right", "top", "bottom", "middle", "front", "back"]
SizeWord = Literal["big", "small", "medium"]
Quantifier = Literal["one", "all", "count"]
RelationKind = Literal[
    "next_to", "left_of", "right_of", "above", "below", "behind", "in_front_of", "between", "touching"
]
"""`touching` holds what shares pixels: on, in, with, wearing, holding."""

GENERIC_NOUN = "object"
"""The noun of "the red one", "the striped thing" and "everything"."""


@dataclass(frozen=True)
class Relation:
    """Where the meant object stands to others.

    Attributes:
        kind: how.
        anchors: to what; two for "between", else one.
    """

    kind: RelationKind
    anchors: tuple["Reference", ...]


@dataclass(frozen=True)
class Reference:
    """A noun phrase with everything that narrows it down.

    Attributes:
        noun: the head noun phrase in the singular, "ball", "teddy bear"; `GENERIC_NOUN` for "one" and "thing".
        attributes: colours, materials and patterns before it, in the order given.
        quantifier: one of them, all of them, or `count` of them.
        count: how many, where the quantifier is "count".
        sides: where in the picture: ("left",), ("top", "left") …; with `rank`, the side that is counted from.
        rank: 1 for the first from the side; -1 for the last.
        size: "bigger", "biggest", "big" and their kin.
        comparative: whether the size word compares ("bigger", "biggest") rather than describes ("big").
        relations: to other objects.
        excluded: what is left out: the red ones of "the cars that are not red".
        other: "the other one": not the one spoken of last.
        background: means the surroundings; with `excluded`, everything but that.
        owner: what it is a part of, "house" of "roof of the house".
        plural: the head noun as it was written, where that was a plural.
    """

    noun: str
    attributes: tuple[str, ...] = ()
    quantifier: Quantifier = "one"
    count: int | None = None
    sides: tuple[Side, ...] = ()
    rank: int | None = None
    size: SizeWord | None = None
    comparative: bool = False
    relations: tuple[Relation, ...] = ()
    excluded: "Reference | None" = None
    other: bool = False
    background: bool = False
    owner: "Reference | None" = None
    plural: str | None = field(default=None, compare=False)

    @property
    def phrase(self) -> str:
        """What a detector is asked for: attributes and noun, "striped red car"."""
        return " ".join([*self.attributes, self.noun])

    @property
    def generic(self) -> bool:
        """Whether the noun names no kind of thing."""
        return self.noun == GENERIC_NOUN

    @property
    def positional(self) -> bool:
        """Whether anything but the looks narrows it down."""
        return bool(self.sides or self.rank or self.size or self.relations or self.excluded or self.other)
