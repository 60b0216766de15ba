"""What a thing has or loses: "give the cat a hat", "put stripes on the cup", "remove the dog".

Called by the frames and the statements; also backgrounds, which the whole picture has.
"""

from collections.abc import Iterable

from agent.grammar import lexicon
from agent.grammar.drafts import Draft
from agent.grammar.instead import instead_of
from agent.grammar.looks import Adjective, Look, look_of, parse_look, slot
from agent.grammar.nouns import parse, parse_all
from agent.grammar.phrases import IT, NounPhrase
from agent.grammar.results import INDEFINITE, Result, drafts_for, is_quality
from agent.grammar.splitting import positions
from agent.grammar.tokens import Tokens
from agent.grammar.verbs import PARTICIPLES
from agent.grammar.wordclasses import FUNCTION_WORDS


def give(verb: str, rest: Tokens) -> list[Draft] | None:
    """As in "give the dog red ears", "give a hat to the cat"."""
    for i in positions(rest, ("to",)):
        if rest[:i][-1:] and rest[i - 1] in {"next", "close", "adjacent", "closest", "nearest"}:
            continue
        new, old = parse_all(rest[:i]), parse_all(rest[i + 1 :])
        if new and old and new[0].named and old[0].head not in lexicon.SIDES:
            return additions(old, new)
    cuts = [i for i in range(1, len(rest)) if rest[i] in INDEFINITE]
    cuts += [
        i for i in range(1, len(rest)) if slot(rest[i])
    ]  # "the dog big red ears": the first adjective after a noun
    cuts += range(len(rest) - 1, 0, -1)
    unnamed: list[Draft] | None = None
    for i in cuts:
        drafts = _bearers(rest[:i], rest[i:])
        if drafts and parse_all(rest[:i])[0].named:
            return drafts
        unnamed = unnamed or drafts
    return unnamed


def _bearers(bearer: Tokens, given: Tokens) -> list[Draft] | None:
    bearers, things = parse_all(bearer), parse_all(given)
    if not bearers or not things or not all(thing.named for thing in things):
        look = parse_look(given) if bearers else None
        return drafts_for(bearers, Result(look)) if look else None
    if not all(one.definite or not one.determiner for one in bearers):
        return None
    if len(things) == 1 and is_quality(things[0], bearers[0]):  # "give the car a red colour"
        look = parse_look(given)
        return drafts_for(bearers, Result(look)) if look else None
    if len(things) == 1 and things[0].head in lexicon.BACKGROUND_ITSELF and things[0].adjectives:
        return scene(NounPhrase(things[0].adjectives, core=things[0].adjectives))
    return additions(bearers, things)


def additions(bearers: Iterable[NounPhrase], things: tuple[NounPhrase, ...], joint: str = "with") -> list[Draft]:
    """What giving things something comes to: a pattern, another look of a part they have, or something new."""
    drafts: list[Draft] = []
    for bearer in bearers:
        new: list[NounPhrase] = []
        for thing in things:
            pattern = parse_look(("with", *thing.core)) if thing.head in lexicon.PATTERN_NOUNS else None
            own = look_of(thing)
            if pattern:
                drafts.append(Draft("look", bearer, look=pattern))
            elif thing.head in lexicon.NOT_ADDED and own.adjectives and not thing.behind:
                drafts.append(Draft("look", part_of(bearer, thing), look=own))
            else:
                new.append(thing)
        if new:
            drafts.append(Draft("add", bearer, things=tuple(new), joint=joint))
    return drafts


def part_of(owner: NounPhrase, part: NounPhrase) -> NounPhrase:
    """The owner's part: "roof of the house", or only "roof" where the owner is not named yet."""
    noun = part.core[-1:]
    article = () if owner.pronoun or owner.quantifier or owner.text[:1] == ("the",) else ("the",)
    text = (*noun, "of", *article, *owner.text)
    return NounPhrase(text, determiner="the", core=noun, owner=owner, plural=part.plural)


def put(verb: str, rest: Tokens, painted: bool = False) -> list[Draft] | None:
    """As in "put a hat on the cat", "put the car on the beach", "put a boat in place of the car"."""
    replaced = instead_of(rest)
    if replaced:
        return replaced
    for preposition in ("in front of", "on top of", "next to", "onto", "into", "on", "in", "at", "to", "over", "around",
                        "under", "behind", "inside", "beside", "near", "against", "by", "above", "with"):  # fmt: skip
        words = tuple(preposition.split())
        for i in reversed(list(positions(rest, words))):
            drafts = _placed(rest[:i], rest[i + len(words) :], preposition, painted)
            if drafts:
                return drafts
    things = parse_all(rest)
    if verb in {"add", "insert", "include", "draw", "attach"} and things and all(thing.named for thing in things):
        return additions((IT,), things)
    return None


