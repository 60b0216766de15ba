"""The side-by-side picture of an edit: input, mask, output, each with its caption.

Called by `instructedit edit --comparison`, the demo and the documentation.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from agent.faces.drawing import GREY, INK, PAPER, outline, panel_size, tinted, write_line

__all__ = ["Captions", "comparison", "mask_overlay", "shown_large"]

_MARGIN = 16
_GAP = 12
_TITLE = 32
_CAPTION = 44
_MASK_COLOUR = (255, 0, 150)


@dataclass(frozen=True)
class Captions:
    """The words around the panels.

    Attributes:
        instruction: what was asked, the title.
        input_caption: under the input.
        segmentation_prompt: under the mask.
        edited_caption: under the output.
    """

    instruction: str
    input_caption: str = ""
    segmentation_prompt: str = ""
    edited_caption: str = ""


def comparison(before: Image.Image, mask: np.ndarray, after: Image.Image, captions: Captions) -> Image.Image:
    """Input, mask overlay and output in one row.

    Args:
        before: the input, any size.
        mask: (H, W) bool of the same size.
        after: the output, of the same size.
        captions: title and words below the panels.

    Returns:
        An RGB picture; panels of small pictures are enlarged, those of large ones reduced.
    """
    width, height = panel_size(before.size)
    canvas = Image.new("RGB", (2 * _MARGIN + 3 * width + 2 * _GAP, _MARGIN + _TITLE + height + _CAPTION + _MARGIN // 2))
    canvas.paste(PAPER, (0, 0, *canvas.size))
    write_line(canvas, (_MARGIN, _MARGIN // 2 + 2), captions.instruction, canvas.width - 2 * _MARGIN, 18, INK)
    panels = (
        (before, "input", captions.input_caption),
        (mask_overlay(before, mask), "mask", captions.segmentation_prompt),
        (after, "output", captions.edited_caption),
    )
    for number, (picture, label, words) in enumerate(panels):
        left, top = _MARGIN + number * (width + _GAP), _MARGIN + _TITLE - 4
        canvas.paste(_shown(picture, (width, height)), (left, top))
        write_line(canvas, (left, top + height + 5), label, width, 15, INK)
        write_line(canvas, (left, top + height + 23), words, width, 13, GREY)
    return canvas


def mask_overlay(picture: Image.Image, mask: np.ndarray) -> Image.Image:
    """The picture, pale and grey outside the mask, which is outlined; RGB, enlarged if small."""
    size = panel_size(picture.size)
    shown = np.asarray(_shown(picture, size))
    large = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST), dtype=bool)
    grey = np.repeat(shown.mean(axis=2, keepdims=True), 3, axis=2)
    paler = np.rint(0.45 * grey + 0.55 * 255).astype(np.uint8)
    canvas = np.where(large[..., None], shown, paler)
    canvas = tinted(canvas, outline(large, 2), _MASK_COLOUR, 1.0)
    return Image.fromarray(canvas)


def shown_large(picture: Image.Image) -> Image.Image:
    """The picture at the size of a panel: small ones enlarged, large ones reduced; RGB."""
    return _shown(picture, panel_size(picture.size))


def _shown(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    picture = picture.convert("RGB")
    return picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)
