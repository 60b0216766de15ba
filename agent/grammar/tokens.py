"""Words of an instruction: normalised, contractions opened, quotes and emphasis taken off, typos mended.

A token is a lower-case word or one of the marks `MARKS`; "'s" stands for a possessive.
"""

import re
import unicodedata

from agent.grammar import lexicon
from instructedit_models.numerals import CARDINALS, ORDINAL_WORDS, nth

Tokens = tuple[str, ...]

_PLAIN_MARKS = str.maketrans("’‘`´“”…", "''''\"\".")
ARROW = "->"
STOP = "."
MARKS = frozenset({",", STOP, "?", ":", ARROW})

_ARROWS = re.compile(r"-+>|=+>|→|⇒|➔|➜|⟶|>>+|>")
_TOKEN = re.compile(r"->|'s\b|'(?=\s)|[^\W_]+(?:[-'][^\W_]+)*|[.,;:!?()\n]")
_CONTRACTIONS = {
    "i'd": "i would", "i'm": "i am", "i've": "i have", "i'll": "i will", "let's": "let us", "lets": "let us",
    "it's": "it is", "that's": "that is", "what's": "what is", "who's": "who is", "where's": "where is",
    "there's": "there is", "here's": "here is", "he's": "he is", "she's": "she is", "how's": "how is",
    "don't": "do not", "dont": "do not", "doesn't": "does not", "isn't": "is not", "isnt": "is not",
    "aren't": "are not", "wasn't": "was not", "can't": "can not", "cant": "can not", "cannot": "can not",
    "couldn't": "could not", "wouldn't": "would not", "won't": "will not", "shouldn't": "should not",
    "you'd": "you would", "you're": "you are", "we'd": "we would", "they're": "they are", "it'd": "it would",
    "that'd": "that would", "im": "i am", "id": "i would", "wanna": "want to", "gonna": "going to",
    "gotta": "have to", "gimme": "give me", "lemme": "let me", "whats": "what is", "thats": "that is",
    "didn't": "did not", "hasn't": "has not", "haven't": "have not", "it'll": "it will", "y'all": "you",
}  # fmt: skip
_SPELLINGS = {
    "u": "you", "ur": "your", "pls": "please", "plz": "please", "plse": "please", "pleas": "please", "thx": "thanks",
    "ty": "thanks", "teh": "the", "hte": "the", "wiht": "with", "wtih": "with", "wit": "with", "wih": "with",
    "wth": "with", "w": "with", "adn": "and", "nad": "and", "&": "and", "n": "and", "inot": "into", "itno": "into",
    "colr": "colour", "colur": "colour", "coulour": "colour", "clour": "colour", "collor": "colour",
    "coulor": "colour", "coluor": "colour", "colro": "colour", "coler": "color", "backgroud": "background",
    "backround": "background", "bakground": "background", "bg": "background", "backgorund": "background",
    "shoud": "should", "shuold": "should", "shold": "should", "becuase": "because", "insted": "instead",
    "intead": "instead", "instaed": "instead", "coud": "could", "cuold": "could", "cud": "could", "wud": "would",
    "shud": "should", "woud": "would", "im": "i am", "pic": "picture", "polkadot": "polka-dot", "bothe": "both",
    "al": "all", "evry": "every", "leftt": "left", "rigth": "right", "rihgt": "right", "lft": "left", "thier": "their",
    "lampshade": "lamp shade", "lampshades": "lamp shades", "rooftop": "roof", "rooftops": "roofs",
}  # fmt: skip
_JOINED = {
    ("polka", "dot"): "polka-dot",
    ("polka", "dots"): "polka-dots",
    ("polka", "dotted"): "polka-dotted",
    ("left", "hand"): "left-hand",
    ("right", "hand"): "right-hand",
    ("in", "to"): "into",
    ("on", "to"): "onto",
    ("spray", "paint"): "spray-paint",
    ("left", "most"): "leftmost",
    ("right", "most"): "rightmost",
    ("tie", "dye"): "tie-dye",
    ("something", "else"): "something-else",
    ("medium", "sized"): "medium-sized",
    ("upside", "down"): "upside-down",
}
_NOT_BEFORE = {("in", "to"): frozenset({"be"})}
NUMBERS = {str(number): word for word, number in CARDINALS.items()}
_TOLD_APART = frozenset(
    "reed wooded pinky back pin old tea rest real red read wine bed rod tan land bread gran gray grey great ping "
    "pine link lack block tine lie line line-up while wheat rite rid green-house golf hold bold cold told sold "
    "fold goal bowl brow crow grown crown drown broad tank than peace teach reach beach live alive oliver lives "
    "like lame lamp lace game ember robe rode route nose hose pose rows piano silver-ware sliver slice quiver "
    "route lined blues".split()
)


def tokenize(text: str) -> Tokens:
    """The words and marks of a text, in order."""
    text = unicodedata.normalize("NFKC", text).lower()
    text = text.translate(_PLAIN_MARKS)
    text = re.sub(r"\s[-–—]+\s|[–—]+|--+(?!>)", " , ", text)
    text = _ARROWS.sub(" -> ", text).replace("&", " and ").replace("#", " ")
    text = re.sub(r"(?:^|(?<=[\s.,;:]))\d{1,2}[.)](?=\s)", " . ", text)  # "1. make …"
    text = _without_quotes(text)
    words: list[str] = []
    for token in _TOKEN.findall(text):
        words.extend(_word(token))
    return _joined(_digits(words))


