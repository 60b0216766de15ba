"""What a description of a picture names: its medium, the things in it, and what is behind them."""

from dataclasses import dataclass

from agent.grammar import lexicon
from agent.grammar.captions import named
from agent.grammar.nouns import parse
from agent.grammar.phrases import NounPhrase
from agent.grammar.tokens import Tokens, tokenize
from agent.grammar.wordclasses import FUNCTION_WORDS, is_participle, joined_preposition

_PLACING = frozenset("on in at under against before over above across upon beneath along".split())


@dataclass(frozen=True)
class Scene:
    """A picture, as its description tells it.

    Attributes:
        medium: "photo", "pencil drawing" …
        objects: the things that it is of, in the order named, as if each were called "the …".
        others: things that are only where those are: the bench of "a man on a bench".
        background: what is behind, with its article: "grass", "a beach"; None where it is not said.
    """

    medium: str = "photo"
    objects: tuple[NounPhrase, ...] = ()
    others: tuple[NounPhrase, ...] = ()
    background: str | None = None

    @property
    def all_things(self) -> tuple[NounPhrase, ...]:
        """Objects, then the others."""
        return self.objects + self.others


NO_SCENE = Scene()


def parse_description(text: str) -> Scene:
    """What "photo of a red car on grass" says; words that are not understood are passed over."""
    tokens = tokenize(text)
    medium, rest = _medium(tuple(token for token in tokens if token != "."))
    objects: list[NounPhrase] = []
    others: list[NounPhrase] = []
    background: NounPhrase | None = None
    for phrase, before in _chunks(rest):
        placed = bool(set(before) & _PLACING) or before[-2:] == ("front", "of")
        is_ground = phrase.head in lexicon.BACKGROUNDS
        if is_ground and (placed or not objects):
            background = phrase
        elif placed:
            others.append(phrase)
        elif "with" in before and phrase.head in lexicon.PARTS and objects:
            continue
        else:
            objects.append(phrase)
    if background is None and others and not any(other.head in lexicon.BACKGROUNDS for other in others):
        background = others[-1]
    if background is not None and not objects and not others:
        objects.append(background)
    return Scene(medium, tuple(objects), tuple(others), named(background) if background else None)


def _medium(tokens: Tokens) -> tuple[str, Tokens]:
    words = tokens[1:] if tokens[:1] in {("a",), ("an",), ("the",)} else tokens
    if "of" in words:
        at = words.index("of")
        if 0 < at <= 4 and words[at - 1] in lexicon.MEDIA:
            return " ".join(words[:at]), words[at + 1 :]
    return "photo", tokens


def _chunks(tokens: Tokens) -> list[tuple[NounPhrase, Tokens]]:
    """The noun phrases, longest first at each place, with the words between them and the one before."""
    found: list[tuple[NounPhrase, Tokens]] = []
    before: list[str] = []
    i = 0
    while i < len(tokens):
        preposition = joined_preposition(tokens[i:])
        if preposition:
            before.extend(tokens[i : i + preposition])
            i += preposition
            continue
        phrase, length = _longest(tokens, i)
        if phrase is None:
            before.append(tokens[i])
            i += 1
            continue
        found.append((phrase, tuple(before)))
        before = []
        i += length
    return found


def _longest(tokens: Tokens, start: int) -> tuple[NounPhrase | None, int]:
    if tokens[start] in {"and", ","} or is_participle(tokens[start]):
        return None, 0
    for end in range(min(len(tokens), start + 9), start, -1):
        phrase = parse(tokens[start:end])
        if phrase and phrase.named and not phrase.behind and not phrase.owner:
            if phrase.core[0] in FUNCTION_WORDS:
                continue
            return _as_the(phrase), end - start
    return None, 0


def _as_the(phrase: NounPhrase) -> NounPhrase:
    text = (*phrase.core, *phrase.of)
    return NounPhrase(text, determiner="the", count=phrase.count, core=phrase.core, of=phrase.of, plural=phrase.plural)
