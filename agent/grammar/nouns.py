"""Noun phrases: determiners, numbers, adjectives, possessives, "of", what stands behind them, and "and".

`parse` takes tokens that must be one noun phrase from the first to the last; frames call it on every piece
into which they split a clause, so a wrong split fails here.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

from agent.grammar import lexicon
from agent.grammar.number import is_plural, singular
from agent.grammar.phrases import NounPhrase
from agent.grammar.tokens import MARKS, Tokens
from agent.grammar.wordclasses import (
    DETERMINERS,
    DIRECTIONS,
    FUNCTION_WORDS,
    NUMERALS,
    PAST_PARTICIPLES,
    PLACES,
    PREPOSITIONS,
    PRONOUNS,
    QUANTIFIERS,
    RELATIVE_VERBS,
    RELATIVES,
    begins_participle,
    is_look,
    is_look_only,
    joined_preposition,
)

MAX_LENGTH = 48
"""Words of the longest noun phrase that is read, and of the longest list of them."""


@lru_cache(maxsize=8192)
def parse(tokens: Tokens) -> NounPhrase | None:
    """The noun phrase that the tokens are, or None where they are none."""
    if not tokens or len(tokens) > MAX_LENGTH or tokens[-1] in MARKS or tokens[0] in MARKS:
        return None
    if tokens[0] in {"only", "just"} and len(tokens) > 1:
        return parse(tokens[1:])
    pronoun = _pronoun(tokens)
    if pronoun:
        return pronoun
    prefix, rest = _prefix(tokens)
    if not rest:
        return _bare_quantifier(tokens, prefix)
    return _possessed(tokens, prefix, rest) or _phrase(tokens, prefix, rest)


@lru_cache(maxsize=8192)
def parse_all(tokens: Tokens) -> tuple[NounPhrase, ...]:
    """The phrases of "the cat, the dog and the ball"; one phrase where nothing is joined; () where it is none."""
    if len(tokens) > MAX_LENGTH:
        return ()
    if tokens[:1] == ("both",) and "and" in tokens:  # "both the car and the bus"
        each = parse_all(tokens[1:])
        if len(each) == 2 and not any(phrase.plural for phrase in each):
            return each
    single = parse(tokens)
    for i, token in enumerate(tokens):
        if token in {"and", ","} and 0 < i < len(tokens) - 1:
            skip = i + 1 + (token == "," and tokens[i + 1] == "and")
            first, others = parse(tokens[:i]), parse_all(tokens[skip:])
            if first and others and not (single and _keeps_together(tokens[:i], tokens[skip:])):
                return _shared_determiner(first, others)
    return (single,) if single else ()


def _keeps_together(before: Tokens, after: Tokens) -> bool:
    """Whether "and" joins no things, as in "the man with the hat and the scarf"."""
    if set(before) & {"with", "wearing", "holding", "between", "except", "but", "of", "from"}:
        return True
    return before[0] in DETERMINERS and after[0] not in DETERMINERS | QUANTIFIERS and is_look(after[0])


def _shared_determiner(first: NounPhrase, others: tuple[NounPhrase, ...]) -> tuple[NounPhrase, ...]:
    """Gives "dog" the article of "the cat and dog", as in "all cats and dogs"."""
    last = others[-1]
    if first.owner is None and last.owner and last.owner.named and first.head in lexicon.NOT_ADDED:
        first = _owned(first, last.owner)  # "the door and the windows of the house"
    if first.owner and first.owner.named and "'s" in first.text:  # "the boat's sail and hull"
        others = tuple(
            _owned(other, first.owner)
            if other.head in lexicon.PARTS and not (other.owner or other.determiner)
            else other
            for other in others
        )
    return (
        first,
        *(
            replace(other, determiner=first.determiner, quantifier=first.quantifier, plural=other.plural)
            if other.named and not other.determiner and not other.quantifier and not other.count
            else other
            for other in others
        ),
    )


def _owned(part: NounPhrase, owner: NounPhrase) -> NounPhrase:
    article = () if owner.quantifier else ("the",)
    return replace(part, text=(*part.text, "of", *article, *owner.text), determiner="the", owner=owner)


@dataclass(frozen=True)
class _Prefix:
    determiner: str = ""
    quantifier: str = ""
    count: str = ""
    one_of: bool = False


def _prefix(tokens: Tokens) -> tuple[_Prefix, Tokens]:
    """Quantifier, determiner and number before a noun phrase, and what follows them."""
    quantifier = determiner = count = ""
    one_of = False
    rest = tokens
    if rest[:2] == ("one", "of") or rest[:2] == ("any", "of") or rest[:3] == ("any", "one", "of"):
        one_of, rest = True, rest[rest.index("of") + 1 :]
    elif rest[0] in QUANTIFIERS:
        quantifier, rest = rest[0], rest[1:]
        if rest[:1] == ("single",) or rest[:2] == ("one", "of"):
            rest = rest[1:]
        if rest[:1] == ("of",):
            rest = rest[1:]
    if rest and rest[0] in DETERMINERS and not _demonstrative_relative(rest):
        determiner, rest = rest[0], rest[1:]
    starts_place = len(rest) > 1 and (joined_preposition(rest[1:]) or rest[1] in FUNCTION_WORDS - {"of"})
    if rest[:1] and rest[0] in NUMERALS and len(rest) > 1 and not starts_place:
        count, rest = rest[0], rest[1:]
        if count == "couple" and rest[:1] == ("of",):
            count, rest = "two", rest[1:]
            determiner = "" if determiner == "a" else determiner
    return _Prefix(determiner, quantifier, count, one_of), rest


def _demonstrative_relative(tokens: Tokens) -> bool:
    return tokens[0] == "that" and len(tokens) > 1 and tokens[1] in RELATIVE_VERBS


def _bare_quantifier(tokens: Tokens, prefix: _Prefix) -> NounPhrase | None:
    if len(tokens) == 1 and prefix.quantifier in {"all", "both"}:
        return NounPhrase(tokens, quantifier=prefix.quantifier, pronoun="them", plural=True)
    return None


def _pronoun(tokens: Tokens) -> NounPhrase | None:
    """As in "it", "both of them", "the other one", "everything", "that thing" and the like."""
    words = tuple(word for word in tokens if word not in {"of", "just", "only"})
    if len(words) == 1 and words[0] in PRONOUNS:
        word = words[0].removesuffix("self").replace("themselves", "them").replace("hims", "him")
        return NounPhrase(tokens, pronoun=word, plural=word in {"them", "these", "those", "they"})
    if len(words) == 2 and words[0] in {"all", "both", "each"} and words[1] in {"them", "these", "those", "it"}:
        return NounPhrase(tokens, quantifier=words[0], pronoun="them", plural=True)
    return None


def _possessed(tokens: Tokens, prefix: _Prefix, rest: Tokens) -> NounPhrase | None:
    """As in "the house's roof": everything before the last 's is the owner."""
    marks = [i for i, token in enumerate(tokens) if token == "'s"]
    if not marks:
        return None
    at = marks[-1]
    owner = parse(tokens[:at])
    if owner is None:
        return None
    inner = _phrase(tokens[at + 1 :], _Prefix(), tokens[at + 1 :])
    if inner is None or inner.pronoun:
        return None
    text = (*owner.text, "'s", *inner.text)
    return replace(inner, text=text, determiner="the", quantifier="", owner=owner)


