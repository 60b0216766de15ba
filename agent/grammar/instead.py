"""One thing in the place of another: "a star instead of the ball", "put a lamp where the tree is"."""

from agent.grammar.drafts import Draft
from agent.grammar.looks import parse_look
from agent.grammar.nouns import parse, parse_all
from agent.grammar.phrases import NounPhrase
from agent.grammar.results import drafts_for, parse_result, resultative
from agent.grammar.splitting import after_mark, positions
from agent.grammar.tokens import Tokens


def instead_of(tokens: Tokens) -> list[Draft] | None:
    """As in "a star instead of the ball", "instead of the dog, a cat", "the car blue instead of red"."""
    for words in (
        ("instead", "of"),
        ("in", "place", "of"),
        ("in", "lieu", "of"),
        ("rather", "than"),
        ("in", "the", "place", "of"),
    ):
        for i in positions(tokens, words):
            before, after = tokens[:i], tokens[i + len(words) :]
            if before:
                found = in_place(before, after)
            else:
                found = next(
                    (drafts for k in range(1, len(after)) if (drafts := in_place(after_mark(after[k:]), after[:k]))),
                    None,
                )
            if found:
                return found
    return _where_it_is(tokens)


_LEADING = frozenset(
    "use show put have draw place make insert add with there should be do go display give me want i would like need "
    "see to us you prefer love rather paint get".split()
)


def in_place(new: Tokens, old: Tokens) -> list[Draft] | None:
    """The new thing, after words like "I want" or "use", for the old one."""
    while new[:1] and new[0] in _LEADING:
        new = new[1:]
    sources = parse_all(old)
    result = parse_result(new)
    if sources and result and not (result.look and not result.things):
        target = result.things[0]
        if len(sources) == 1 and sources[0].pronoun in {"one", "ones"} and target.named:
            sources = (_with_noun(sources[0], target),)
        return drafts_for(sources, result)
    was = parse_look(old)
    changed = resultative(new) if was else None
    if changed and was and changed[0].source is not None:
        return [Draft(d.action, d.source, d.look, d.things, was, d.joint) for d in changed]
    return None


def _with_noun(one: NounPhrase, other: NounPhrase) -> NounPhrase:
    """Names the thing of "the red one" after "a blue car": the red car."""
    text = tuple(other.head if word in {"one", "ones"} else word for word in one.text)
    return parse(("the", *text)) or one


def _where_it_is(tokens: Tokens) -> list[Draft] | None:
    """As in "put a lamp where the tree is", "put a lamp in the tree's place"."""
    if tokens[-1:] in {("is",), ("was",), ("are",), ("stands",), ("were",)} and "where" in tokens:
        at = tokens.index("where")
        return in_place(tokens[:at], tokens[at + 1 : -1])
    if tokens[-2:] == ("'s", "place") and "in" in tokens:
        at = tokens.index("in")
        return in_place(tokens[:at], tokens[at + 1 : -2])
    if tokens[-2:] in {("its", "place"), ("their", "place")} and "in" in tokens:
        return in_place(tokens[: tokens.index("in")], ("it",))
    return None
