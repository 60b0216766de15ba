"""Things in each look, many of them half made: what judges a new pattern learns here what is none yet.

A model that paints dots where none were may leave pale spots, or dots on one side alone; in these a judge that knows
true pictures only sees "dotted". Here the same thing in two looks is mixed, and the look counts that has the larger
share by far; blots that are no pattern at all leave a thing what it was.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from instructedit_models.lexicon import with_article
from instructedit_models.miniature.choices import chance, pick, weighted
from instructedit_models.miniature.edits import with_items
from instructedit_models.miniature.rendering import render
from instructedit_models.miniature.textures import noise
from instructedit_models.miniature.training.as_painted import as_painted
from instructedit_models.miniature.training.data import Sample, around, cut, training_pool
from instructedit_models.miniature.words import MATERIALS
from instructedit_models.types import Box

MIXED = 0.6
"""Share of the crops in which a second look shows."""

SHARE = 0.45
"""The most of it."""

BLOTTED = 0.3
"""Share of the crops with blots that are no pattern."""

PAINTED = 0.7
"""Share of the crops that are made to look painted."""

_LOOKS = {look: 2.0 if look == "plain" else 1.0 for look in MATERIALS}
_LEAST = 14.0
"""Pixels of the smallest thing: of a smaller one nobody can tell what it is made of."""


def look_crops(work: Path, size: int, batch: int, seed: int) -> Iterator[tuple[np.ndarray, list[str], np.ndarray]]:
    """Endless batches of crops, each with a caption for every look.

    Args:
        work: holds the pool of pictures.
        size: pixels of a crop's side.
        batch: crops of a batch.
        seed: of their order.

    Returns:
        Crops (B, S, S, 3) uint8; B x len(MATERIALS) captions, those of one crop together; which one is right, (B,).
    """
    rng = np.random.default_rng([seed, 17])
    waiting: list[tuple[np.ndarray, list[str], int]] = []
    draws = training_pool(work).draws(rng)
    while True:
        while len(waiting) < batch:
            waiting += _both_ways(next(draws), size, rng)
        now, waiting = waiting[:batch], waiting[batch:]
        yield (
            np.stack([crop for crop, _, _ in now]),
            [caption for _, captions, _ in now for caption in captions],
            np.array([look for _, _, look in now]),
        )


def _both_ways(sample: Sample, size: int, rng: np.random.Generator) -> list[tuple[np.ndarray, list[str], int]]:
    """Each large thing of a scene as it is with some of another look, and the other way round."""
    items = sample.scene.items
    boxes: dict[int, Box] = {}
    for i, box in enumerate(sample.boxes):
        if box and min(box[2] - box[0], box[3] - box[1]) >= _LEAST:
            boxes[i] = around(box, rng, 1.05, 1.7)
    others = {
        i: replace(items[i], material=weighted(rng, {k: v for k, v in _LOOKS.items() if k != items[i].material}))
        for i in boxes
    }
    if not others:
        return []
    image = render(with_items(sample.scene, others)).image
    made = []
    for i, box in boxes.items():
        mask = cut(sample.mask(i).astype(np.uint8) * 255, box, size)[..., None] / np.float32(255)
        looks = (cut(sample.image, box, size), items[i].material), (cut(image, box, size), others[i].material)
        for (crop, look), (other, _) in (looks, looks[::-1]):
            said = f"{items[i].colour} {items[i].noun}" if chance(rng, 0.5) else items[i].noun
            captions = [f"{sample.scene.medium} of {with_article(f'{each} {said}')}" for each in MATERIALS]
            made.append((_half_made(crop, other, mask, rng), captions, list(MATERIALS).index(look)))
    return made


def _half_made(crop: np.ndarray, other: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A crop with some of another look, perhaps blots, as a model may paint it, (S, S, 3) uint8."""
    pixels: np.ndarray = crop.astype(np.float32)
    if chance(rng, MIXED):
        share = np.full(mask.shape, rng.uniform(0, SHARE), np.float32)
        if chance(rng, 0.3):  # of one side alone, but there more of it
            field = noise("broad", mask.shape[:2], rng)[..., None]
            share = np.clip(0.5 + 1.5 * (field - np.quantile(field, 0.65)), 0, 1) * rng.uniform(0.5, 1)
        pixels = pixels * (1 - share) + other * share
    if chance(rng, BLOTTED):
        field = noise(pick(rng, ("fine", "soft", "strokes", "flat strokes")), mask.shape[:2], rng)[..., None]
        tone = rng.uniform(-1, 1, 3).astype(np.float32) + rng.choice([-1.0, 1.0])
        pixels = pixels + mask * field * tone * rng.uniform(2, 22)
    painted = np.rint(pixels).clip(0, 255).astype(np.uint8)
    return as_painted(painted, rng) if chance(rng, PAINTED) else painted
