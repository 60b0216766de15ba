"""Which parts of a thing have a look of their own, so that a change of its look leaves them."""

import numpy as np
import pytest
from PIL import Image

from instructedit_models.colours import COLOURS
from instructedit_models.own_parts import of_their_own

THING = np.zeros((20, 20), bool)
THING[2:18, 2:18] = True
LOW = np.zeros_like(THING)
LOW[14:18, 2:18] = True
HIGH = np.zeros_like(THING)
HIGH[2:8, 2:18] = True


def picture(body: str, low: str | None = None, high: str | None = None) -> Image.Image:
    pixels = np.full((20, 20, 3), 250, np.uint8)
    pixels[THING] = COLOURS[body]
    pixels[LOW] = COLOURS[low or body]
    pixels[HIGH] = COLOURS[high or body]
    return Image.fromarray(pixels)


def test_a_part_of_another_colour_is_its_own() -> None:
    kept = of_their_own(picture("red", low="black"), THING, {"wheels": LOW, "ears": HIGH})
    assert [*kept] == ["wheels"]
    assert (kept["wheels"] == LOW).all()


def test_several_parts_may_be() -> None:
    kept = of_their_own(picture("red", low="black", high="white"), THING, {"wheels": LOW, "windows": HIGH})
    assert [*kept] == ["wheels", "windows"]


@pytest.mark.parametrize("main", ["crown", "hull", "petals"])
def test_what_a_thing_is_called_by_is_never_kept(main: str) -> None:
    image = picture("red", low="black", high="green")
    assert [*of_their_own(image, THING, {main: HIGH, "trunk": LOW})] == ["trunk"]


def test_none_is_kept_where_hardly_anything_would_be_left() -> None:
    most = THING & ~(LOW & (np.arange(20) < 9))
    assert of_their_own(picture("red", high="blue"), THING, {"roof": most}) == {}
    assert of_their_own(picture("red"), THING, {"roof": THING}) == {}
    assert of_their_own(picture("red"), THING, {}) == {}


def test_what_is_kept_is_grown_inside_the_thing() -> None:
    kept = of_their_own(picture("red", low="black"), THING, {"wheels": LOW}, ring=1)["wheels"]
    assert (kept & LOW == LOW).all() and not (kept & ~THING).any()
    assert kept[13, 5] and not kept[12, 5]
