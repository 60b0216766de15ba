"""Every word of the picture world, in one place.

The world draws from these lists, and the miniature tokenizers know exactly the words in
`VOCABULARY`: a noun, colour or material that is added here is known to all of them after
the models are trained again.
"""

NOUNS = (
    "ball", "box", "star", "heart", "house", "tree", "car", "bus", "flower",
    "cat", "dog", "fish", "boat", "cup", "apple", "orange",
)  # fmt: skip

PARTS: dict[str, tuple[str, ...]] = {
    "house": ("roof", "door", "windows"),
    "tree": ("crown", "trunk"),
    "car": ("wheels", "windows"),
    "bus": ("wheels", "windows"),
    "flower": ("petals", "stem"),
    "dog": ("ears",),
    "boat": ("sail", "hull"),
    "cup": ("handle",),
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
}

MATERIALS = ("plain", "striped", "dotted", "wooden")
SIZES = ("small", "medium", "big")
BACKGROUNDS = ("grass", "beach", "snow", "wall", "night sky")
MEDIA = ("photo", "painting", "pencil drawing")

# Nouns, colours and materials that a larger world will draw. The tokenizers know them
# already, so that the embedding tables keep their size when the world grows.
_PLANNED = (
    "truck", "bird", "chair", "lamp", "shade", "hat", "ribbon", "cake", "candle", "candles",
    "pink", "brown", "golden", "sea",
)  # fmt: skip

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

VOCABULARY: tuple[str, ...] = tuple(
    dict.fromkeys(
        [
            *NOUNS,
            *map(plural, NOUNS),
            *ALL_PARTS,
            *map(singular, ALL_PARTS),
            *COLOURS,
            *SIZES,
            *(word for name in BACKGROUNDS for word in name.split()),
            *_PLANNED,
            *map(plural, ("truck", "bird", "chair", "lamp", "hat", "cake")),
            *_FUNCTION_WORDS,
            *_QUESTION_WORDS,
        ]
    )
)
"""Every word a miniature tokenizer knows, lower case, in a fixed order (append only)."""

BACKGROUND_NAMES: dict[str, str] = {"grass": "grass", "snow": "snow", "sea": "the sea"}
"""How a background is named in a sentence; the others take "a"."""

BACKGROUND_PLACES: dict[str, tuple[str, ...]] = {
    "grass": ("on grass", "on the grass"),
    "beach": ("on a beach", "on the beach", "at the beach"),
    "snow": ("on snow", "on the snow", "in the snow"),
    "wall": ("on a wall", "in front of a wall"),
    "night sky": ("in a night sky", "under a night sky", "in the night sky"),
}
"""How captions place objects before a background, the commonest first; the others take "on"."""


def background_name(background: str) -> str:
    """The background as a noun phrase: "grass", "a beach", "a night sky"."""
    return BACKGROUND_NAMES.get(background, f"a {background}")


def background_places(background: str) -> tuple[str, ...]:
    """The phrases that place objects before a background, the commonest first: "on a beach", ..."""
    return BACKGROUND_PLACES.get(background, (f"on {background_name(background)}",))
