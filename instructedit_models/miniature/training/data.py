"""The training pictures: a pool of drawn scenes on disk, and the crops that the models see of them.

`python -m instructedit_models.miniature.training.data --count N` draws the pool once; every recipe
then reads it memory-mapped, also while it is still growing.
"""

import argparse
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from PIL import Image

from instructedit_models.miniature.choices import BODY_PARTS, pick
from instructedit_models.miniature.edits import with_items, with_part
from instructedit_models.miniature.language import background_caption, crop_caption, part_caption, scene_captions
from instructedit_models.miniature.rendering import render
from instructedit_models.miniature.scene import CANVAS, Picture, Scene
from instructedit_models.miniature.seeds import TRAIN_SEEDS, VALIDATION_SEEDS, mixed, words_of
from instructedit_models.miniature.seen import mask_box
from instructedit_models.miniature.words import ALL_PARTS, PARTS
from instructedit_models.miniature.world import sample_scene
from instructedit_models.types import Box

View = TypeVar("View")

WHOLE: Box = (0.0, 0.0, float(CANVAS), float(CANVAS))
"""The box of a whole scene."""

AROUND_PARTS = 0.14
"""Share of crops around parts."""

TRAINED_SEEDS = [[0, 20_000], [4_000_000, 4_040_000]]
"""Of the whole pool, as the cards name them: from, and up to but not including."""

REPAINTED = 0.35
"""Share of scenes whose parts have any colours. In the world wheels and windows have few, and what is seen in no
training picture is neither painted well nor found: of 32 windows in such colours the detector found 9."""

_PIECES = 40


@dataclass(frozen=True)
class Piece:
    """One visible instance of a part: whose it is, its name, its mask (H, W) bool."""

    item: int
    part: str
    mask: np.ndarray


@dataclass(frozen=True)
class Sample:
    """A drawn scene of the pool, with its truth."""

    scene: Scene
    image: np.ndarray
    items: np.ndarray
    pieces: np.ndarray
    piece_codes: np.ndarray
    anew: bool = False
    """Whether its parts were given other colours."""

    def mask(self, item: int) -> np.ndarray:
        """(H, W) bool, the visible pixels of an item."""
        return self.items == item + 1

    @cached_property
    def boxes(self) -> list[Box | None]:
        """Each item's box in pixels; None where nothing of it is visible."""
        masks = [self.mask(i) for i in range(len(self.scene.items))]
        return [mask_box(mask) if mask.any() else None for mask in masks]

    def parts(self) -> list[Piece]:
        """All visible instances of parts."""
        found = []
        for index, (item, part) in enumerate(self.piece_codes):
            if item >= 0 and (mask := self.pieces == index + 1).any():
                found.append(Piece(int(item), ALL_PARTS[part], mask))
        return found


def _label_maps(picture: Picture) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Items and pieces as maps (H, W) uint8, 0 = none, and each piece's (item, part name) as (_PIECES, 2) int8."""
    items, pieces = np.zeros((2, CANVAS, CANVAS), np.uint8)
    codes = np.full((_PIECES, 2), -1, np.int8)
    count = 0
    for i, mask in enumerate(picture.masks):
        items[mask] = i + 1
        for part, piece in picture.pieces[i][: _PIECES - count]:
            pieces[piece] = count + 1
            codes[count] = i, ALL_PARTS.index(part)
            count += 1
    return items, pieces, codes


