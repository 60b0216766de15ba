"""How SAM is asked for a mask, besides by its box: by clicks, or by a rough mask and the clicks that correct it.

The recipe of `sam` asks so, as a person does who refines a mask (Kirillov et al. 2023, section 3 and appendix A).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

Asked = Literal["box", "clicks", "correction"]

SURE = (4.0, 12.0)
"""The logit that stands for a pixel of a rough mask is drawn from this range."""


@dataclass(frozen=True)
class Clicks:
    """Points in a picture.

    Attributes:
        points: (P, 2) float32, x and y in pixels.
        inside: (P,) int64, 1 = belongs to the mask, 0 = does not.
    """

    points: np.ndarray
    inside: np.ndarray


def clicked(target: np.ndarray, count: int, rng: np.random.Generator) -> Clicks:
    """Clicks for a mask: the first well inside it, each further one inside it or beside it.

    Args:
        target: (H, W) bool, not empty.
        count: how many.
        rng: random draws.
    """
    chosen = [(_well_inside(target, rng), 1)]
    beside = ndimage.binary_dilation(target, iterations=max(3, round(target.sum() ** 0.5 / 4))) & ~target
    while len(chosen) < count:
        inside = bool(rng.random() < 0.5) or not beside.any()
        chosen.append((_somewhere(target if inside else beside, rng), int(inside)))
    return _as_clicks(chosen)


def corrected(target: np.ndarray, rough: np.ndarray, count: int, rng: np.random.Generator) -> Clicks:
    """Clicks where a rough mask is wrong, the largest mistake first; where it is right, as `clicked`."""
    wrong = target ^ rough
    labels, found = ndimage.label(wrong)
    if not found:
        return clicked(target, count, rng)
    sizes = np.bincount(labels.ravel())[1:]
    largest = np.argsort(sizes)[::-1] + 1
    chosen = []
    for turn in range(count):
        place = _well_inside(labels == largest[min(turn, found - 1)], rng)
        chosen.append((place, int(target[place[1], place[0]])))
    return _as_clicks(chosen)


def roughened(target: np.ndarray, other: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
    """A mask as it comes out when something went wrong: a side is missing, something is added, or it is off all round.

    Args:
        target: (H, W) bool, not empty.
        other: (H, W) bool, what it may have been taken together with.
        rng: random draws.
    """
    throw, size = rng.random(), max(2, round(target.sum() ** 0.5 / 6))
    if throw < 0.2 and other is not None:
        return target | other
    if throw < 0.5:
        y, x = np.nonzero(target)
        angle = rng.uniform(0, 2 * np.pi)
        along = x * np.cos(angle) + y * np.sin(angle)
        rough = target.copy()
        rough[y, x] = along > np.quantile(along, rng.uniform(0.1, 0.6))
        return rough
    if throw < 0.7:
        middle = np.array(_somewhere(target, rng)) + rng.normal(0, 2 * size, 2)
        rows, columns = np.ogrid[: target.shape[0], : target.shape[1]]
        blob = (columns - middle[0]) ** 2 + (rows - middle[1]) ** 2
        return target ^ (blob <= (size * rng.uniform(0.8, 2.0)) ** 2)
    grown = ndimage.binary_dilation if rng.random() < 0.6 else ndimage.binary_erosion
    return np.asarray(grown(target, iterations=int(rng.integers(1, size + 1))))


def as_logits(mask: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """A mask (H, H) bool as SAM takes it: (1, side, side) float32."""
    step = len(mask) // side
    small = mask.reshape(side, step, side, step).mean(axis=(1, 3))
    return ((2 * small - 1) * rng.uniform(*SURE))[None].astype(np.float32)


def _well_inside(mask: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
    """A pixel, x and y, at least half as far from the border as the innermost one."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    return _somewhere(depth >= depth.max() / 2, rng)


def _somewhere(mask: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
    y, x = np.nonzero(mask)
    one = int(rng.integers(len(y)))
    return int(x[one]), int(y[one])


def _as_clicks(chosen: list[tuple[tuple[int, int], int]]) -> Clicks:
    points = np.array([place for place, _ in chosen], np.float32)
    return Clicks(points, np.array([inside for _, inside in chosen], np.int64))
