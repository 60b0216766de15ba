"""How each noun of the picture world is drawn; `rendering` paints what stands here.

To add a noun, write a function that returns its pieces back to front, in any handy units
(here a frame of about 100 x 100, y down), and name it in `_NOUNS`; `words` lists the noun and its parts.
Keep every part at least an eighth of the object in both directions, and more than half of the
object in the body's colour. The nouns that came later are drawn in `larger_shapes`.
"""

import math

import numpy as np

from instructedit_models.miniature.larger_shapes import LARGER_DRAWINGS
from instructedit_models.miniature.outlines import curve, ellipse, line, polygon, rectangle, stroke
from instructedit_models.miniature.pieces import (
    BROWN,
    EYE,
    LAMP,
    LEAF,
    PINK,
    PUPIL,
    Detail,
    Piece,
    body,
    eye,
    fit,
    part,
    wheel,
)


def _ball() -> list[Piece]:
    left = [(58, 5), (36, 24), (26, 52), (34, 80), (52, 97)]
    right = [(58, 5), (74, 26), (79, 52), (72, 78), (52, 97)]
    panel = np.concatenate([line(left), line(right)[::-1]])
    return [
        body(
            ellipse(50, 50, 50),
            details=(
                Detail(panel, 0.86),
                Detail(stroke(left, 3.2), 0.5),
                Detail(stroke(right, 3.2), 0.5),
                Detail(ellipse(58, 7, 9, 6, 8), 1.45),
                Detail(ellipse(23, 29, 9, 5.5, -48), 1.8),
            ),
        )
    ]


def _box() -> list[Piece]:
    return [
        body(
            polygon([(0, 28), (28, 4), (100, 4), (73, 28)], 2),
            tone=1.14,
            details=(Detail(polygon([(29, 28), (57, 4), (72, 4), (45, 28)], 0), 1.5),),
        ),
        body(polygon([(73, 28), (100, 4), (100, 68), (73, 96)], 2), tone=0.82),
        body(
            rectangle(0, 28, 73, 96, 2),
            details=(
                Detail(polygon([(29, 28), (45, 28), (45, 46), (41, 43), (37, 47), (33, 43), (29, 46)], 0), 1.5),
                Detail(stroke([(8, 86), (24, 86)], 3), 0.6),
                Detail(stroke([(8, 79), (18, 79)], 3), 0.6),
            ),
        ),
    ]


def _star() -> list[Piece]:
    points = []
    for k in range(10):
        radius, angle = (52 if k % 2 == 0 else 27), math.radians(36 * k - 90)
        points.append((50 + radius * math.cos(angle), 52 + radius * math.sin(angle)))
    face = (
        *eye(40, 49, 4.6),
        *eye(60, 49, 4.6),
        Detail(stroke([(42, 61), (50, 66), (58, 61)], 3.4), 0.3),
        Detail(ellipse(33, 58, 4, 2.8), PINK),
        Detail(ellipse(67, 58, 4, 2.8), PINK),
    )
    return [body(polygon(points, 7), details=face)]


def _heart() -> list[Piece]:
    angle = np.linspace(0, 2 * math.pi, 48, endpoint=False)
    x = 16 * np.sin(angle) ** 3
    y = 13 * np.cos(angle) - 5 * np.cos(2 * angle) - 2 * np.cos(3 * angle) - np.cos(4 * angle)
    outline = np.stack([50 + 3.1 * x, 46 - 3.1 * y], axis=1)
    shine = (
        Detail(stroke([(12, 38), (15, 25), (25, 16)], 6), 1.75),
        Detail(ellipse(15, 49, 3.2), 1.75),
        Detail(stroke([(87, 46), (74, 66), (56, 83)], 4), 0.78),
    )
    return [body(outline, details=shine)]


def _house() -> list[Piece]:
    def window(x: float) -> Piece:
        bars = (
            Detail(rectangle(x + 7.6, 50, x + 9.4, 66, 0), 0.6),
            Detail(rectangle(x, 57.1, x + 17, 58.9, 0), 0.6),
        )
        return part("windows", rectangle(x, 50, x + 17, 66, 1), line=0.75, details=bars)

    return [
        body(rectangle(64, 3, 82, 34, 1)),
        body(rectangle(3, 28, 97, 100, 2)),
        part("roof", polygon([(0, 36), (22, 18), (78, 18), (100, 36)], 4), line=0.8),
        window(13),
        window(70),
        part("door", polygon([(42, 100), (42, 73), (50, 68), (58, 73), (58, 100)], 4), line=0.75, details=(
            Detail(ellipse(55, 84, 2.4), LAMP),
        )),
    ]  # fmt: skip


