"""Ways to cut what follows a verb in two: "X to Y", "the colour of X to Y", "X from A to B", "a Y out of X"."""

from collections.abc import Iterator

from agent.grammar import lexicon
from agent.grammar.drafts import Draft
from agent.grammar.looks import parse_look
from agent.grammar.nouns import parse, parse_all
from agent.grammar.phrases import IT, NounPhrase
from agent.grammar.results import Result, drafts_for, parse_result, resultative, without_lead
from agent.grammar.tokens import ARROW, Tokens
from instructedit_models.lexicon import OWNED


def positions(tokens: Tokens, words: Tokens) -> Iterator[int]:
    """Where the words stand in the tokens, from left to right."""
    return (i for i in range(len(tokens) - len(words) + 1) if tokens[i : i + len(words)] == words)


def after_mark(tokens: Tokens) -> Tokens:
    """The tokens without a comma before them."""
    return tokens[1:] if tokens[:1] == (",",) else tokens


def split(rest: Tokens, separators: tuple[str, ...]) -> list[Draft] | None:
    """The thing, a separator, and what it becomes; of several ways that parse, one with an indefinite target."""
    fallback: list[Draft] | None = None
    for i, token in enumerate(rest):
        if token not in separators or (token == "in" and not parse_look(rest[i + 1 :])):
            continue
        sources = parse_all(rest[:i]) if i else ((IT,))
        result = parse_result(rest[i + 1 :]) if sources else None
        if sources and result:
            drafts = drafts_for(sources, result)
            if result.look or not any(thing.determiner in {"the", "this", "that"} for thing in result.things):
                if not (token == "with" and _worn(result) and _later(rest, i, separators)):
                    return drafts
            fallback = fallback or drafts
    return fallback


def _worn(result: Result) -> bool:
    """As in "replace the man with a hat with a woman", where the first "with" says which man."""
    return bool(result.things) and result.things[0].head in lexicon.PARTS


def _later(rest: Tokens, i: int, separators: tuple[str, ...]) -> bool:
    return any(
        rest[k] in separators and parse_result(rest[k + 1 :]) and parse_all(rest[:k]) for k in range(i + 1, len(rest))
    )


def attribute(rest: Tokens) -> list[Draft] | None:
    """As in "the colour of the cup to black", "the car's colour green", "its colour to yellow"."""
    for i, word in enumerate(rest):
        if word not in lexicon.ATTRIBUTES or word in OWNED:  # of a shade its phrase decides: `is_quality`
            continue
        after = rest[i + 1 :]
        if i <= 1 and (not i or rest[0] in {"the", "a", "its", "his", "her", "their", "that", "this"}):
            if after[:1] in {("of",), ("on",)}:
                return _attribute_value(None, after[1:])
            return _attribute_value((IT,), after)
        owner = rest[: i - 1] if rest[i - 1] == "'s" else rest[:i]
        owners = parse_all(owner)
        if owners and after:
            return _attribute_value(owners, after)
    return None


def _attribute_value(owners: tuple[NounPhrase, ...] | None, after: Tokens) -> list[Draft] | None:
    if owners is None:
        return (
            from_to(after)
            or _look_only(split(after, ("to", "into", "with", "by", "as", "in", ARROW)))
            or _look_only(resultative(after, guess=False))
        )
    if after[:1] == ("from",):
        for i in positions(after, ("to",)):
            was, look = parse_look(after[1:i]), parse_look(after[i + 1 :])
            if was and look:
                return drafts_for(owners, Result(look), was)
    after = after[1:] if after[:1] and after[0] in {"to", "into", "with", "by", "be", "is", "as"} else after
    look = parse_look(without_lead(after))
    return drafts_for(owners, Result(look)) if look else None


def _look_only(drafts: list[Draft] | None) -> list[Draft] | None:
    return drafts if drafts and all(draft.action == "look" for draft in drafts) else None


def from_to(rest: Tokens) -> list[Draft] | None:
    """As in "the car from red to blue", "from grass to snow"."""
    for i in positions(rest, ("from",)):
        sources = parse_all(rest[:i]) if i else ((IT,))
        for k in range(i + 2, len(rest) - 1):
            if rest[k] not in {"to", "into"} or not sources:
                continue
            result = parse_result(rest[k + 1 :])
            if result is None:
                continue
            was = parse_look(rest[i + 1 : k])
            old = parse(rest[i + 1 : k])
            if was and result.look:
                return drafts_for(sources, result, was)
            if old and old.named and result.things and sources[0].pronoun:
                return drafts_for((old,), result)
            if old and old.named and old.head not in lexicon.SIDES and result.things:
                return drafts_for(sources, result)
    return None


def out_of(rest: Tokens) -> list[Draft] | None:
    """As in "a lion out of the cat"."""
    for words in (("out", "of"), ("from",)):
        for i in positions(rest, words):
            sources, result = parse_all(rest[i + len(words) :]), parse_result(rest[:i])
            if sources and result and result.things and sources[0].definite and not result.things[0].definite:
                return drafts_for(sources, result)
            look = parse_look(rest[i:])
            made = parse_all(rest[:i])
            if look and made:
                return drafts_for(made, Result(look))
    return None
