"""Looks at a picture as a whole and at overlapping tiles of it, so that small things are seen enlarged too.

The tiles are those of slicing aided detection (Akyon et al. 2022, SAHI); what several views tell of one thing is put
together as in weighted boxes fusion (Solovyev et al. 2021), except that only views count that could see all of it.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from instructedit_models.boxes import box_iou, moved, scaled
from instructedit_models.masks import enlarged
from instructedit_models.remembering import detect_each, detect_views
from instructedit_models.types import Box, Detection, Detector

__all__ = ["TiledDetector", "detect_in"]

TILE_WEIGHT = 2.0
"""What a tile's word counts beside the whole picture's: in it the thing is larger."""

CUT = 0.02
"""A box that comes nearer to an inner border of its tile, as a share of the tile's side, may go on beyond it."""

SAME_IOU = 0.65
"""Boxes of two views that overlap by more are of one thing."""


@dataclass(frozen=True)
class _View:
    """What is looked at: all of the picture, or a tile."""

    box: tuple[int, int, int, int]
    weight: float
    size: tuple[int, int]

    def holds(self, box: Box) -> bool:
        """Whether all of a box is seen; the picture's own border cuts nothing off."""
        x0, y0, x1, y1 = self.box
        margin = CUT * max(x1 - x0, y1 - y0)
        return (
            (x0 == 0 or box[0] >= x0 + margin)
            and (y0 == 0 or box[1] >= y0 + margin)
            and (x1 == self.size[0] or box[2] <= x1 - margin)
            and (y1 == self.size[1] or box[3] <= y1 - margin)
        )


@dataclass
class _Thing:
    """What several views found at one place; the first is the surest.

    Attributes:
        seen: by the views that saw all of it.
        cut: the views in which it may go on beyond the border: they speak neither for it nor against it.
    """

    seen: list[tuple[_View, Detection]] = field(default_factory=list)
    cut: list[_View] = field(default_factory=list)

    def takes(self, view: _View, found: Detection) -> bool:
        return all(view is not other for other, _ in self.seen) and (
            box_iou(found.box, self.seen[0][1].box) >= SAME_IOU
        )

    def fused(self, views: Sequence[_View]) -> Detection:
        """The mean of the boxes, and of the scores over all views that could have seen it, each by its weight."""
        weights = np.array([view.weight * found.score for view, found in self.seen])
        corners = np.array([found.box for _, found in self.seen])
        x0, y0, x1, y1 = (weights @ corners / weights.sum()).tolist()
        lead = self.seen[0][1]
        able = sum(
            view.weight
            for view in views
            if any(view is one for one, _ in self.seen)
            or (view.holds(lead.box) and all(view is not one for one in self.cut))
        )
        return Detection((x0, y0, x1, y1), float(weights.sum() / able), lead.phrase)


class TiledDetector:
    """`types.Detector` over another one, which sees the picture several times."""

    def __init__(self, detector: Detector, share: float, least: float, crop_size: int) -> None:
        """Computes nothing.

        Args:
            detector: looks at each view.
            share: the side of a tile as a share of the picture's longer side; 1 for no tiles.
            least: the least score of what is found, over all views that could see it.
            crop_size: smaller tiles are enlarged to this width in pixels, smoothly, before the detector sees them.
        """
        self.detector = detector
        self.share, self.least, self.crop_size = share, least, crop_size

    def detect(self, image: Image.Image, phrase: str) -> list[Detection]:
        """As the other detector, from all views. Raises what it raises."""
        return self.detect_each(image, [phrase])[0]

    def detect_each(self, image: Image.Image, phrases: Sequence[str]) -> list[list[Detection]]:
        """What is found for each of several phrases, best first."""
        views = list(self._views(image.size))
        if len(views) == 1:  # what one view says stands as it is
            return detect_each(self.detector, image, phrases)
        seen: list[list[tuple[_View, Detection]]] = [[] for _ in phrases]
        looks = [self._look(image, view) for view in views]
        pictures = [picture for picture, _ in looks]
        if len(phrases) == 1:
            answers = [[found] for found in detect_views(self.detector, pictures, phrases[0])]
        else:
            answers = [detect_each(self.detector, picture, phrases) for picture in pictures]
        for view, (_, scale), answer in zip(views, looks, answers, strict=True):
            for known, found in zip(seen, answer, strict=True):
                known += [(view, _placed(each, scale, view.box)) for each in found]
        return [self._fused(views, each) for each in seen]

    def _look(self, image: Image.Image, view: _View) -> tuple[Image.Image, float]:
        """The picture that a view shows, and by how much it is enlarged."""
        if view.box == (0, 0, *image.size):
            return image, 1.0
        return enlarged(image, view.box, self.crop_size)

    def _views(self, size: tuple[int, int]) -> Iterator[_View]:
        yield _View((0, 0, *size), 1.0, size)
        side = round(self.share * max(size))
        wide, high = min(side, size[0]), min(side, size[1])
        if (wide, high) != size:
            for y in _starts(high, size[1]):
                for x in _starts(wide, size[0]):
                    yield _View((x, y, x + wide, y + high), TILE_WEIGHT, size)

    def _fused(self, views: Sequence[_View], seen: Sequence[tuple[_View, Detection]]) -> list[Detection]:
        things: dict[str, list[_Thing]] = defaultdict(list)
        whole, cut = ([pair for pair in seen if pair[0].holds(pair[1].box) is held] for held in (True, False))
        for view, found in sorted(whole, key=lambda pair: -pair[0].weight * pair[1].score):
            same = things[found.phrase]
            best = next((thing for thing in same if thing.takes(view, found)), None)
            if best is None:
                same.append(best := _Thing())
            best.seen.append((view, found))
        for view, found in cut:
            for thing in things[found.phrase]:
                if thing.takes(view, found):
                    thing.cut.append(view)
        fused = [thing.fused(views) for same in things.values() for thing in same]
        return sorted((each for each in fused if each.score >= self.least), key=lambda each: -each.score)


def detect_in(
    detector: Detector, image: Image.Image, crop: tuple[int, int, int, int], phrases: Sequence[str], crop_size: int
) -> list[list[Detection]]:
    """What a detector finds in a crop (x0, y0, x1, y1) for each of several phrases, in the picture's pixels.

    Smaller crops are enlarged to `crop_size` pixels first.
    """
    picture, scale = enlarged(image, crop, crop_size)
    return [[_placed(each, scale, crop) for each in found] for found in detect_each(detector, picture, phrases)]


def _placed(found: Detection, scale: float, crop: tuple[int, int, int, int]) -> Detection:
    """What was found in an enlarged crop, in the picture's pixels."""
    return replace(found, box=moved(scaled(found.box, 1 / scale), crop))


def _starts(side: int, whole: int) -> list[int]:
    """Where tiles of this side begin so that neighbours share at least half of it."""
    count = -(-(whole - side) * 2 // side) + 1
    return [round(i * (whole - side) / max(1, count - 1)) for i in range(count)]
