"""The English words that `referring` reads segmentation prompts with. Data only.

Nothing here says what a detector knows: nouns and attributes that are not listed go to it as they are.
"""

from instructedit_models import numerals
from instructedit_models.reference import RelationKind, Side, SizeWord

COLOURS = frozenset(
    "red green blue yellow purple orange white black pink brown grey gray golden gold silver beige violet turquoise "
    "cyan magenta crimson scarlet navy maroon tan cream ivory teal dark light bright pale colourful colorful "
    "black-and-white".split()
)
MATERIALS = frozenset(
    "plain striped dotted spotted checkered wooden metal metallic glass plastic stone brick leather paper woollen "
    "woolen furry fluffy shiny transparent old-fashioned".split()
)
NOT_ATTRIBUTES = frozenset({"golden retriever", "black bear", "polar bear", "paper plane", "stone bridge"})
"""Names that begin like an attribute but are one thing."""

BACKGROUNDS = frozenset(
    "background backdrop scenery surroundings landscape sky night sky grass lawn meadow beach sand snow wall ground "
    "floor sea ocean water".split()
) | {"night sky", "everything around", "surrounding"}

GENERIC = frozenset(
    {"one", "ones", "object", "objects", "thing", "things", "item", "items", "everything", "it", "them"}
)

SIZES: dict[str, tuple[SizeWord, bool]] = {
    "big": ("big", False), "large": ("big", False), "huge": ("big", False), "giant": ("big", False),
    "bigger": ("big", True), "larger": ("big", True), "biggest": ("big", True), "largest": ("big", True),
    "taller": ("big", True), "tallest": ("big", True),
    "small": ("small", False), "little": ("small", False), "tiny": ("small", False),
    "smaller": ("small", True), "smallest": ("small", True), "tiniest": ("small", True), "shorter": ("small", True),
    "shortest": ("small", True), "medium": ("medium", False), "medium-sized": ("medium", False),
}  # fmt: skip
"""Word: the size it means, and whether it compares."""

SIDE_ADJECTIVES: dict[str, Side] = {
    "left": "left", "leftmost": "left", "left-most": "left", "left-hand": "left",
    "right": "right", "rightmost": "right", "right-most": "right", "right-hand": "right",
    "top": "top", "topmost": "top", "upper": "top", "uppermost": "top", "highest": "top", "bottom": "bottom",
    "bottommost": "bottom", "lower": "bottom", "lowest": "bottom", "lowermost": "bottom", "middle": "middle",
    "center": "middle", "centre": "middle", "central": "middle", "nearest": "front", "closest": "front",
    "farthest": "back", "furthest": "back",
}  # fmt: skip

_SUFFIXES = {1: "st", 2: "nd", 3: "rd"}
ORDINALS = {
    **numerals.ORDINALS,
    **{f"{number}{_SUFFIXES.get(number, 'th')}": number for number in numerals.ORDINALS.values()},
    "last": -1,
}

NUMBERS = {word: number for word, number in numerals.CARDINALS.items() if number > 1}

ALL = frozenset({"all", "every", "each", "any"})
WHOLE = frozenset({"whole", "entire"})
"""Before a thing that is meant with all its parts, whatever these look like."""
DETERMINERS = WHOLE | frozenset(
    "the a an my your our his her their its this that these those some of single only one's".split()
)