def _phrase(tokens: Tokens, prefix: _Prefix, rest: Tokens) -> NounPhrase | None:
    end = _core_end(rest)
    core, behind = rest[:end], rest[end:]
    owner: NounPhrase | None = None
    of: Tokens = ()
    if behind[:1] == ("of",):
        inner = parse(behind[1:])
        if inner is None:
            return None
        if inner.definite and inner.plural and inner.named and all(word in lexicon.HEADLESS for word in core):
            one = (*inner.core[:-1], singular(inner.core[-1]))  # "the leftmost of the three cats"
            said = _said(tokens, prefix)
            return replace(inner, text=said, determiner="the", quantifier="", selectors=core, core=one, plural=False)
        if inner.definite:
            owner = inner
            behind = ()
        else:
            kept = len(behind) - len(inner.behind)
            of, behind = behind[:kept], behind[kept:]
    if behind and not _stands_behind(behind):
        return None
    if not core or not all(_may_be_in_core(core, i) for i in range(len(core))):
        return None
    core = tuple(word for word in core if word != ",")
    owner = owner or _bearer_behind(core, behind)
    if core[0] == "and" or core[-1] == "and":
        return None
    return _assemble(tokens, prefix, core, _Tail(of, behind, owner))


def _bearer_behind(core: Tokens, behind: Tokens) -> NounPhrase | None:
    """The bus of "wheels on the bus"."""
    if core[-1] not in lexicon.NOT_ADDED or behind[:1] not in {("on",), ("in",)}:
        return None
    bearer = parse(behind[1:])
    named = bearer is not None and bearer.named and bearer.definite and bearer.head not in lexicon.SIDES
    return bearer if named else None


