"""Answers to "which one do you mean?": "2", "the second", "the striped one", "both", "never mind"."""

import re
from dataclasses import dataclass

from agent.grammar.history import plain
from agent.grammar.number import plural, singular
from instructedit_models.numerals import CARDINALS, NTH, ORDINAL_WORDS, nth

__all__ = ["Answer", "answer", "counts_too_far", "declines", "numbered", "several"]

_LEAD = re.compile(
    r"^(?:(?:i (?:mean|meant|want|think|guess)|it is|it's|that would be|make it|take|pick|choose|use|yes|ok|okay|um+|"
    r"number|no\.?|nr\.?|option|candidate|#|the one numbered|please|only|just)\b[ ,:]*|#)+"
)
_TRAIL = re.compile(r"(?:[ ,]+(?:please|thanks|thank you|of them|of those|of course|i think|then))+$")
_NTH = re.compile(rf"(?:the )?({NTH}|last)(?: (?:one|of them))?")
_NUMBER = re.compile(rf"(?:(?:the )?number )?(r?\d{{1,2}}|{'|'.join(CARDINALS)})")
_ALL = re.compile(
    r"(?:both|all|everything|every one|all of (?:them|those)|both of (?:them|those)|them all|each|all \w+)(?: ones)?"
)
_NONE = re.compile(
    r"(?:neither|none|nothing|never ?mind|forget (?:it|that|about it)|cancel|stop|no(?: thanks)?|leave it|not now)"
    r"(?: of (?:them|those))?"
)


@dataclass(frozen=True)
class Answer:
    """What was chosen.

    Attributes:
        chosen: places of the candidates, from 0 on; () where none is.
        narrowed: words that tell the candidate from the others, "striped", where it was chosen by them.
    """

    chosen: tuple[int, ...] = ()
    narrowed: str = ""


def declines(text: str) -> bool:
    """Whether the person wants none of what was asked about: "never mind"."""
    return bool(_NONE.fullmatch(plain(text)))


def counts_too_far(text: str, count: int) -> bool:
    """Whether it is a number that none of the candidates has."""
    said = _LEAD.sub("", plain(text))
    return said.isdigit() and not 1 <= int(said) <= count


def answer(text: str, noun: str, ids: tuple[str, ...]) -> Answer | None:
    """What an answer chooses of numbered candidates; None where the text is no answer.

    Args:
        text: what the person said.
        noun: what was asked about, "bus".
        ids: the candidates' region ids in the order in which they were numbered.
    """
    said = plain(text)
    count = len(ids)
    if declines(text):
        return Answer()
    if counts_too_far(text, count):
        return None
    said = _TRAIL.sub("", _LEAD.sub("", said)) or said
    if _ALL.fullmatch(said):
        return Answer(tuple(range(count)))
    picked = [_place(part, ids) for part in re.split(r",? and |, ?", said)]
    if picked and all(place is not None for place in picked):
        return Answer(tuple(dict.fromkeys(place for place in picked if place is not None)))
    words = re.sub(r"^(?:the|that|this) ", "", said)
    if match := re.fullmatch(rf"(.*?)\s*\b(?:one|{re.escape(noun)}|{re.escape(singular(noun))})\b\s*(.*)", words):
        if len(words.split()) <= 9 and (match[1] or match[2]):
            return Answer(narrowed=words)
    if (
        said != words
        and len(words.split()) <= 3
        or re.fullmatch(r"(?:on |at |in )?(?:the )?\w+(?: (?:left|right))?", words)
    ):
        if words not in {"yes", "ok", "okay", "undo", "redo", "hello", "thanks", "stronger", "weaker", "less", "more"}:
            return Answer(narrowed=words)
    return None


def _place(words: str, ids: tuple[str, ...]) -> int | None:
    count = len(ids)
    if match := _NUMBER.fullmatch(words):
        said = match[1]
        if said in ids:
            return ids.index(said)
        number = CARDINALS.get(said) or int(said.lstrip("r"))
        return number - 1 if 1 <= number <= count and not said.startswith("r") else None
    if match := _NTH.fullmatch(words):
        said = match[1]
        if said == "last":
            return count - 1
        number = nth(said) or 0
        return number - 1 if 1 <= number <= count else None
    return None


def numbered(prompt: str, place: int) -> str:
    """The prompt for one of several, counted from the left: "second bus from the left"."""
    if place >= len(ORDINAL_WORDS):
        return prompt
    part, of, owner = prompt.partition(" of the ")
    if of:
        return f"{part} of the {ORDINAL_WORDS[place]} {owner} from the left"
    return f"{ORDINAL_WORDS[place]} {prompt} from the left"


def several(prompt: str, count: int) -> str:
    """The prompt for all of several: "both buses"."""
    head, space, noun = prompt.rpartition(" ")
    return f"{'both' if count == 2 else 'all'} {head}{space}{plural(noun)}"