def sentences(tokens: Tokens) -> list[Tokens]:
    """The tokens between full stops, question marks kept at the end of their sentence."""
    found: list[Tokens] = []
    current: list[str] = []
    for token in tokens:
        if token in {STOP, "?"}:
            if current:
                found.append((*current, "?") if token == "?" else tuple(current))
            current = []
        else:
            current.append(token)
    return [*found, tuple(current)] if current else found


def join(tokens: Tokens) -> str:
    """The tokens as text: ("dog", "'s", "ears") is "dog's ears"."""
    return " ".join(tokens).replace("s 's", "s'").replace(" 's", "'s").replace(" ,", ",").replace("bus'", "bus's")


def mended_colour(word: str) -> str | None:
    """The colour that a misspelt word must mean: "blu" and "yelow"; None for every other word."""
    if len(word) < 3 or word in _TOLD_APART or word in _KNOWN_LOOKS or word.removesuffix("s") in _KNOWN_LOOKS:
        return None
    for colour in _COMMON_COLOURS:
        mixed_up = len(colour) >= 5 and sorted(word) == sorted(colour)
        if word[0] == colour[0] and edit_distance(word, colour) <= 1 + mixed_up:
            other_letter = len(word) == len(colour) and sorted(word) != sorted(colour)
            if not other_letter or len(colour) >= 6:
                return colour
    return None


_KNOWN_LOOKS = (
    lexicon.COLOURS | lexicon.MATERIALS | lexicon.PATTERNS | lexicon.SIZES | lexicon.OTHER_LOOKS | lexicon.SHADES
) | set(lexicon.AS_ADJECTIVE)
_COMMON_COLOURS = (
    "red", "green", "blue", "yellow", "purple", "orange", "white", "black", "pink", "brown", "grey", "golden",
    "silver", "violet", "turquoise", "beige", "striped", "wooden", "dotted",
)  # fmt: skip


def is_typo(word: str, meant: str) -> bool:
    """Whether `word` is `meant` with one slip (two from seven letters on), the same first letter or a swapped one."""
    if word == meant or not word or abs(len(word) - len(meant)) > 2:
        return False
    allowed = 2 if len(meant) >= 7 else 1
    if len(meant) <= 4 and len(word) == len(meant) and sorted(word) != sorted(meant):
        return False  # "rad", "bake": another letter makes another word
    if len(meant) <= 4 and len(word) > len(meant) and not _doubled(word, meant):
        return False
    if word[0] != meant[0] and sorted(word[:2]) != sorted(meant[:2]):
        return False
    return edit_distance(word, meant) <= allowed


def _doubled(word: str, meant: str) -> bool:
    return any(word[i] == word[i - 1] and word[:i] + word[i + 1 :] == meant for i in range(1, len(word)))


def edit_distance(a: str, b: str) -> int:
    """Insertions, deletions, substitutions and swaps of neighbours from one word to the other."""
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


def _without_quotes(text: str) -> str:
    text = re.sub(r"[\"*_~«»„]", " ", text)
    return re.sub(r"(?<!\w)'([^']*)'(?!\w)", r" \1 ", text)


def _word(token: str) -> list[str]:
    if token in {"!", "\n", STOP}:
        return [STOP]
    if token in {"(", ")", ";"}:
        return [","]
    if token in MARKS or token == "'s":
        return [token]
    if token == "'":
        return ["'s"]  # "the dogs' ears"
    if token in _CONTRACTIONS:
        return _CONTRACTIONS[token].split()
    if token.endswith("'s") and len(token) > 2:
        return [_spelt(token[:-2]), "'s"]
    return _spelt(token).split()


def _spelt(word: str) -> str:
    if word in _SPELLINGS:
        return _SPELLINGS[word]
    number = nth(word) or 0
    return ORDINAL_WORDS[number - 1] if 1 <= number <= len(ORDINAL_WORDS) else word


def _digits(words: list[str]) -> list[str]:
    """Reads "bus 2 a car" as "bus to a car", and writes every other small number out."""
    result = []
    for i, word in enumerate(words):
        follows = words[i + 1] if i + 1 < len(words) else ""
        if word in {"2", "4"} and i and follows in {"a", "an", "the"}:
            result.append("to" if word == "2" else "for")
        else:
            result.append(NUMBERS.get(word, word))
    return result


def _joined(words: list[str]) -> Tokens:
    result: list[str] = []
    i = 0
    while i < len(words):
        pair = (words[i], words[i + 1]) if i + 1 < len(words) else ("", "")
        if pair in _JOINED and (words[i + 2] if i + 2 < len(words) else "") not in _NOT_BEFORE.get(pair, ()):
            result.append(_JOINED[pair])
            i += 2
        else:
            result.append(words[i])
            i += 1
    return tuple(result)
