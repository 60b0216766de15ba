"""The plain data of the picture world: a scene before and after it is drawn.

`world` samples scenes, `rendering` draws them, `language` speaks of them; none of these types
holds behaviour beyond looking itself up.
"""

from dataclasses import dataclass, field

import numpy as np

from instructedit_models.miniature.words import PARTS

CANVAS = 128
"""Width and height of every picture of the world, in pixels."""


@dataclass(frozen=True)
class Item:
    """One object of a scene.

    Attributes:
        noun: a word of `words.NOUNS`.
        colour: the body's colour, a key of `words.COLOURS`.
        material: a word of `words.MATERIALS`; it covers the body and the parts without a colour of their own.
        size: a word of `words.SIZES`, as `world` drew it (the extent decides who is "bigger").
        centre: x, y of the middle of the object's box, in pixels.
        extent: the longer side of the object's box, in pixels.
        mirrored: whether the drawing is flipped left to right.
        own_colours: (part, colour) for each part that does not take the body's colour.
    """

    noun: str
    colour: str
    material: str
    size: str
    centre: tuple[float, float]
    extent: float
    mirrored: bool = False
    own_colours: tuple[tuple[str, str], ...] = ()

    def part_colour(self, part: str) -> str:
        """The colour of a part, its own or the body's. Raises KeyError if the noun has no such part."""
        if part not in PARTS.get(self.noun, ()):
            raise KeyError(f"a {self.noun} has no {part}")
        return dict(self.own_colours).get(part, self.colour)


@dataclass(frozen=True)
class Scene:
    """A picture that can be drawn: the same scene is drawn to the same bytes.

    Attributes:
        seed: decides every texture and stroke, so that before and after differ only where an edit was made.
        medium: a word of `words.MEDIA`.
        background: a word of `words.BACKGROUNDS`.
        items: the objects, back to front.
        size: width and height in pixels.
    """

    seed: int
    medium: str
    background: str
    items: tuple[Item, ...]
    size: int = CANVAS


@dataclass
class Picture:
    """A drawn scene, with its truth.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        masks: per item, (H, W) bool: the pixels where the item is what one sees.
        pieces: per item, a list of (part, mask): one entry per visible instance of a part (each wheel), (H, W) bool.
        visible: per item, the share of its own pixels that nothing covers and the canvas holds, 0 to 1.
    """

    image: np.ndarray
    masks: list[np.ndarray] = field(default_factory=list)
    pieces: list[list[tuple[str, np.ndarray]]] = field(default_factory=list)
    visible: list[float] = field(default_factory=list)

    def part_mask(self, item: int, part: str) -> np.ndarray:
        """The union of all instances of a part of an item, (H, W) bool; all False where none is visible."""
        union = np.zeros(self.image.shape[:2], dtype=bool)
        for name, mask in self.pieces[item]:
            if name == part:
                union |= mask
        return union
