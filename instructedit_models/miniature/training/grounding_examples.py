"""What the recipe of Grounding DINO asks: views of scenes, and phrases that name what is there and what is not."""

from dataclasses import dataclass

import numpy as np

from instructedit_models.miniature.scene import CANVAS
from instructedit_models.miniature.seen import mask_box
from instructedit_models.miniature.training.data import WHOLE, Sample, around, cut
from instructedit_models.miniature.training.dense_labels import CELL, cell_middles
from instructedit_models.miniature.words import ALL_PARTS, COLOURS, MATERIALS, NOUNS, plural, singular
from instructedit_models.types import Box

_NOWHERE = np.zeros((CANVAS // CELL, CANVAS // CELL), bool)


@dataclass(frozen=True)
class Example:
    """A view of a scene and what is asked of it.

    Attributes:
        image: (128, 128, 3) uint8.
        prompt: one to six phrases.
        boxes: (N, 4) float32, centre x, y, width, height, 0 to 1.
        phrases: (N,) int64, the phrase that each box answers.
        cells: (phrases, 16, 16) bool, the cells whose middle shows what the phrase names.
        view: the box of the scene that is seen.
    """

    image: np.ndarray
    prompt: str
    boxes: np.ndarray
    phrases: np.ndarray
    cells: np.ndarray
    view: Box


@dataclass(frozen=True)
class _Thing:
    """Something that can be named: its words, its box in the view, the view's cells (16, 16) bool that show it."""

    noun: str
    colour: str
    material: str
    box: Box
    cells: np.ndarray


def _things(sample: Sample, view: Box) -> list[_Thing]:
    scale = CANVAS / (view[2] - view[0])
    masks = [(item.noun, item.colour, item.material, sample.mask(i)) for i, item in enumerate(sample.scene.items)]
    for piece in sample.parts():
        item = sample.scene.items[piece.item]
        own = piece.part in dict(item.own_colours)
        masks.append((piece.part, item.part_colour(piece.part), "plain" if own else item.material, piece.mask))
    rows, columns = cell_middles(view)
    things = []
    for noun, colour, material, mask in masks:
        box = mask_box(mask)
        x0, y0, x1, y1 = [
            float(np.clip((value - origin) * scale, 0, CANVAS))
            for value, origin in zip(box, (view[0], view[1]) * 2, strict=True)
        ]
        whole = (box[2] - box[0]) * (box[3] - box[1]) * scale**2
        if x1 - x0 >= 4 and y1 - y0 >= 4 and (x1 - x0) * (y1 - y0) >= 0.4 * whole:
            things.append(_Thing(noun, colour, material, (x0, y0, x1, y1), mask[np.ix_(rows, columns)]))
    return things


def _phrase(noun: str, colour: str | None, material: str | None, rng: np.random.Generator) -> str:
    if noun in NOUNS:
        word = plural(noun) if rng.random() < 0.2 else noun
    else:
        word = singular(noun) if rng.random() < 0.3 else noun
    words = [word for word in (material, colour) if word]
    if len(words) == 2 and rng.random() < 0.2:
        words.reverse()
    return " ".join([*words, word])


def _asked(things: list[_Thing], rng: np.random.Generator) -> tuple[str, str | None, str | None]:
    """Noun, colour and material to look for: of something there, in every second case with one of them wrong."""
    thing = things[int(rng.integers(len(things)))]
    noun = thing.noun
    colour = thing.colour if rng.random() < 0.5 else None
    material = thing.material if thing.material != "plain" and rng.random() < 0.4 else None
    throw = rng.random()
    if throw < 0.35:
        group = NOUNS if noun in NOUNS else ALL_PARTS
        noun = group[int(rng.integers(len(group)))]
    elif throw < 0.5:
        colour = list(COLOURS)[int(rng.integers(len(COLOURS)))]
    elif throw < 0.57:
        material = MATERIALS[1 + int(rng.integers(len(MATERIALS) - 1))]
    return noun, colour, material


def example(sample: Sample, rng: np.random.Generator) -> Example | None:
    """A view of a scene with a prompt of one to six phrases whose boxes do not coincide."""
    visible = [i for i, box in enumerate(sample.boxes) if box is not None]
    if not visible:
        return None
    view = WHOLE
    if rng.random() < 0.4:
        box = sample.boxes[int(rng.choice(visible))] or WHOLE
        view = around(box, rng, 1.08, 1.6, least=24.0)
    things = _things(sample, view)
    if not things:
        return None
    phrases: list[str] = []
    asked: set[tuple[str, str | None, str | None]] = set()
    taken: set[int] = set()
    boxes, owners, cells = [], [], []
    for _ in range(int(rng.integers(1, 7))):
        noun, colour, material = key = _asked(things, rng)
        matching = {
            i
            for i, thing in enumerate(things)
            if thing.noun == noun and colour in (None, thing.colour) and material in (None, thing.material)
        }
        if key in asked or matching & taken:
            continue
        asked.add(key)
        taken |= matching
        for i in sorted(matching):
            x0, y0, x1, y1 = things[i].box
            boxes.append(((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0))
            owners.append(len(phrases))
        phrases.append(_phrase(noun, colour, material, rng))
        cells.append(np.logical_or.reduce([things[i].cells for i in matching]) if matching else _NOWHERE)
    image = cut(sample.image, view, CANVAS)
    where = np.array(boxes, np.float32).reshape(-1, 4) / CANVAS
    prompt = " . ".join(phrases) + " ."
    return Example(image, prompt, where, np.array(owners, np.int64), np.stack(cells), view)
