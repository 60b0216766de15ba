"""The miniature world: scenes from a seed, and their export as pictures with their truth.

Training, tests and benchmarks sample from it, and `instructedit world sample` exports it. The
same seed is always the same scene; the three ranges of seeds are never mixed.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from instructedit_models.errors import BadOutputError, BadParameterError
from instructedit_models.miniature.captions import scene_captions
from instructedit_models.miniature.choices import chance, part_colours, pick, weighted
from instructedit_models.miniature.edits import sample_edits
from instructedit_models.miniature.referring import referring
from instructedit_models.miniature.rendering import render as draw
from instructedit_models.miniature.scene import CANVAS, Item, Picture, Scene
from instructedit_models.miniature.seeds import TEST_SEEDS, TRAIN_SEEDS, VALIDATION_SEEDS, Words, distinct, words_of
from instructedit_models.miniature.seen import mask_box
from instructedit_models.miniature.words import MATERIALS, PARTS
from instructedit_models.types import Progress, ProgressCallback

__all__ = ["EXTENTS", "TEST_SEEDS", "TRAIN_SEEDS", "VALIDATION_SEEDS", "draw", "export", "sample_scene"]

EXTENTS: dict[str, tuple[float, float]] = {"small": (26, 32), "medium": (36, 46), "big": (52, 64)}
"""The longer side of an object's box, in pixels, by the word for its size."""

_MARGIN = 2
_COUNTS = {1: 0.3, 2: 0.3, 3: 0.25, 4: 0.15}
_MEDIA = {"photo": 0.4, "painting": 0.3, "pencil drawing": 0.3}
_SIZES_BY_COUNT: dict[int, dict[str, float]] = {
    1: {"small": 0.15, "medium": 0.35, "big": 0.5},
    2: {"small": 0.2, "medium": 0.4, "big": 0.4},
    3: {"small": 0.3, "medium": 0.45, "big": 0.25},
    4: {"small": 0.4, "medium": 0.45, "big": 0.15},
}
_MATERIAL_WEIGHTS = {"plain": 0.55} | {material: 0.15 for material in MATERIALS if material != "plain"}
_EXPORTED_PHRASES = 8
_GROUND = ("grass", "beach", "snow")
_CROWDED = 0.3
"""Share of the scenes of several objects in which one is put before another."""
_LEAST_OVERLAP, _MOST_OVERLAP = 0.12, 0.36
"""Of the smaller square: objects fill their squares loosely, so that every one stays at least 0.6 visible."""


def sample_scene(seed: int) -> Scene:
    """The scene of a seed, always the same one. Takes about 0.2 ms."""
    rng = np.random.default_rng([seed, 0])
    count = weighted(rng, _COUNTS)
    medium = weighted(rng, _MEDIA)
    words = words_of(seed)
    background = pick(rng, words.backgrounds)
    looks = _looks(count, words, rng)
    crowded = int(rng.integers(1, count)) if count > 1 and chance(rng, _CROWDED) else 0
    items: list[Item] = []
    for i, (noun, colour, material) in enumerate(looks):
        size = weighted(rng, _SIZES_BY_COUNT[count])
        extent = round(float(rng.uniform(*EXTENTS[size])), 1)
        centre = _before_another(extent, items, rng) if i and i == crowded else None
        centre = centre or _apart(extent, items, background, rng)
        if centre is None:  # the canvas is full; what stands there is a scene all the same
            size, extent = "small", EXTENTS["small"][0]
            centre = _apart(extent, items, background, rng)
        if centre is not None:
            own = part_colours(noun, colour, rng, words.colours)
            items.append(Item(noun, colour, material, size, centre, extent, chance(rng, 0.5), own))
    # What stands lower in the picture is nearer, and is drawn later.
    items.sort(key=lambda item: item.centre[1] + item.extent / 2)
    return Scene(seed, medium, background, tuple(items))


def _looks(count: int, words: Words, rng: np.random.Generator) -> list[tuple[str, str, str]]:
    """Noun, colour and material of each object; half of the time several are of one noun."""
    same = int(rng.integers(2, count + 1)) if count > 1 and chance(rng, 0.5) else 1
    nouns = distinct(words.nouns, rng)[: count - same + 1]
    nouns = [nouns[0]] * (same - 1) + nouns
    # Of one noun: alike, of one colour, or of different colours.
    colours = distinct(words.colours, rng)
    kinship = rng.random()
    shared = weighted(rng, _MATERIAL_WEIGHTS)
    looks = []
    for i, noun in enumerate(nouns):
        material = shared if i < same and kinship < 0.35 else weighted(rng, _MATERIAL_WEIGHTS)
        if i < same:
            colour = colours[0] if kinship < 0.5 else colours[i % len(colours)]
        else:
            colour = pick(rng, words.colours if len(words.colours) > len(colours) else colours)
        looks.append((noun, colour, material))
    return looks


def _apart(extent: float, items: list[Item], background: str, rng: np.random.Generator) -> tuple[float, float] | None:
    """A centre for a new object clear of those placed, or None where no room was found."""
    low, high = _MARGIN + extent / 2, CANVAS - _MARGIN - extent / 2
    standing = background in _GROUND and chance(rng, 0.6)
    for _ in range(60):
        x, y = low + (high - low) * rng.random(), low + (high - low) * rng.random()
        if standing:  # most things stand on the ground rather than hang in the air
            y = max(y, low + (high - low) * rng.random())
        if all(_overlap(x, y, extent, other) == 0 for other in items):
            return round(x, 1), round(y, 1)
    return None


