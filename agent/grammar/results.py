"""The second half of a request: what the thing should become, and where in a clause that half begins."""

from dataclasses import dataclass, replace

from agent.grammar import lexicon
from agent.grammar.drafts import Draft, VagueRequest
from agent.grammar.looks import Look, parse_look
from agent.grammar.nouns import parse, parse_all
from agent.grammar.number import SAME_IN_PLURAL, is_plural, singular
from agent.grammar.phrases import NounPhrase
from agent.grammar.tokens import Tokens
from agent.grammar.wordclasses import ARTICLES, DETERMINERS, FUNCTION_WORDS
from instructedit_models.lexicon import OWNED

_LEADS: tuple[Tokens, ...] = tuple(
    tuple(words.split())
    for words in sorted((
        "to look more like", "look more like", "to look like", "look like", "to become", "become", "to be", "be",
        "appear as", "appear to be", "to appear", "appear", "to look", "look", "seem", "turn into", "to turn into",
        "resemble", "to resemble", "being", "like", "have the colour", "have the color", "be like", "become like",
        "looking like", "to seem", "act as", "pass for", "look like it is", "look like it was", "look like it were",
        "look as if it is", "look as if it was", "look as if it were", "look as though it were", "look as though it is",
        "look like they are", "look as if they were", "be made to look like", "to look like it is",
    ), key=len, reverse=True)
)  # fmt: skip
INDEFINITE = frozenset({"a", "an", "another", "some", "two", "three", "four", "several", "many"})
_NOT_TARGETS = lexicon.SIDES | {"way", "time", "moment", "same", "place"}


@dataclass(frozen=True)
class Result:
    """What something should become: a look, or other things."""

    look: Look | None = None
    things: tuple[NounPhrase, ...] = ()


def parse_result(tokens: Tokens, guess: bool = False) -> Result | None:
    """The look or the things that the tokens are from the first to the last, or None."""
    words = without_lead(tokens)
    if words[:1] == ("in",) and len(words) > 1:
        look = parse_look(words[1:])
        return Result(look) if look else None
    if not words:
        return None
    look = parse_look(words, guess)
    if look is None and words[0] in {"a", "an"}:
        look = _vague(words)
    if look:
        return Result(look)
    things = parse_all(words)
    if not things or any(not _can_be_target(thing) for thing in things):
        return None
    return Result(things=things)


def drafts_for(sources: tuple[NounPhrase, ...], result: Result, was: Look | None = None) -> list[Draft]:
    """One draft for each source; things are dealt out when there are as many, else each source becomes all of them."""
    if result.look and result.look.vague and not result.look.adjectives:
        raise VagueRequest("it does not say what it should look like; name a colour, a material or another thing")
    if len(result.things) == 1 and result.things[0].head in lexicon.TIMES and all(_is_time(one) for one in sources):
        return [Draft("scene", parse(("the", "background")), things=(_scene_at(result.things[0]),))]
    if result.things and result.things[0].head in lexicon.MEDIA and all(_is_picture(source) for source in sources):
        raise VagueRequest(
            "it is about the picture as a whole, and only things in the picture or its background change"
        )
    if result.look and not any(source.named for source in sources) and _says_nothing_alone(result.look):
        raise VagueRequest("it names no thing and no colour or material that it should have")
    if result.look:
        return [Draft("look", _bearer(source), look=result.look, was=was) for source in sources]
    if len(sources) > 1 and len(result.things) == len(sources):
        return [Draft("become", a, things=(b,), was=was) for a, b in zip(sources, result.things, strict=True)]
    each = tuple(map(_one_of, result.things)) if len(sources) > 1 else result.things
    return [
        Draft("become", source, things=tuple(map(_several, result.things)) if source.plural else each, was=was)
        for source in sources
    ]


def _several(thing: NounPhrase) -> NounPhrase:
    """As in "turn all the balls into fish": as many fish."""
    bare = not thing.determiner and thing.named and thing.head in SAME_IN_PLURAL
    return replace(thing, plural=True) if bare else thing


def _is_time(source: NounPhrase) -> bool:
    """What "night" is an answer to: "it", the picture, the day, the weather."""
    return source.pronoun in {"it", "this", "that"} or source.head in lexicon.WHOLE_PICTURE | set(lexicon.TIMES) | {
        "time"
    }


def _is_picture(source: NounPhrase) -> bool:
    return source.text in {("it",), ("this",), ("that",)} or source.head in lexicon.WHOLE_PICTURE | lexicon.MEDIA


def _scene_at(time: NounPhrase) -> NounPhrase:
    """The background that a time of day or year shows."""
    background = lexicon.TIMES[time.head]
    found = parse(("the", *background)) if background else None
    if found is None:
        raise VagueRequest(f'name the background that "{time.head}" should show, for example snow or a night sky')
    return found


def is_quality(thing: NounPhrase, owner: NounPhrase | None = None) -> bool:
    """Whether a phrase names a colour or material of a thing: the shade of a car, which of a lamp is a part.

    Args:
        thing: the phrase.
        owner: whose it is, where the phrase does not say.
    """
    if thing.head not in lexicon.ATTRIBUTES:
        return False
    owners, owner = OWNED.get(thing.head, ()), thing.owner or owner
    return singular(owner.head) not in owners if owner else not owners or thing.determiner != "the"


def _bearer(source: NounPhrase) -> NounPhrase:
    """What a colour or material belongs to: the car of "the car's colour"."""
    if not is_quality(source):
        return source
    if source.owner is not None:
        return source.owner
    rest = parse(("the", *source.core[:-1])) if len(source.core) > 1 else parse(("it",))
    return rest or source


