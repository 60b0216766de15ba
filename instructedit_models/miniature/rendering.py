"""Draws a scene of the picture world to pixels and exact masks; `world` and the trainers call `render`.

Every layer takes its randomness from its own key, (seed, layer), and a medium never mixes neighbouring
pixels of the finished picture: what an edit does not touch keeps its bytes.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from instructedit_models.miniature.backgrounds import background
from instructedit_models.miniature.materials import MATERIALS, Patch
from instructedit_models.miniature.media import MEDIA, Cutout, Medium
from instructedit_models.miniature.outlines import outward
from instructedit_models.miniature.pieces import RGB
from instructedit_models.miniature.scene import Item, Picture, Scene
from instructedit_models.miniature.shapes import DRAWINGS, span
from instructedit_models.miniature.words import COLOURS

_OVERSAMPLING = 3
_MARGIN = 2
_FEWEST_PIXELS = 4
_GROUND, _OVERLAY, _ITEM = 0, 1, 2
_GLEAM: RGB = (255, 246, 196)
"""What gold shines with."""

_Slices = tuple[slice, slice]


@dataclass(frozen=True)
class _Shape:
    """One polygon to fill: where it lies among the noun's points, and with which label."""

    start: int
    stop: int
    label: int
    grown: bool


@dataclass(frozen=True)
class _Label:
    """What a label stands for: the piece it belongs to, its part, and its tone or RGB."""

    piece: int
    part: str | None
    paint: float | RGB


@dataclass(frozen=True)
class _Plan:
    """A noun's drawing, made ready.

    Attributes:
        points: (N, 2) all outlines of the noun, one after the other, in the unit frame.
        steps: (N, 2) where each point goes when its outline grows by a line's width of 1.
        shapes: the polygons in the order in which they are filled.
        labels: what each label stands for; 0 is nothing, 1 the outline.
        owners: (L,) int16, the piece that each label belongs to, -1 for none.
    """

    points: np.ndarray
    steps: np.ndarray
    shapes: tuple[_Shape, ...]
    labels: tuple[_Label, ...]
    owners: np.ndarray


@dataclass
class _Layer:
    """A drawn item: its paint and alpha on local pixels, the piece seen in each, and the local origin."""

    paint: np.ndarray
    alpha: np.ndarray
    pieces: np.ndarray
    origin: tuple[int, int]


def render(scene: Scene) -> Picture:
    """Draw a scene.

    Args:
        scene: its words must be keys of `shapes.DRAWINGS`, `words.COLOURS`, `materials.MATERIALS`,
            `backgrounds.BACKGROUNDS` and `media.MEDIA`.

    Returns:
        The picture with its visible masks. The same scene is drawn to the same bytes.

    Raises:
        KeyError: a word of the scene is not known.
    """
    medium = MEDIA[scene.medium]
    rng = np.random.default_rng([scene.seed, _GROUND])
    canvas = medium.ground(background(scene.background, scene.size, rng), rng)
    owner = np.full((scene.size, scene.size), -1, dtype=np.int16)
    pieces = np.full_like(owner, -1)
    own_pixels = []
    for index, item in enumerate(scene.items):
        layer = _draw(item, medium, np.random.default_rng([scene.seed, _ITEM, index]))
        own_pixels.append(int((layer.alpha >= 0.5).sum()))
        _cast_shadow(canvas, item, medium.shadow)
        _lay(layer, index, canvas, owner, pieces)
    canvas = medium.finish(canvas, np.random.default_rng([scene.seed, _OVERLAY]))
    picture = Picture(np.rint(np.clip(canvas, 0, 255)).astype(np.uint8))
    for index, item in enumerate(scene.items):
        mask = owner == index
        picture.masks.append(mask)
        picture.visible.append(float(mask.sum()) / max(1, own_pixels[index]))
        picture.pieces.append(_visible_pieces(item.noun, np.where(mask, pieces, -1)))
    return picture


def _visible_pieces(noun: str, pieces: np.ndarray) -> list[tuple[str, np.ndarray]]:
    counts = np.bincount(pieces.ravel() + 1, minlength=len(DRAWINGS[noun]) + 1)[1:]
    return [
        (piece.part, pieces == k)
        for k, piece in enumerate(DRAWINGS[noun])
        if piece.part is not None and counts[k] >= _FEWEST_PIXELS
    ]


