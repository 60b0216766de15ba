"""Where the scenes of the picture world are set; `media` then paints them in its manner.

To add a background, write a function that draws on a `Sheet` and name it in `BACKGROUNDS`. Keep textures
coarse and of low contrast: the objects are what a picture is about, and a small autoencoder must hold it all.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from instructedit_models.miniature.textures import noise

RGB = tuple[int, int, int]

_OVERSAMPLING = 2


class Sheet:
    """A canvas in units of 0..100 (x right, y down) on which a background is drawn with flat shapes."""

    def __init__(self, size: int, colour: RGB) -> None:
        """Start a sheet of `size` pixels a side, filled with a colour."""
        self.size = size
        self._scale = size * _OVERSAMPLING / 100
        self._image = Image.new("RGB", (size * _OVERSAMPLING,) * 2, colour)
        self._draw = ImageDraw.Draw(self._image)

    def fill(self, points: np.ndarray, colour: RGB) -> None:
        """Fill a polygon of (N, 2) points."""
        self._draw.polygon((points * self._scale).ravel().tolist(), fill=colour)

    def below(self, height: np.ndarray, colour: RGB) -> None:
        """Fill everything below a line; `height` holds y at equal steps of x from 0 to 100."""
        x = np.linspace(0, 100, len(height))
        self.fill(np.concatenate([np.stack([x, height], 1), [[100, 101], [0, 101]]]), colour)

    def bar(self, x0: float, y0: float, x1: float, y1: float, colour: RGB) -> None:
        """Fill an upright rectangle."""
        s = self._scale
        self._draw.rectangle((x0 * s, y0 * s, x1 * s, y1 * s), fill=colour)

    def disc(self, x: float, y: float, rx: float, ry: float, colour: RGB) -> None:
        """Fill an ellipse."""
        s = self._scale
        self._draw.ellipse(((x - rx) * s, (y - ry) * s, (x + rx) * s, (y + ry) * s), fill=colour)

    def stroke(self, points: list[tuple[float, float]], width: float, colour: RGB) -> None:
        """Draw an open line."""
        s = self._scale
        self._draw.line([(x * s, y * s) for x, y in points], fill=colour, width=max(1, round(width * s)))

    def pixels(self) -> np.ndarray:
        """The sheet as (size, size, 3) float32 in 0..255."""
        return np.asarray(self._image.reduce(_OVERSAMPLING), dtype=np.float32)


def background(name: str, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a background without any medium, (size, size, 3) float32 in 0..255."""
    picture = BACKGROUNDS[name](size, rng)
    return picture + 2.5 * noise("broad", (size, size), rng)[..., None]


def _hills(rng: np.random.Generator, level: float, height: float, waves: float) -> np.ndarray:
    x = np.linspace(0, 1, 17)
    a, b = rng.random(2)
    return level + height * (np.sin(2 * np.pi * (waves * x + a)) + 0.4 * np.sin(2 * np.pi * (2.3 * waves * x + b)))


def _clouds(sheet: Sheet, rng: np.random.Generator, colour: RGB, count: int) -> None:
    for x, y, s in rng.random((count, 3)):
        x, y, s = 100 * x, 5 + 9 * y, 0.8 + 0.5 * s
        for dx, dy, r in ((-6, 1, 3.2), (-1, -1, 4.4), (5, 0.6, 3.6)):
            sheet.disc(x + dx * s, y + dy * s, 1.3 * r * s, 0.8 * r * s, colour)


def _grass(size: int, rng: np.random.Generator) -> np.ndarray:
    sheet = Sheet(size, (170, 216, 246))
    _clouds(sheet, rng, (244, 250, 254), 2)
    level = rng.uniform(20, 30)
    sheet.below(_hills(rng, level, 3.5, 1.1), (176, 218, 128))
    sheet.below(_hills(rng, level + 11, 2.5, 0.8), (150, 204, 104))
    for x, y, tall in rng.random((22, 3)):
        x, y = 100 * x, level + 17 + (80 - level) * y
        tall = 2.2 + 2.2 * tall
        for lean in (-1.5, 0.0, 1.5):
            sheet.stroke([(x, y), (x + lean, y - tall)], 0.9, (122, 184, 84))
    for k, (x, y) in enumerate(rng.random((7, 2))):
        colour = ((255, 252, 240), (255, 226, 120), (250, 200, 214))[k % 3]
        sheet.disc(100 * x, level + 18 + (76 - level) * y, 1.1, 1.1, colour)
    return sheet.pixels()


def _beach(size: int, rng: np.random.Generator) -> np.ndarray:
    sheet = Sheet(size, (184, 226, 248))
    _clouds(sheet, rng, (246, 251, 254), 1)
    level = rng.uniform(14, 21)
    sheet.bar(0, level, 100, 100, (92, 184, 216))
    for x, y in rng.random((7, 2)):
        x, y = 110 * x - 10, level + 3 + 12 * y
        sheet.stroke([(x, y), (x + 3, y - 1), (x + 6, y), (x + 9, y - 1), (x + 12, y)], 0.9, (140, 208, 230))
    shore = _hills(rng, level + 19, 1.8, 1.6)
    sheet.below(shore - 2.4, (238, 248, 250))
    sheet.below(shore, (232, 208, 156))
    sheet.below(shore + 4, (243, 224, 176))
    for x, y, s in rng.random((18, 3)):
        sheet.disc(100 * x, level + 28 + (72 - level) * y, 1.5 + 2.5 * s, 0.7 + 0.5 * s, (234, 212, 162))
    for x, y in rng.random((5, 2)):
        sheet.disc(100 * x, level + 32 + (66 - level) * y, 1.2, 0.9, (252, 244, 230))
    return sheet.pixels()


