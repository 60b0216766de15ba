"""What one sees of each object of a drawn scene: box, centre, area; measured from its mask.

`referring`, `relations`, `questions` and `world.export` measure with it.
"""

from dataclasses import dataclass

import numpy as np

from instructedit_models.miniature.scene import Item, Picture, Scene
from instructedit_models.types import Box


@dataclass(frozen=True)
class Seen:
    """One object as it appears in the picture.

    Attributes:
        index: its place in the scene's items.
        item: the item.
        box: x0, y0, x1, y1 of its visible pixels, x1 and y1 exclusive.
        area: its visible pixels.
        visible: the share of the object that is visible, 0 to 1.
        canvas: width and height of the picture, in pixels.
    """

    index: int
    item: Item
    box: Box
    area: int
    visible: float
    canvas: int

    @property
    def x(self) -> float:
        """Middle of the box, from the left."""
        return (self.box[0] + self.box[2]) / 2

    @property
    def y(self) -> float:
        """Middle of the box, from the top."""
        return (self.box[1] + self.box[3]) / 2

    def outsizes(self, other: "Seen") -> float:
        """How many times larger this is than `other`, by what is seen and by the whole, whichever is less."""
        return min(self.area / max(other.area, 1), (self.item.extent / other.item.extent) ** 2)

    def gap(self, other: "Seen") -> float:
        """Pixels between the two boxes, 0 where they touch."""
        across = max(self.box[0] - other.box[2], other.box[0] - self.box[2], 0.0)
        down = max(self.box[1] - other.box[3], other.box[1] - self.box[3], 0.0)
        return float(np.hypot(across, down))


def mask_box(mask: np.ndarray) -> Box:
    """The box x0, y0, x1, y1 (x1, y1 exclusive) of a bool mask (H, W); all 0 where it is empty."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(columns):
        return (0.0, 0.0, 0.0, 0.0)
    return (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def see(scene: Scene, picture: Picture) -> list[Seen]:
    """The objects of which at least one pixel is visible, in the order of the scene's items."""
    things = []
    for index, (item, mask) in enumerate(zip(scene.items, picture.masks, strict=True)):
        area = int(np.count_nonzero(mask))
        if area:
            things.append(Seen(index, item, mask_box(mask), area, float(picture.visible[index]), scene.size))
    return things
