"""Instructions that mean a plainer one: "swap the colours of …", "in the same colour as …", "…, like at sunset".

`understanding` asks `exchange` before it parses, since these would be misread, and `plainer` where nothing was
understood.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from agent.grammar.nouns import parse
from agent.grammar.number import same_noun
from agent.grammar.tokens import tokenize
from agent.grammar.wordclasses import is_colour

__all__ = ["Meant", "exchange", "plainer"]

_SOFT = r"(?:(?:please|now|then|and|ok|okay|can you|could you|would you|just)[ ,]+)*"
_POLITE = r"(?:[ ,]+(?:please|thanks|thank you))*[ .!?]*"
_SWAP = r"(?:swap|switch|exchange|interchange|trade)"
_SWAPPED_COLOURS = re.compile(
    rf"^{_SOFT}{_SWAP}(?: around| over)? (?:the )?colou?rs (?:of|between) (?P<a>.+?),? (?:and|with) (?P<b>.+?)"
    rf"(?: around)?{_POLITE}$"
)
_SWAPPED = re.compile(
    rf"^{_SOFT}{_SWAP}(?: around)? (?P<things>(?!.*\b(?:and|with|for|to|into|against)\b).+?)"
    rf"(?: around| over| places| positions)?{_POLITE}$"
)
_OF_SEVERAL = re.compile(r"^(?:the |both |all )?(?:places|positions|colou?rs) of ")
_LIKE_ANOTHER = (
    re.compile(
        rf"^{_SOFT}(?:make|paint|colou?r|turn|dye) (?P<a>.+?),? (?:in |have |of |into )?the (?:very )?same colou?r"
        rf" (?:as|like) (?P<b>.+?)(?: has| is)?{_POLITE}$"
    ),
    re.compile(rf"^{_SOFT}give (?P<a>.+?) the (?:same )?colou?r (?:of|as|like) (?P<b>.+?)(?: has)?{_POLITE}$"),
    re.compile(
        rf"^{_SOFT}(?P<a>the .+?) should (?:match|(?:be|have) the same colou?r (?:as|like)|be (?:colou?red )?like)"
        rf" (?:the colou?r of )?(?P<b>the .+?){_POLITE}$"
    ),
    re.compile(rf"^{_SOFT}(?:make|let) (?P<a>the .+?) match (?:the colou?r of )?(?P<b>the .+?){_POLITE}$"),
    re.compile(rf"^{_SOFT}(?:colou?r|paint|dye) (?P<a>the .+?) like (?P<b>the .+?){_POLITE}$"),
    re.compile(rf"^{_SOFT}make (?P<a>.+?) as (?P<look>[a-z-]+) as (?P<b>.+?){_POLITE}$"),
)
_LESS = re.compile(rf"\b(?:less|not so|not as) (?P<look>[a-z-]+){_POLITE}$")
_TIMES = re.compile(r"\b(?:twice|two times|three times|much) as (big|large|tall|small)\b")
_BIGGER = {"big": "bigger", "large": "larger", "tall": "taller", "small": "smaller"}
_REWRITTEN = (
    (r"^(.*?)make it look (?:like|as if|as though) (the .+?) (?:is|are|was|were) (.+)$", r"\1\2 should be \3"),
    (r"^(.*?)(?:can|could|may) (?:we|i) have (?:it|this|that|the picture) (?:at|by|in) (.+)$", r"\1make it \2"),
    (r"^(.*?)\b(?:only|just) (the (?:colou?r|material|pattern) of .+)$", r"\1\2"),
)
_DROPPED = (
    re.compile(r",? (?:instead of|rather than|in place of) (?:the |its |his |her |a |an |that )?[\w-]+(?: ones?)?$"),
    re.compile(r",? (?:but )?not (?:the|its|his|her) [\w -]+$"),
    re.compile(r",? instead$"),
)
"""What changes nothing of what is asked for."""
_ADJECTIVES = 4
"""Adjectives that may stand before a noun."""
_NO_ADJECTIVE = frozenset({"a", "an", "the", "and", "of", "with", "on", "in", "at", "by", "near", "behind", ",", "."})
_TOLD = re.compile(r",? ((?:just )?(?:like|as) (?:at|in|on|a|an|the|if|it) [\w' -]+)$")
"""What is left out with a word to the person."""


@dataclass(frozen=True)
class Meant:
    """What an instruction means.

    Attributes:
        text: in plainer words; "" where it cannot be done, or not yet.
        message: for the person: why it cannot be done, or what was left out.
        why: what must be learnt from the picture first; None where nothing need be.
    """

    text: str = ""
    message: str | None = None
    why: str | None = None


def exchange(instruction: str, description: str | None) -> Meant | None:
    """What an instruction means that changes things by what other things look like; None for every other one.

    Args:
        instruction: what the person wrote.
        description: what BLIP-2 says of the picture; None where nobody asked.
    """
    text = _plain(instruction)
    if match := _SWAPPED_COLOURS.match(text):
        return _swapped_colours(match["a"], match["b"], description)
    if (match := _SWAPPED.match(text)) and _several(_OF_SEVERAL.sub("", match["things"])):
        return Meant(message=_NO_SWAP)
    for pattern in _LIKE_ANOTHER:
        match = pattern.match(text)
        if match and "look" in match.groupdict() and is_colour(match["look"]):
            return Meant(f"make {match['a']} {match['look']}")
        if match and "look" not in match.groupdict() and parse(tokenize(match["b"])) is not None:
            return _coloured_like(match["a"], match["b"], description)
    if (match := _LESS.search(text)) and is_colour(match["look"]):
        return Meant(message=f'"Less {match["look"]}" does not say which colour it should have; name one.')
    if match := _TIMES.search(text):
        return Meant(text[: match.start()] + _BIGGER[match[1]] + text[match.end() :])
    return None


def plainer(instruction: str) -> Iterator[Meant]:
    """Plainer wordings of an instruction that was not understood, to be tried in this order."""
    text = re.sub(r",? (?=(?:to|into) )", " ", _plain(instruction))
    for pattern, words in _REWRITTEN:
        text = re.sub(pattern, words, text)
    yield Meant(text)
    for dropped in _DROPPED:
        text = dropped.sub("", text)
    yield Meant(text)
    if match := _TOLD.search(text):
        yield Meant(text[: match.start()], f'I left out "{match[1]}", which I did not understand.')


_NO_SWAP = (
    "I cannot move things, so two of a kind cannot change places; say what each should become, for example "
    '"make the left cup red and the right cup blue".'
)
_NO_COLOURS = 'I do not know their colours; name them, for example "swap the colours of the red cup and the blue ball".'


def _swapped_colours(a: str, b: str, description: str | None) -> Meant:
    looks = [_colour(phrase, description) for phrase in (a, b)]
    first, second = looks
    if first is None or second is None:
        if description is None:
            return Meant(why="the instruction does not say which colours they have")
        return Meant(message=_NO_COLOURS)
    if first == second:
        return Meant(message=f"Both are {first} already, so there is nothing to swap.")
    return Meant(f"make {_the(a)} {second} and make {_the(b)} {first}")


def _coloured_like(a: str, b: str, description: str | None) -> Meant:
    look = _colour(b, description)
    if look is not None:
        return Meant(f"make {_the(a)} {look}")
    phrase = parse(tokenize(_the(b)))
    if description is None and phrase is not None and phrase.named:
        return Meant(why=f'the instruction does not say which colour "{b}" has')
    return Meant(message=f'I do not know which colour "{b}" has; name it, for example "make {_the(a)} red".')


def _colour(words: str, description: str | None) -> str | None:
    """The colour that a phrase, or the description of the picture, gives a thing; None where it gives none or two."""
    phrase = parse(tokenize(_the(words)))
    if phrase is None:
        return None
    if own := [word for word in phrase.adjectives if is_colour(word)]:
        return own[0]
    told = _told_colours(phrase.head, description or "")
    return told.pop() if len(told) == 1 else None


def _told_colours(noun: str, description: str) -> set[str]:
    """The colours that stand right before a noun in a description, other adjectives between them or not."""
    words = tokenize(description)
    found: set[str] = set()
    for place, word in enumerate(words):
        before = words[max(0, place - _ADJECTIVES) : place]
        begins = max((i + 1 for i, one in enumerate(before) if one in _NO_ADJECTIVE), default=0)
        if noun and same_noun(word, noun):
            found |= {one for one in before[begins:] if is_colour(one)}
    return found


def _several(words: str) -> bool:
    phrase = parse(tokenize(words))
    return phrase is not None and phrase.named and phrase.plural


def _the(words: str) -> str:
    definite = re.match(r"(?:the|my|your|our|his|her|its|this|that|both|all|these|those) ", words)
    return words if definite else f"the {words}"


def _plain(text: str) -> str:
    return " ".join(text.lower().replace("’", "'").split()).rstrip(" .!?")
