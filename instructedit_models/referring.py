"""Reads segmentation prompts: "second ball from the left", "car that is not red", "petals of the flower on the left".

`GroundedSegmenter` parses every prompt with it, asks the detector for the noun, and lets `choose` solve the rest by
geometry, since detectors ignore relations (the paper's Fig. 9).
"""

import re
from dataclasses import replace

from instructedit_models.choosing import Candidate, Choice, choose
from instructedit_models.errors import BadInstructionError
from instructedit_models.lexicon import (
    ALL,
    BACKGROUNDS,
    COLOURS,
    CONTAINERS,
    DETERMINERS,
    GENERIC,
    MATERIALS,
    NOT_ATTRIBUTES,
    NUMBERS,
    ORDINALS,
    OWNED,
    RELATIONS,
    SIDE_ADJECTIVES,
    SIZES,
    singular,
)
from instructedit_models.reference import GENERIC_NOUN, Reference, Relation, RelationKind, Side

__all__ = ["Candidate", "Choice", "Reference", "Relation", "choose", "parse", "parse_all"]

LONGEST = 400
"""Characters of a segmentation prompt."""
_PICTURE = re.compile(r"\b(?:of|in|from) (?:the|this|that) (?:picture|image|photo|photograph|scene|frame|canvas)\b")
_STUFF = (
    (re.compile(r"\bwith (?:the )?stripes\b"), "striped"),
    (re.compile(r"\bwith (?:the )?(?:dots|spots)\b"), "dotted"),
    (re.compile(r"\b(?:made )?(?:of|from|out of) wood\b"), "wooden"),
)
_PICKING = ALL | set(NUMBERS) | set(ORDINALS) | {"both", "some", "one", "either", "none", "most"}
_PICKING |= {word for word in (*SIZES, *SIDE_ADJECTIVES) if word.endswith(("most", "er", "est")) and word != "center"}
_SIDE = r"left|right|top|bottom|upper|lower|middle|center|centre|foreground|front|background|back"
_POSITION = re.compile(
    r"(?:(?:that|which|who)(?: is|'s| are) )?\b(?:on|at|in|to|towards?) (?:the )?(?:very |far |extreme )?"
    rf"((?:{_SIDE})(?:[- ](?:{_SIDE}))?)(?:[- ]?hand|most)?(?: (?:side|corner|edge|part|half|end))?\b"
    r"(?!(?:[- ]hand)?(?: side)? of\b|'s)"
)
_WHICH_IS = r",? ?\b(?:that|which|who)(?: is| are|'s)"
_EXTREME = re.compile(
    rf"(?:{_WHICH_IS})?(?: the)? (?:furthest|farthest|closest|nearest|most)"
    rf" (?:(?:out|over) )?(?:(?:to|on|at|towards?) )?(?:the )?({_SIDE})(?: side| edge| end)?(?=$|,)"
)
"""As in "cat which is furthest to the left": the cat on the left."""
_SIZED = re.compile(
    rf"^(.+?){_WHICH_IS} (?:the )?({'|'.join(word for word, (_, compares) in SIZES.items() if compares)})"
    r"(?: of (?:all|them|the (?:two|three|four)))?$"
)
"""As in "house which is the biggest"."""
_FROM = re.compile(
    rf"\b({'|'.join(ORDINALS)})\b(.*?)\b(?:from|on|counting from) (?:the )?(left|right|top|bottom)(?: side)?\b"
)
_NOT = re.compile(
    r"(?:,? ?\b(?:that|which|who) (?:is|are|was|were) not|,? ?\b(?:that|which|who) (?:isn't|aren't)|"
    r",? ?\bthat's not|,? (?:and )?\bnot) (.+)$"
)
_EXCEPT = re.compile(
    r",? ?\b(?:except for|except|excepting|excluding|other than|apart from|aside from|besides|but not|but|without)"
    r" (.+)$"
)
_POSSESSIVE = re.compile(r"^(.+?)(?:'s|(?<=s)')\s+(.+)$")
_RELATION = [(re.compile(rf"\b(?:{pattern})\b(?= )"), kind) for pattern, kind in RELATIONS]
_CONTAINER_OF = re.compile(
    rf"\b((?:{'|'.join(sorted(CONTAINERS))})(?:s|es)?) of (?!the |a |an |this |that |my |all |both |each )"
)
"""Makes one word, "cup_of_coffee", of what is one thing."""
_OF = re.compile(r"\bof\b")
_OPENING_OF = re.compile(rf"^(?:the )?((?:{'|'.join(sorted(_PICKING))})) of (?:the |these |those )?(?!wood\b)")
"""What may stand before "of the cars" without naming a part of them: "all of the cars", "the biggest of the cars"."""


