"""Every word of the picture world, in one place.

`seeds` says which scenes draw from all of these lists, and which from the first words alone.
The miniature tokenizers know exactly the words in `VOCABULARY`: a noun, colour or material
that is added here is known to all of them after the models are trained again.
"""

FIRST_NOUNS = (
    "ball", "box", "star", "heart", "house", "tree", "car", "bus", "flower",
    "cat", "dog", "fish", "boat", "cup", "apple", "orange",
)  # fmt: skip
LATER_NOUNS = ("truck", "bird", "chair", "lamp", "hat", "cake")
NOUNS = FIRST_NOUNS + LATER_NOUNS

PARTS: dict[str, tuple[str, ...]] = {
    "house": ("roof", "door", "windows"),
    "tree": ("crown", "trunk"),
    "car": ("wheels", "windows"),
    "bus": ("wheels", "windows"),
    "flower": ("petals", "stem"),
    "dog": ("ears",),
    "boat": ("sail", "hull"),
    "cup": ("handle",),
    "truck": ("wheels", "windows"),
    "lamp": ("shade",),
    "hat": ("ribbon",),
    "cake": ("candles",),
}

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 45, 40),
    "green": (52, 160, 66),
    "blue": (45, 92, 212),
    "yellow": (246, 208, 48),
    "purple": (142, 64, 180),
    "orange": (242, 134, 36),
    "white": (240, 240, 238),
    "black": (44, 44, 50),
    "pink": (248, 150, 190),
    "brown": (132, 78, 42),
    "golden": (190, 142, 36),
}
LATER_COLOURS = ("pink", "brown", "golden")

MATERIALS = ("plain", "striped", "dotted", "wooden")
SIZES = ("small", "medium", "big")
LATER_BACKGROUNDS = ("sea",)
BACKGROUNDS = ("grass", "beach", "snow", "wall", "night sky", *LATER_BACKGROUNDS)
MEDIA = ("photo", "painting", "pencil drawing")

_IRREGULAR = {"box": "boxes", "bus": "buses", "fish": "fish", "leaf": "leaves"}
_PLURAL_PARTS = ("windows", "wheels", "petals", "ears", "candles")

_QUESTION_WORDS = "arts describe except see you can but only they them".split()

_FUNCTION_WORDS = (
    "a an the of on in at with and or is are there this that it its no not any one two three four "
    "how many what which where who colour color material kind size medium background picture image "
    "photo photograph painting pencil drawing art sketch other another both all every each some "
    "left right top bottom middle centre center upper lower leftmost rightmost topmost bottommost "
    "first second third last from to big bigger biggest large larger largest small smaller smallest "
    "medium-sized tiny little next near beside behind front above below under over between "
    "plain striped dotted wooden stripes dots wood made object objects thing things part parts "
    "side corner holds shows showing scene shape looks like has have does do colours colors "
    "yes none zero . ? , : ' s"
).split()


def plural(noun: str) -> str:
    """The plural of a world noun: `plural("bus") == "buses"`."""
    if noun in _PLURAL_PARTS:
        return noun
    return _IRREGULAR.get(noun, noun + "s")


def singular(word: str) -> str:
    """The singular of a world noun or part; other words come back unchanged."""
    return _SINGULAR.get(word, word)


ALL_PARTS = tuple(dict.fromkeys(part for parts in PARTS.values() for part in parts))
"""Every part of any noun, once, in a fixed order."""

_SINGULAR = {plural(noun): noun for noun in NOUNS} | {part: part.removesuffix("s") for part in _PLURAL_PARTS}

_FIRST_PARTS = ALL_PARTS[: ALL_PARTS.index("shade")]
_LATER_LIKE = {
    "truck": "bus", "bird": "fish", "chair": "box", "lamp": "cup", "shade": "roof", "hat": "cup", "ribbon": "sail",
    "cake": "box", "candle": "stem", "candles": "petals", "pink": "red", "brown": "orange", "golden": "yellow",
    "sea": "beach",
}  # fmt: skip

VOCABULARY: tuple[str, ...] = tuple(
    dict.fromkeys(
        [
            *FIRST_NOUNS,
            *map(plural, FIRST_NOUNS),
            *_FIRST_PARTS,
            *map(singular, _FIRST_PARTS),
            *(colour for colour in COLOURS if colour not in LATER_COLOURS),
            *SIZES,
            *(word for name in BACKGROUNDS if name not in LATER_BACKGROUNDS for word in name.split()),
            *_LATER_LIKE,
            *map(plural, LATER_NOUNS),
            *_FUNCTION_WORDS,
            *_QUESTION_WORDS,
        ]
    )
)
"""Every word a miniature tokenizer knows, lower case, in a fixed order (append only)."""

LATER_WORDS: dict[str, str] = _LATER_LIKE | {plural(noun): plural(_LATER_LIKE[noun]) for noun in LATER_NOUNS}
"""The words that the tokenizers know and the first scenes do not, and a known word that each is most like."""

BACKGROUND_NAMES: dict[str, str] = {"grass": "grass", "snow": "snow", "sea": "the sea"}
"""How a background is named in a sentence; the others take "a"."""

BACKGROUND_PLACES: dict[str, tuple[str, ...]] = {
    "grass": ("on grass", "on the grass"),
    "beach": ("on a beach", "on the beach", "at the beach"),
    "snow": ("on snow", "on the snow", "in the snow"),
    "wall": ("on a wall", "in front of a wall"),
    "night sky": ("in a night sky", "under a night sky", "in the night sky"),
    "sea": ("on the sea", "in the sea", "at the sea"),
}
"""How captions place objects before a background, the commonest first; the others take "on"."""


def background_name(background: str) -> str:
    """The background as a noun phrase: "grass", "a beach", "a night sky"."""
    return BACKGROUND_NAMES.get(background, f"a {background}")


def background_places(background: str) -> tuple[str, ...]:
    """The phrases that place objects before a background, the commonest first: "on a beach", ..."""
    return BACKGROUND_PLACES.get(background, (f"on {background_name(background)}",))
