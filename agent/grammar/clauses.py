"""Sentences with several requests: "make the car red, the bus blue and then turn the cat into a dog".

A sentence is cut at the earliest "and" or comma where both sides can be understood; a part without a verb of its own
takes the verb before it.
"""

from agent.grammar.drafts import Draft
from agent.grammar.frames import described_anew, imperative
from agent.grammar.looks import parse_look
from agent.grammar.nouns import parse_all
from agent.grammar.politeness import request
from agent.grammar.statements import mention, statement
from agent.grammar.tokens import Tokens
from agent.grammar.verbs import verb_at

MAX_WORDS = 90
"""A longer sentence is not read: nobody says that many edits in one breath."""

_CONNECTIVES = frozenset({",", "and", "then", "but", "plus", "while", "also", "whereas", "&"})
_KEEPING = frozenset("keep leave preserve retain maintain".split())
_REASONS = frozenset("because since".split())

Clauses = list[list[Draft]]


def parse_sentence(tokens: Tokens, verb_before: str | None = None) -> Clauses | None:
    """The drafts of each request in a sentence, in order; None where some part of it is not understood.

    Args:
        tokens: the sentence.
        verb_before: the verb of the sentence before, for one that has none: "Make the car red. The bus blue."

    Raises:
        VagueRequest: a request is understood and cannot be drawn.
    """
    words = _without_reason(tokens[:-1] if tokens[-1:] == ("?",) else tokens)
    if len(words) > MAX_WORDS:
        return None
    return _Parser(words).clauses(0, verb_before)


class _Parser:
    """Cuts one sentence into clauses, remembering from where nothing fits."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.failed: set[tuple[int, str | None]] = set()

    def clauses(self, start: int, verb: str | None) -> Clauses | None:
        """The drafts from `start` on; `verb` is what a part without a verb takes."""
        while start < len(self.tokens) and self.tokens[start] in _CONNECTIVES:
            start += 1
        if start == len(self.tokens):
            return []
        if (start, verb) in self.failed:
            return None
        for end in self._ends(start):
            found = clause(self.tokens[start:end], verb)
            if found is None:
                continue
            drafts, own_verb = found
            rest = self.clauses(end, own_verb)
            if rest is not None and _fits_together(drafts, rest):
                return [drafts, *rest] if drafts else rest
        self.failed.add((start, verb))
        return None

    def _ends(self, start: int) -> list[int]:
        cuts = [i for i in range(start + 1, len(self.tokens)) if self.tokens[i] in _CONNECTIVES]
        return [*cuts, len(self.tokens)]


def clause(tokens: Tokens, verb_before: str | None) -> tuple[list[Draft], str | None] | None:
    """The drafts of one clause and its verb; [] where it asks to keep things as they are."""
    said = request(tokens)
    words = said.tokens
    if not words:
        return [], verb_before
    if words[0] in _KEEPING or words[:2] == ("do", "not") or words[:2] in {("everything", "else"), ("nothing", "else")}:
        return [], verb_before
    words = _without_exclusion(words)
    said_verb = verb_at(words)
    if said_verb and said_verb[1]:
        drafts = imperative(*said_verb)
        if drafts:
            return drafts, said_verb[0]
    drafts = statement(words, said.assumed)
    if drafts:
        return drafts, "make"
    if verb_before and said_verb is None and not parse_look(words) and not described_anew(words):
        drafts = imperative(verb_before, words)
        if drafts:
            return drafts, verb_before
    if said_verb is None or words[0] not in tokens[:1]:
        drafts = mention(words)
        if drafts:
            return drafts, "make"
    return None


def _fits_together(drafts: list[Draft], rest: Clauses) -> bool:
    """A thing that is only mentioned must be taken up by the next request, else it was no mention."""
    if not drafts or drafts[0].action != "mention" or not rest:
        return True
    following = rest[0][0].source
    return following is None or _refers_back(following)


def _refers_back(source: object) -> bool:
    pronoun = getattr(source, "pronoun", "")
    owner = getattr(source, "owner", None)
    return bool(pronoun) or getattr(owner, "pronoun", "") != "" or getattr(source, "determiner", "") in {
        "its", "his", "her", "their",
    }  # fmt: skip


def _without_reason(tokens: Tokens) -> Tokens:
    """The sentence without "because …"."""
    for i, token in enumerate(tokens):
        if i and token in _REASONS:
            return tokens[: i - 1] if tokens[i - 1] == "," else tokens[:i]
    return tokens


def _without_exclusion(tokens: Tokens) -> Tokens:
    """The clause without "without changing the rest"."""
    for i, token in enumerate(tokens):
        if i and token == "without" and tokens[i + 1 : i + 2] and tokens[i + 1].endswith("ing"):
            return tokens[:i]
        if i > 1 and token == "not" and tokens[i - 1] == "," and parse_all(tokens[i + 1 :]):
            return tokens[: i - 1]  # "a cat, not a dog"
        if i and tokens[i : i + 2] in {("so", "that"), ("such", "that"), ("so", "it")} and i > 2:
            return tokens[:i]
    return tokens
