"""What objects are made of: a pattern in a second tone laid over the base colour.

To add a material, add an entry to `MATERIALS`. A pattern leaves the base colour in the majority, so that the
median colour of what it covers is the base colour.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from instructedit_models.miniature.textures import noise

RGB = tuple[int, int, int]


@dataclass(frozen=True)
class Patch:
    """Where a pattern is laid: the local pixels of one item.

    Attributes:
        x: (1, W) float32 pixels from the item's centre, to the right.
        y: (H, 1) float32 pixels from the item's centre, down.
        extent: the longer side of the item's box in pixels.
        chance: (4,) float64 in 0..1, the item's own random numbers.
        rng: for noise windows.
    """

    x: np.ndarray
    y: np.ndarray
    extent: float
    chance: np.ndarray
    rng: np.random.Generator


@dataclass(frozen=True)
class Material:
    """A way to cover a base colour.

    Attributes:
        cover: the share of the second tone in each pixel, (H, W) float32; below 0 the base moves away from the
            second tone; None leaves the colour plain.
        tone: the second tone for a base colour.
        tint: added to the base colour, RGB.
    """

    cover: Callable[[Patch], np.ndarray] | None = None
    tone: Callable[[RGB], RGB] = lambda base: base
    tint: RGB = (0, 0, 0)


def _stripes(patch: Patch) -> np.ndarray:
    period = max(patch.extent / 5.0, 6.5)
    angle = np.radians(38 + 14 * patch.chance[0])
    across = patch.x * np.float32(np.cos(angle)) + patch.y * np.float32(np.sin(angle))
    distance = np.abs((across / period + patch.chance[1]) % 1 - 0.5) * period
    return np.clip(0.136 * period - distance + 0.5, 0, 1)


def _dots(patch: Patch) -> np.ndarray:
    pitch = max(patch.extent / 4.6, 7.0)
    height = pitch * 0.88
    y = patch.y + patch.chance[0] * height
    row = np.floor(y / height)
    dx = (patch.x + (row % 2 * 0.5 + patch.chance[1]) * pitch) % pitch - pitch / 2
    dy = y % height - height / 2
    return np.clip(0.26 * pitch - np.hypot(dx, dy) + 0.5, 0, 1)


def _wood(patch: Patch) -> np.ndarray:
    plank = max(patch.extent / 2.9, 11.0)
    shape = (patch.y.shape[0], patch.x.shape[1])
    y = patch.y + (0.3 + 0.4 * patch.chance[0]) * plank
    row = np.floor(y / plank)
    seam = np.clip(0.03 * plank + 0.45 - np.abs(y - np.round(y / plank) * plank), 0, 1)
    wave = np.sin(patch.x * (7.5 / patch.extent) + row * 2.1 + 6.3 * patch.chance[1]) * 0.55
    knot_x, knot_y = (patch.chance[2] - 0.5) * 0.5 * patch.extent, (0.5 - 0.3 - 0.4 * patch.chance[0]) * plank
    knot = np.hypot((patch.x - knot_x) / 1.6, patch.y - knot_y)
    bend = 2.1 * np.exp(-((knot / (0.3 * plank)) ** 2))
    lines = np.sin((y / max(plank / 2.4, 5.2) + wave + bend) * 2 * np.pi) + 0.35 * noise("plank", shape, patch.rng)
    dark, light = np.clip(2.4 * lines - 1.55, 0, 1), np.clip(-2.0 * lines - 0.8, 0, 1)
    core = 0.8 * np.clip(0.13 * plank + 0.5 - knot, 0, 1)
    return np.maximum(np.maximum(0.85 * dark, 0.95 * seam), core) - 0.26 * light


def _contrast(base: RGB) -> RGB:
    """Cream on a colour, where white takes a bluish grey and black a light one: it is to stand out on each."""
    if min(base) > 180:
        return (146, 170, 198)
    return (158, 151, 150) if max(base) < 90 else (253, 249, 238)


def _heartwood(base: RGB) -> RGB:
    """The grain's tone: the colour darkened towards brown, or brown lightened on a dark colour."""
    if max(base) < 90:
        return (124, 92, 70)
    return (round(base[0] * 0.54 + 10), round(base[1] * 0.47), round(base[2] * 0.43))


MATERIALS: dict[str, Material] = {
    "plain": Material(),
    "striped": Material(_stripes, _contrast),
    "dotted": Material(_dots, _contrast),
    "wooden": Material(_wood, _heartwood, tint=(7, 1, -9)),
}
