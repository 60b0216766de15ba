"""Classes of small words, and whether a word is a look, a participle or the beginning of a preposition."""

from agent.grammar import lexicon
from agent.grammar.tokens import ARROW, MARKS, NUMBERS, Tokens, mended_colour

ARTICLES = frozenset({"the", "a", "an"})

DETERMINERS = frozenset(
    "the a an this that these those my your his her its our their some another any no such either".split()
)

DEFINITE = frozenset("the this that these those my your his her its our their".split())

POSSESSIVES = frozenset("his her its their".split())

PRONOUNS = frozenset("it him her them this that these those he she they itself himself herself themselves".split())

QUANTIFIERS = frozenset("all both each every any".split())

NUMERALS = frozenset(NUMBERS.values()) | {"several", "many", "few", "couple"}

PREPOSITIONS = frozenset(
    "on in at with near by beside behind under over above below beneath between among inside outside around against "
    "from without along across underneath atop opposite upon within beyond through off past amid onto".split()
)

EXCLUDING = ("except for", "except", "apart from", "other than", "but not", "but", "besides", "excluding", "aside from")

_JOINED_PREPOSITIONS: tuple[Tokens, ...] = tuple(
    tuple(phrase.split())
    for phrase in (
        "next to", "in front of", "on top of", "to the left of", "to the right of", "on the left of", "on the right of",
        "left of", "right of", "close to", "adjacent to", "at the left of", "at the right of", "in back of",
        "on the left side of", "on the right side of", "in the middle of", "in the center of", "in the centre of",
        "to the left side of", "to the right side of", "at the top of", "at the bottom of", "closest to", "nearest to",
        "nearest", "furthest from", "farthest from", "away from", "facing", "wearing", "holding", "carrying",
        *EXCLUDING,
        "not", "and not", "underneath",
    )
)  # fmt: skip

PLACES = frozenset("there here outside behind above below upstairs downstairs nearby left right".split())

DIRECTIONS: tuple[Tokens, ...] = (("to", "the", "left"), ("to", "the", "right"), ("to", "the", "far", "left"),
                                   ("to", "the", "far", "right"))  # fmt: skip

RELATIVES = frozenset("that which who whose where".split())

RELATIVE_VERBS = frozenset("is are was were has have looks look stands sits lies".split())

_NO_PARTICIPLES = frozenset(
    "building ring king wing string painting ceiling clothing earring pudding wedding spring swing sling thing "
    "things everything something nothing anything being evening morning dumpling duckling sibling darling viking "
    "railing awning lightning icing topping frosting drawing lining rigging fencing sterling herring wings rings "
    "kings buildings paintings earrings ceilings strings swings duckling gosling dwelling bling dressing stuffing "
    "offspring".split()
)

PAST_PARTICIPLES = frozenset("seated parked covered made filled shaped painted hidden called placed lying".split())

FUNCTION_WORDS = (
    DETERMINERS
    | PRONOUNS
    | PREPOSITIONS
    | RELATIVES
    | MARKS
    | frozenset(
        "to into for as of and or but is are was were be been being am do does did has have had can could will would "
        "shall should may might must not if then so than too very what how why when who whom whose there here i you we "
        "me us please thanks thank like instead rather except because just also though although while until since "
        "make replace convert transform remove recolour recolor give add put become becomes becoming substitute let "
        "want swap erase delete yourself myself ours yours mine hers theirs let's dont never always maybe now both "
        "all each every more most less least".split()
    )
    | {"'s", ARROW}
)


def is_participle(word: str) -> bool:
    """Whether a word alone is what somebody does or how something stands: "sitting", "parked"."""
    return word in PAST_PARTICIPLES or (word.endswith("ing") and len(word) > 5 and word not in _NO_PARTICIPLES)


def begins_participle(tokens: Tokens, i: int) -> bool:
    """Whether what stands at `i` says what the noun before it does: "man | sitting on a bench"."""
    word, after = tokens[i], tokens[i + 1 :]
    if word in PAST_PARTICIPLES:
        return bool(after) and (after[0] in PREPOSITIONS | {"of", "like"} or joined_preposition(after) > 0)
    if not word.endswith("ing") or len(word) < 6 or word in _NO_PARTICIPLES:
        return False
    return not after or after[0] in FUNCTION_WORDS  # "man sitting on a bench", not "old dining table"


def joined_preposition(tokens: Tokens) -> int:
    """The length of the preposition of several words that begins here, or 0."""
    fitting = [len(phrase) for phrase in _JOINED_PREPOSITIONS if tokens[: len(phrase)] == phrase]
    return max(fitting, default=0)


def is_look(word: str) -> bool:
    """Whether a word can say what a thing looks like."""
    return (
        word in lexicon.MATERIALS
        or word in lexicon.PATTERNS
        or word in lexicon.SIZES
        or word in lexicon.OTHER_LOOKS
        or word in lexicon.COMPARATIVES
        or word in lexicon.AS_ADJECTIVE
        or (mended_colour(word) is not None)
        or is_colour(word)
    )


def is_colour(word: str) -> bool:
    """Whether a word is a colour or several: "red", "blue-green", "black-and-white"."""
    return all(part in lexicon.COLOURS or (part == "and" and "-" in word) for part in word.split("-"))


def is_look_only(word: str) -> bool:
    """Whether a word says what a thing looks like and cannot be the thing."""
    if word in lexicon.ALSO_NOUNS or word in lexicon.PATTERN_NOUNS or word == "spots":
        return False
    known = is_look(word) and mended_colour(word) is None
    return (known or word in lexicon.VAGUE) and word not in {"wood", "squares"}