def parse_all(prompt: str) -> tuple[Reference, ...]:
    """A prompt that may name several things, apart by "and", "," or " . ", as one reference each.

    Raises BadInstructionError if the prompt holds no noun, or is too long.
    """
    text = _checked(prompt)
    return tuple(parse(part) for part in _split(text))


def parse(prompt: str) -> Reference:
    """The meaning of a prompt that names one thing, or several of one kind.

    Args:
        prompt: a noun phrase, with or without articles; case does not matter.

    Raises:
        BadInstructionError: it holds no noun, or is too long.
    """
    return _noun_phrase(_checked(prompt))


def _checked(prompt: str) -> str:
    if len(prompt) > LONGEST:
        raise BadInstructionError(
            f"The segmentation prompt has {len(prompt)} characters, at most {LONGEST} are read; name the object alone."
        )
    text = _clean(prompt)
    if not text:
        raise BadInstructionError("The segmentation prompt is empty; name the object to find.")
    return text


def _clean(prompt: str) -> str:
    text = prompt.lower().replace("’", "'").replace("`", "'")
    text = " ".join(text.split()).strip(' .,;:!?"')
    text = re.sub(r"^(?:a |the )?(?:picture|image|photo|photograph) of ", "", text)
    for pattern, word in _STUFF:
        if pattern.search(text):
            text = f"{word} {pattern.sub('', text, count=1)}"
            text = re.sub(rf"^({word}) ((?:(?:{'|'.join(sorted(DETERMINERS | ALL))}) )+)", r"\2\1 ", text)
    text = _EXTREME.sub(r" on the \1", text)
    text = _SIZED.sub(r"\2 \1", re.sub(r"^(?:the |that |this )(?=.+\b(?:which|that|who)\b)", "", text))
    text = _CONTAINER_OF.sub(r"\1_of_", _PICTURE.sub("", text))
    return " ".join(text.split())


def _split(text: str) -> list[str]:
    """Apart at " . ", "," and "and", unless the "and" belongs to "between … and …" or to two adjectives."""
    parts: list[str] = []
    for sentence in re.split(r"\s*[.;]\s+", text):
        if _EXCEPT.search(sentence) or _NOT.search(sentence) or re.search(r"\bbetween\b", sentence):
            parts.append(sentence)
            continue
        pieces = re.split(r",? and |, ", sentence)
        whole = pieces[0]
        for piece in pieces[1:]:
            if _names_nothing(whole) or _names_nothing(piece):
                whole = f"{whole} and {piece}"
            else:
                parts.append(whole)
                whole = piece
        parts.append(whole)
    return parts


def _names_nothing(text: str) -> bool:
    """Whether it is adjectives alone, as the "black" of "black and white cat"."""
    words = [word for word in text.split() if word not in DETERMINERS]
    return all(
        word in COLOURS - {"orange"} or word in MATERIALS or word in SIZES or word in SIDE_ADJECTIVES for word in words
    )


def _noun_phrase(text: str) -> Reference:
    text = " ".join(text.split()).strip(" ,")
    background = _background(text)
    if background:
        return background
    text, excluded = _take_exclusion(text)
    reference = _positive(text)
    if excluded:
        reference = _exclude(reference, excluded, text)
    return reference


