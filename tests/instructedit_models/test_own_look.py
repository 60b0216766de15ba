"""The colour and the pattern that are seen go into captions that only ask for the other."""

import numpy as np
import pytest
from PIL import Image

from instructedit_models.colours import COLOURS, main_colour
from instructedit_models.errors import BadParameterError, UnknownWordError
from instructedit_models.own_look import Keeping, from_own_colour, in_own_colour, in_own_pattern, shape_in_own_colour
from instructedit_models.recipes import SETS, read_recipe
from instructedit_models.types import Detection

MASK = np.zeros((20, 20), bool)
MASK[5:15, 5:15] = True


def painted(*colours: str) -> np.ndarray:
    """White ground; the masked square in stripes of the colours."""
    image = np.full((20, 20, 3), 250, np.uint8)
    for row in range(5, 15):
        image[row, 5:15] = COLOURS[colours[row % len(colours)]]
    return image


@pytest.mark.parametrize(
    ("captions", "expected"),
    [
        (("Photo of a bus", "Photo of a striped bus"), ("Photo of a red bus", "Photo of a red striped bus")),
        (("Painting of cups", "Painting of dotted cups"), ("Painting of red cups", "Painting of red dotted cups")),
        (("A bus", "A striped bus"), ("a red bus", "a red striped bus")),
        (("Photo of a blue bus", "Photo of a dotted bus"), ("Photo of a blue bus", "Photo of a blue dotted bus")),
        (("Photo of a bus", "Photo of a green striped bus"), None),
        (("Photo of a bus", "Photo of a wooden bus"), None),
        (("Photo of a striped bus", "Photo of a plain striped bus"), None),
        (("Photo of a bus", "Photo of a car"), None),
    ],
)
def test_a_new_pattern_keeps_the_colour(captions, expected):
    assert in_own_colour(captions, painted("red"), MASK, Keeping()) == (expected or captions)


@pytest.mark.parametrize(
    ("captions", "expected"),
    [
        (("Photo of a boat", "Photo of a blue boat"), "Photo of a red boat"),
        (("A roof", "A purple roof"), "a red roof"),
        (("Photo of a yellow boat", "Photo of a blue boat"), None),
        (("Photo of a boat", "Photo of a red boat"), None),
        (("Photo of a boat", "Photo of an orange boat"), None),
        (("Photo of an orange boat", "Photo of a yellow boat"), "Photo of a boat"),
        (("Photo of the striped yellow boats", "Photo of the striped orange boats"), "Photo of the striped boats"),
        (("Photo of a purple orange", "Photo of a red orange"), None),
        (("Photo of a striped orange", "Photo of a blue striped orange"), "Photo of a red striped orange"),
        (("Photo of a boat", "Photo of a striped boat"), None),
    ],
)
def test_a_new_colour_tells_the_one_that_goes(captions, expected):
    found = from_own_colour(captions, painted("red"), MASK, Keeping())
    assert found == (expected or captions[0], captions[1])


def test_a_thing_of_many_colours_has_none_to_tell():
    captions = ("Photo of a boat", "Photo of a black boat")
    assert from_own_colour(captions, painted("red", "blue", "green"), MASK, Keeping()) == captions


def test_the_article_goes_with_the_colour():
    captions = ("Photo of a cup", "Photo of a striped cup")
    assert in_own_colour(captions, painted("orange"), MASK, Keeping())[1] == "Photo of an orange striped cup"


def test_a_thing_of_many_colours_has_none_of_its_own():
    captions = ("Photo of a cup", "Photo of a striped cup")
    assert in_own_colour(captions, painted("red", "blue", "green"), MASK, Keeping()) == captions
    assert in_own_colour(captions, painted("red"), MASK, Keeping(words=())) == captions


def test_the_main_colour_is_that_of_half_of_the_pixels():
    assert main_colour(painted("red", "white"), MASK) == "red"
    assert main_colour(painted("red", "white", "blue"), MASK) is None
    assert main_colour(painted("pink"), MASK, ("red", "green")) == "red"
    assert main_colour(painted("pink"), MASK & False) is None


