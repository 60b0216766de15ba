"""Names that the person gives to places in the picture: "call this the skyline", then "make the skyline pink".

`dialogue` asks first whether a turn gives a name, and else says what the names in it stand for.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agent.grammar.history import plain
from agent.grammar.nouns import parse
from agent.grammar.tokens import tokenize
from agent.grammar.wordclasses import is_look
from agent.plans import EditPlan

__all__ = ["Named", "Naming", "by_its_thing", "naming", "under_their_names", "without_names"]

_SOFT = r"(?:(?:please|ok|okay|now|can you|could you|would you|let us|let's|let me|i(?: will|'ll)|and|then)[ ,]+)*"
_GIVING = (
    re.compile(rf"^{_SOFT}(?:call|name|label)\s+(?P<rest>.+)$"),
    re.compile(
        rf"^{_SOFT}(?:save|store|remember|bookmark|call|name|label)\s+(?P<thing>.+?)\s+"
        r"(?:as|under the name(?: of)?)\s+(?P<name>.+)$"
    ),
    re.compile(r"^(?:from now on )?(?P<thing>(?:the|this|that) .+?) is (?:now )?called (?P<name>.+)$"),
)
_LAST_PLACE = re.compile(
    r"(?:it|this|that|him|her|them|these|those|the (?:mask|place|area|region|selection))"
    r"(?: (?:one|mask|place|area|region|part|selection|thing))?"
)
_MASK_OF = re.compile(r"^(?:the|this|that) (?:mask|place|area|region|selection) of (?=(?:the|my|all|both)\b)")
_NAME = re.compile(r"[^\W\d_][\w-]*(?: [\w-]+){0,3}")
_TAKEN = frozenset(
    (
        "it this that these those him her them one ones both all everything rest other others left right middle top "
        "bottom undo redo again more less stronger weaker yes no original version versions picture image photo png jpg "
        "jpeg webp gif tiff file is was it's "
        "the my our a an of on in at to off up out day quits"
    ).split()
)
_DETERMINERS = r"(?:the|my|our|this|that)"


@dataclass(frozen=True)
class Naming:
    """A turn that gives a name.

    Attributes:
        name: the name, lower case and without an article.
        thing: the segmentation prompt of what gets it; "" where the last edit was.
    """

    name: str
    thing: str


@dataclass(frozen=True)
class Named:
    """A name that was given.

    Attributes:
        name: the saved mask's name, lower case.
        thing: what is there, "red fish".
    """

    name: str
    thing: str


def naming(text: str) -> Naming | None:
    """The name that a turn gives, and to what; None where it gives none."""
    words = re.sub(r"[\"“”‘]|(?<!\w)'|'(?!\w)|’(?!\w)", "", plain(text))
    for pattern in _GIVING:
        match = pattern.match(words)
        if match is None:
            continue
        found = match.groupdict()
        pairs = [(found["thing"], found["name"])] if "thing" in found else _split(found["rest"])
        for thing, name in pairs:
            prompt, tidy = _prompt(thing), _tidy(name)
            if prompt is not None and tidy is not None:
                return Naming(tidy, prompt)
    return None


def without_names(text: str, names: Iterable[Named]) -> str:
    """The text with what the names stand for in place of the names: "make the fish red"."""
    for each in names:
        name = re.escape(each.name)
        said = rf"\b(?:{_DETERMINERS} )?(?<!\ba )(?<!\ban )(?<!-){name}\b(?!-)"
        text = re.sub(said, f"the {each.thing}", text, flags=re.IGNORECASE)
    return text


def under_their_names(edits: Sequence[EditPlan], text: str, names: Iterable[Named]) -> tuple[EditPlan, ...]:
    """The edits of a text, with the names in it as segmentation prompts, for which the saved masks are taken."""
    said = {
        each.thing: each.name for each in names if re.search(rf"\b{re.escape(each.name)}\b", text, flags=re.IGNORECASE)
    }
    return tuple(
        edit.model_copy(update={"segmentation_prompt": said[edit.segmentation_prompt]})
        if edit.segmentation_prompt in said
        else edit
        for edit in edits
    )


def by_its_thing(plan: EditPlan, names: Iterable[Named]) -> EditPlan:
    """The plan of an earlier edit with what it was made of for a segmentation prompt, where that was a name."""
    if all(plan.segmentation_prompt != each.name for each in names):
        return plan
    thing = re.sub(r"^(?:an?|the) ", "", plan.input_caption.split(" of ", 1)[-1])
    return plan.model_copy(update={"segmentation_prompt": thing})


def _split(rest: str) -> list[tuple[str, str]]:
    """Where the thing may end and its name begin: at the last article, or before the last word."""
    words = rest.split()
    places = [i for i in range(len(words) - 1, 0, -1) if words[i] in {"the", "my", "our"}]
    return [(" ".join(words[:i]), " ".join(words[i:])) for i in (*places, len(words) - 1) if i > 0]


def _prompt(thing: str) -> str | None:
    """The segmentation prompt; "" for "this", None where the words are no thing in the picture."""
    thing = _MASK_OF.sub("", thing.strip(" ,"))
    if _LAST_PLACE.fullmatch(thing):
        return ""
    phrase = parse(tokenize(thing))
    return phrase.said if phrase is not None and phrase.named and phrase.definite else None


def _tidy(name: str) -> str | None:
    tidy = re.sub(r"^(?:the|my|our|an?) ", "", name.strip(" ,.!")).strip()
    if not _NAME.fullmatch(tidy) or len(tidy) > 40:
        return None
    words = tidy.split()
    return None if set(words) & _TAKEN or any(map(is_look, words)) and len(words) == 1 else tidy