def _before_another(extent: float, items: list[Item], rng: np.random.Generator) -> tuple[float, float] | None:
    """A centre for a new object where it overlaps exactly one of those placed, or None where none was found."""
    low, high = _MARGIN + extent / 2, CANVAS - _MARGIN - extent / 2
    other = pick(rng, items)
    reach = (extent + other.extent) / 2
    for _ in range(40):
        x, y = (centre + reach * (2 * rng.random() - 1) for centre in other.centre)
        if not (low <= x <= high and low <= y <= high):
            continue
        if not _LEAST_OVERLAP <= _overlap(x, y, extent, other) <= _MOST_OVERLAP:
            continue
        if all(_overlap(x, y, extent, third) == 0 for third in items if third is not other):
            return round(x, 1), round(y, 1)
    return None


def _overlap(x: float, y: float, extent: float, other: Item) -> float:
    """The share of the smaller square that the other covers, 0 to 1; an object lies within the square of its extent."""
    reach = (extent + other.extent) / 2
    wide, high = reach - abs(x - other.centre[0]), reach - abs(y - other.centre[1])
    if wide <= 0 or high <= 0:
        return 0.0
    smaller = min(extent, other.extent)
    return min(wide, smaller) * min(high, smaller) / smaller**2


def export(seed: int, n: int, directory: str | Path, progress: ProgressCallback | None = None) -> list[Path]:
    """Writes the scenes of `n` seeds from `seed` on, each into `directory/<its seed>`, and returns these folders.

    A folder holds `image.png`, a 1-bit PNG per object and per part, the edited pictures, and
    `scene.json`, which names them all. It appears only when it is whole; a scene that was
    exported there before is replaced.

    Args:
        seed: the first seed, 0 or more.
        n: how many scenes, 1 or more.
        directory: made if it is missing.
        progress: called after each scene with the stage "export".

    Raises:
        BadParameterError: for a negative seed or fewer than one scene.
        BadOutputError: where the directory cannot be written, or holds something else under a scene's name.
    """
    if seed < 0 or n < 1:
        raise BadParameterError(f"The seed must be 0 or more and the number of scenes 1 or more, not {seed} and {n}.")
    folders = []
    for step in range(1, n + 1):
        folders.append(_export(seed + step - 1, Path(directory)))
        if progress is not None:
            progress(Progress("export", step, n))
    return folders


def _export(seed: int, directory: Path) -> Path:
    target = directory / str(seed)
    if target.exists() and not (target / "scene.json").is_file():
        raise BadOutputError(f"{target} exists and is no exported scene; choose another directory.")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{seed}-", dir=directory))
    except OSError as error:
        raise BadOutputError(f"Cannot write to {directory}: {error.strerror or error}.") from error
    try:
        os.chmod(staging, 0o755)
        _write(sample_scene(seed), staging)
        if target.exists():
            shutil.rmtree(target)
        os.replace(staging, target)
    except OSError as error:
        raise BadOutputError(f"Cannot write {target}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target


def _write(scene: Scene, folder: Path) -> None:
    """Writes one scene with its truth into an empty folder, in the layout of the design's `scene.json`."""
    rng = np.random.default_rng([scene.seed, 1])
    picture = draw(scene)
    Image.fromarray(picture.image).save(folder / "image.png")
    record: dict[str, Any] = {
        "schema": 1,
        "seed": scene.seed,
        "size": scene.size,
        "medium": scene.medium,
        "background": scene.background,
        "captions": scene_captions(scene, rng),
        "objects": [_object(scene, picture, i, folder) for i in range(len(scene.items))],
        "referring": [
            {"phrase": one.phrase, "objects": list(one.objects), "part": one.part}
            for one in referring(scene, picture, rng, _EXPORTED_PHRASES)
        ],
        "edits": [],
    }
    for number, edit in enumerate(sample_edits(scene, picture, rng)):
        name = f"edit_{number}.png"
        Image.fromarray(draw(edit.after).image).save(folder / name)
        record["edits"].append(
            {
                "kind": edit.kind,
                "instruction": edit.instruction,
                "objects": list(edit.objects),
                "part": edit.part,
                "to": edit.to,
                "after": name,
            }
        )
    (folder / "scene.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _object(scene: Scene, picture: Picture, index: int, folder: Path) -> dict[str, Any]:
    """The record of one object; its masks are written beside it."""
    item, mask = scene.items[index], picture.masks[index]
    parts = []
    for part in PARTS.get(item.noun, ()):
        part_mask = picture.part_mask(index, part)
        if part_mask.any():
            name = f"object_{index}_{part}.png"
            Image.fromarray(part_mask).save(folder / name)
            parts.append({"name": part, "colour": item.part_colour(part), "mask": name})
    Image.fromarray(mask).save(folder / f"object_{index}.png")
    return {
        "id": index,
        "noun": item.noun,
        "colour": item.colour,
        "material": item.material,
        "size": item.size,
        "box": list(mask_box(mask)),
        "mask": f"object_{index}.png",
        "visible": round(float(picture.visible[index]), 4),
        "parts": parts,
    }
