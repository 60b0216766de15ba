"""Detections of one thing under several nouns."""

from instructedit_models.rivals import distinct, unrivalled
from instructedit_models.types import Detection

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


def test_where_nothing_is_left_the_surest_stays_if_it_is_sure() -> None:
    census = [Detection(HERE, 0.9, "flower"), Detection(THERE, 0.9, "box")]
    found = cups((HERE, 0.4), (THERE, 0.6))
    assert unrivalled(found, "cup", census, same_iou=0.6) == found[1:]
    assert unrivalled(found[:1], "cup", census, same_iou=0.6) == []
    assert unrivalled([], "cup", census, same_iou=0.6) == []


def test_a_box_that_nothing_else_fits_is_kept() -> None:
    found = cups((HERE, 0.5))
    assert unrivalled(found, "cup", [Detection(THERE, 0.9, "flower")], same_iou=0.6) == found


def test_a_rival_may_be_asked_to_be_much_surer() -> None:
    found = cups((HERE, 0.5))
    assert unrivalled(found, "cup", [Detection(HERE, 0.6, "flower")], same_iou=0.6, margin=1.5) == found


def test_of_doubles_the_surest_is_kept() -> None:
    kept = distinct([Detection(HERE, 0.5, "cup"), Detection(HERE, 0.6, "flower"), Detection(THERE, 0.4, "cup")], 0.6)
    assert [(each.phrase, each.box) for each in kept] == [("flower", HERE), ("cup", THERE)]
