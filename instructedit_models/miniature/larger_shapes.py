"""Drawings of the nouns of the larger world, by the rules of `shapes`, which takes them up."""

from instructedit_models.miniature.outlines import curve, ellipse, polygon, rectangle, stroke
from instructedit_models.miniature.pieces import LAMP, STEEL, Detail, Piece, body, eye, fit, part, wheel

__all__ = ["LARGER_DRAWINGS"]


def _truck() -> list[Piece]:
    ribs = tuple(Detail(stroke([(x, 8), (x, 56)], 2.6), 0.72) for x in (15, 30, 45))
    return [
        body(rectangle(0, 2, 60, 62, 4), details=ribs),
        body(polygon([(63, 18), (82, 18), (96, 38), (100, 42), (100, 68), (63, 68)], 4), details=(
            Detail(ellipse(97, 56, 3.2, 5), LAMP),
            Detail(stroke([(70, 48), (77, 48)], 3), 0.45),
        )),
        body(rectangle(0, 62, 100, 70, 2), tone=0.8),
        part("windows", polygon([(68, 22), (80, 22), (90, 39), (68, 39)], 2), line=0.75),
        *(wheel(x, 73, 11.5) for x in (18, 46, 83)),
    ]  # fmt: skip


def _bird() -> list[Piece]:
    feathers = tuple(Detail(stroke([(x, 56), (x + 5, 62), (x + 11, 58)], 2.4), 0.62) for x in (28, 40))
    legs = (stroke([(44, 80), (44, 97), (36, 97)], 4), stroke([(58, 80), (58, 97), (50, 97)], 4))
    trunk = [(12, 52), (30, 44), (52, 34), (58, 16), (76, 8), (94, 18), (96, 36), (90, 58), (74, 80), (48, 84),
             (26, 74)]  # fmt: skip
    return [
        body(polygon([(0, 40), (26, 52), (22, 66), (2, 62)], 3), tone=0.86),
        Piece(None, legs, paint=(230, 150, 50)),
        Piece(None, (polygon([(92, 28), (110, 35), (92, 42)], 2),), paint=(236, 152, 44)),
        body(curve(trunk), details=(*eye(80, 27, 6), Detail(ellipse(64, 66, 15, 11, -20), 1.4))),
        body(curve([(16, 52), (36, 44), (58, 50), (56, 66), (40, 72), (24, 66)]), tone=0.84, details=feathers),
    ]


def _chair() -> list[Piece]:
    back = (rectangle(2, 0, 14, 62, 3), rectangle(58, 0, 70, 62, 3), rectangle(2, 2, 70, 18, 4),
            rectangle(2, 28, 70, 42, 4))  # fmt: skip
    return [
        body(rectangle(10, 60, 20, 86, 2), rectangle(60, 60, 70, 86, 2), tone=0.72),
        body(*back, details=(Detail(stroke([(20, 8), (52, 8)], 3), 1.5),)),
        body(polygon([(0, 54), (72, 54), (82, 68), (82, 76), (-6, 76), (-6, 68)], 3), tone=1.1, details=(
            Detail(polygon([(-6, 68), (82, 68), (82, 76), (-6, 76)], 2), 0.74),)),
        body(rectangle(-5, 74, 8, 106, 2), rectangle(68, 74, 81, 106, 2), tone=0.9),
    ]  # fmt: skip


def _lamp() -> list[Piece]:
    belly = [(50, 30), (68, 38), (80, 60), (70, 84), (30, 84), (20, 60), (32, 38)]
    return [
        body(ellipse(50, 93, 40, 10)),
        body(curve(belly), rectangle(42, 24, 58, 92, 2), details=(Detail(stroke([(33, 52), (31, 68)], 6), 1.7),)),
        part("shade", polygon([(34, 0), (66, 0), (80, 31), (20, 31)], 4), details=(
            Detail(polygon([(22, 26), (78, 26), (80, 31), (20, 31)], 1), 0.8),
            Detail(stroke([(39, 6), (33, 22)], 4), 1.6),
        )),
    ]  # fmt: skip


def _hat() -> list[Piece]:
    crown = [(22, 74), (22, 44), (28, 22), (40, 17), (50, 22), (60, 17), (72, 22), (78, 44), (78, 74), (50, 80)]
    bow = (polygon([(70, 54), (90, 46), (90, 62)], 2), polygon([(70, 62), (88, 66), (84, 80)], 2))
    return [
        body(ellipse(50, 76, 52, 13), details=(Detail(ellipse(50, 79, 44, 7), 0.84),)),
        body(curve(crown), details=(
            Detail(stroke([(32, 34), (31, 50)], 5), 1.6),
            Detail(stroke([(44, 26), (50, 34), (56, 26)], 3), 0.6),
        )),
        part("ribbon", polygon([(21, 57), (50, 63), (79, 57), (79, 70), (50, 77), (21, 70)], 2), *bow, line=0.75),
    ]  # fmt: skip


def _cake() -> list[Piece]:
    icing = [(2, 44), (2, 58), (10, 66), (18, 56), (28, 68), (38, 57), (50, 69), (62, 57), (72, 68), (82, 56), (90, 66),
             (98, 58), (98, 44)]  # fmt: skip
    seam = (Detail(stroke([(6, 80), (94, 80)], 4), 0.7),)
    pieces = []
    for x in (24, 50, 76):
        twist = tuple(Detail(stroke([(x - 7, y + 6), (x + 7, y)], 3), 1.6) for y in (16, 27))
        pieces.append(part("candles", rectangle(x - 7, 14, x + 7, 40, 1), line=0.75, details=twist))
        flame = curve([(x, -5), (x + 5, 4), (x, 11), (x - 5, 4)])
        pieces.append(Piece(None, (flame,), paint=(255, 190, 60), line=0.6))
    return [
        *pieces,
        body(polygon([(2, 44), (98, 44), (96, 96), (4, 96)], 5), details=seam),
        body(ellipse(50, 43, 48, 9), polygon(icing, 5), tone=1.18, line=0.8),
        Piece(None, (ellipse(50, 97, 53, 5),), paint=STEEL),
    ]


LARGER_DRAWINGS: dict[str, tuple[Piece, ...]] = {
    "truck": fit(_truck()), "bird": fit(_bird()), "chair": fit(_chair()), "lamp": fit(_lamp()), "hat": fit(_hat()),
    "cake": fit(_cake()),
}  # fmt: skip
"""Per noun, its pieces back to front, in the unit frame."""
