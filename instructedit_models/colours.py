"""Colour words and what they look like: is the edited thing the colour that was asked for?

`verification` asks it beside CLIP, since a median over the mask is not swayed by what stands around it; `own_look`
asks it what colour a thing is that shall keep it. The words and
their values are common English ones (CSS and the survey names of xkcd, rounded), not any picture world's.
"""

from collections.abc import Sequence

import numpy as np

__all__ = [
    "BASIC",
    "COLOURS",
    "ColourMatch",
    "asked_colour",
    "colour_of",
    "colour_shares",
    "difference",
    "lab",
    "match",
]

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (215, 35, 35), "green": (45, 150, 60), "blue": (45, 90, 210), "yellow": (248, 215, 45),
    "purple": (130, 50, 170), "orange": (245, 130, 30), "white": (245, 245, 245), "black": (25, 25, 28),
    "pink": (250, 145, 185), "brown": (125, 75, 40), "grey": (128, 128, 128), "beige": (225, 205, 165),
    "turquoise": (60, 200, 190), "cyan": (30, 205, 225), "magenta": (210, 40, 150), "navy": (20, 30, 100),
    "maroon": (115, 15, 30), "violet": (145, 70, 200), "gold": (212, 170, 50), "silver": (190, 192, 195),
    "crimson": (180, 20, 45), "scarlet": (230, 40, 25), "teal": (15, 125, 125), "cream": (250, 240, 205),
    "tan": (205, 170, 125), "ivory": (250, 247, 230), "lime": (140, 220, 40), "olive": (115, 120, 35),
    "lilac": (200, 160, 215), "indigo": (65, 20, 130), "golden": (198, 150, 45),
}  # fmt: skip
"""sRGB, 0 to 255."""

SAME = {"gray": "grey", "lavender": "lilac"}
BASIC = ("red", "green", "blue", "yellow", "purple", "orange", "white", "black", "pink", "brown", "grey")
"""The words that a colour is called by; the others are shades, compared with these and with themselves."""

_LIGHTNESS = 0.5
"""Weight of a difference in lightness: shading, light and the medium change it more than the hue."""
_TOLERANCE = 1.1
"""A shade ("navy") may be this much farther than the nearest word: its border with the basic colour is soft."""


class ColourMatch:
    """What a colour is, compared with the colour that was asked for.

    Attributes:
        asked: the word.
        nearest: the basic word (or the asked one) that is nearest to what is seen.
        passed: whether the asked colour is nearest, or, of a shade, nearly so.
        distance: from what is seen to the asked colour; 20 is a clear difference, 100 another colour.
    """

    __slots__ = ("asked", "distance", "nearest", "passed")

    def __init__(self, asked: str, nearest: str, passed: bool, distance: float) -> None:
        self.asked, self.nearest, self.passed, self.distance = asked, nearest, passed, distance


def asked_colour(input_caption: str, edited_caption: str) -> str | None:
    """The colour word that an edit asks for where it changes nothing but a colour, else None.

    "photo of a red car" -> "photo of a blue car" asks for "blue"; another noun, a new pattern or two colours ask
    for more than a median can tell.
    """
    before, after = _words(input_caption), _words(edited_caption)
    added = [word for word in after if word not in before]
    removed = [word for word in before if word not in after]
    colours = [word for word in added if word in COLOURS]
    if len(colours) != 1 or any(word not in COLOURS and word not in _SHADES for word in (*added, *removed)):
        return None
    return None if set(after) & _JOINED else colours[0]


def colour_of(image: np.ndarray, mask: np.ndarray) -> tuple[float, float, float]:
    """The median of each channel inside a mask.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool, not empty.
    """
    red, green, blue = np.median(image[mask], axis=0)
    return float(red), float(green), float(blue)


def match(rgb: Sequence[float], asked: str, among: Sequence[str] = BASIC) -> ColourMatch:
    """Whether a colour (R, G, B, 0 to 255) goes by a word of `COLOURS` rather than by one of those it is `among`."""
    names = tuple(dict.fromkeys((*among, asked)))
    distances = {name: difference(rgb, COLOURS[name]) for name in names}
    nearest = min(distances, key=distances.__getitem__)
    tolerance = 1.0 if asked in among else _TOLERANCE
    return ColourMatch(asked, nearest, distances[asked] <= distances[nearest] * tolerance, distances[asked])


def difference(one: Sequence[float], other: Sequence[float]) -> float:
    """How far apart two colours (R, G, B, 0 to 255) are in CIE L*a*b*, lightness counting half; 20 is clear."""
    a, b = (lab(np.asarray(rgb, dtype=np.float64)) for rgb in (one, other))
    return float(np.sqrt((_LIGHTNESS * (a[0] - b[0])) ** 2 + ((a[1:] - b[1:]) ** 2).sum()))


def neighbours(one: str, other: str) -> bool:
    """Whether two colour words stand for colours that border on each other, as yellow and orange do."""
    a, b = (lab(np.asarray(COLOURS[word], dtype=np.float64)) for word in (one, other))
    return float(np.linalg.norm(a - b)) < _BORDERING


_BORDERING = 55.0
"""CIE L*a*b*: blue and purple are 31 apart, yellow and orange 49, green and yellow 67."""


def colour_shares(image: np.ndarray, mask: np.ndarray, among: Sequence[str] = BASIC) -> dict[str, float]:
    """Which share of the pixels inside a mask goes by each colour word, 0 to 1; {} where there are none.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool.
        among: words of `COLOURS`.
    """
    pixels = image[mask]
    if not len(pixels) or not among:
        return {}
    pixels = pixels[:: max(1, len(pixels) // _LOOKED_AT)].astype(np.float64)
    wanted = lab(np.array([COLOURS[name] for name in among], dtype=np.float64))
    difference = (lab(pixels)[:, None] - wanted) * np.array([_LIGHTNESS, 1.0, 1.0])
    counts = np.bincount(np.square(difference).sum(axis=2).argmin(axis=1), minlength=len(among))
    return {name: float(count) / len(pixels) for name, count in zip(among, counts, strict=True)}


_LOOKED_AT = 4000
"""Pixels that `colour_shares` looks at, about, spread over the mask."""
_SHADES = frozenset("light dark bright pale deep vivid pastel a an the plain".split())
_JOINED = frozenset({"with", "and"})


def _words(caption: str) -> list[str]:
    words = caption.lower().replace(",", " ").split()
    return [SAME.get(word, word) for word in words]


def lab(rgb: np.ndarray) -> np.ndarray:
    """From sRGB (..., 3) float, 0 to 255, to CIE L*a*b* under D65, (..., 3)."""
    linear = np.where(rgb / 255 <= 0.04045, rgb / 255 / 12.92, ((rgb / 255 + 0.055) / 1.055) ** 2.4)
    matrix = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ matrix.T / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