def _tree() -> list[Piece]:
    leaves = tuple(
        Detail(stroke([(x - 6, y), (x, y + 4), (x + 6, y)], 2.8), 0.72)
        for x, y in ((28, 42), (50, 22), (71, 40), (42, 58), (60, 56))
    )
    return [
        part("trunk", polygon([(41, 56), (59, 56), (60, 88), (68, 100), (32, 100), (40, 88)], 4), details=(
            Detail(stroke([(47, 80), (47, 94)], 2.4), 0.6),
            Detail(stroke([(54, 76), (54, 88)], 2.4), 0.6),
        )),
        part("crown", ellipse(50, 26, 28, 26), ellipse(25, 44, 23, 22), ellipse(75, 44, 23, 22),
              ellipse(50, 53, 28, 22), details=leaves),
    ]  # fmt: skip


def _car() -> list[Piece]:
    shell = polygon([(0, 40), (6, 34), (20, 32), (33, 1), (71, 1), (85, 32), (97, 38), (100, 67), (94, 75), (4, 75),
                     (0, 67)], 7)  # fmt: skip
    return [
        body(shell, details=(
            Detail(ellipse(95.5, 46, 3.5, 5.5), LAMP),
            Detail(rectangle(40, 62, 60, 65, 0), 0.7),
            Detail(stroke([(57, 42), (64, 42)], 3.2), 0.45),
            Detail(ellipse(3, 46, 2.6, 4.6), (220, 60, 50)),
        )),
        part("windows", polygon([(31, 30), (38, 11), (49, 11), (49, 30)], 2), line=0.75),
        part("windows", polygon([(56, 30), (56, 11), (67, 11), (75, 30)], 2), line=0.75),
        wheel(24, 73, 12.5),
        wheel(76, 73, 12.5),
    ]  # fmt: skip


def _bus() -> list[Piece]:
    windows = [part("windows", rectangle(x, 12, x + 19, 28, 2), line=0.75) for x in (9, 37, 65)]
    return [
        body(rectangle(0, 0, 100, 70, 7), details=(
            Detail(rectangle(0, 40, 100, 44, 0), 0.8),
            Detail(rectangle(95, 48, 100, 56, 1), LAMP),
            Detail(rectangle(0, 48, 4, 55, 1), (220, 60, 50)),
            Detail(stroke([(38, 54), (60, 54)], 2.6), 0.5),
        )),
        *windows,
        wheel(22, 70, 11.5),
        wheel(76, 70, 11.5),
    ]  # fmt: skip


def _flower() -> list[Piece]:
    petals, folds = [], []
    for k in range(6):
        angle = math.radians(60 * k + 30)
        cos, sin = math.cos(angle), math.sin(angle)
        petals.append(ellipse(50 + 22 * cos, 37 + 22 * sin, 18))
        cos, sin = math.cos(math.radians(60 * k)), math.sin(math.radians(60 * k))
        fold = stroke([(50 + 14 * cos, 37 + 14 * sin), (50 + 25 * cos, 37 + 25 * sin)], 2.2)
        folds.append(Detail(fold, 0.65))
    heart = (Detail(ellipse(50, 37, 10.4), (150, 96, 30)), Detail(ellipse(50, 37, 9), (255, 208, 70)))
    return [
        part("stem", rectangle(43.5, 62, 56.5, 102, 3), curve([(52, 95), (60, 83), (74, 80), (69, 92)]),
              curve([(48, 99), (41, 87), (26, 84), (31, 97)])),
        part("petals", *petals, ellipse(50, 37, 18), details=(*folds, *heart)),
    ]  # fmt: skip


