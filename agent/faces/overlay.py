"""The numbered picture of a grounding: every candidate in its own colour, with its id, phrase and score.

Called by `instructedit segment --overlay`.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from agent.faces.drawing import INK, PAPER, fitted, font, outline, panel_size, tinted
from instructedit_models.types import Region

__all__ = ["overlay"]

_COLOURS = (
    (230, 25, 75),
    (0, 130, 200),
    (60, 180, 75),
    (245, 130, 48),
    (145, 30, 180),
    (0, 150, 150),
    (170, 110, 40),
    (240, 50, 230),
)


def overlay(picture: Image.Image, regions: Sequence[Region]) -> Image.Image:
    """Draws all candidates: the chosen ones filled and outlined, the others outlined only.

    Args:
        picture: RGB, any size.
        regions: candidates, with masks of the picture's size.

    Returns:
        An RGB picture, enlarged where the input is small.
    """
    size = panel_size(picture.size)
    canvas = np.asarray(picture.convert("RGB").resize(size, Image.Resampling.LANCZOS))
    for number, region in enumerate(regions):
        colour = _COLOURS[number % len(_COLOURS)]
        mask = np.asarray(Image.fromarray(region.mask).resize(size, Image.Resampling.NEAREST), dtype=bool)
        if region.chosen:
            canvas = tinted(canvas, mask, colour, 0.4)
        canvas = tinted(canvas, outline(mask, 2), colour, 1.0)
    image = Image.fromarray(canvas)
    scale = (size[0] / picture.width, size[1] / picture.height)
    for number, region in enumerate(regions):
        _label(image, region, scale, _COLOURS[number % len(_COLOURS)])
    return image


def _label(image: Image.Image, region: Region, scale: tuple[float, float], colour: tuple[int, int, int]) -> None:
    """Writes id, phrase and score above the region's box, kept inside the picture."""
    face = font(14)
    text = fitted(f"{region.id} {region.phrase} {region.score:.2f}", image.width - 8, face)
    width, height = int(face.getlength(text)) + 8, 19
    left = min(max(0, round(region.box[0] * scale[0])), image.width - width)
    top = max(0, round(region.box[1] * scale[1]) - height)
    draw = ImageDraw.Draw(image)
    draw.rectangle((left, top, left + width, top + height), fill=colour if region.chosen else PAPER, outline=colour)
    draw.text((left + 4, top + 1), text, fill=PAPER if region.chosen else INK, font=face)
