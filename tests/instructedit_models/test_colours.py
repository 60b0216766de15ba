"""Colour words: what an edit asks for, and whether a colour goes by a word."""

import numpy as np
import pytest

from instructedit_models.colours import BASIC, COLOURS, asked_colour, colour_of, match


@pytest.mark.parametrize("name", BASIC)
def test_a_word_means_its_own_colour(name: str) -> None:
    found = match(COLOURS[name], name)
    assert found.passed and found.nearest == name and found.distance == 0


@pytest.mark.parametrize("name", ["red", "green", "blue", "yellow", "purple", "pink"])
@pytest.mark.parametrize("light", [0.75, 1.1])
def test_shade_and_light_do_not_change_a_hue(name: str, light: float) -> None:
    assert match([min(255, channel * light) for channel in COLOURS[name]], name).passed


@pytest.mark.parametrize(("seen", "asked"), [("red", "blue"), ("green", "yellow"), ("white", "black"), ("grey", "red")])
def test_another_colour_fails(seen: str, asked: str) -> None:
    found = match(COLOURS[seen], asked)
    assert not found.passed and found.nearest == seen and found.distance > 30


@pytest.mark.parametrize(
    ("before", "after", "asked"),
    [
        ("photo of a red car", "photo of a blue car", "blue"),
        ("photo of a car", "photo of a gray car", "grey"),
        ("photo of a car", "photo of a dark green car", "green"),
        ("photo of a red car", "photo of a red bus", None),
        ("photo of a red car", "photo of a blue bus", None),
        ("photo of a red car", "photo of a striped blue car", None),
        ("photo of a car", "photo of a red and white car", None),
        ("photo of a red car", "photo of a red car", None),
    ],
)
def test_what_colour_is_asked_for(before: str, after: str, asked: str | None) -> None:
    assert asked_colour(before, after) == asked


def test_between_two_basic_colours_the_nearer_one_alone_passes() -> None:
    between = (247, 175, 37)  # a little nearer to yellow than to orange
    assert match(between, "yellow").passed
    assert not match(between, "orange").passed


def test_a_shade_has_a_soft_border_with_its_basic_colour() -> None:
    found = match((32, 60, 155), "navy")  # a little nearer to blue
    assert found.nearest == "blue"
    assert found.passed


def test_the_median_ignores_what_is_rare() -> None:
    image = np.zeros((10, 10, 3), np.uint8)
    image[:, :] = (200, 30, 40)
    image[0] = 255
    assert colour_of(image, np.ones((10, 10), bool)) == (200, 30, 40)


def test_a_set_may_know_gold_beside_brown():
    gold = (189, 141, 52)
    known = (*BASIC, "golden")
    assert match(gold, "brown").passed and not match(gold, "brown", known).passed
    assert match(gold, "golden", known).passed and not match((227, 190, 49), "golden", known).passed
