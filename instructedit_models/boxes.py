"""The geometry of boxes, x0, y0, x1, y1 in pixels."""

from collections.abc import Iterable, Sequence

from instructedit_models.types import Box, Detection

__all__ = ["box_iou", "centre_within", "moved", "scaled", "square_around", "surest_at"]


def box_iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    wide = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    high = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    both = wide * high
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / union if union > 0 else 0.0


def surest_at(box: Box, found: Iterable[Detection], same_iou: float) -> float:
    """The highest score of what was found just here, 0 where nothing was: boxes that overlap by more are the same."""
    return max((each.score for each in found if box_iou(each.box, box) >= same_iou), default=0.0)


def scaled(box: Box, factor: float) -> Box:
    """The box in a picture that is `factor` times as large."""
    return (box[0] * factor, box[1] * factor, box[2] * factor, box[3] * factor)


def moved(box: Box, by: Sequence[float]) -> Box:
    """The box, `by` (x, y) pixels further."""
    return (box[0] + by[0], box[1] + by[1], box[2] + by[0], box[3] + by[1])


def centre_within(box: Box, outer: Box) -> bool:
    """Whether the middle of a box lies in another."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return outer[0] <= x <= outer[2] and outer[1] <= y <= outer[3]


def square_around(box: Box, context: float, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The square crop around a box, x0, y0, x1, y1 in whole pixels, inside a picture of `size` (width, height)."""
    side = max(1.0, max(box[2] - box[0], box[3] - box[1]) * context)
    ends = []
    for low, high, length in ((box[0], box[2], size[0]), (box[1], box[3], size[1])):
        wanted = min(round(side), length)
        start = round((low + high) / 2 - wanted / 2)
        start = min(max(start, 0), length - wanted)
        ends.append((start, start + wanted))
    (x0, x1), (y0, y1) = ends
    return x0, y0, x1, y1
