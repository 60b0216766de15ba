"""English number words up to twelve, for everything that reads or writes them: "three", "third", "3rd"."""

import re

__all__ = ["CARDINALS", "NTH", "ORDINALS", "ORDINAL_WORDS", "nth"]

_CARDINAL_WORDS = "one two three four five six seven eight nine ten eleven twelve".split()
ORDINAL_WORDS = tuple("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split())
"""In order: the first is at 0."""

CARDINALS = {word: number for number, word in enumerate(_CARDINAL_WORDS, start=1)}
ORDINALS = {word: number for number, word in enumerate(ORDINAL_WORDS, start=1)}

_IN_DIGITS = r"\d{1,9}(?:st|nd|rd|th)"
NTH = rf"(?:{'|'.join(ORDINAL_WORDS)}|{_IN_DIGITS})"
"""A regular expression for all that `nth` reads."""


def nth(word: str) -> int | None:
    """The number of an ordinal, "third" or "3rd"; None where the word is none."""
    if word in ORDINALS:
        return ORDINALS[word]
    return int(word[:-2]) if re.fullmatch(_IN_DIGITS, word) else None
