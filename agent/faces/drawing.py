"""Small drawing helpers of the pictures that explain: panels of bearable size, captions, tinted masks.

`comparison`, `overlay` and `contact_sheet` compose their pictures from these. Nothing here touches an edited picture.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

__all__ = ["GREY", "INK", "PAPER", "fitted", "font", "outline", "panel_size", "tinted", "write_line"]

Colour = tuple[int, int, int]

PAPER: Colour = (255, 255, 255)
INK: Colour = (28, 28, 32)
GREY: Colour = (110, 110, 120)

_SMALLEST_PANEL = 320
_LARGEST_PANEL = 768


def panel_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size, in pixels, at which a picture of this size is shown: small ones are enlarged, large ones reduced."""
    longest = max(size)
    if longest < _SMALLEST_PANEL:
        scale = float(-(-_SMALLEST_PANEL // longest))
    else:
        scale = min(1.0, _LARGEST_PANEL / longest)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that Pillow carries, so that captions look the same on every machine."""
    return ImageFont.load_default(size)


def fitted(text: str, width: int, face: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The text, cut with an ellipsis where it is wider than `width` pixels."""
    text = " ".join(text.split())[:400]
    if face.getlength(text) <= width:
        return text
    while text and face.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


def write_line(
    canvas: Image.Image, place: tuple[int, int], text: str, width: int, size: int = 15, colour: Colour = INK
) -> None:
    """Writes one line of text with its top left corner at `place`, cut to `width` pixels."""
    face = font(size)
    ImageDraw.Draw(canvas).text(place, fitted(text, width, face), fill=colour, font=face)


def outline(mask: np.ndarray, width: int) -> np.ndarray:
    """The inner border of a mask, `width` pixels wide. (H, W) bool in, (H, W) bool out."""
    inner = mask.copy()
    for _ in range(width):
        padded = np.pad(inner, 1, constant_values=True)
        inner = inner & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~inner


def tinted(pixels: np.ndarray, mask: np.ndarray, colour: Colour, strength: float) -> np.ndarray:
    """The pixels with those inside the mask drawn towards a colour.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        mask: (H, W) bool.
        colour: RGB, 0 to 255.
        strength: 0 leaves the pixels, 1 covers them.

    Returns:
        (H, W, 3) uint8 RGB, a new array.
    """
    result = pixels.copy()
    blend = result[mask] * (1 - strength) + np.array(colour, dtype=np.float64) * strength
    result[mask] = np.rint(blend).astype(np.uint8)
    return result
