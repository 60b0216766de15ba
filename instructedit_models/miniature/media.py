"""How a picture of the world is made: photo-like light, brush and paint, or pencil on paper.

A medium treats the ground and every object apart and never mixes neighbouring pixels of the finished
picture, so that an edit of one object leaves all other pixels as they were. To add a medium, write a
subclass of `Medium` and name it in `MEDIA`.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from instructedit_models.miniature.textures import noise

PAPER = np.asarray((250, 248, 241), dtype=np.float32)

_GREY = np.asarray((0.3, 0.59, 0.11), dtype=np.float32)


@dataclass
class Cutout:
    """One object on its local pixels, before it is laid on the picture.

    Attributes:
        paint: (H, W, 3) float32 in 0..255, already multiplied by `alpha`.
        alpha: (H, W) float32 in 0..1.
        extent: the longer side of the object's box in pixels.
        rng: the object's own randomness.
    """

    paint: np.ndarray
    alpha: np.ndarray
    extent: float
    rng: np.random.Generator


class Medium:
    """The plainest medium: flat colours with dark outlines. The others refine it.

    Attributes:
        line: width of outlines in pixels, for an object of 45 pixels.
        wobble: by how many pixels outlines stray, for an object of 45 pixels.
        pressure: by which share the width of outlines varies.
        shadow: how dark the ground is under an object, 0..1.
    """

    line = 1.1
    wobble = 0.0
    pressure = 0.0
    shadow = 0.0

    def outline(self, colour: np.ndarray) -> np.ndarray:
        """The colour of the lines around something of a colour, both (3,) float; light ones around black."""
        return _on_dark(colour, colour * 0.32)

    def pigment(self, colours: np.ndarray) -> np.ndarray:
        """What is put on the canvas so that the result is seen as `colours`, (N, 3) float in 0..255."""
        return colours

    def ground(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The background in this medium, (H, W, 3) float32 to the same."""
        return picture

    def finish_object(self, cutout: Cutout) -> np.ndarray:
        """The paint of an object in this medium, (H, W, 3) float32, multiplied by alpha."""
        return cutout.paint

    def finish(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """What lies over the whole picture, pixel by pixel, (H, W, 3) float32 to the same."""
        return picture


class Photo(Medium):
    """Soft light from the upper left, a highlight, a contact shadow and a little sensor noise."""

    line = 0.9
    shadow = 0.42

    def ground(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """See `Medium.ground`."""
        height, width = picture.shape[:2]
        rows = np.linspace(1.03, 0.97, height, dtype=np.float32)[:, None, None]
        return picture * rows + 2.0 * noise("fine", (height, width), rng)[..., None]

    def finish_object(self, cutout: Cutout) -> np.ndarray:
        """See `Medium.finish_object`."""
        height, width = cutout.alpha.shape
        relief = _relief(cutout.alpha, cutout.extent)
        v = np.linspace(0.035, -0.045, height, dtype=np.float32)[:, None]
        light = np.clip(1.0 + v + 0.34 * relief, 0.84, 1.13)
        x = (np.arange(width, dtype=np.float32) - 0.36 * width) / (0.17 * cutout.extent)
        y = (np.arange(height, dtype=np.float32) - 0.33 * height) / (0.14 * cutout.extent)
        gloss = 26 * np.exp(-(y**2))[:, None] * np.exp(-(x**2))[None, :] * cutout.alpha
        return cutout.paint * light[..., None] + gloss[..., None]

    def finish(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """See `Medium.finish`."""
        return picture + 2.2 * noise("grain", picture.shape[:2], rng)[..., None]


class Painting(Medium):
    """Rich colours in visible strokes with wavering, thick, dark outlines, on canvas."""

    line = 1.15
    wobble = 0.8
    pressure = 0.45

    def outline(self, colour: np.ndarray) -> np.ndarray:
        """See `Medium.outline`."""
        return _on_dark(colour, np.asarray((52, 34, 48), dtype=float) * 0.75 + colour * 0.12)

    def pigment(self, colours: np.ndarray) -> np.ndarray:
        """See `Medium.pigment`."""
        grey = (colours @ _GREY)[:, None]
        return np.clip(grey + (colours - grey) * 1.14, 0, 255)

    def ground(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """See `Medium.ground`."""
        height, width = picture.shape[:2]
        strokes = noise("flat strokes", (height, width), rng)
        drag = noise("strokes", (height, width), rng)
        rows = np.clip(np.arange(height)[:, None] + np.rint(0.8 * drag).astype(np.intp), 0, height - 1)
        columns = np.clip(np.arange(width)[None, :] + np.rint(1.3 * strokes).astype(np.intp), 0, width - 1)
        picture = picture[rows, columns]
        grey = (picture @ _GREY)[..., None]
        return grey + (picture - grey) * np.float32(1.22) + (7.0 * strokes + 5.0 * drag)[..., None]

    def finish_object(self, cutout: Cutout) -> np.ndarray:
        """See `Medium.finish_object`."""
        strokes = noise("strokes", cutout.alpha.shape, cutout.rng)
        warm = noise("strokes", cutout.alpha.shape, cutout.rng) * cutout.alpha
        tone = np.rint(2.2 * (_relief(cutout.alpha, cutout.extent) + 0.12 * strokes)) / 2.2
        light = np.clip(1.01 + 0.17 * tone + 0.045 * strokes, 0.86, 1.14)
        paint = cutout.paint * light[..., None]
        paint[..., 0] += 5.0 * warm
        paint[..., 2] -= 5.0 * warm
        return paint + (4.0 * strokes * cutout.alpha)[..., None]

    def finish(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """See `Medium.finish`."""
        height, width = picture.shape[:2]
        weave = ((np.arange(height)[:, None] // 2 + np.arange(width)[None, :] // 2) % 2).astype(np.float32) - 0.5
        return picture + (5.0 * weave)[..., None]


class PencilDrawing(Medium):
    """Coloured pencil hatched on white paper, with graphite outlines."""

    line = 1.0
    wobble = 0.5
    pressure = 0.5

    _SHOWING = 0.14

    def outline(self, colour: np.ndarray) -> np.ndarray:
        """See `Medium.outline`."""
        return _on_dark(colour, np.asarray((72, 72, 80), dtype=float))

    def pigment(self, colours: np.ndarray) -> np.ndarray:
        """See `Medium.pigment`."""
        return np.clip((colours - self._SHOWING * PAPER) / (1 - self._SHOWING), 0, 255)

    def ground(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """See `Medium.ground`."""
        height, width = picture.shape[:2]
        showing = 0.36 + 0.075 * _hatch((height, width), -0.62, 5.0, rng) + 0.04 * noise("fine", (height, width), rng)
        y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None, :]
        border = np.minimum(np.minimum(y, height - 1 - y), np.minimum(x, width - 1 - x))
        ragged = np.clip((border - 3.0 - 1.6 * noise("soft", (height, width), rng)) / 4.0, 0, 1)
        showing = np.clip(1 - ragged * (1 - showing), 0, 1)[..., None]
        return picture + (PAPER - picture) * showing

    def finish_object(self, cutout: Cutout) -> np.ndarray:
        """See `Medium.finish_object`."""
        hatch = _hatch(cutout.alpha.shape, 0.85, 4.8, cutout.rng)
        showing = self._SHOWING + 0.085 * hatch + 0.035 * noise("fine", cutout.alpha.shape, cutout.rng)
        showing = np.clip(showing - 0.09 * np.clip(-_relief(cutout.alpha, cutout.extent), 0, 1), 0, 1)[..., None]
        return cutout.paint * (1 - showing) + PAPER * (cutout.alpha[..., None] * showing)

    def finish(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """See `Medium.finish`."""
        return picture + 1.5 * noise("fine", picture.shape[:2], rng)[..., None]


def _on_dark(colour: np.ndarray, line: np.ndarray) -> np.ndarray:
    """A line that would vanish on a dark colour, replaced by a light grey one."""
    return np.asarray((108, 108, 120), dtype=float) if float(np.max(colour)) < 90 else line


def _relief(alpha: np.ndarray, extent: float) -> np.ndarray:
    """How much the edge of a rounded body faces the light from the upper left, (H, W) float32 in -1..1."""
    radius = max(1.5, 0.09 * extent)
    blurred = Image.fromarray((alpha * 255).astype(np.uint8)).filter(ImageFilter.BoxBlur(radius))
    soft = np.asarray(blurred.filter(ImageFilter.BoxBlur(radius)), dtype=np.float32) / 255
    step = max(1, round(0.07 * extent))
    padded = np.pad(soft, step)
    return padded[2 * step :, 2 * step :] - padded[: -2 * step, : -2 * step]


def _hatch(shape: tuple[int, int], slope: float, period: float, rng: np.random.Generator) -> np.ndarray:
    """Parallel pencil strokes, (H, W) float32 in -1..1, 1 where paper shows."""
    y, x = np.arange(shape[0], dtype=np.float32)[:, None], np.arange(shape[1], dtype=np.float32)[None, :]
    across = (x * slope + y) / np.hypot(slope, 1.0) / period + rng.random()
    return np.sin((across + 0.05 * noise("soft", shape, rng)) * np.float32(2 * np.pi))


MEDIA: dict[str, Medium] = {"photo": Photo(), "painting": Painting(), "pencil drawing": PencilDrawing()}