def _snow(size: int, rng: np.random.Generator) -> np.ndarray:
    sheet = Sheet(size, (178, 198, 224))
    level = rng.uniform(22, 32)
    sheet.below(_hills(rng, level, 5.0, 1.0), (214, 226, 242))
    sheet.below(_hills(rng, level + 9, 3.0, 0.7), (240, 245, 252))
    for x, y, s in rng.random((7, 3)):
        sheet.disc(100 * x, level + 22 + (72 - level) * y, 6 + 8 * s, 0.8 + 0.7 * s, (220, 230, 245))
    for x, y, s in rng.random((34, 3)):
        sheet.disc(100 * x, 100 * y, 0.8 + 0.7 * s, 0.8 + 0.7 * s, (254, 254, 255))
    return sheet.pixels()


_BRICKS: tuple[tuple[RGB, RGB], ...] = (
    ((206, 152, 130), (226, 192, 174)),
    ((212, 178, 146), (232, 208, 184)),
    ((196, 160, 152), (220, 196, 190)),
)


def _wall(size: int, rng: np.random.Generator) -> np.ndarray:
    brick, mortar = _BRICKS[int(rng.integers(len(_BRICKS)))]
    sheet = Sheet(size, mortar)
    tall, wide, gap = 10.5, 21.0, 1.6
    shift = float(rng.uniform(-wide, 0))
    tones = 1 + 0.05 * (2 * rng.random((9, 7)) - 1)
    for row in range(9):
        y = row * tall - 3
        for column in range(7):
            x = shift + column * wide - (row % 2) * wide / 2
            r, g, b = (round(channel * tones[row, column]) for channel in brick)
            sheet.bar(x, y, x + wide - gap, y + tall - gap, (r, g, b))
    floor = rng.uniform(82, 86)
    sheet.bar(0, floor - 4, 100, floor, (242, 234, 222))
    sheet.bar(0, floor, 100, 100, (178, 152, 128))
    sheet.bar(0, floor, 100, floor + 0.7, (150, 126, 106))
    return sheet.pixels()


def _night_sky(size: int, rng: np.random.Generator) -> np.ndarray:
    sheet = Sheet(size, (0, 0, 0))
    top, bottom = np.asarray((24, 30, 84), dtype=float), np.asarray((78, 74, 150), dtype=float)
    for k in range(32):
        r, g, b = (round(float(channel)) for channel in top + (bottom - top) * (k / 31))
        sheet.bar(0, k * 100 / 32, 100, 100, (r, g, b))
    for x, y, s in rng.random((30, 3)):
        spark = 0.55 + 0.6 * s * s
        sheet.disc(100 * x, 90 * y, spark, spark, (255, 248, 214) if s > 0.4 else (196, 200, 236))
    _moon(sheet, rng.uniform(12, 88), rng.uniform(9, 16), rng.uniform(6, 8))
    sheet.below(_hills(rng, 91, 2.5, 0.9), (40, 44, 96))
    return sheet.pixels()


def _moon(sheet: Sheet, x: float, y: float, r: float) -> None:
    sheet.disc(x, y, 1.35 * r, 1.35 * r, (58, 62, 124))
    sheet.disc(x, y, r, r, (253, 240, 190))
    for dx, dy, crater in ((-0.3, -0.25, 0.24), (0.32, 0.1, 0.18), (-0.1, 0.42, 0.15)):
        sheet.disc(x + dx * r, y + dy * r, crater * r, crater * r, (234, 216, 160))


def _sea(size: int, rng: np.random.Generator) -> np.ndarray:
    sheet = Sheet(size, (250, 222, 190))
    level = rng.uniform(16, 24)
    for k, colour in enumerate(((252, 228, 196), (252, 214, 178), (250, 200, 168))):
        sheet.bar(0, level * k / 3, 100, level, colour)
    sun = rng.uniform(14, 86)
    sheet.disc(sun, level - 2, 8, 8, (255, 240, 200))
    for k in range(6):
        r, g, b = (round(a + (z - a) * k / 5) for a, z in ((104, 40), (190, 132), (196, 156)))
        sheet.below(_hills(rng, level + k * (100 - level) / 6, 0.0 if k == 0 else 1.6, 2.0), (r, g, b))
    for x, y in rng.random((16, 2)):
        x, y = 112 * x - 12, level + 5 + (92 - level) * y
        sheet.stroke([(x, y), (x + 4, y - 1.8), (x + 8, y), (x + 12, y - 1.8), (x + 16, y)], 1.1, (190, 230, 226))
    return sheet.pixels()


BACKGROUNDS: dict[str, Callable[[int, np.random.Generator], np.ndarray]] = {
    "grass": _grass,
    "beach": _beach,
    "snow": _snow,
    "wall": _wall,
    "night sky": _night_sky,
    "sea": _sea,
}