RELATIONS: tuple[tuple[str, RelationKind], ...] = (
    (r"(?:that is |which is |that are |to be )?(?:sitting |standing |lying |parked |placed |located )?"
     r"(?:right |directly |just )?(?:next to|beside|near to|near|close to|closest to|nearest to|nearest|by)",
     "next_to"),
    (r"(?:on |to |at )?(?:the )?left(?:[- ]hand)?(?: side)? of", "left_of"),
    (r"(?:on |to |at )?(?:the )?right(?:[- ]hand)?(?: side)? of", "right_of"),
    (r"in front of|before", "in_front_of"),
    (r"behind|in back of", "behind"),
    (r"above|over|higher than", "above"),
    (r"below|under|underneath|beneath|lower than", "below"),
    (r"(?:in )?between", "between"),
    (r"on top of", "touching"),
    (r"(?:sitting |standing |lying |hanging |parked |placed |leaning |riding |floating )?(?:on|in|inside|into)",
     "touching"),
    (r"with|wearing|holding|carrying|has|having|riding|covered by|covered with|full of|filled with", "touching"),
)  # fmt: skip
"""Regular expression: the relation it begins. Tried in order at each place of the text."""

CONTAINERS = frozenset(
    "cup glass bottle bowl plate mug can jar slice piece group pair bunch bouquet pile stack box basket bag pot "
    "herd flock crowd loaf statue picture photo painting drawing bar".split()
)
"""Before a bare "of" these make one thing with what follows: "cup of coffee", but "handle of the cup"."""

OWNED: dict[str, tuple[str, ...]] = {
    "roof": ("house", "building", "car", "bus", "barn", "hut"),
    "door": ("house", "car", "bus", "building", "room", "truck"),
    "window": ("house", "car", "bus", "building", "truck", "train"),
    "crown": ("tree",), "trunk": ("tree", "elephant"), "leaf": ("tree", "flower", "plant"), "branch": ("tree",),
    "wheel": ("car", "bus", "truck", "bike", "bicycle", "motorcycle"),
    "petal": ("flower",), "stem": ("flower",), "ear": ("dog", "cat", "rabbit", "horse"),
    "tail": ("dog", "cat", "horse", "fish"), "sail": ("boat", "ship"), "hull": ("boat", "ship"),
    "handle": ("cup", "mug", "door", "pan"), "shade": ("lamp",), "candle": ("cake",), "ribbon": ("hat", "box"),
    "shirt": ("man", "woman", "boy", "girl", "person"), "hair": ("man", "woman", "boy", "girl", "person"),
}  # fmt: skip
"""Part: the nouns before which it is read as their part in "house door" or "car windows"."""

MAIN_PARTS = frozenset({"crown", "petals", "hull"})
"""Parts that a thing is called by: a red tree has a red crown."""

IRREGULAR_PLURALS = {
    "men": "man", "women": "woman", "children": "child", "people": "person", "feet": "foot", "teeth": "tooth",
    "mice": "mouse", "geese": "goose", "leaves": "leaf", "loaves": "loaf", "knives": "knife", "wolves": "wolf",
    "shelves": "shelf", "scarves": "scarf", "buses": "bus", "boxes": "box", "potatoes": "potato",
    "tomatoes": "tomato", "cookies": "cookie", "ties": "tie", "pies": "pie", "horses": "horse", "houses": "house",
    "noses": "nose", "roses": "rose", "vases": "vase", "oranges": "orange", "glasses": "glass", "dresses": "dress",
}  # fmt: skip
ENDS_IN_S = frozenset(
    "bus glass grass dress cactus octopus lens iris christmas tennis canvas compass mattress albatross walrus "
    "scissors trousers jeans pants shorts goggles sunglasses series species gas plus cross moss boss mess".split()
)
"""Nouns in -s that are no plural, or have no singular."""


def with_article(phrase: str) -> str:
    """The phrase after "a" or "an", by its first letter."""
    return f"an {phrase}" if phrase[0].lower() in "aeiou" else f"a {phrase}"


def singular(word: str) -> str | None:
    """The singular of an English plural, or None where the word is no plural that can be told by its form."""
    if word in IRREGULAR_PLURALS:
        return IRREGULAR_PLURALS[word]
    if word in ENDS_IN_S or not word.endswith("s") or word.endswith(("ss", "us", "is")) or len(word) < 4:
        return None
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses", "zes")):
        return word[:-2]
    return word[:-1]
