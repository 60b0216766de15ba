"""Verb frames: what "change … to", "replace … with", "paint …" and their kin ask for.

`imperative` is called by `clauses` with the verb and what follows it; it answers with drafts, or None where the
words do not fit the verb.
"""

from collections.abc import Callable

from agent.grammar import lexicon
from agent.grammar.bearing import add, cover, give, gone, having, put, remove, scene
from agent.grammar.drafts import Draft
from agent.grammar.instead import in_place, instead_of
from agent.grammar.looks import look_of, parse_look
from agent.grammar.nouns import parse, parse_all
from agent.grammar.phrases import IT
from agent.grammar.results import Result, drafts_for, resultative
from agent.grammar.splitting import attribute, from_to, out_of, positions, split
from agent.grammar.tokens import ARROW, Tokens
from agent.grammar.verbs import FRAME, LOOK_VERBS

_PARTICLES = frozenset("out up over off away in down".split())
_WITH_PARTICLE = frozenset("swap switch change trade paint colour color cover fill dress replace turn".split())


def imperative(verb: str, rest: Tokens) -> list[Draft] | None:
    """What "verb rest" asks for; None where it is not understood.

    Raises:
        VagueRequest: it is understood and cannot be drawn.
    """
    if rest[:1] and rest[0] in _PARTICLES and verb in _WITH_PARTICLE:
        shorter = _FRAMES[FRAME[verb]](verb, rest[1:])
        if shorter:
            return shorter
    return _FRAMES[FRAME[verb]](verb, rest)


def _change(verb: str, rest: Tokens) -> list[Draft] | None:
    return (
        attribute(rest)
        or from_to(rest)
        or split(rest, ("to", "into", "for", "as", ARROW, "like", "in"))
        or resultative(rest)
        or split(rest, ("with", "by"))
        or (_exchange(rest) if verb == "switch" else None)
        or (_it_so(rest) if verb == "turn" else None)
    )


def _make(verb: str, rest: Tokens) -> list[Draft] | None:
    return (
        gone(rest)
        or out_of(rest)
        or having(rest)
        or attribute(rest)
        or resultative(rest)
        or (split(rest, ("to", "into", ARROW)) or _it_so(rest) or described_anew(rest))
    )


def _it_so(rest: Tokens) -> list[Draft] | None:
    """As in "make blue", "paint red", where the thing is not said."""
    look = parse_look(rest)
    return drafts_for((IT,), Result(look)) if look else None


def described_anew(tokens: Tokens) -> list[Draft] | None:
    """As in "a red car": the car that is there, in red."""
    phrase = parse(tokens)
    if phrase is None or not phrase.named or phrase.behind or not phrase.core or phrase.definite:
        return None
    look = look_of(phrase)
    if not any(adjective.slot in {"colour", "material"} for adjective in look.adjectives):
        return None
    kept = tuple(word for word in phrase.core if not any(word in adjective.text for adjective in look.adjectives))
    source = parse(("the", *kept, *phrase.of)) if kept else None
    return [Draft("look", source, look=look)] if source else None


def _paint(verb: str, rest: Tokens) -> list[Draft] | None:
    for mark in ("in", "with", "to", "into", "as", "like"):
        for i in positions(rest, (mark,)):
            sources = parse_all(rest[:i])
            look = parse_look(rest[i + 1 :]) or parse_look(rest[i:])
            if sources and look:
                return drafts_for(sources, Result(look))
    return (
        from_to(rest)
        or resultative(rest)
        or split(rest, ("to", "into", "as", "like"))
        or put("put", rest, True)
        or _swapped_colour(rest)
        or _it_so(rest)
    )


def _swapped_colour(rest: Tokens) -> list[Draft] | None:
    """As in "paint red the car": the colour first."""
    for i in range(1, len(rest)):
        look, sources = parse_look(rest[:i]), parse_all(rest[i:])
        if look and sources and all(source.definite for source in sources):
            return drafts_for(sources, Result(look))
    return None


def _replace(verb: str, rest: Tokens) -> list[Draft] | None:
    if verb == "substitute":
        for i in positions(rest, ("for",)):
            new, old = parse_all(rest[:i]), parse_all(rest[i + 1 :])
            if new and old and not new[0].definite:
                return drafts_for(old, Result(things=new))
    if rest[:1] == ("in",):
        for i in positions(rest, ("for",)):
            return in_place(rest[1:i], rest[i + 1 :])
    exchanged = _exchange(rest) if verb in {"swap", "exchange", "trade"} else None
    return exchanged or attribute(rest) or split(rest, ("with", "by", "for", "to", "into", ARROW))


def _exchange(rest: Tokens) -> list[Draft] | None:
    """As in "swap the cat and the dog": each takes the other's place."""
    if rest[:1] == ("the",) and rest[1:3] in {("positions", "of"), ("places", "of"), ("position", "of")}:
        rest = rest[3:]
    both = parse_all(rest)
    if len(both) != 2:
        for i in positions(rest, ("with",)):
            both = (*parse_all(rest[:i]), *parse_all(rest[i + 1 :]))
            if len(both) == 2:
                break
    if len(both) == 2 and all(phrase.named and phrase.definite for phrase in both):
        return [Draft("become", both[0], things=(both[1],)), Draft("become", both[1], things=(both[0],))]
    return None


def _use(verb: str, rest: Tokens) -> list[Draft] | None:
    replaced = instead_of(rest)
    if replaced:
        return replaced
    for words in (("as", "the"), ("as", "a"), ("for", "the"), ("as",), ("in", "the")):
        for i in positions(rest, words):
            ground = parse(rest[:i])
            if ground and ground.named and rest[i + len(words) :] in {("background",), ("backdrop",), ("scenery",)}:
                return scene(ground)
    rest = rest[1:] if rest[:1] in {("me",), ("us",)} else rest
    return _on_scene(rest) or resultative(rest, guess=False) if verb == "show" else None


def _on_scene(rest: Tokens) -> list[Draft] | None:
    """As in "show the dog on the beach"."""
    for mark in ("on", "in", "at"):
        for i in positions(rest, (mark,)):
            things, ground = parse_all(rest[:i]), parse(rest[i + 1 :])
            if things and things[0].definite and ground and ground.named and ground.head in lexicon.BACKGROUNDS:
                return scene(ground)
    return None


def _darken(verb: str, rest: Tokens) -> list[Draft] | None:
    look = parse_look((LOOK_VERBS[verb],))
    sources = parse_all(rest)
    return drafts_for(sources, Result(look)) if look and sources else None


def _imagine(verb: str, rest: Tokens) -> list[Draft] | None:
    return split(rest, ("as", "into", "to")) or resultative(rest, guess=False)


_FRAMES: dict[str, Callable[[str, Tokens], list[Draft] | None]] = {
    "change": _change,
    "make": _make,
    "paint": _paint,
    "replace": _replace,
    "give": give,
    "put": put,
    "add": add,
    "remove": remove,
    "cover": cover,
    "use": _use,
    "darken": _darken,
    "imagine": _imagine,
}