def _cat() -> list[Piece]:
    whiskers = tuple(
        Detail(stroke([(x0, y0), (x1, y1)], 2), 0.42)
        for x0, y0, x1, y1 in ((35, 44, 19, 41), (35, 48, 20, 50), (65, 44, 81, 41), (65, 48, 80, 50))
    )
    face = (
        Detail(polygon([(25, 22), (25, 8), (36, 15)], 2), PINK),
        Detail(polygon([(75, 22), (75, 8), (64, 15)], 2), PINK),
        *eye(38, 33, 6.2),
        *eye(62, 33, 6.2),
        Detail(polygon([(45.5, 42), (54.5, 42), (50, 47)], 1.5), PINK),
        Detail(stroke([(43, 50), (47, 51.5), (50, 47.5), (53, 51.5), (57, 50)], 2.2), 0.35),
        *whiskers,
    )
    return [
        body(stroke([(70, 92), (88, 88), (93, 72), (86, 60)], 12), tone=0.92),
        body(curve([(36, 52), (26, 74), (22, 93), (34, 101), (50, 99),
                     (66, 101), (78, 93), (74, 74), (64, 52)]), details=(
            Detail(ellipse(50, 72, 11, 13), 1.35),
            Detail(stroke([(42, 84), (42, 97)], 2.4), 0.5),
            Detail(stroke([(58, 84), (58, 97)], 2.4), 0.5),
        )),
        body(ellipse(50, 35, 35, 25), polygon([(17, 36), (17, -3), (46, 14)], 3),
              polygon([(83, 36), (83, -3), (54, 14)], 3), details=face),
    ]  # fmt: skip


def _dog() -> list[Piece]:
    face = (
        Detail(ellipse(72, 44, 13, 10.5), 1.2),
        *eye(63, 29, 4.8),
        *eye(80, 29, 4.8),
        Detail(ellipse(67.5, 53, 4.2, 5), (238, 96, 110)),
        Detail(stroke([(63, 48), (68, 51), (72, 47), (76, 51), (81, 48)], 2.2), 0.3),
        Detail(ellipse(72, 40, 6.4, 4.6), PUPIL),
    )
    near = [(51, 14), (58, 18), (57, 36), (53, 52), (44, 51), (42, 36), (44, 20)]
    far = [(144 - x, y) for x, y in near]
    return [
        body(stroke([(12, 60), (2, 48), (5, 34)], 10)),
        body(rectangle(24, 70, 36, 97, 4), rectangle(58, 70, 70, 97, 4), tone=0.86, line=0.5),
        body(curve([(8, 56), (24, 49), (50, 49), (70, 48), (78, 64), (72, 82), (40, 84), (16, 84), (6, 74)]),
              rectangle(8, 66, 25, 100, 5), rectangle(44, 66, 61, 100, 5)),
        body(ellipse(72, 34, 24, 25), details=face, line=0.6),
        part("ears", curve(near), line=0.8),
        part("ears", curve(far), line=0.8),
    ]  # fmt: skip


def _fish() -> list[Piece]:
    scales = tuple(
        Detail(stroke([(x, y - 6), (x - 5, y), (x, y + 6)], 2.4), 0.62)
        for x, y in ((34, 47), (46, 38), (46, 56), (57, 47), (57, 64))
    )
    return [
        body(curve([(24, 46), (8, 22), (1, 22), (5, 46), (1, 72), (8, 72), (24, 52)]), tone=0.88, details=(
            Detail(stroke([(7, 36), (18, 44)], 2.2), 0.6), Detail(stroke([(7, 58), (18, 50)], 2.2), 0.6))),
        body(curve([(38, 24), (44, 6), (62, 4), (74, 22)]), tone=0.88),
        body(curve([(46, 68), (42, 84), (54, 86), (62, 70)]), tone=0.88),
        body(curve([(18, 47), (36, 26), (62, 18), (86, 28), (100, 47), (86, 66), (62, 76), (36, 68)]), details=(
            *scales,
            Detail(stroke([(70, 28), (64, 46), (70, 66)], 3), 0.55),
            *eye(83, 40, 6.4),
            Detail(stroke([(97, 53), (91, 57), (86, 56)], 2.6), 0.35),
        )),
    ]  # fmt: skip


