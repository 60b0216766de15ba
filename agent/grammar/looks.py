"""What a thing may be made to look like: "dark green", "red and striped", "out of wood", "with white dots"."""

from dataclasses import dataclass

from agent.grammar import lexicon
from agent.grammar.nouns import parse
from agent.grammar.phrases import NounPhrase
from agent.grammar.tokens import Tokens, mended_colour
from agent.grammar.wordclasses import ARTICLES, DETERMINERS, is_colour, is_look

_DEGREES = frozenset(
    "much very really more slightly even so extremely super quite rather fully completely totally entirely all solid "
    "pure bit little lot way far".split()
)
_DEGREE_PHRASES: tuple[Tokens, ...] = (
    ("a", "bit"),
    ("a", "little", "bit"),
    ("a", "little"),
    ("a", "lot"),
    ("a", "touch"),
)
_SUFFIXES = ("y", "ed", "en", "ic", "ous", "ful", "less", "ish", "ive", "ing", "able", "like")
_OWN_CONNECTIVES = {("made", "out", "of"), ("made", "of"), ("out", "of"), ("of",), ("made", "from"), ("from",)}


@dataclass(frozen=True)
class Adjective:
    """One look.

    Attributes:
        text: as a caption says it, "dark green".
        slot: what it replaces: "colour", "material" (patterns too), "size" or "other".
    """

    text: Tokens
    slot: str


@dataclass(frozen=True)
class Look:
    """Adjectives, and what is said after the noun, as in "blue with white stripes".

    Attributes:
        adjectives: in the order said.
        tail: "with white stripes", or ().
        vague: it says nothing that could be drawn: "nicer".
    """

    adjectives: tuple[Adjective, ...] = ()
    tail: Tokens = ()
    vague: bool = False

    @property
    def changes_shape(self) -> bool:
        """Whether the outline changes: "bigger", "round"."""
        return any(adjective.slot == "size" for adjective in self.adjectives)


def parse_look(tokens: Tokens, guess: bool = False) -> Look | None:
    """The look that the tokens are from the first to the last, or None.

    Args:
        tokens: words without a determiner, except in "a dark red colour".
        guess: also take unknown words that end like adjectives.
    """
    words = _without_degrees(_colour_noun(tokens))
    if not words:
        return None
    material = _made_of(words)
    if material:
        return material
    if words[0] == "with" or "with" in words[1:]:
        return _with_pattern(words, guess)
    return _adjectives(words, guess)


def slot(word: str) -> str:
    """Which look a word is; "" where it is none."""
    if is_colour(word):
        return "colour"
    if word in lexicon.PATTERNS or word in lexicon.MATERIALS:
        return "material"
    if word in lexicon.SIZES:
        return "size"
    return "other" if is_look(word) else ""


def with_look(core: Tokens, look: Look) -> Tokens:
    """A noun with its adjectives, made to look so: what is contradicted goes, the rest stays.

    ("old", "red", "car") made blue is ("old", "blue", "car").
    """
    groups = adjective_groups(core[:-1], core[-1])
    for adjective in look.adjectives:
        same = [i for i, group in enumerate(groups) if group.slot == adjective.slot and group.slot != "other"]
        if same:
            groups[same[0]] = adjective
            groups = [group for i, group in enumerate(groups) if i not in same[1:]]
        elif all(group.text != adjective.text for group in groups):
            at = 0
            if adjective.slot in {"colour", "material"}:
                while at < len(groups) and (groups[at].slot in {"size", "other"} or groups[at] in look.adjectives):
                    at += 1
            groups.insert(at, adjective)
    return tuple(word for group in groups for word in group.text) + core[-1:]


def adjective_groups(words: Tokens, head: str) -> list[Adjective]:
    """The words before a noun, those of one look together: "dark green", "black and white"."""
    groups: list[Adjective] = []
    i = 0
    while i < len(words):
        end = i + 1
        after = words[i + 1] if i + 1 < len(words) else head
        kind = "" if (words[i], after) in lexicon.COMPOUNDS else slot(words[i])
        if words[i] in lexicon.SHADES and i + 1 < len(words) and slot(words[i + 1]) == "colour":
            end, kind = i + 2, "colour"
        while kind and end + 1 < len(words) and words[end] == "and" and slot(words[end + 1]) == kind:
            end += 2
        groups.append(Adjective(words[i:end], kind))
        i = end
    return groups


def look_of(phrase: NounPhrase) -> Look:
    """The looks that a noun phrase already says."""
    groups = adjective_groups(phrase.adjectives, phrase.head)
    return Look(tuple(group for group in groups if group.slot))


def _without_degrees(words: Tokens) -> Tokens:
    changed = True
    while changed and words:
        changed = False
        for phrase in _DEGREE_PHRASES:
            if words[: len(phrase)] == phrase and len(words) > len(phrase):
                words, changed = words[len(phrase) :], True
        if words[0] in _DEGREES and len(words) > 1 and words[1] != "of":
            words, changed = words[1:], True
    return words