class Stripes:
    """Finds what is striped, where it is; knows buses alone."""

    def __init__(self, score: float = 0.9) -> None:
        self.score, self.asked = score, []

    def detect(self, image: Image.Image, phrase: str) -> list[Detection]:
        self.asked.append(phrase)
        if "bus" not in phrase:
            raise UnknownWordError("The detector does not know it.", ("thing",))
        rows, columns = np.nonzero((np.asarray(image) != 250).any(axis=2))
        box = (float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
        return [Detection(box, self.score if "striped" in phrase else 0.2, phrase)]


STRIPED = Keeping(patterns=("striped", "wooden"))


@pytest.mark.parametrize(
    ("captions", "expected"),
    [
        (("Photo of a bus", "Photo of a blue bus"), ("Photo of a striped bus", "Photo of a striped blue bus")),
        (("Photo of a red bus", "Photo of a blue bus"), ("Photo of a striped red bus", "Photo of a striped blue bus")),
        (("Photo of a dotted bus", "Photo of a dotted blue bus"), None),
        (("Photo of a bus", "Photo of a blue wooden bus"), None),
        (("Photo of a car", "Photo of a blue car"), None),
        (("Photo of a bus", "Photo of a car"), None),
    ],
)
def test_a_new_colour_keeps_the_pattern(captions, expected):
    image = Image.fromarray(painted("red", "white"))
    assert in_own_pattern(captions, image, MASK, STRIPED, Stripes()) == (expected or captions)


def test_a_pattern_must_be_sure_and_the_detector_is_asked_for_nothing_else():
    captions, image = ("Photo of a red bus", "Photo of a blue bus"), Image.fromarray(painted("red", "white"))
    assert in_own_pattern(captions, image, MASK, STRIPED, Stripes(0.5)) == captions
    detector = Stripes()
    in_own_pattern(captions, image, MASK, STRIPED, detector)
    assert detector.asked == ["striped bus", "wooden bus"]
    detector = Stripes()
    assert in_own_pattern(captions, image, MASK, Keeping(), detector) == captions
    assert not detector.asked


@pytest.mark.parametrize(
    ("captions", "expected"),
    [
        (("Photo of a ball", "Photo of a cup"), ("Photo of a red ball", "Photo of a red cup")),
        (("Photo of balls", "Photo of cups"), ("Photo of red balls", "Photo of red cups")),
        (("Photo of a blue ball", "Photo of a cup"), ("Photo of a blue ball", "Photo of a blue cup")),
        (("Photo of a ball", "Photo of a green cup"), None),
        (("Photo of a ball", "Photo of a cup and a car"), None),
        (("Photo of a ball", "Photo of grass"), None),
    ],
)
def test_a_new_shape_keeps_the_colour_where_the_set_says_so(captions, expected):
    shapes, nouns = Keeping(shapes=True), ("cup", "car", "ball")
    assert shape_in_own_colour(captions, painted("red"), MASK, shapes, nouns) == (expected or captions)
    assert shape_in_own_colour(captions, painted("red"), MASK, Keeping(), nouns) == captions
    assert shape_in_own_colour(captions, painted("red", "green", "blue"), MASK, shapes, nouns) == (
        expected if "blue" in captions[0] else captions
    )


def test_a_set_says_what_keeps_a_colour(tmp_path):
    keeping = read_recipe(SETS / "miniature.toml").keeping
    assert "wooden" in keeping.words and "grey" not in keeping.colours
    assert read_recipe(SETS / "paper.toml").keeping == Keeping()
    path = tmp_path / "own.toml"
    text = (SETS / "miniature.toml").read_text()
    path.write_text(text.replace('colours = ["red"', 'colours = ["octarine"'))
    with pytest.raises(BadParameterError, match="octarine"):
        read_recipe(path)