def _boat() -> list[Piece]:
    return [
        Piece(None, (stroke([(40, 3), (40, 58)], 5),), paint=BROWN),
        part("sail", curve([(44, 3), (58, 13), (73, 28), (83, 44), (66, 48), (44, 47), (44, 26)]), details=(
            Detail(stroke([(49, 34), (70, 35)], 2.4), 0.72),)),
        part("hull", polygon([(0, 52), (100, 52), (97, 75), (82, 98), (18, 98), (3, 75)], 6), details=(
            Detail(polygon([(2, 63), (98, 63), (97.5, 68), (2.5, 68)], 0), 0.8),
            *(Detail(ellipse(x, 81, 4.2), EYE) for x in (32, 50, 68)),
        )),
    ]  # fmt: skip


def _cup() -> list[Piece]:
    angle = np.radians(np.linspace(-100, 100, 17))
    ring = np.concatenate([
        np.stack([70 + 30 * np.cos(angle), 46 + 29 * np.sin(angle)], axis=1),
        np.stack([70 + 14.5 * np.cos(angle), 46 + 14 * np.sin(angle)], axis=1)[::-1],
    ])  # fmt: skip
    return [
        part("handle", ring),
        body(polygon([(0, 10), (76, 10), (74, 78), (64, 96), (12, 96), (2, 78)], 9), details=(
            Detail(stroke([(12, 32), (13, 64)], 6), 1.6),)),
        body(ellipse(38, 10, 38, 10), tone=1.14, details=(Detail(ellipse(38, 11, 31, 6.6), (104, 66, 44)),)),
    ]  # fmt: skip


def _apple() -> list[Piece]:
    outline = [(50, 25), (62, 17), (80, 18), (95, 36), (96, 58), (86, 82), (70, 97), (58, 98), (50, 94),
               (42, 98), (30, 97), (14, 82), (4, 58), (5, 36), (20, 18), (38, 17)]  # fmt: skip
    return [
        Piece(None, (curve([(53, 15), (60, 3), (78, -3), (90, -2), (84, 9), (68, 16)]),), paint=LEAF, details=(
            Detail(stroke([(58, 12), (78, 3)], 2), 0.65),)),
        body(curve(outline), details=(
            Detail(stroke([(40, 24), (50, 29), (60, 24)], 3.4), 0.55),
            Detail(stroke([(14, 54), (15, 40), (24, 30)], 7), 1.75),
        )),
        Piece(None, (stroke([(50, 28), (48, 14), (43, 2)], 6.5),), paint=BROWN),
    ]  # fmt: skip


def _orange() -> list[Piece]:
    pores = ((30, 62), (44, 78), (58, 66), (72, 76), (44, 52), (78, 54),
             (62, 46), (58, 88), (22, 48), (30, 80), (84, 68))  # fmt: skip
    return [
        body(ellipse(50, 56, 50, 47), details=(
            *(Detail(ellipse(x, y, 2.7), 0.66) for x, y in pores),
            Detail(ellipse(24, 33, 9, 5.5, -45), 1.7),
            Detail(polygon([(50, 12), (56, 17), (64, 15), (60, 22), (64, 28), (55, 26), (50, 31), (45, 26), (36, 28),
                            (40, 22), (36, 15), (44, 17)], 1), (62, 112, 46)),
        )),
        Piece(None, (curve([(50, 19), (46, 6), (30, -2), (18, 2), (26, 14), (38, 20)]),), paint=LEAF, details=(
            Detail(stroke([(26, 6), (44, 16)], 2), 0.65),)),
    ]  # fmt: skip


_NOUNS = {
    "ball": _ball, "box": _box, "star": _star, "heart": _heart, "house": _house, "tree": _tree, "car": _car,
    "bus": _bus, "flower": _flower, "cat": _cat, "dog": _dog, "fish": _fish, "boat": _boat, "cup": _cup,
    "apple": _apple, "orange": _orange,
}  # fmt: skip


DRAWINGS: dict[str, tuple[Piece, ...]] = {noun: fit(draw()) for noun, draw in _NOUNS.items()} | LARGER_DRAWINGS
"""Per noun, its pieces back to front, in the unit frame."""


def span(noun: str) -> tuple[float, float]:
    """Width and height of a noun's box as shares of its extent; the longer one is 1."""
    points = np.concatenate([outline for piece in DRAWINGS[noun] for outline in piece.outlines])
    width, height = points.max(axis=0) - points.min(axis=0)
    return float(width), float(height)
