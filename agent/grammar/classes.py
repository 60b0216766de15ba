"""Words for a class of things, "the animals": what a picture holds of it, by its description or by what was found.

A text encoder knows a cat better than an animal, so that captions are worded with the noun. `understanding` asks with
the description of the picture; the policy, with what the detector found.
"""

from collections.abc import Iterable
from dataclasses import replace

from agent.grammar.description import Scene
from agent.grammar.drafts import Draft
from agent.grammar.nouns import parse
from agent.grammar.number import article, plural, singular
from agent.grammar.phrases import NounPhrase
from agent.grammar.references import owned
from agent.grammar.tokens import tokenize
from instructedit_models.hypernyms import hyponyms, is_hypernym

__all__ = ["by_their_nouns", "description_of", "names_class", "nouns_of_class", "of_class"]

_EVERY = frozenset({"all", "both", "each", "every"})


def by_their_nouns(draft: Draft, scene: Scene) -> list[Draft]:
    """The draft for each noun of the class that its source, or the owner of its source, names.

    Args:
        draft: its source is known.
        scene: the picture.

    Returns:
        The draft alone where it names no class, or one of which the picture shows nothing, or several for a singular.
    """
    source = draft.source
    if source is None:
        return [draft]
    if source.owner is not None and _names_class(source.owner):
        part = replace(source, owner=None)
        return [replace(draft, source=owned(part, thing)) for thing in of_class(source.owner, scene)] or [draft]
    if not _names_class(source):
        return [draft]
    found = of_class(source, scene)
    return [replace(draft, source=one, things=_as_many(draft.things, one)) for one in found] or [draft]


def of_class(phrase: NounPhrase, scene: Scene) -> tuple[NounPhrase, ...]:
    """The things of a picture that a class means: "all animals" are the cat and all dogs.

    Args:
        phrase: names a class.
        scene: the picture.

    Returns:
        One phrase for each noun; () where the picture holds nothing of the class, or several nouns for a singular.
    """
    nouns: dict[str, int] = {}
    for thing in scene.all_things:
        noun = singular(thing.head)
        if hyponyms(phrase.head, (noun,)):
            nouns[noun] = nouns.get(noun, 0) + (2 if thing.plural else 1)
    if len(nouns) > 1 and not (phrase.plural or phrase.quantifier in _EVERY):
        return ()
    return tuple(_called(phrase, noun, count, len(nouns) == 1) for noun, count in nouns.items())


def names_class(prompt: str) -> bool:
    """Whether a segmentation prompt names a class of things: "animals on the left"."""
    phrase = _phrase(prompt)
    return phrase is not None and _names_class(phrase)


def nouns_of_class(prompt: str, found: Iterable[str]) -> tuple[str, ...]:
    """The nouns of what was found for a prompt that names a class, each once for each thing; () for other prompts.

    Args:
        prompt: a segmentation prompt, "animals on the left".
        found: what the things were found as, "red cat".
    """
    phrase = _phrase(prompt)
    if phrase is None or not _names_class(phrase):
        return ()
    heads = (_phrase(one) for one in found)
    nouns = tuple(singular(one.head) for one in heads if one is not None and one.head)
    return tuple(noun for noun in nouns if hyponyms(phrase.head, (noun,)))


def description_of(nouns: Iterable[str], scene: Scene) -> str:
    """A description as BLIP-2 might word it, of things that were found: "photo of a cat and dogs on grass"."""
    counts: dict[str, int] = {}
    for noun in nouns:
        counts[noun] = counts.get(noun, 0) + 1
    things = " and ".join(plural(noun) if count > 1 else f"{article(noun)} {noun}" for noun, count in counts.items())
    return f"{scene.medium} of {things}" + (f" on {scene.background}" if scene.background else "")


def _phrase(prompt: str) -> NounPhrase | None:
    return parse(tokenize(prompt)) or parse(tokenize(f"the {prompt}"))


def _names_class(phrase: NounPhrase) -> bool:
    return phrase.named and is_hypernym(phrase.head)


def _called(phrase: NounPhrase, noun: str, count: int, alone: bool) -> NounPhrase:
    """The phrase with a noun in place of its class; "all animals" is "the cat" where one of the animals is a cat."""
    many = count > 1 and (phrase.plural or bool(phrase.quantifier))
    core = (*phrase.core[:-1], plural(noun) if many and phrase.plural else noun)
    quantifier = phrase.quantifier if many else ""
    number = phrase.count if alone and many else ""
    text = (*filter(None, (quantifier, number)), *phrase.selectors, *core, *phrase.behind)
    return replace(
        phrase, text=text, core=core, quantifier=quantifier, count=number, plural=many and phrase.plural, of=()
    )


def _as_many(things: tuple[NounPhrase, ...], source: NounPhrase) -> tuple[NounPhrase, ...]:
    """What the source becomes, one where it is one: "turn the animals into cars" makes a car of the only cat."""
    if source.plural:
        return things
    return tuple(_single(thing) if thing.plural and not thing.count else thing for thing in things)


def _single(thing: NounPhrase) -> NounPhrase:
    core = (*thing.core[:-1], singular(thing.core[-1]))
    return replace(thing, text=core + thing.text[len(thing.core) :], core=core, plural=False, determiner="a")