def _colour_noun(tokens: Tokens) -> Tokens:
    """The colour of "a dark red colour", "the colour red", "red in colour", "a lovely shade of blue"."""
    words = tokens
    if words[-2:] in {("in", "colour"), ("in", "color")}:
        words = words[:-2]
    if words[:1] and words[0] in {"coloured", "colored", "painted"} and len(words) > 1:
        words = words[1:]
    if words[:1] and words[0] in ARTICLES:
        inner = words[1:]
        if inner[:1] and inner[0] in lexicon.ATTRIBUTES:
            rest = inner[1:]
            return rest[1:] if rest[:1] == ("of",) else rest
        if "of" in inner and inner[inner.index("of") - 1] in {"shade", "tone", "hue", "tint"}:
            return inner[inner.index("of") + 1 :]
        if len(inner) > 1 and inner[-1] in lexicon.ATTRIBUTES | {"one"} and inner[-1] != "one":
            return inner[:-1]
        if inner and all(word in {"nice", "lovely", "beautiful"} for word in inner[:-1]) and len(inner) > 1:
            return inner[-1:] if inner[-1] in lexicon.COLOURS and inner[-1] not in lexicon.ALSO_NOUNS else words
        return words
    if len(words) > 1 and words[-1] in lexicon.ATTRIBUTES:
        return words[:-1]
    return words


def _made_of(words: Tokens) -> Look | None:
    for start in _OWN_CONNECTIVES:
        rest = words[len(start) :]
        if words[: len(start)] == start and rest:
            look = _adjectives(rest[1:] if rest[0] in DETERMINERS else rest, guess=False)
            if look and all(adjective.slot in {"material", "colour"} for adjective in look.adjectives):
                return look
    return None


def _with_pattern(words: Tokens, guess: bool) -> Look | None:
    """Reads "with stripes" as striped; "with white stripes" and "blue with white stripes" stay behind the noun."""
    at = words.index("with")
    before = _adjectives(words[:at], guess) if at else Look()
    phrase = parse(words[at + 1 :])
    if before is None or phrase is None or phrase.head not in lexicon.PATTERN_NOUNS | {"pattern", "patterns"}:
        return None
    named = tuple(word for word in phrase.adjectives if slot(word) in {"colour", "size", "other"})
    if phrase.head in {"pattern", "patterns"}:
        pattern = _adjectives(phrase.adjectives, guess)
        return Look((*before.adjectives, *pattern.adjectives)) if pattern else None
    if named:
        return Look(before.adjectives, ("with", *phrase.core))
    return Look((*before.adjectives, _adjective((phrase.head,))))


def _adjectives(words: Tokens, guess: bool) -> Look | None:
    found: list[Adjective] = []
    vague = False
    i = 0
    while i < len(words):
        if words[i] in {"and", ","} and i and i + 1 < len(words):
            i += 1
            continue
        if words[i] in {"with", "to"} or words[i] in DETERMINERS:
            return None
        rest = _without_degrees(words[i:])
        i = len(words) - len(rest)
        end = i + 1
        while end < len(words) and words[end - 1] in lexicon.SHADES and slot(_repaired(words[end])) == "colour":
            end += 1
        word = _repaired(words[end - 1])
        if word in lexicon.VAGUE:
            vague = True
        elif slot(word):
            found.append(_adjective((*words[i : end - 1], word)))
        elif guess and end == len(words) and word.endswith(_SUFFIXES) and len(word) > 4:
            found.append(Adjective((word,), "other"))
        else:
            return None
        i = end
    return Look(_joined_colours(found, words), vague=vague) if found or vague else None


def _repaired(word: str) -> str:
    return mended_colour(word) or word


def _adjective(words: Tokens) -> Adjective:
    if len(words) == 1:
        word = lexicon.COMPARATIVES.get(words[0], lexicon.AS_ADJECTIVE.get(words[0], words[0]))
        return Adjective((word,), slot(word))
    return Adjective((*(lexicon.COMPARATIVES.get(word, word) for word in words[:-1]), words[-1]), slot(words[-1]))


def _joined_colours(found: list[Adjective], words: Tokens) -> tuple[Adjective, ...]:
    """Makes one look of two colours: "black and white"."""
    colours = [adjective for adjective in found if adjective.slot == "colour"]
    if len(colours) < 2:
        return tuple(found)
    texts = [" ".join(colour.text) for colour in colours]
    text = f"{', '.join(texts[:-1])} and {texts[-1]}" if "and" in words or "," in words else " ".join(texts)
    joined = Adjective(tuple(text.split()), "colour")
    first = found.index(colours[0])
    return tuple(joined if i == first else look for i, look in enumerate(found) if i == first or look.slot != "colour")