@dataclass(frozen=True)
class _Tail:
    of: Tokens
    behind: Tokens
    owner: NounPhrase | None


def _assemble(tokens: Tokens, prefix: _Prefix, core: Tokens, tail: _Tail) -> NounPhrase | None:
    selectors = tuple(word for i, word in enumerate(core) if _selects(core, i))
    kept = tuple(word for i, word in enumerate(core) if not _selects(core, i))
    if len(kept) > 1 and kept[0] in NUMERALS and not prefix.count:  # "the other two balls"
        prefix, kept = replace(prefix, count=kept[0]), kept[1:]
    head = kept[-1] if kept else ""
    pronoun = ""
    if head in {"one", "ones"}:
        pronoun, kept = head, kept[:-1]
    elif head in {"rest", "others"} and len(kept) == 1:
        pronoun, kept = "ones", ()
    elif head in lexicon.GENERIC:
        pronoun, kept = "thing", kept[:-1]
    elif not kept:
        if selectors[-1] not in lexicon.HEADLESS or prefix.determiner not in {"the", "this", "that"}:
            return None
        pronoun = "one"
    elif is_look_only(head) or (head in NUMERALS and len(kept) == 1):
        return None
    if pronoun in {"ones", "thing"} or pronoun == "one":
        plural = head in {"ones", "things", "objects", "items", "rest", "others"}
    else:
        plural = is_plural(head) and prefix.determiner not in {"a", "an", "another"}
    plural = plural or (bool(prefix.count) and prefix.count != "one" and not prefix.one_of)
    plural = (plural or prefix.quantifier in {"all", "both"}) and prefix.quantifier not in {"each", "every"}
    if prefix.one_of:
        plural = False
        kept = (*kept[:-1], singular(kept[-1])) if kept else kept
    if tail.owner is None and not pronoun and len(kept) > 1:
        owner = _compound_owner(kept)
        if owner:
            tail = replace(tail, owner=owner)
    return NounPhrase(
        text=_said(tokens, prefix),
        determiner=prefix.determiner,
        quantifier=prefix.quantifier,
        count=prefix.count,
        selectors=selectors,
        core=kept if not tail.owner or tail.owner.determiner != "compound" else kept[-1:],
        of=tail.of,
        behind=tail.behind,
        owner=tail.owner,
        pronoun=pronoun,
        plural=plural,
    )


def _compound_owner(core: Tokens) -> NounPhrase | None:
    """The car of a "car door"."""
    names = core[:-1]
    if core[-1] not in lexicon.NOT_ADDED or singular(names[-1]) not in lexicon.PART_OWNERS:
        return None
    return NounPhrase(names, determiner="compound", core=(*names[:-1], singular(names[-1])))


def _said(tokens: Tokens, prefix: _Prefix) -> Tokens:
    """The words of a segmentation prompt: no article, "all the balls" for "all of the balls"."""
    words = list(tokens)
    if prefix.quantifier == "each" and words[1] == "of":
        words[0] = "all"
    if prefix.quantifier and len(words) > 1 and words[1] == "of":
        del words[1]
    if prefix.quantifier == "both" and len(words) > 2 and words[1] in DETERMINERS:
        del words[1]
    if prefix.one_of:
        words[: words.index("of")] = ["one"]
    if words[0] in DETERMINERS - {"another", "no"}:
        del words[0]
    return tuple(words)


def _selects(core: Tokens, i: int) -> bool:
    word = core[i]
    if word in {"front", "back", "rear"}:
        return i + 1 < len(core) and core[i + 1] not in {"door", "doors", "yard", "porch", "wheel", "wheels", "seat"}
    if word in {"only", "very", "same", "main", "whole", "entire"} and i + 1 < len(core):
        return True
    if word in {"darker", "lighter", "brighter", "older", "younger"}:
        return i + 1 < len(core)
    last = i + 1 == len(core) or all(later in lexicon.SELECTORS for later in core[i + 1 :])
    if last and word in {"top", "bottom", "left", "right", "center", "centre", "only", "light"}:
        return False  # "the top of the box": the thing itself
    return word in lexicon.SELECTORS