class Pool:
    """Drawn scenes on disk: `image` (N, H, W, 3) uint8 and label maps (N, H, W) uint8, memory-mapped.

    Args:
        folder: where the arrays lie.
        seeds: one scene per seed.
        create: make the arrays (of their full size) where they are missing.
    """

    def __init__(self, folder: Path, seeds: Sequence[int], create: bool = False) -> None:
        self.folder, self.seeds = folder, seeds
        self._counter = folder / "ready.json"
        folder.mkdir(parents=True, exist_ok=True)
        n = len(seeds)
        mode: Literal["w+", "r+"] = "w+" if create and not self._counter.exists() else "r+"
        shape = (n, CANVAS, CANVAS)
        self._image = np.memmap(folder / "image.u8", np.uint8, mode, shape=(*shape, 3))
        self._items = np.memmap(folder / "items.u8", np.uint8, mode, shape=shape)
        self._pieces = np.memmap(folder / "pieces.u8", np.uint8, mode, shape=shape)
        self._codes = np.memmap(folder / "codes.i8", np.int8, mode, shape=(n, _PIECES, 2))
        if mode == "w+":
            self._count(0)

    @property
    def ready(self) -> int:
        """How many scenes have been drawn so far."""
        return int(json.loads(self._counter.read_text()))

    def _count(self, ready: int) -> None:
        """Writes how many are ready, at once, so that whoever reads while the pool grows sees a number."""
        temporary = self._counter.with_suffix(".partial")
        temporary.write_text(str(ready))
        os.replace(temporary, self._counter)

    def draw(self) -> None:
        """Draws what is missing, in order."""
        for index in range(self.ready, len(self.seeds)):
            self._store(index, render(sample_scene(self.seeds[index])))
            if index % 200 == 199 or index + 1 == len(self.seeds):
                self._count(index + 1)

    def _store(self, index: int, picture: Picture) -> None:
        self._image[index] = picture.image
        self._items[index], self._pieces[index], self._codes[index] = _label_maps(picture)

    def sample(self, index: int) -> Sample:
        """The drawn scene of `seeds[index]`."""
        scene = sample_scene(self.seeds[index])
        image, items, pieces, codes = (
            np.array(array[index]) for array in (self._image, self._items, self._pieces, self._codes)
        )
        return Sample(scene, image, items, pieces, codes)

    def draws(self, rng: np.random.Generator) -> Iterator[Sample]:
        """Endless samples of what is ready, drawn at random; see `seen`."""
        while True:
            yield self.seen(int(rng.integers(self.ready)), rng)

    def seen(self, index: int, rng: np.random.Generator) -> Sample:
        """The scene of `seeds[index]` as a recipe sees it: as it was drawn, or with parts in other colours."""
        anew = rng.random() < REPAINTED
        return repainted(sample_scene(self.seeds[index]), rng) if anew else self.sample(index)

    def image(self, index: int) -> np.ndarray:
        """(H, W, 3) uint8 of `seeds[index]`."""
        return self._image[index]


def training_pool(work: Path, count: int = 60_000, create: bool = False) -> Pool:
    """The pool of training seeds under `work`, two of the larger world for each that knows the first words alone."""
    return Pool(work / "pool", mixed(TRAIN_SEEDS, count), create)


def sampled(
    work: Path, batch: int, rng: np.random.Generator, view: Callable[[Sample, np.random.Generator], View | None]
) -> Iterator[list[View]]:
    """Endless batches of what `view` makes of random training scenes, without those of which it makes None."""
    made = (view(sample, rng) for sample in training_pool(work).draws(rng))
    kept = (one for one in made if one is not None)
    while True:
        yield list(islice(kept, batch))


def validation_samples(count: int) -> list[Sample]:
    """Drawn scenes of validation seeds, in memory."""
    return [drawn(sample_scene(seed)) for seed in mixed(VALIDATION_SEEDS, count)]


def drawn(scene: Scene) -> Sample:
    """A scene that is drawn now, for it is in no pool."""
    picture = render(scene)
    return Sample(scene, picture.image, *_label_maps(picture))


def repainted(scene: Scene, rng: np.random.Generator) -> Sample:
    """A scene with parts in any colours: wheels and windows have few in the world, and people ask for all of them."""
    colours = words_of(scene.seed).colours
    changed = {}
    for i, item in enumerate(scene.items):
        for part in PARTS.get(item.noun, ()):
            if (item.noun, part) not in BODY_PARTS:
                item = with_part(item, part, pick(rng, [colour for colour in colours if colour != item.colour]))
        changed[i] = item
    return replace(drawn(with_items(scene, changed)), anew=True)


