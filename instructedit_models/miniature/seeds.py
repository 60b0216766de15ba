"""Which seeds are for training, validation and tests, and which words their scenes are drawn from.

The first half of each range draws from the first words alone, the second half from all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from instructedit_models.miniature.choices import shuffled
from instructedit_models.miniature.words import (
    BACKGROUNDS,
    COLOURS,
    LATER_BACKGROUNDS,
    LATER_COLOURS,
    LATER_NOUNS,
    NOUNS,
)

TRAIN_SEEDS = range(0, 8_000_000)
VALIDATION_SEEDS = range(8_000_000, 9_000_000)
TEST_SEEDS = range(9_000_000, 10_000_000)

_LATER_SHARE = 3
"""How many times as often as a first word a later one is drawn, where a scene is drawn from all words."""
_FIRST_SEEDS = tuple(seeds[: len(seeds) // 2] for seeds in (TRAIN_SEEDS, VALIDATION_SEEDS, TEST_SEEDS))


@dataclass(frozen=True)
class Words:
    """The words a scene is drawn from; one that stands there several times is drawn as many times as often."""

    nouns: tuple[str, ...]
    colours: tuple[str, ...]
    backgrounds: tuple[str, ...]


def _all(words: tuple[str, ...], later: tuple[str, ...]) -> tuple[str, ...]:
    return (*(word for word in words if word not in later), *later * _LATER_SHARE)


def _first(words: tuple[str, ...], later: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for word in words if word not in later)


_LISTS = ((NOUNS, LATER_NOUNS), (tuple(COLOURS), LATER_COLOURS), (BACKGROUNDS, LATER_BACKGROUNDS))
_FIRST_WORDS = Words(*(_first(*words) for words in _LISTS))
_ALL_WORDS = Words(*(_all(*words) for words in _LISTS))


def words_of(seed: int) -> Words:
    """The words that the scene of a seed, and the edits of it, are drawn from; those of no range draw from all."""
    return _FIRST_WORDS if any(seed in seeds for seeds in _FIRST_SEEDS) else _ALL_WORDS


def mixed(seeds: range, count: int, skip: int = 0) -> list[int]:
    """`count` seeds of a range, by turns one of its first half and two of its second, each from its `skip`th on."""
    half = len(seeds) // 2
    first, larger = seeds[skip:half], seeds[half + skip :]
    threes = zip(first, larger[::2], larger[1::2], strict=False)
    return list(chain.from_iterable(threes))[:count]


def distinct(words: Sequence[str], rng: np.random.Generator) -> list[str]:
    """The words in a random order, each once."""
    return list(dict.fromkeys(shuffled(rng, words)))