def _background(text: str) -> Reference | None:
    bare = re.sub(r"^(?:the |a |an |whole |entire )+", "", text)
    bare = re.sub(r" in (?:the )?background$", "", bare)
    words = bare.split()
    if bare in BACKGROUNDS or (
        len(words) == 2 and words[1] in BACKGROUNDS and (words[0] in COLOURS | MATERIALS or words[0] == "night")
    ):
        return Reference(noun=bare, background=True)
    return None


def _take_exclusion(text: str) -> tuple[str, str | None]:
    for pattern in (_NOT, _EXCEPT):
        match = pattern.search(text)
        if match and match.start() > 0:
            return text[: match.start()].strip(), match.group(1)
    match = re.search(r"\bnon-(\w+) ", f"{text} ")
    if match:
        return text.replace(match.group(0).strip(), "").strip(), match.group(1)
    return text, None


def _exclude(reference: Reference, left_out: str, kept_text: str) -> Reference:
    words = [word for word in left_out.split() if word not in DETERMINERS]
    named = len(words) > 1 and (singular(words[-1]) or words[-1]) == reference.noun  # "the yellow orange"
    if words and not named and all(word in COLOURS or word in MATERIALS or word in SIZES for word in words):
        excluded = replace(_noun_phrase(f"{left_out} one"), noun=reference.noun, quantifier="all")
    else:
        excluded = _noun_phrase(left_out)
    everything = bool(re.match(r"(?:all|everything)$", kept_text)) or kept_text.startswith("everything")
    if everything and reference.generic:
        return Reference(noun="background", background=True, excluded=excluded)
    if excluded.generic:
        excluded = replace(excluded, noun=reference.noun)
    return replace(reference, excluded=excluded)


def _positive(text: str) -> Reference:
    """A noun phrase without exclusions: takes the earliest position, relation, possessive or "of" off its end."""
    opening = _OPENING_OF.match(text)
    if opening and opening.group(1) in ("one", "either"):
        return replace(_positive(text[opening.end() :]), quantifier="one", count=None)
    if opening:
        inner = _positive(f"{opening.group(1)} {text[opening.end() :]}")
        several = opening.group(1) in ALL or opening.group(1) in NUMBERS or opening.group(1) in ("both", "some", "most")
        return inner if several else replace(inner, quantifier="one")
    ranked = _FROM.search(text)
    positions: list[Side] = []
    while True:
        position = _POSITION.search(text)
        relation = _first_relation(text)
        of = _OF.search(text)
        possessive = _POSSESSIVE.match(text)
        starts = [each for each in (relation[0] if relation else None, of.start() if of else None) if each is not None]
        if ranked and all(ranked.start() <= start for start in starts) and " of " not in ranked.group(2):
            rest = f"{text[: ranked.start()]} {ranked.group(2)} {text[ranked.end() :]}"
            inner = _positive(" ".join(rest.split()) or GENERIC_NOUN)
            return replace(inner, rank=ORDINALS[ranked.group(1)], sides=(_side(ranked.group(3)),), quantifier="one")
        if possessive and not (starts and min(starts) < possessive.start(2)):
            return _part(possessive.group(2), possessive.group(1), positions)
        if position and all(position.start() <= start for start in starts):
            positions += [_side(word) for word in re.split(r"[- ]", position.group(1))]
            text = " ".join(f"{text[: position.start()]} {text[position.end() :]}".split())
            continue
        break
    if relation and (of is None or relation[0] < of.start()):
        start, end, kind = relation
        head = _at(_head(text[:start].strip()), positions)
        return _relate(head, kind, text[end:].strip())
    if of is not None:
        before, after = text[: of.start()].strip(), text[of.end() :].strip()
        if before and after:
            return _part(before, after, positions)
    return _at(_head(text), positions)


def _first_relation(text: str) -> tuple[int, int, RelationKind] | None:
    """Where the first relation begins and ends: the earliest, and of those the longest."""
    found = []
    for pattern, kind in _RELATION:
        for match in pattern.finditer(text):
            if match.start() > 0 and text[match.end() :].strip():
                found.append((match.start(), -match.end(), kind))
                break
    if not found:
        return None
    start, end, kind = min(found)
    return start, -end, kind