def square(centre: tuple[float, float], side: float) -> Box:
    """A square of `side` pixels around `centre`, moved (and shrunk) to lie on the canvas."""
    side = min(side, float(CANVAS))
    x = min(max(centre[0] - side / 2, 0.0), CANVAS - side)
    y = min(max(centre[1] - side / 2, 0.0), CANVAS - side)
    return x, y, x + side, y + side


def cut(image: np.ndarray, box: Box, size: int) -> np.ndarray:
    """The box of an image, resampled to (size, size, 3) uint8 (or (size, size) for a uint8 map)."""
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC, box=box))


def around(box: Box, rng: np.random.Generator, low: float = 1.15, high: float = 2.2, least: float = 34.0) -> Box:
    """A jittered square around a box: what the editor may cut out around it."""
    extent = max(box[2] - box[0], box[3] - box[1])
    side = max(extent * rng.uniform(low, high), least)
    shift = (side - extent) * 0.35
    x = (box[0] + box[2]) / 2 + rng.uniform(-shift, shift)
    y = (box[1] + box[3]) / 2 + rng.uniform(-shift, shift)
    return square((x, y), side)


def _inside(mask: np.ndarray, box: Box) -> float:
    """The share of a mask's pixels that a box holds."""
    x0, y0, x1, y1 = (round(value) for value in box)
    return float(mask[y0:y1, x0:x1].sum() / max(1, mask.sum()))


def captioned_crop(
    sample: Sample, rng: np.random.Generator, parts: float = AROUND_PARTS, patterned: float = 0.0
) -> tuple[Box, str]:
    """A crop of a scene and what it shows: mostly one object, at times a part, the background or all of it.

    Args:
        sample: the scene.
        rng: of the choice.
        parts: the share of crops around parts.
        patterned: of the crops around objects, the share around one that is not plain, as the editor cuts it out;
            the caption always says what it is made of.
    """
    scene, throw = sample.scene, rng.random()
    visible = [i for i, box in enumerate(sample.boxes) if box is not None]
    if throw < 0.12 or not visible:
        return WHOLE, scene_captions(scene, rng, n=2)[int(rng.random() < 0.7)]
    if throw < 0.2:
        for _ in range(6):
            side = rng.uniform(36, 90)
            box = square((rng.uniform(0, CANVAS), rng.uniform(0, CANVAS)), side)
            x0, y0, x1, y1 = (round(value) for value in box)
            if (sample.items[y0:y1, x0:x1] > 0).mean() < 0.02:
                return box, background_caption(scene.background, scene.medium, rng)
    if throw < 0.2 + parts and (pieces := sample.parts()):
        piece = pieces[int(rng.integers(len(pieces)))]
        masks = [other.mask for other in pieces if (other.item, other.part) == (piece.item, piece.part)]
        box = mask_box(np.logical_or.reduce(masks))
        return around(box, rng, 1.3, 2.0, least=36.0), part_caption(
            scene.items[piece.item], piece.part, scene.medium, rng
        )
    made_of = {scene.items[i].material: i for i in visible if scene.items[i].material != "plain"}
    if patterned and made_of and rng.random() < patterned:
        main = made_of[pick(rng, list(made_of))]
        return around(sample.boxes[main] or (0.0, 0.0, 1.0, 1.0), rng, 1.3, 1.7), crop_caption(
            scene, [main], rng, fully=True
        )
    main = visible[int(rng.integers(len(visible)))]
    box = around(sample.boxes[main] or (0.0, 0.0, 1.0, 1.0), rng)
    shown = [main]
    if rng.random() < 0.3:
        shown += [i for i in visible if i != main and _inside(sample.mask(i), box) > 0.5]
    return box, crop_caption(scene, shown, rng)


def main() -> None:
    """Draws the training pool."""
    parser = argparse.ArgumentParser(description="draw the pool of training pictures")
    parser.add_argument("--count", type=int, default=60_000)
    parser.add_argument("--work", type=Path, default=Path("runs/training"))
    args = parser.parse_args()
    training_pool(args.work, args.count, create=True).draw()


if __name__ == "__main__":
    main()
