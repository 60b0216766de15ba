"""The colour and the pattern that are seen go into captions that only ask for the other."""

import numpy as np
import pytest
from PIL import Image

from instructedit_models.colours import COLOURS, colour_shares
from instructedit_models.errors import BadParameterError, UnknownWordError
from instructedit_models.own_look import (
    Keeping,
    OwnLook,
    from_own_colour,
    from_own_pattern,
    in_own_colour,
    in_own_pattern,
    shape_in_own_colour,
)
from instructedit_models.recipes import SETS, read_recipe
from instructedit_models.types import Detection

MASK = np.zeros((20, 20), bool)
MASK[5:15, 5:15] = True


def own(*colours: str, keeping: Keeping | None = None, detector=None) -> OwnLook:
    """How the masked square looks, in stripes of the colours."""
    return OwnLook(Image.fromarray(painted(*colours)), MASK, keeping or Keeping(), detector)


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
    assert in_own_colour(captions, own("red")) == (expected or captions)


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
    found = from_own_colour(captions, own("red"))
    assert found == (expected or captions[0], captions[1])


def test_a_thing_of_many_colours_has_none_to_tell():
    captions = ("Photo of a boat", "Photo of a black boat")
    assert from_own_colour(captions, own("red", "blue", "green")) == captions


def test_the_article_goes_with_the_colour():
    captions = ("Photo of a cup", "Photo of a striped cup")
    assert in_own_colour(captions, own("orange"))[1] == "Photo of an orange striped cup"


def test_a_thing_of_many_colours_has_none_of_its_own():
    captions = ("Photo of a cup", "Photo of a striped cup")
    assert in_own_colour(captions, own("red", "blue", "green")) == captions
    assert in_own_colour(captions, own("red", keeping=Keeping(words=()))) == captions


def test_the_colour_of_half_of_the_pixels_needs_no_detector():
    assert own("red", "white").colour("photo of a bus") == "red"
    assert own("red", "white", "blue").colour("photo of a bus") is None


def test_each_pixel_counts_for_the_colour_it_is_nearest_to():
    assert colour_shares(painted("red", "white"), MASK, ("red", "white", "blue")) == {
        "red": 0.5,
        "white": 0.5,
        "blue": 0.0,
    }
    assert colour_shares(painted("pink"), MASK, ("red", "green")) == {"red": 1.0, "green": 0.0}
    assert colour_shares(painted("pink"), MASK & False) == {}


class Sees:
    """Sees a bus of some looks where something is painted; knows buses alone."""

    def __init__(self, *looks: str, score: float = 0.9) -> None:
        self.looks, self.score, self.asked = looks, score, []

    def detect(self, image: Image.Image, phrase: str) -> list[Detection]:
        self.asked.append(phrase)
        look, _, thing = phrase.partition(" ")
        if thing != "bus":
            raise UnknownWordError("The detector does not know it.", ("thing",))
        rows, columns = np.nonzero((np.asarray(image) != 250).any(axis=2))
        box = (float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
        return [Detection(box, self.score if look in self.looks else 0.2, phrase)]


STRIPED = Keeping(words=("striped", "dotted", "wooden", "plain"), patterns=("striped", "wooden"))


def seen(*colours: str, keeping: Keeping = STRIPED, detector: Sees | None = None) -> OwnLook:
    return own(*colours, keeping=keeping, detector=detector or Sees("striped"))


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
    assert in_own_pattern(captions, seen("red", "white")) == (expected or captions)


@pytest.mark.parametrize(
    ("captions", "expected"),
    [
        (("Photo of a bus", "Photo of a dotted bus"), "Photo of a striped bus"),
        (("Photo of a red bus", "Photo of a wooden red bus"), "Photo of a striped red bus"),
        (("Photo of a bus", "Photo of a plain bus"), "Photo of a striped bus"),
        (("Photo of a wooden bus", "Photo of a dotted bus"), None),
        (("Photo of a bus", "Photo of a striped bus"), None),
        (("Photo of a bus", "Photo of a blue bus"), None),
        (("Photo of a car", "Photo of a dotted car"), None),
    ],
)
def test_a_new_pattern_tells_the_one_that_goes(captions, expected):
    assert from_own_pattern(captions, seen("red", "white")) == (expected or captions[0], captions[1])


def test_a_pattern_must_be_sure_and_the_detector_is_asked_for_nothing_else():
    captions = ("Photo of a red bus", "Photo of a blue bus")
    assert in_own_pattern(captions, seen("red", "white", detector=Sees("striped", score=0.5))) == captions
    detector = Sees("striped")
    in_own_pattern(captions, seen("red", "white", detector=detector))
    assert detector.asked == 3 * ["striped bus", "wooden bus"]
    detector = Sees("striped")
    assert in_own_pattern(captions, seen("red", "white", keeping=Keeping(), detector=detector)) == captions
    assert not detector.asked
    assert in_own_pattern(captions, own("red", "white", keeping=STRIPED)) == captions


def test_the_detector_names_the_colour_that_no_half_of_the_pixels_has():
    captions, detector = ("Photo of a bus", "Photo of a dotted bus"), Sees("green")
    look = seen("red", "blue", "green", detector=detector)
    assert in_own_colour(captions, look) == ("Photo of a green bus", "Photo of a green dotted bus")
    assert detector.asked == 3 * ["red bus", "green bus", "blue bus"]
    assert from_own_colour(("Photo of a bus", "Photo of a purple bus"), look)[0] == "Photo of a green bus"
    unsure = seen("red", "blue", "green", detector=Sees("green", score=0.5))
    assert in_own_colour(captions, unsure) == captions
    plain = seen("red", detector=(sure := Sees("green")))
    assert in_own_colour(captions, plain)[1] == "Photo of a red dotted bus"
    assert not sure.asked


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
    assert shape_in_own_colour(captions, own("red", keeping=shapes), nouns) == (expected or captions)
    assert shape_in_own_colour(captions, own("red"), nouns) == captions
    assert shape_in_own_colour(captions, own("red", "green", "blue", keeping=shapes), nouns) == (
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
