"""Detections of one thing under several nouns."""

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from instructedit_models.rivals import Opinion, distinct, plainest, unrivalled
from instructedit_models.types import Box, Detection

HERE, THERE = (10.0, 10.0, 30.0, 30.0), (60.0, 10.0, 80.0, 30.0)


def cups(*found: tuple[tuple[float, float, float, float], float]) -> list[Detection]:
    return [Detection(box, score, "cup") for box, score in found]


def test_what_another_noun_fits_better_is_dropped() -> None:
    census = [*cups((HERE, 0.5), (THERE, 0.6)), Detection((11.0, 10.0, 30.0, 30.0), 0.8, "flower")]
    found = cups((HERE, 0.6), (THERE, 0.7))
    assert unrivalled(found, "cup", census, same_iou=0.6) == found[1:]


def test_the_prompt_of_its_own_speaks_for_the_noun_too() -> None:
    census = [*cups((HERE, 0.4)), Detection(HERE, 0.6, "flower")]
    assert unrivalled(cups((HERE, 0.8)), "cup", census, same_iou=0.6) == cups((HERE, 0.8))
    assert unrivalled(cups((HERE, 0.3)), "cup", cups((HERE, 0.7)) + census[1:], same_iou=0.6) == cups((HERE, 0.3))


def test_a_rival_must_be_clearly_surer() -> None:
    found = cups((HERE, 0.5), (THERE, 0.5))
    census = [Detection(HERE, 0.55, "flower"), Detection(THERE, 0.6, "box")]
    assert unrivalled(found, "cup", census, same_iou=0.6) == found[:1]
    assert unrivalled(found, "cup", census, same_iou=0.6, doubt=1.0) == found
    assert unrivalled([], "cup", census, same_iou=0.6) == []


def test_a_second_opinion_decides_where_the_detector_hesitates() -> None:
    found, census = cups((HERE, 0.5)), [Detection(HERE, 0.7, "flower")]
    asked: list[tuple[Box, list[str]]] = []

    def opinion(box: Box, nouns: Sequence[str]) -> np.ndarray:
        asked.append((box, [*nouns]))
        return np.array([2.0 if noun == "cup" else 0.0 for noun in nouns])

    assert unrivalled(found, "cup", census, same_iou=0.6) == []
    assert unrivalled(found, "cup", census, same_iou=0.6, opinion=opinion) == found
    assert unrivalled(found, "cup", [Detection(HERE, 0.99, "flower")], same_iou=0.6, opinion=opinion) == []
    assert asked[0] == (HERE, ["cup", "flower"])


def test_nobody_is_asked_about_what_has_no_rival() -> None:
    def opinion(_box: Box, _nouns: Sequence[str]) -> np.ndarray:
        raise AssertionError("asked")

    assert unrivalled(cups((HERE, 0.5)), "cup", cups((HERE, 0.7)), same_iou=0.6, opinion=opinion) == cups((HERE, 0.5))


def test_clip_looks_at_the_thing_from_near_and_far() -> None:
    class Scorer:
        def similarity(self, images: list[Image.Image], texts: list[str]) -> np.ndarray:
            assert texts == ["photo of a cup", "photo of an apple"]
            assert [image.size for image in images] == [(22, 22), (24, 24), (30, 30)]
            return np.array([[0.1, 0.3], [0.2, 0.3], [0.3, 0.3]], np.float32)

    added = Opinion(Scorer, 10.0).of(Image.new("RGB", (90, 60)), HERE, ["cup", "apple"])
    assert added.tolist() == pytest.approx([2.0, 3.0])


def test_a_box_that_nothing_else_fits_is_kept() -> None:
    found = cups((HERE, 0.5))
    assert unrivalled(found, "cup", [Detection(THERE, 0.9, "flower")], same_iou=0.6) == found


def test_of_doubles_the_surest_is_kept() -> None:
    kept = distinct([Detection(HERE, 0.5, "cup"), Detection(HERE, 0.6, "flower"), Detection(THERE, 0.4, "cup")], 0.6)
    assert [(each.phrase, each.box) for each in kept] == [("flower", HERE), ("cup", THERE)]


def test_the_plainest_things_are_those_that_no_pattern_fits_much_better() -> None:
    found = cups((HERE, 0.5), (THERE, 0.6))
    assert plainest(found, [Detection(HERE, 0.9, "striped cup")], same_iou=0.6) == found[1:]
    assert plainest(found, [Detection(HERE, 0.4, "striped cup")], same_iou=0.6) == found
    both = [Detection(HERE, 0.9, "striped cup"), Detection(THERE, 0.6, "dotted cup")]
    assert plainest(found, both, same_iou=0.6) == found
    assert plainest([], both, same_iou=0.6) == []
