"""The dice of the picture world: quick random choices, and the colours that parts are drawn in.

`world`, `edits`, `captions`, `referring` and `questions` throw them. They are plain functions of a
numpy Generator, since `Generator.choice` costs more than the rest of a scene.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from instructedit_models.miniature.words import COLOURS, PARTS

T = TypeVar("T")

BODY_PARTS = frozenset({("tree", "crown"), ("flower", "petals"), ("boat", "hull")})
"""Parts that are the body under another name: a red tree is a tree with a red crown."""

_PART_COLOURS: dict[str, dict[str, float]] = {
    "wheels": {"black": 6, "white": 1, "yellow": 0.6, "red": 0.6, "blue": 0.6, "purple": 0.3, "green": 0.3},
    "windows": {"white": 3, "blue": 2, "yellow": 2, "black": 0.5},
    "stem": {"green": 1},
    "trunk": {"orange": 3, "black": 2, "white": 1, "purple": 1, "red": 0.6, "brown": 4},
    "sail": {"white": 4} | {colour: 0.5 for colour in COLOURS if colour != "white"},
}
"""Weights of the colours of a part; a part that is not listed takes any colour."""

_SHARES_BODY = {("dog", "ears"): 0.6, ("cup", "handle"): 0.6, ("lamp", "shade"): 0.4}
"""How often a part takes the body's colour, where it is not a body part and not always of its own."""


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True with the given probability."""
    return bool(rng.random() < probability)


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of the options, all equally likely. Raises IndexError where there is none."""
    return options[int(rng.random() * len(options))]


def weighted(rng: np.random.Generator, weights: dict[T, float]) -> T:
    """One of the keys, as likely as its weight. Raises IndexError where there is none."""
    left = rng.random() * sum(weights.values())
    for option, weight in weights.items():
        left -= weight
        if left < 0:
            return option
    return list(weights)[-1]


def shuffled(rng: np.random.Generator, options: Sequence[T]) -> list[T]:
    """The options in a random order, as a new list."""
    return [options[i] for i in rng.permutation(len(options))]


def part_colours(
    noun: str, colour: str, rng: np.random.Generator, colours: Sequence[str] = tuple(COLOURS)
) -> tuple[tuple[str, str], ...]:
    """Colours of their own for the parts of a new thing, (part, colour) each, never the body's colour.

    Args:
        noun: what the thing is.
        colour: its body's colour.
        rng: the dice.
        colours: what the parts may have; a colour that stands there twice is twice as likely, where all are alike.
    """
    own = []
    alike = {name: float(colours.count(name)) for name in dict.fromkeys(colours)}
    for part in PARTS.get(noun, ()):
        if (noun, part) in BODY_PARTS or chance(rng, _SHARES_BODY.get((noun, part), 0.0)):
            continue
        weights = _PART_COLOURS.get(part) or alike
        others = {name: weight for name, weight in weights.items() if name != colour and name in alike}
        others = others or {name: weight for name, weight in alike.items() if name != colour}
        own.append((part, weighted(rng, others)))
    return tuple(own)
