"""A picture seen as a whole and in tiles, by a detector that finds bright squares which are large enough to be seen."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from instructedit_models.boxes import box_iou
from instructedit_models.errors import BadParameterError
from instructedit_models.search import SearchOptions
from instructedit_models.tiling import TiledDetector
from instructedit_models.types import Box, Detection

SMALL: Box = (100.0, 20.0, 112.0, 32.0)
LARGE: Box = (20.0, 50.0, 90.0, 110.0)


class Squares:
    """Finds what is white and at least `least` pixels wide; it is as sure as that is wide, and sees `size` pixels."""

    def __init__(self, least: int = 15, size: int = 128) -> None:
        self.least, self.size = least, size
        self.seen: list[tuple[int, int]] = []

    def detect(self, image: Image.Image, phrase: str) -> list[Detection]:
        return self.detect_each(image, [phrase])[0]

    def detect_each(self, image: Image.Image, phrases: Sequence[str]) -> list[list[Detection]]:
        self.seen.append(image.size)
        labelled, _ = ndimage.label(np.asarray(image.convert("L")) > 128)
        found = []
        for rows, columns in ndimage.find_objects(labelled):
            wide = (columns.stop - columns.start) * self.size / max(image.size)
            if wide >= self.least:
                box = float(columns.start), float(rows.start), float(columns.stop), float(rows.stop)
                found.append((box, min(1.0, wide / 30)))
        return [[Detection(box, score, phrase) for box, score in found] for phrase in phrases]


def picture(*boxes: Box, size: tuple[int, int] = (128, 128)) -> Image.Image:
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    for x0, y0, x1, y1 in boxes:
        pixels[int(y0) : int(y1), int(x0) : int(x1)] = 255
    return Image.fromarray(pixels)


def tiled(detector: Squares, share: float = 0.6, least: float = 0.3) -> TiledDetector:
    return TiledDetector(detector, share, least, crop_size=128)


def test_what_is_too_small_for_the_whole_picture_is_found_in_a_tile() -> None:
    image = picture(SMALL, LARGE)
    assert [each.box for each in Squares().detect(image, "square")] == [LARGE]
    found = tiled(Squares()).detect(image, "square")
    assert [each.phrase for each in found] == ["square", "square"]
    assert box_iou(found[0].box, LARGE) > 0.95 and box_iou(found[1].box, SMALL) > 0.9


def test_what_a_tile_cuts_off_is_left_to_the_whole_picture() -> None:
    found = tiled(Squares()).detect(picture(LARGE), "square")
    assert found == [Detection(LARGE, 1.0, "square")]


def test_a_tile_whose_border_a_box_seems_to_pass_by_a_hair_speaks_against_nothing() -> None:
    class Generous(Squares):
        """Its boxes in tiles reach four pixels too far down."""

        def detect_each(self, image: Image.Image, phrases: Sequence[str]) -> list[list[Detection]]:
            found = super().detect_each(image, phrases)
            if len(self.seen) == 1:
                return found
            return [
                [Detection((*each.box[:3], each.box[3] + 4), each.score, each.phrase) for each in one] for one in found
            ]

    near = (5.0, 20.0, 45.0, 74.0)  # the tile of 77 pixels holds it, and not what is seen of it there
    assert tiled(Generous()).detect(picture(near), "square") == [Detection(near, 1.0, "square")]


def test_a_view_that_should_have_seen_it_and_did_not_speaks_against_it() -> None:
    class Blind(Squares):
        """Sees nothing in tiles."""

        def detect_each(self, image: Image.Image, phrases: Sequence[str]) -> list[list[Detection]]:
            found = super().detect_each(image, phrases)
            return found if len(self.seen) == 1 else [[] for _ in phrases]

    # One tile of weight 2 could have seen it beside the whole picture, and has not.
    assert tiled(Blind(least=5)).detect(picture(SMALL), "square") == []
    score = Squares(least=5).detect(picture(SMALL), "square")[0].score
    found = tiled(Blind(least=5), least=0.0).detect(picture(SMALL), "square")
    assert [each.score for each in found] == [pytest.approx(score / 3)]


def test_a_thing_in_several_tiles_is_one_thing_and_two_side_by_side_are_two() -> None:
    middle, beside = (55.0, 55.0, 66.0, 66.0), (68.0, 55.0, 76.0, 66.0)
    found = tiled(Squares(least=5), share=0.69).detect(picture(middle, beside), "square")
    assert len(found) == 2
    assert all(max(box_iou(each.box, box) for box in (middle, beside)) > 0.8 for each in found)


def test_a_wide_picture_is_seen_whole_and_in_tiles_that_share_half_of_each_other() -> None:
    detector = Squares()
    tiled(detector, share=0.5).detect_each(picture(SMALL, size=(256, 64)), ["square", "thing"])
    assert detector.seen == [(256, 64), (128, 64), (128, 64), (128, 64)]


@pytest.mark.parametrize("wrong", [{"tile": 0.0}, {"tile": 1.5}, {"tile_threshold": -0.1}])
def test_tiles_that_cannot_be_made_are_told_of(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadParameterError, match=f"{next(iter(wrong))} must be between"):
        SearchOptions(**wrong)


def test_without_tiles_the_detector_is_only_handed_on() -> None:
    detector = Squares()
    image = picture(SMALL, LARGE)
    assert tiled(detector, share=1.0).detect(image, "square") == Squares().detect(image, "square")
    assert detector.seen == [(128, 128)]
