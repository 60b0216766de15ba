"""What the drawings of the picture world's nouns are made of: pieces, their details, and the shapes they share.

`shapes` and `larger_shapes` draw nouns with it; `rendering` paints them.
"""

from dataclasses import dataclass, replace

import numpy as np

from instructedit_models.miniature.outlines import ellipse

RGB = tuple[int, int, int]

BROWN: RGB = (122, 84, 54)
LEAF: RGB = (84, 152, 60)
PINK: RGB = (240, 150, 160)
EYE: RGB = (252, 252, 244)
PUPIL: RGB = (30, 28, 34)
STEEL: RGB = (206, 206, 212)
LAMP: RGB = (255, 238, 150)


@dataclass(frozen=True)
class Detail:
    """Something small on a piece: an eye, a seam, a shine. It belongs to the piece it lies on.

    Attributes:
        outline: (N, 2) float x, y in the unit frame.
        paint: an RGB, or a tone of the piece's colour: below 1 darker by that factor, 1.7 means 70 % white.
    """

    outline: np.ndarray
    paint: float | RGB


@dataclass(frozen=True)
class Piece:
    """One outlined shape of an object; every instance of a part (each wheel) is a piece of its own.

    Attributes:
        part: the part that this is an instance of, or None for the rest of the body.
        outlines: polygons, (N, 2) float x, y in the unit frame (y down), drawn as one shape.
        tone: tone of the piece's colour, as in `Detail.paint`.
        details: drawn upon the piece.
        paint: a fixed RGB where the piece takes neither the body's nor a part's colour (a stalk).
        line: width of its outline, as a share of the medium's.
    """

    part: str | None
    outlines: tuple[np.ndarray, ...]
    tone: float = 1.0
    details: tuple[Detail, ...] = ()
    paint: RGB | None = None
    line: float = 1.0


def body(*outlines: np.ndarray, tone: float = 1.0, details: tuple[Detail, ...] = (), line: float = 1.0) -> Piece:
    """A piece of the body."""
    return Piece(None, outlines, tone, details, line=line)


def part(name: str, *outlines: np.ndarray, details: tuple[Detail, ...] = (), line: float = 1.0) -> Piece:
    """One instance of a part."""
    return Piece(name, outlines, details=details, line=line)


def eye(x: float, y: float, r: float) -> tuple[Detail, ...]:
    """An eye that looks at you, of radius `r`."""
    return (
        Detail(ellipse(x, y, r, 1.15 * r), EYE),
        Detail(ellipse(x + 0.1 * r, y + 0.1 * r, 0.62 * r, 0.8 * r), PUPIL),
        Detail(ellipse(x - 0.15 * r, y - 0.3 * r, 0.24 * r), EYE),
    )


def wheel(x: float, y: float, r: float) -> Piece:
    """A wheel with its hub."""
    return part("wheels", ellipse(x, y, r), details=(Detail(ellipse(x, y, 0.34 * r), STEEL),))


def fit(pieces: list[Piece]) -> tuple[Piece, ...]:
    """The pieces moved and scaled so that the longer side of their box is 0..1 and the box is centred on 0.5, 0.5."""
    points = np.concatenate([outline for piece in pieces for outline in piece.outlines])
    low, high = points.min(axis=0), points.max(axis=0)
    middle, longer = (low + high) / 2, float((high - low).max())

    def unit(outline: np.ndarray) -> np.ndarray:
        return (outline - middle) / longer + 0.5

    return tuple(
        replace(
            piece,
            outlines=tuple(unit(outline) for outline in piece.outlines),
            details=tuple(Detail(unit(detail.outline), detail.paint) for detail in piece.details),
        )
        for piece in pieces
    )