def _placed(thing: Tokens, place: Tokens, preposition: str, painted: bool) -> list[Draft] | None:
    things, places = parse_all(thing), parse_all(place)
    if not things or not places:
        return None
    if preposition == "behind" and things[0].named and things[0].head in lexicon.BACKGROUNDS:
        return scene(things[0])
    ground = places[0]
    on_scene = ground.named and ground.head in lexicon.BACKGROUNDS and preposition not in {"by", "near", "beside"}
    if ground.named and ground.head in lexicon.BACKGROUND_ITSELF and things[0].named and not things[0].definite:
        if things[0].head in lexicon.BACKGROUNDS:
            return scene(things[0])
        return additions((ground,), things)
    if things[0].definite and on_scene and not painted:
        return scene(ground)
    if things[0].definite and things[0].named and not things[0].owner and not painted:
        if ground.definite or ground.head in lexicon.BACKGROUNDS:
            return None  # "put the cat on the sofa" would move it
        return [Draft("add", source, things=places, joint=preposition) for source in things]
    if not all(one.named for one in things):
        return [Draft("add", one, things=places, joint=preposition) for one in things] if ground.named else None
    if preposition in {"next to", "beside", "near", "behind", "in front of", "under", "by", "above"}:
        return [Draft("add", one, things=things, joint="and") for one in places]
    return additions(places, things)


_GONE = frozenset("gone removed deleted erased away out invisible disappear vanish disappears".split())


def gone(tokens: Tokens) -> list[Draft] | None:
    """As in "the cat disappear", "the dog to be gone", "no tree", "without the car"."""
    if len(tokens) < 2:
        return None
    if tokens[-1] in _GONE:
        subject = tokens[:-1]
        while subject[-1:] and subject[-1] in {"to", "be", "is", "go"}:
            subject = subject[:-1]
        return [Draft("remove", thing) for thing in parse_all(subject)] or None
    if tokens[0] in {"no", "without"}:
        words = tuple(word for word in tokens[1:] if word not in {"more", "the", "any"})
        things = parse_all(("the", *words)) if words else ()
        return [Draft("remove", thing) for thing in things if thing.named] or None
    return None


def scene(ground: NounPhrase) -> list[Draft]:
    """Another background behind everything."""
    return [Draft("scene", parse(("the", "background")), things=(ground,))]


def remove(verb: str, rest: Tokens) -> list[Draft] | None:
    """As in "remove the dog", "remove the hat from the cat", "remove the stripes from the cup"."""
    for i in positions(rest, ("from",)):
        things, bearers = parse_all(rest[:i]), parse_all(rest[i + 1 :])
        if len(things) == 1 and len(bearers) == 1 and things[0].named:
            if things[0].head in lexicon.PATTERN_NOUNS:
                plain = Look((Adjective(("plain",), "material"),))
                return [Draft("look", bearers[0], look=plain, was=parse_look(things[0].core))]
            if bearers[0].head not in lexicon.SIDES:
                return [Draft("remove", part_of(bearers[0], things[0]))]
    things = parse_all(rest)
    return [Draft("remove", thing) for thing in things] or None


def cover(verb: str, rest: Tokens) -> list[Draft] | None:
    """As in "cover the car with snow", "fill the cup with milk", "dress the man in a suit"."""
    for mark in ("with", "in", "by"):
        for i in reversed(list(positions(rest, (mark,)))):
            sources, things = parse_all(rest[:i]), parse_all(rest[i + 1 :])
            look = parse_look(("with", *rest[i + 1 :])) or (
                parse_look(rest[i + 1 :]) if not _is_stuff(things) else None
            )
            if sources and look:
                return drafts_for(sources, Result(look))
            if sources and things and all(thing.named for thing in things):
                joint = (
                    "in"
                    if verb in {"dress", "clothe"}
                    else f"{_participle_of(verb)} {'with' if mark == 'by' else mark}"
                )
                return [_covered(source, things, joint) for source in sources]
    return None


def _is_stuff(things: tuple[NounPhrase, ...]) -> bool:
    return any(thing.head in lexicon.MASS and thing.head not in lexicon.COLOURS for thing in things)


def _participle_of(verb: str) -> str:
    return next(form for form, base in PARTICIPLES.items() if base == verb)


def _covered(source: NounPhrase, things: tuple[NounPhrase, ...], joint: str) -> Draft:
    thing = things[0]
    if source.named and source.head in lexicon.OWN_BACKGROUNDS and thing.head in lexicon.BACKGROUNDS:
        return Draft("become", source, things=things)
    return Draft("add", source, things=things, joint=joint)


def add(verb: str, rest: Tokens) -> list[Draft] | None:
    """As in "add a red ribbon to the dog", "add a hat"."""
    return put("add", rest)


def having(rest: Tokens) -> list[Draft] | None:
    """As in "the dog have red ears", "the man wear a hat"."""
    for i, word in enumerate(rest):
        if (
            word in {"have", "wear", "hold", "get", "has", "carry", "wearing", "holding", "having"}
            and 0 < i < len(rest) - 1
        ):
            bearers, things = parse_all(rest[:i]), parse_all(rest[i + 1 :])
            if (
                bearers
                and things
                and all(thing.named for thing in things)
                and rest[i + 1] not in FUNCTION_WORDS - INDEFINITE
            ):
                joint = {"hold": "holding", "carry": "carrying", "holding": "holding"}.get(word, "with")
                return additions(bearers, things, joint)
    return None
