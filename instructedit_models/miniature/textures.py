"""Ready-made tileable noise for the picture world; backgrounds and media take windows of it.

Filtering noise for every picture would cost more than drawing it, so each kind is filtered once per process.
"""

from functools import cache

import numpy as np

TILE = 256

# (blur along the grain, blur across it) in pixels, and the direction of the grain in degrees clockwise from x.
_KINDS: dict[str, tuple[float, float, float]] = {
    "grain": (0.0, 0.0, 0.0),
    "fine": (0.8, 0.8, 0.0),
    "soft": (3.0, 3.0, 0.0),
    "broad": (11.0, 11.0, 0.0),
    "strokes": (7.0, 1.1, -32.0),
    "flat strokes": (8.0, 1.2, 6.0),
    "plank": (14.0, 1.3, 0.0),
}


def noise(kind: str, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A random window of noise, `shape` float32, zero mean, unit deviation, cut at 2.5 deviations."""
    tile = _tile(kind)
    y, x = rng.integers(0, TILE, 2)
    return tile.take(np.arange(y, y + shape[0]), 0, mode="wrap").take(np.arange(x, x + shape[1]), 1, mode="wrap")


@cache
def _tile(kind: str) -> np.ndarray:
    along, across, degrees = _KINDS[kind]
    white = np.random.default_rng([20231123, list(_KINDS).index(kind)]).standard_normal((TILE, TILE))
    fy, fx = np.meshgrid(np.fft.fftfreq(TILE), np.fft.fftfreq(TILE), indexing="ij")
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    u, v = fx * cos + fy * sin, -fx * sin + fy * cos
    response = np.exp(-2 * np.pi**2 * ((along * u) ** 2 + (across * v) ** 2))
    tile = np.fft.ifft2(np.fft.fft2(white) * response).real
    tile -= tile.mean()
    return np.clip(tile / tile.std(), -2.5, 2.5).astype(np.float32)
