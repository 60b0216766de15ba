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

LARGER_TRAIN_SEEDS, LARGER_VALIDATION_SEEDS, LARGER_TEST_SEEDS = (
    seeds[len(seeds) // 2 :] for seeds in (TRAIN_SEEDS, VALIDATION_SEEDS, TEST_SEEDS)
)
"""Their scenes are drawn from all words, the later ones three times as often as the first."""

_LATER_SHARE = 3


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
    first = (seeds[: len(seeds) // 2] for seeds in (TRAIN_SEEDS, VALIDATION_SEEDS, TEST_SEEDS))
    return _FIRST_WORDS if any(seed in seeds for seeds in first) else _ALL_WORDS


def mixed(first: range, larger: range, count: int) -> list[int]:
    """`count` seeds by turns of the one range and of the other, two of the larger world for each of the first."""
    threes = zip(first, larger[::2], larger[1::2], strict=False)
    return list(chain.from_iterable(threes))[:count]


def distinct(words: Sequence[str], rng: np.random.Generator) -> list[str]:
    """The words in a random order, each once."""
    return list(dict.fromkeys(shuffled(rng, words)))
