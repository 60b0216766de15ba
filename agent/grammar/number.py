"""Number and articles of English nouns that nobody listed: is it plural, what is one of it, a or an."""

from agent.grammar.lexicon import IRREGULAR_SINGULARS, MASS, PLURAL_ONLY, SINGULAR_IN_S

_IRREGULAR_PLURALS = {one: many for many, one in IRREGULAR_SINGULARS.items()}
SAME_IN_PLURAL = frozenset(
    {"fish", "sheep", "deer", "series", "aircraft", "goldfish", "moose", "salmon", "squid", "swordfish"}
)
_LIKE_A_VOWEL = ("hour", "honest", "heir", "x-ray", "mri", "suv", "rv", "lp", "nfl", "fbi")
_LIKE_A_CONSONANT = (
    "uni",
    "use",
    "usu",
    "euro",
    "eu",
    "one",
    "once",
    "ufo",
    "ukulele",
    "uk-",
    "u-",
    "ur-",
    "ute",
    "usb",
)


def is_plural(noun: str) -> bool:
    """Whether a noun without its determiner looks like several: "balls", "men", not "bus" or "glass"."""
    if noun in PLURAL_ONLY:
        return True
    last = noun.split("-")[-1]
    if noun in SINGULAR_IN_S or last in SINGULAR_IN_S or noun in MASS:
        return False
    if last.endswith(("ss", "us", "is", "'s")) and last not in {"menus", "gurus", "emus", "tofus", "skis", "taxis"}:
        return False
    return last in IRREGULAR_SINGULARS or (last.endswith("s") and len(last) > 2)


def singular(noun: str) -> str:
    """One of them: "balls" is "ball"; what is no plural comes back unchanged."""
    if noun in IRREGULAR_SINGULARS:
        return IRREGULAR_SINGULARS[noun]
    if not is_plural(noun) or noun in PLURAL_ONLY:
        return noun
    if noun.endswith("ies") and len(noun) > 4:
        return noun[:-3] + "y"
    if noun.endswith(("ches", "shes", "sses", "xes", "zes", "uses")) and not noun.endswith(("causes", "axes")):
        return noun[:-2]
    return noun[:-1]


def plural(noun: str) -> str:
    """Several of them: "box" is "boxes"; what is a plural or the same in both comes back unchanged."""
    if noun in SAME_IN_PLURAL or is_plural(noun):
        return noun
    if noun in _IRREGULAR_PLURALS and noun not in {"die"}:
        return _IRREGULAR_PLURALS[noun]
    if noun.endswith("y") and noun[-2:-1] not in tuple("aeiou"):
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "z", "ch", "sh")) else "s")


def same_noun(a: str, b: str) -> bool:
    """Whether two nouns name the same kind of thing, one or several of it."""
    return a == b or singular(a) == singular(b)


def article(phrase: str) -> str:
    """The indefinite article: "an" before a vowel sound, else "a"."""
    if phrase.startswith(_LIKE_A_VOWEL):
        return "an"
    return "an" if phrase[:1] in "aeiou" and phrase[:1] and not phrase.startswith(_LIKE_A_CONSONANT) else "a"
