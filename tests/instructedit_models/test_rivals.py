"""Detections of one thing under several nouns."""

from instructedit_models.rivals import distinct, unrivalled
from instructedit_models.types import Detection

HERE, THERE = (10.0, 10.0, 30.0, 30.0), (60.0, 10.0, 80.0, 30.0)


def test_what_another_noun_fits_better_is_dropped() -> None:
    census = [
        Detection(HERE, 0.5, "cup"),
        Detection((11.0, 10.0, 30.0, 30.0), 0.8, "flower"),
        Detection(THERE, 0.6, "cup"),
    ]
    assert unrivalled([HERE, THERE], "cup", census, same_iou=0.6) == [1]


def test_a_box_that_nothing_else_fits_is_kept() -> None:
    assert unrivalled([HERE], "cup", [Detection(THERE, 0.9, "flower")], same_iou=0.6) == [0]


def test_a_rival_may_be_asked_to_be_much_surer() -> None:
    census = [Detection(HERE, 0.5, "cup"), Detection(HERE, 0.6, "flower")]
    assert unrivalled([HERE], "cup", census, same_iou=0.6, margin=1.5) == [0]


def test_of_doubles_the_surest_is_kept() -> None:
    kept = distinct([Detection(HERE, 0.5, "cup"), Detection(HERE, 0.6, "flower"), Detection(THERE, 0.4, "cup")], 0.6)
    assert [(each.phrase, each.box) for each in kept] == [("flower", HERE), ("cup", THERE)]
