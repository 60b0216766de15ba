"""The contact sheet of the picture world: many scenes at a glance.

Called by `instructedit world sheet` and the documentation.
"""

from collections.abc import Iterable

from PIL import Image

from agent.faces.drawing import PAPER

__all__ = ["contact_sheet"]

_GAP = 6


def contact_sheet(pictures: Iterable[Image.Image], columns: int = 6, cell: int = 192) -> Image.Image:
    """Lays pictures out in rows.

    Args:
        pictures: square RGB pictures, at least one.
        columns: pictures per row.
        cell: side of a picture on the sheet, in pixels.

    Returns:
        An RGB picture.
    """
    shown = [picture.convert("RGB").resize((cell, cell), Image.Resampling.LANCZOS) for picture in pictures]
    columns = min(columns, len(shown))
    rows = -(-len(shown) // columns)
    step = cell + _GAP
    sheet = Image.new("RGB", (columns * step + _GAP, rows * step + _GAP), PAPER)
    for number, picture in enumerate(shown):
        sheet.paste(picture, (_GAP + number % columns * step, _GAP + number // columns * step))
    return sheet