@cache
def _plan(noun: str) -> _Plan:
    points, steps, shapes = [], [], []
    labels = [_Label(-1, None, 1.0), _Label(-1, None, 1.0)]
    total = 0

    def add(outline: np.ndarray, line: float = 0.0) -> tuple[int, int]:
        nonlocal total
        points.append(outline)
        steps.append(outward(outline) * line)
        total += len(outline)
        return total - len(outline), total

    for k, piece in enumerate(DRAWINGS[noun]):
        spans = [add(outline, piece.line) for outline in piece.outlines]
        shapes += [_Shape(*span, 1, True) for span in spans]
        labels.append(_Label(k, piece.part, piece.paint or piece.tone))
        shapes += [_Shape(*span, len(labels) - 1, False) for span in spans]
        for detail in piece.details:
            labels.append(_Label(k, piece.part, detail.paint))
            shapes.append(_Shape(*add(detail.outline), len(labels) - 1, False))
    owners = np.asarray([label.piece for label in labels], dtype=np.int16)
    return _Plan(np.concatenate(points), np.concatenate(steps), tuple(shapes), tuple(labels), owners)


def _draw(item: Item, medium: Medium, rng: np.random.Generator) -> _Layer:
    plan = _plan(item.noun)
    chance = rng.random(8)
    line = medium.line * min(1.3, max(0.62, item.extent / 45))
    half = math.ceil(item.extent / 2) + _MARGIN
    left, top = math.floor(item.centre[0]) - half, math.floor(item.centre[1]) - half
    side = 2 * half + 1
    centre = np.asarray(item.centre) - (left, top)
    labels = _label_map(plan, item, centre, side, line, medium, chance)
    seen = np.asarray(labels)[_OVERSAMPLING // 2 :: _OVERSAMPLING, _OVERSAMPLING // 2 :: _OVERSAMPLING]
    palette, patterned, gilded = _paints(item, plan, medium)
    alpha = _share(labels, [False] + [True] * (len(plan.labels) - 1))
    cover_share = _share(labels, patterned)
    gilded_share = _share(labels, gilded) if any(gilded) else None
    labels.putpalette(palette.astype(np.uint8).tobytes())
    paint = np.asarray(labels.convert("RGB").reduce(_OVERSAMPLING), dtype=np.float32)
    material = MATERIALS[item.material]
    x = np.arange(side, dtype=np.float32)[None, :] + np.float32(0.5 - centre[0])
    y = np.arange(side, dtype=np.float32)[:, None] + np.float32(0.5 - centre[1])
    if gilded_share is not None:
        light = medium.pigment(np.asarray([_GLEAM, COLOURS["golden"]], dtype=float))
        shine = _shine((x + y) / item.extent)[..., None] * gilded_share[..., None]
        paint = np.clip(paint + shine * (light[0] - light[1]).astype(np.float32), 0, 255)
    if material.cover is not None:
        cover = material.cover(Patch(x, y, item.extent, chance[:4], rng)) * cover_share
        tones = np.asarray([material.tone(COLOURS[item.colour]), COLOURS[item.colour]], dtype=float)
        second, base = medium.pigment(tones + [[0, 0, 0], material.tint])
        paint = np.clip(paint + cover[..., None] * (second - base).astype(np.float32), 0, 255)
    paint = medium.finish_object(Cutout(paint, alpha, item.extent, rng))
    return _Layer(paint, alpha, plan.owners[seen], (left, top))


def _label_map(
    plan: _Plan, item: Item, centre: np.ndarray, side: int, line: float, medium: Medium, chance: np.ndarray
) -> Image.Image:
    """The oversampled local canvas, mode "L": per subpixel the label of `plan` that is seen there, 0 for none."""
    points = (plan.points - 0.5) * (item.extent - 2 * line)
    steps = plan.steps * line
    if item.mirrored:
        points, steps = points * (-1, 1), steps * (-1, 1)
    if medium.wobble:
        phase = chance[4:8] * 2 * np.pi
        wobble = medium.wobble * min(1.2, item.extent / 45)
        turn = points[:, ::-1] * (2 * np.pi / 17) + phase[:2]
        points = points + wobble * (np.sin(turn) + 0.6 * np.sin(2.3 * turn + phase[2:])) / 1.6
        steps = steps * (1 + medium.pressure * np.sin(points @ (0.31, 0.43) + phase[0]))[:, None]
    points = (points + centre) * _OVERSAMPLING - 0.5
    grown = points + steps * _OVERSAMPLING
    canvas = Image.new("L", (side * _OVERSAMPLING, side * _OVERSAMPLING))
    draw = ImageDraw.Draw(canvas)
    fills, edges = points.ravel().tolist(), grown.ravel().tolist()
    for shape in plan.shapes:
        draw.polygon((edges if shape.grown else fills)[2 * shape.start : 2 * shape.stop], fill=shape.label)
    return canvas


def _shine(across: np.ndarray) -> np.ndarray:
    """How brightly gold shines in bands, 0 to 1, by the way across a thing in its extents; 0 on most of it."""
    return np.clip(2.6 * np.cos(2 * np.pi * (across / 0.62 + 0.3)) - 1.7, 0, 0.9)


def _paints(item: Item, plan: _Plan, medium: Medium) -> tuple[np.ndarray, list[bool], list[bool]]:
    """Per label its colour, (N, 3) float in 0..255, whether the item's material covers it, and whether it is gold."""
    body = np.asarray(COLOURS[item.colour], dtype=float)
    tint = np.asarray(MATERIALS[item.material].tint, dtype=float)
    own = dict(item.own_colours)
    colours = np.zeros((len(plan.labels), 3))
    patterned, gilded = [False] * len(plan.labels), [False] * len(plan.labels)
    for k, label in enumerate(plan.labels[2:], start=2):
        if isinstance(label.paint, tuple):
            colours[k] = label.paint
            continue
        other = own.get(label.part) if label.part else None
        colours[k] = _toned(np.asarray(COLOURS[other], dtype=float) if other else body + tint, label.paint)
        flat = 0.8 <= label.paint <= 1.2
        patterned[k] = other is None and flat
        gilded[k] = (other or item.colour) == "golden" and flat
    colours[2:] = medium.pigment(colours[2:])
    colours[1] = medium.outline(body)
    return np.clip(colours, 0, 255), patterned, gilded


def _toned(colour: np.ndarray, tone: float) -> np.ndarray:
    if tone > 1:
        return colour + (255 - colour) * (tone - 1)
    if float(np.max(colour)) < 90:
        return colour + (1 - tone) * 130
    return colour * tone


def _share(labels: Image.Image, chosen: list[bool]) -> np.ndarray:
    """Per pixel the share of subpixels whose label is chosen, float32 in 0..1."""
    table = [255 * use for use in chosen] + [0] * (256 - len(chosen))
    return np.asarray(labels.point(table).reduce(_OVERSAMPLING), dtype=np.float32) / 255


def _window(origin: tuple[int, int], shape: tuple[int, int], size: int) -> tuple[_Slices, _Slices]:
    """Where local pixels lie on the canvas, and which of them the canvas holds."""
    (x, y), (height, width) = origin, shape
    top, bottom = min(max(y, 0), size), min(max(y + height, 0), size)
    left, right = min(max(x, 0), size), min(max(x + width, 0), size)
    return (slice(top, bottom), slice(left, right)), (slice(top - y, bottom - y), slice(left - x, right - x))


def _cast_shadow(canvas: np.ndarray, item: Item, darkness: float) -> None:
    """Darken the canvas in a soft ellipse at the foot of an item."""
    if darkness <= 0:
        return
    width, height = span(item.noun)
    rx, ry = 0.4 * width * item.extent, 0.07 * item.extent + 1
    cx, cy = item.centre[0] + 0.03 * item.extent, item.centre[1] + height * item.extent / 2
    reach_x, reach_y = math.ceil(1.5 * rx), math.ceil(1.8 * ry)
    origin = (math.floor(cx) - reach_x, math.floor(cy) - reach_y)
    there, here = _window(origin, (2 * reach_y + 1, 2 * reach_x + 1), canvas.shape[0])
    y = (np.arange(2 * reach_y + 1, dtype=np.float32) + np.float32(origin[1] + 0.5 - cy))[here[0], None] / ry
    x = (np.arange(2 * reach_x + 1, dtype=np.float32) + np.float32(origin[0] + 0.5 - cx))[None, here[1]] / rx
    fall = np.clip(1.35 - np.hypot(x, y), 0, 1)
    canvas[there] *= (1 - darkness * np.minimum(fall, 1.0) ** 1.3)[..., None]


def _lay(layer: _Layer, index: int, canvas: np.ndarray, owner: np.ndarray, pieces: np.ndarray) -> None:
    there, here = _window(layer.origin, layer.alpha.shape, canvas.shape[0])
    alpha = layer.alpha[here]
    canvas[there] = canvas[there] * (1 - alpha[..., None]) + layer.paint[here]
    seen = alpha >= 0.5
    owner[there][seen] = index
    pieces[there][seen] = layer.pieces[here][seen]