def _relate(head: Reference, kind: RelationKind, rest: str) -> Reference:
    if kind == "between":
        sides = re.split(r" and ", rest, maxsplit=1)
        anchors = tuple(_noun_phrase(side) for side in sides)
        if len(anchors) == 1 and anchors[0].quantifier == "one":
            kind = "next_to"
    else:
        anchors = (_noun_phrase(rest),)
    if any(anchor.background for anchor in anchors):
        return head  # "the ball on the grass": true of every ball
    return replace(head, relations=(*head.relations, Relation(kind, anchors)))


def _part(part: str, owner: str, positions: list[Side]) -> Reference:
    head = _at(_positive(part), positions)
    return replace(head, owner=_noun_phrase(owner))


def _side(word: str) -> Side:
    return {
        "upper": "top",
        "lower": "bottom",
        "center": "middle",
        "centre": "middle",
        "foreground": "front",
        "background": "back",
    }.get(word, word)  # type: ignore[return-value]


def _at(reference: Reference, positions: list[Side]) -> Reference:
    return replace(reference, sides=(*reference.sides, *positions)) if positions else reference


def _head(text: str) -> Reference:
    """Quantifier, size, position, attributes and noun, in that rough order: "both big red balls"."""
    found: dict[str, object] = {}
    sides: list[Side] = []
    attributes: list[str] = []
    words = text.split()
    while words:
        word, last = words[0], len(words) == 1
        if word in DETERMINERS:
            pass
        elif word in ALL and not last:
            found["quantifier"] = "all"
        elif word == "both" and not last:
            found |= {"quantifier": "count", "count": 2}
        elif (word in NUMBERS or word.isdigit()) and not last:
            found |= {"quantifier": "count", "count": NUMBERS.get(word) or int(word)}
        elif word in ("other", "another", "remaining", "rest") and not last:
            found["other"] = True
        elif word in ORDINALS and not last:
            found["rank"] = ORDINALS[word]
        elif word in SIZES and not last:
            size, compares = SIZES[word]
            found |= {"size": size, "comparative": compares}
        elif word in SIDE_ADJECTIVES and not last:
            sides.append(SIDE_ADJECTIVES[word])
        elif word == "most" and not last:
            pass
        elif (word in COLOURS or word in MATERIALS) and not last and " ".join(words[:2]) not in NOT_ATTRIBUTES:
            attributes.append(word)
        elif word in ("and", "colored", "coloured") and not last:
            pass
        else:
            break
        words = words[1:]
    return _with_noun(words, attributes, sides, found)


def _with_noun(words: list[str], attributes: list[str], sides: list[Side], found: dict[str, object]) -> Reference:
    if not words:
        raise BadInstructionError("The segmentation prompt names no object.")
    if len(words) == 2 and (singular(words[1]) or words[1]) in OWNED:
        owner = singular(words[0]) or words[0]
        if owner in OWNED[singular(words[1]) or words[1]]:
            part = _with_noun(words[1:], [], [], {})
            return replace(part, owner=_with_noun(words[:1], attributes, sides, found))
    last, _, content = words[-1].partition("_of_")
    if last in GENERIC:
        noun, many, plural = GENERIC_NOUN, last not in ("one", "object", "thing", "item", "it"), None
        attributes = attributes + words[:-1]
    else:
        one = singular(last)
        many, plural = one is not None, " ".join(words).replace("_", " ") if one else None
        noun = " ".join([*words[:-1], one or last, *(["of", content] if content else [])]).replace("_", " ")
    if many and "quantifier" not in found and not found.get("rank"):
        found["quantifier"] = "all"
    if not many and found.get("quantifier") == "count" and found.get("count") == 1:
        found["quantifier"] = "one"
    if found.get("rank") and not sides:
        sides = ["left"]
    return Reference(
        noun=noun,
        attributes=tuple(attributes),
        sides=tuple(sides),
        plural=plural,
        **found,  # type: ignore[arg-type]
    )