def _says_nothing_alone(look: Look) -> bool:
    words = [word for adjective in look.adjectives for word in adjective.text]
    return not look.tail and all(word in lexicon.VAGUE_ALONE for word in words)


def _one_of(thing: NounPhrase) -> NounPhrase:
    """As in "turn the cat and the dog into foxes": each becomes a fox."""
    if not thing.plural or thing.determiner or thing.count or not thing.named:
        return thing
    return replace(thing, core=(*thing.core[:-1], singular(thing.core[-1])), plural=False)


def resultative(tokens: Tokens, guess: bool = True) -> list[Draft] | None:
    """A thing and, right after it, what it should be: "the car blue", "the cat a dog", "the tree like a lamp"."""
    return (
        _before_lead(tokens)
        or _adjective_after(tokens, False)
        or _noun_after(tokens)
        or _plural_after(tokens)
        or (_adjective_after(tokens, True) if guess else None)
    )


def without_lead(tokens: Tokens) -> Tokens:
    """The tokens after "look like", "be", "become" and the like."""
    for lead in _LEADS:
        if tokens[: len(lead)] == lead and len(tokens) > len(lead):
            return without_lead(tokens[len(lead) :])
    return tokens


def _vague(words: Tokens) -> Look | None:
    """As in "a different colour", "something else"."""
    inner = words[1:]
    if len(inner) == 2 and inner[0] in lexicon.VAGUE and inner[1] in lexicon.ATTRIBUTES | lexicon.GENERIC:
        return Look(vague=True)
    return None


def _can_be_target(thing: NounPhrase) -> bool:
    if thing.pronoun:
        return thing.pronoun in {"one", "ones"} and bool(thing.core)
    return thing.head not in _NOT_TARGETS | lexicon.VAGUE | lexicon.BACKGROUND_ITSELF


def _before_lead(tokens: Tokens) -> list[Draft] | None:
    for i in range(1, len(tokens) - 1):
        if any(tokens[i : i + len(lead)] == lead for lead in _LEADS) or tokens[i] in {"into", "in", "with", "as"}:
            sources = parse_all(tokens[:i])
            rest = tokens[i + 1 :] if tokens[i] in {"into", "as"} else tokens[i:]
            result = parse_result(rest) if sources else None
            if result and (tokens[i] not in {"in", "with"} or result.look):
                return drafts_for(sources, result)
    return None


def _adjective_after(tokens: Tokens, guess: bool) -> list[Draft] | None:
    """The longest look at the end; but "the smaller orange orange" is an orange, not "the smaller"."""
    unnamed: tuple[tuple[NounPhrase, ...], Look] | None = None
    for i in range(1, len(tokens)):
        if _wanted_before(tokens, i):
            continue
        if tokens[i] == tokens[i - 1] and parse_look(tokens[i + 1 :], guess):  # "the orange orange", purple
            continue
        look = parse_look(tokens[i:], guess)
        sources = parse_all(tokens[:i]) if look else ()
        if look and sources:
            if guess and not all(source.definite for source in sources):
                continue
            if all(source.named for source in sources):
                return drafts_for(sources, Result(look))
            unnamed = unnamed or (sources, look)
    return drafts_for(unnamed[0], Result(unnamed[1])) if unnamed else None


def _wanted_before(tokens: Tokens, i: int) -> bool:
    """Whether the word at `i` goes with the one before it, so that no look begins there.

    As the article's noun in "the ball to the right of the | orange red", the side's "of" in "the right | of the
    orange red", and the other half of "the traffic | light".
    """
    before, following = tokens[i - 1], tokens[i + 1 : i + 2]
    if tokens[i] == "of":
        return before in lexicon.SIDES and not DETERMINERS.isdisjoint(following)
    return before in ARTICLES or (tokens[i] == "light" and before in lexicon.LIGHT_COMPOUNDS)


def _plural_after(tokens: Tokens) -> list[Draft] | None:
    """As in "all the stars cats"."""
    for i in range(2, len(tokens)):
        sources, things = parse_all(tokens[:i]), parse_all(tokens[i:])
        several = sources and all(one.definite and one.plural and _is_countable(one.head) for one in sources)
        if several and len(things) == 1 and things[0].named and not things[0].definite:
            if _is_countable(things[0].head):
                return drafts_for(sources, Result(things=things))
    return None


def _is_countable(noun: str) -> bool:
    return is_plural(noun) or noun in SAME_IN_PLURAL


def _noun_after(tokens: Tokens) -> list[Draft] | None:
    for i in range(1, len(tokens)):
        starts = tokens[i] in INDEFINITE or (tokens[i] == "the" and i > 1)
        sources = parse_all(tokens[:i]) if starts else ()
        result = parse_result(tokens[i:]) if sources else None
        if result:
            return drafts_for(sources, result)
        stuff = parse(tokens[i:]) if tokens[i] not in FUNCTION_WORDS else None
        if stuff and stuff.named and stuff.head in lexicon.MASS | lexicon.BACKGROUNDS:  # "make the background snow"
            sources = parse_all(tokens[:i])
            if sources and all(source.definite for source in sources):
                return drafts_for(sources, Result(things=(stuff,)))
    known = parse(tokens[:1])
    if known and known.pronoun in {"it", "him", "them"} and not known.quantifier and len(tokens) > 1:  # "make it night"
        result = parse_result(tokens[1:])
        return drafts_for((known,), result) if result else None
    return None
