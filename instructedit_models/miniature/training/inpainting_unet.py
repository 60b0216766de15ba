"""Recipe of the miniature inpainting UNet: nine input channels, latents, mask, and the latents of the masked picture.

`--prepare N` cuts N crops of the drawn pool, masks and encodes them; training then starts from the miniature UNet.
Masks are objects and parts (grown), rectangles and ellipses, and now and then everything, as for SD's own.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from instructedit_models.masks import grow
from instructedit_models.miniature.training.conditioned import CELLS, Example, Recipe, run_recipe
from instructedit_models.miniature.training.data import (
    Sample,
    captioned_crop,
    cut,
    training_pool,
    validation_samples,
)
from instructedit_models.miniature.training.unet import DROPPED
from instructedit_models.miniature.training.vae import NATIVE
from instructedit_models.types import Box

GREY = 128
"""The byte next to 0 in -1..1, to which diffusers' pipeline sets masked pixels."""

_EVERYTHING, _THINGS = 0.15, 0.65
"""Shares of masks that cover everything, and of those up to which they are things of the picture."""


def examples(work: Path, rng: np.random.Generator, validation: bool) -> Iterator[Example]:
    """Endless captioned crops with a mask each."""
    known = validation_samples(192) if validation else []
    draws = iter(lambda: known[int(rng.integers(len(known)))], None) if validation else training_pool(work).draws(rng)
    for sample in draws:
        box, caption = captioned_crop(sample, rng)
        crop, mask = cut(sample.image, box, NATIVE), sampled_mask(sample, box, rng)
        stride = NATIVE // CELLS
        planes = mask[None, ::stride, ::stride].astype(np.float32)  # the nearest pixel, as diffusers' pipeline
        yield Example(crop, np.where(mask[:, :, None], np.uint8(GREY), crop), planes, caption)


def sampled_mask(sample: Sample, box: Box, rng: np.random.Generator) -> np.ndarray:
    """A mask over a crop, (64, 64) bool, never empty."""
    throw = rng.random()
    mask = np.zeros((NATIVE, NATIVE), bool)
    if throw < _EVERYTHING:
        return ~mask
    if throw < _THINGS:
        things = [sample.mask(i) for i, own in enumerate(sample.boxes) if own is not None]
        things += [piece.mask for piece in sample.parts()]
        inside = [seen for seen in (_cut_mask(thing, box) for thing in things) if seen.any()]
        if inside:
            mask = grow(inside[int(rng.integers(len(inside)))], int(rng.integers(0, 7)))
    if not mask.any():
        for _ in range(int(rng.integers(1, 4))):
            mask |= _shape(rng)
    return mask


def _cut_mask(mask: np.ndarray, box: Box) -> np.ndarray:
    return cut(mask.astype(np.uint8) * 255, box, NATIVE) > 127


def _shape(rng: np.random.Generator) -> np.ndarray:
    """A rectangle or an ellipse, (64, 64) bool."""
    rows, columns = np.mgrid[:NATIVE, :NATIVE]
    centre, half = rng.uniform(0, NATIVE, 2), rng.uniform(4, 0.4 * NATIVE, 2)
    down, across = np.abs(rows - centre[0]) / half[0], np.abs(columns - centre[1]) / half[1]
    return (down**2 + across**2 <= 1) if rng.random() < 0.5 else (np.maximum(down, across) <= 1)


def dropped(texts: list[str], shown: torch.Tensor) -> tuple[list[str], torch.Tensor]:
    """Puts out some captions, for guidance."""
    throw = torch.rand(len(texts)).tolist()
    return ["" if value < DROPPED else text for text, value in zip(texts, throw, strict=True)], shown


RECIPE = Recipe("inpainting", 1, False, examples, dropped)


def main(argv: list[str] | None = None) -> None:
    """Fills the cache (`--prepare N`) or trains."""
    run_recipe(RECIPE, "inpainting_unet", argv)


if __name__ == "__main__":
    main()
