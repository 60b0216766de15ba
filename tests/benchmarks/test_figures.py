"""The metrics themselves: what is right gets 1, what is wrong gets 0."""

import numpy as np
import pytest

from benchmarks.figures import (
    Bar,
    Row,
    bootstrap,
    chosen_right,
    iou,
    median_colour,
    rate,
    subsets,
    table,
)


def block(x0: int, x1: int, rows: int = 10, columns: int = 20) -> np.ndarray:
    mask = np.zeros((rows, columns), dtype=bool)
    mask[:, x0:x1] = True
    return mask


def test_iou():
    assert iou(block(0, 10), block(0, 10)) == 1
    assert iou(block(0, 10), block(5, 15)) == pytest.approx(1 / 3)
    assert iou(block(0, 5), block(10, 15)) == 0
    assert iou(block(0, 0), block(0, 0)) == 0


def test_subsets_skip_what_is_not_visible():
    found = dict(subsets([block(0, 5), block(0, 0), block(5, 10)]))
    assert set(found) == {(0,), (2,), (0, 2)}
    assert found[0, 2].sum() == 100


@pytest.mark.parametrize(
    ("mask", "right"),
    [
        (block(0, 10), True),  # exactly
        (block(1, 12), True),  # about
        (block(0, 4), False),  # too little of it
        (block(10, 20), False),  # the other one
        (block(0, 20), False),  # both
        (block(0, 0), False),  # nothing
    ],
)
def test_the_choice_of_one_of_two(mask: np.ndarray, right: bool):
    one, other = block(0, 10), block(10, 20)
    assert chosen_right(mask, one, [other, one | other]) is right


def test_one_of_two_is_not_both():
    one, other = block(0, 10), block(10, 20)
    assert iou(one, one | other) == 0.5  # enough overlap, but it is plainly the one
    assert not chosen_right(one, one | other, [one, other])
    assert chosen_right(one | other, one | other, [one, other])


def test_the_median_colour_is_of_what_most_of_the_mask_shows():
    image = np.full((12, 20, 3), (214, 45, 40), dtype=np.uint8)
    image[:, :6] = (127, 127, 127)
    assert median_colour(image, block(0, 20, 12)) == (214, 45, 40)


def test_the_bootstrap_covers_the_mean_and_narrows_with_more_cases():
    few, many = bootstrap([1, 0] * 10), bootstrap([1, 0] * 1000)
    assert few[0] < 0.5 < few[1] and many[0] < 0.5 < many[1]
    assert many[1] - many[0] < 0.1 < few[1] - few[0]
    assert bootstrap([1.0] * 5) == (1, 1)


def test_cases_of_one_scene_are_no_independent_evidence():
    values = [1, 1, 1, 1, 0, 0, 0, 0] * 5
    alone, scenes = bootstrap(values), bootstrap(values, [i // 4 for i in range(len(values))])
    assert scenes[1] - scenes[0] > 1.5 * (alone[1] - alone[0])


def test_rows_know_their_bars():
    assert rate("a", [1, 1, 0, 1], Bar(">=", 0.75)).passed is True
    assert rate("a", [1, 1, 0, 1], Bar(">=", 0.76)).passed is False
    assert Row("bytes", 1, Bar("=", 0)).passed is False and Row("bytes", 0, Bar("=", 0)).passed is True
    assert rate("a", [], Bar(">=", 0.5)).passed is None
    shown = table([rate("a rate", [1, 0], Bar(">=", 0.9)), Row("gone", None, Bar("<", 4), note="no weights")])
    assert "BELOW" in shown and "no weights" in shown and "0.500" in shown
