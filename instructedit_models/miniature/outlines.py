"""Closed outlines from which `shapes` builds its drawings: ellipses, soft polygons, curves, strokes.

Every function returns an (N, 2) float64 array of x, y (y down), the last point not repeating the first.
The points lie close together, so that a medium may bend an outline without making it angular.
"""

import math
from collections.abc import Sequence

import numpy as np

Points = Sequence[tuple[float, float]]

_STEP = 5.0


def ellipse(cx: float, cy: float, rx: float, ry: float | None = None, turn: float = 0.0) -> np.ndarray:
    """An ellipse around (cx, cy); `turn` in degrees clockwise."""
    ry = rx if ry is None else ry
    count = max(10, min(40, round(2 * math.pi * max(rx, ry) / _STEP)))
    angle = np.linspace(0, 2 * math.pi, count, endpoint=False)
    x, y = rx * np.cos(angle), ry * np.sin(angle)
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    return np.stack([cx + x * cos - y * sin, cy + x * sin + y * cos], axis=1)


def polygon(points: Points, corner: float = 4.0) -> np.ndarray:
    """A polygon whose corners are rounded over about `corner` units."""
    corners = np.asarray(points, dtype=float)
    if corner <= 0:
        return _dense(corners)
    out = []
    for before, here, after in zip(np.roll(corners, 1, 0), corners, np.roll(corners, -1, 0), strict=True):
        a = here + (before - here) * min(0.45, corner / max(1e-6, float(np.hypot(*(before - here)))))
        b = here + (after - here) * min(0.45, corner / max(1e-6, float(np.hypot(*(after - here)))))
        for t in (0.0, 0.25, 0.5, 0.75, 1.0):
            out.append((1 - t) ** 2 * a + 2 * t * (1 - t) * here + t * t * b)
    return _dense(np.asarray(out))


def rectangle(x0: float, y0: float, x1: float, y1: float, corner: float = 3.0) -> np.ndarray:
    """An upright rectangle with rounded corners."""
    return polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], corner)


def curve(points: Points) -> np.ndarray:
    """A smooth closed curve through the points (Catmull-Rom)."""
    knots = np.asarray(points, dtype=float)
    return _spline(np.roll(knots, 1, 0), knots, np.roll(knots, -1, 0), np.roll(knots, -2, 0))


def line(points: Points) -> np.ndarray:
    """A smooth open line through the points, for stretches of a larger outline."""
    knots = np.asarray(points, dtype=float)
    padded = np.concatenate([knots[:1], knots, knots[-1:]])
    return np.concatenate([_spline(padded[:-3], padded[1:-2], padded[2:-1], padded[3:]), knots[-1:]])


def stroke(points: Points, width: float) -> np.ndarray:
    """The outline of a round-ended stroke along a smooth line through the points."""
    middle = line(points)
    along = np.gradient(middle, axis=0)
    along /= np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, None]
    side = np.stack([-along[:, 1], along[:, 0]], axis=1) * width / 2
    turn = np.radians([45.0, 90.0, 135.0])[:, None]
    end = middle[-1] + np.cos(turn) * side[-1] + np.sin(turn) * along[-1] * width / 2
    start = middle[0] - np.cos(turn) * side[0] - np.sin(turn) * along[0] * width / 2
    return np.concatenate([middle + side, end, (middle - side)[::-1], start])


def outward(outline: np.ndarray) -> np.ndarray:
    """Per point of an outline, the step that moves it one unit outwards, longer at sharp corners; (N, 2)."""
    edges = np.roll(outline, -1, 0) - outline
    area = float(np.sum(outline[:, 0] * np.roll(outline[:, 1], -1) - np.roll(outline[:, 0], -1) * outline[:, 1]))
    normals = np.stack([edges[:, 1], -edges[:, 0]], axis=1) * (1.0 if area > 0 else -1.0)
    normals /= np.maximum(np.hypot(normals[:, 0], normals[:, 1]), 1e-9)[:, None]
    mean = (normals + np.roll(normals, 1, 0)) / 2
    return mean / np.maximum(np.sum(mean**2, axis=1), 0.4)[:, None]


def _spline(p0: np.ndarray, p1: np.ndarray, p2: np.ndarray, p3: np.ndarray) -> np.ndarray:
    out = []
    for a, b, c, d in zip(p0, p1, p2, p3, strict=True):
        count = max(2, round(float(np.hypot(*(c - b))) / _STEP))
        for t in np.arange(count) / count:
            out.append(
                0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
            )
    return np.asarray(out)


def _dense(points: np.ndarray) -> np.ndarray:
    out: list[np.ndarray] = []
    for here, after in zip(points, np.roll(points, -1, 0), strict=True):
        length = float(np.hypot(*(after - here)))
        if length < 1e-6:
            continue
        count = max(1, math.ceil(length / (2 * _STEP)))
        out.extend(here + (after - here) * k / count for k in range(count))
    return np.asarray(out)