def _core_end(rest: Tokens) -> int:
    """Where the noun itself ends: at the first preposition, relative clause, participle or mark."""
    for i in range(len(rest)):
        if rest[i] == "of" and i:
            return i
        if i and (rest[i] in PREPOSITIONS or rest[i] in RELATIVES or joined_preposition(rest[i:])):
            return i
        if i and begins_participle(rest, i):
            return i
        if i and rest[i] in {"there", "here"}:
            return i
        if i and any(rest[i : i + len(way)] == way for way in DIRECTIONS):
            return i
    return len(rest)


def _stands_behind(tokens: Tokens) -> bool:
    """Whether the tokens can stand behind a noun: places, "that is not red", "sitting on a bench"."""
    if not tokens:
        return True
    if tokens[0] == ",":
        return len(tokens) > 1 and _stands_behind(tokens[1:])
    if tokens[0] in RELATIVES and len(tokens) > 1:
        return _relative(tokens[1:])
    if begins_participle(tokens, 0) or tokens[0] in PAST_PARTICIPLES:
        return len(tokens) == 1 or _stands_behind(tokens[1:]) or parse(tokens[1:]) is not None
    for way in DIRECTIONS:
        if tokens[: len(way)] == way and _stands_behind(tokens[len(way) :]):
            return True
    if tokens[0] in PLACES and _stands_behind(tokens[1:]):
        return True
    length = joined_preposition(tokens) or (1 if tokens[0] in PREPOSITIONS else 0)
    return bool(length) and _place_then_more(tokens[length:], tokens[:length])


def _place_then_more(tokens: Tokens, preposition: Tokens) -> bool:
    if preposition == ("between",):
        found = parse(tokens)
        return len(parse_all(tokens)) == 2 or (found is not None and found.plural)
    if preposition[-1] in {"not"} and _all_looks(tokens):
        return True
    for end in range(len(tokens), 0, -1):
        if (_is_side(tokens[:end]) or parse(tokens[:end])) and _stands_behind(tokens[end:]):
            return True
    return preposition[0] in {"with", "wearing", "holding"} and len(parse_all(tokens)) > 1


def _is_side(tokens: Tokens) -> bool:
    """As in "the far left", "left side", "the bottom right corner", "the left of the picture"."""
    words = tokens[1:] if tokens[:1] in {("the",), ("its",), ("your",), ("my",)} else tokens
    if "of" in words:
        at = words.index("of")
        return _is_side(words[:at]) and parse(words[at + 1 :]) is not None
    return bool(words) and all(word in lexicon.SIDES or word in {"far", "very", "hand"} for word in words)


def _relative(tokens: Tokens) -> bool:
    """What follows "that" or "which"."""
    negated = [word for word in tokens if word != "not"]
    words = tuple(negated)
    if words[:1] and words[0] in {"is", "are", "was", "were", "looks", "look", "'s"}:
        rest = words[1:]
        return bool(rest) and (_all_looks(rest) or _stands_behind(rest) or parse(rest) is not None or _selecting(rest))
    if words[:1] and words[0] in {"has", "have", "had", "wears", "holds", "carries"}:
        return parse(words[1:]) is not None
    if words[:1] and (words[0] in FUNCTION_WORDS or not words[0].endswith("s")):
        return False
    return len(words) == 1 or (len(words) > 1 and _stands_behind(words[1:]))


def _selecting(tokens: Tokens) -> bool:
    """As in "the biggest", "furthest to the left"."""
    rest = tokens
    while rest[:1] and (rest[0] in lexicon.SELECTORS or rest[0] in {"the", "most"}):
        rest = rest[1:]
    return len(rest) < len(tokens) and _stands_behind(rest)


def _all_looks(tokens: Tokens) -> bool:
    return bool(tokens) and all(is_look(word) or word in {"and", "or"} for word in tokens)


def _may_be_in_core(core: Tokens, i: int) -> bool:
    word = core[i]
    if word in {"and", ","}:
        return 0 < i < len(core) - 1 and is_look(core[i - 1]) and is_look(core[i + 1])
    if word in FUNCTION_WORDS:
        return False
    return word != "left" or i + 1 < len(core)
