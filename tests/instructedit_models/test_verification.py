"""What the checks say of an edit: colour by the pixels, nouns by the detector, and bytes outside the region."""

import numpy as np
import pytest
from PIL import Image

from instructedit_models.caption_text import caption_in_look, other_captions
from instructedit_models.errors import BadMaskError
from instructedit_models.masks import crop_box
from instructedit_models.patterns import named_plainly
from instructedit_models.types import Detection
from instructedit_models.verification import Known, Verifier
from tests.tools.tiny_models import BlobDetector, ColourScorer, boxes

MASK = np.zeros((64, 96), bool)
MASK[20:38, 40:58] = True
BEFORE, AFTER = boxes("red", "blue", "red"), boxes("red", "green", "red")


class Nouns:
    """Finds what it is told to find, at the mask, in the picture before and after."""

    def __init__(self, before: dict[str, float], after: dict[str, float]) -> None:
        self.scores = {BEFORE.tobytes(): before, AFTER.tobytes(): after}
        self.asked: list[str] = []

    def detect(self, image: Image.Image, phrase: str) -> list[Detection]:
        self.asked.append(phrase)
        score = self.scores[image.tobytes()].get(phrase, 0.0)
        return [Detection((40.0, 20.0, 58.0, 38.0), score, phrase), Detection((0.0, 0.0, 9.0, 9.0), 0.99, phrase)]


def shape(before: dict[str, float], after: dict[str, float]):  # type: ignore[no-untyped-def]
    detector = Nouns(before, after)
    captions = ("Photo of a blue dog", "Photo of a green cat")
    found = Verifier(BEFORE, MASK, *captions, ColourScorer(), detector, "shape").check(AFTER)
    return found, detector


def test_the_detector_confirms_a_new_noun() -> None:
    found, detector = shape({"blue dog": 0.8}, {"green cat": 0.7})
    assert found.passed and found.checks["target"] and found.checks["source"]
    assert detector.asked == ["blue dog", "green cat"] * 2


def test_the_detector_refutes_what_clip_believes() -> None:
    found, _ = shape({"blue dog": 0.8}, {"blue dog": 0.75, "green cat": 0.1})
    assert found.checks["caption"] and found.checks["source"] is False and not found.passed
    assert found.note == "The detector still finds 'blue dog' there."
    found, _ = shape({"blue dog": 0.8}, {})
    assert found.checks["target"] is False and not found.passed
    assert found.note == "The detector does not find 'green cat' there."


def test_a_detector_that_sees_neither_decides_nothing() -> None:
    found, _ = shape({}, {})
    assert (found.checks["target"], found.checks["source"], found.passed) == (None, None, True)


class Words:
    """Scores a picture by the last word of the text."""

    def __init__(self, after: dict[str, float]) -> None:
        self.after = after

    def similarity(self, images: list[Image.Image], texts: list[str]) -> np.ndarray:
        rows = [self.after if image.tobytes() != CROPPED else {} for image in images]
        return np.array([[row.get(text.split()[-1], 0.0) for text in texts] for row in rows], np.float32)


CROPPED = BEFORE.crop(crop_box(MASK, 1.5)).tobytes()


def test_a_new_shape_must_fit_its_own_noun_best_where_the_nouns_are_few() -> None:
    captions, known = ("photo of a dog", "photo of a cat"), Known(("dog", "cat", "boat"))
    unsure = Verifier(BEFORE, MASK, *captions, Words({"cat": 0.5, "boat": 0.6}), None, "shape", known).check(AFTER)
    assert unsure.checks["noun"] is False and not unsure.passed
    assert unsure.note == "The result looks more like something else than like 'cat'."
    assert Verifier(BEFORE, MASK, *captions, Words({"cat": 0.5, "boat": 0.6}), None, "shape").check(AFTER).passed
    sure = Verifier(BEFORE, MASK, *captions, Words({"cat": 0.7, "boat": 0.6}), None, "shape", known).check(AFTER)
    assert sure.checks["noun"] and sure.passed and sure.score > unsure.score


def test_other_captions_exchange_the_last_noun() -> None:
    assert other_captions("photo of an orange box", ("box", "orange", "cup")) == [
        "photo of an orange orange", "photo of an orange cup",
    ]  # fmt: skip
    assert other_captions("photo of a cup on grass", ("cup", "orange")) == ["photo of an orange on grass"]
    assert other_captions("photo of a sail", ("box", "cup")) == []


def look(before: dict[str, float], after: dict[str, float], captions: tuple[str, str]):  # type: ignore[no-untyped-def]
    return Verifier(BEFORE, MASK, *captions, ColourScorer(), Nouns(before, after), "appearance").check(AFTER)


def test_a_material_must_look_more_like_itself_to_the_detector_than_before() -> None:
    captions = ("photo of a blue box", "photo of a green wooden box")
    wooden = ("photo of a cat", "photo of a wooden cat")
    assert look({}, {}, captions).checks.get("material") is None  # a colour was asked for too, and decides
    found = look({"cat": 0.8, "wooden cat": 0.3}, {"cat": 0.8, "wooden cat": 0.7}, wooden)
    assert found.checks["material"] is True
    found = look({"cat": 0.8, "wooden cat": 0.5}, {"cat": 0.8, "wooden cat": 0.6}, wooden)
    assert found.checks["material"] is False and not found.passed
    assert look({}, {}, wooden).checks["material"] is None


def test_plain_is_seen_by_what_is_gone() -> None:
    plain = ("photo of a striped cat", "photo of a plain cat")
    assert look({"striped cat": 0.8}, {"striped cat": 0.2}, plain).checks["material"] is True
    assert look({"striped cat": 0.8}, {"striped cat": 0.7}, plain).checks["material"] is False


def test_colours_are_not_asked_of_the_detector() -> None:
    detector = Nouns({}, {})
    captions = ("photo of a blue box", "photo of a green box")
    found = Verifier(BEFORE, MASK, *captions, ColourScorer(), detector, "appearance").check(AFTER)
    assert found.passed and found.checks["colour"] and detector.asked == []


class Patterned:
    """Sees a pattern on whatever fills the middle of what it is shown: blue before the edit, green after it."""

    def __init__(self, before: dict[str, float], after: dict[str, float]) -> None:
        self.before, self.after = before, after
        self.asked: set[str] = set()

    def detect(self, image: Image.Image, phrase: str) -> list[Detection]:
        self.asked.add(phrase)
        _, green, blue = image.getpixel((image.width // 2, image.height // 2))
        scores = self.before if blue > green else self.after
        third = image.width / 6
        here = third, third, 5 * third, 5 * third
        return [Detection(here, scores.get(phrase, 0.0), phrase)]


@pytest.mark.parametrize(
    ("after", "kept"),
    [
        ({"striped box": 0.8, "dotted box": 0.1}, True),
        ({"striped box": 0.4, "dotted box": 0.1}, False),
        ({"striped box": 0.8, "dotted box": 0.9}, False),
        ({}, False),
    ],
)
def test_a_pattern_that_both_captions_name_must_not_be_lost_with_the_colour(after, kept) -> None:
    captions, known = (
        ("photo of a striped blue box", "photo of a striped green box"),
        Known(patterns=("striped", "dotted")),
    )
    detector = Patterned({"striped box": 0.9}, after)
    found = Verifier(BEFORE, MASK, *captions, ColourScorer(), detector, "appearance", known).check(AFTER)
    assert (found.checks["colour"], found.checks["pattern"], found.passed) == (True, kept, kept)
    assert detector.asked == {"striped box", "dotted box"}
    if not kept:
        assert found.note == "The result looks green, but is not striped any more."


def test_the_right_colour_without_its_pattern_is_better_than_a_wrong_colour() -> None:
    captions, known = ("photo of a striped blue box", "photo of a striped green box"), Known(patterns=("striped",))
    detector = Patterned({"striped box": 0.9}, {})
    verifier = Verifier(BEFORE, MASK, *captions, ColourScorer(), detector, "appearance", known)
    lost, wrong = verifier.check_all([AFTER, boxes("red", "purple", "red")], [None, None])
    assert lost.checks["pattern"] is False and wrong.checks["pattern"] is None and lost.score > wrong.score


@pytest.mark.parametrize(
    ("after", "there"),
    [
        ({"striped box": 0.9}, True),
        ({"striped box": 0.7, "dotted box": 0.5}, False),
        ({"striped box": 0.3}, False),
        ({"dotted box": 0.9}, False),
    ],
)
def test_a_new_pattern_must_fit_better_than_each_other_one(after: dict[str, float], there: bool) -> None:
    captions, known = ("photo of a box", "photo of a striped box"), Known(patterns=("striped", "dotted"))
    detector = Patterned({"dotted box": 0.8}, after)
    found = Verifier(BEFORE, MASK, *captions, ColourScorer(), detector, "appearance", known).check(AFTER)
    assert found.checks["material"] is there


class Looks:
    """Scores the picture after by the look that the text names, and notes the texts."""

    def __init__(self, after: dict[str, float]) -> None:
        self.after, self.asked = after, set[str]()

    def similarity(self, images: list[Image.Image], texts: list[str]) -> np.ndarray:
        self.asked |= {*texts}
        rows = [{} if image.tobytes() == CROPPED else self.after for image in images]
        return np.array([[row.get(text.split()[3], 0.0) for text in texts] for row in rows], np.float32)


@pytest.mark.parametrize(("rival", "there"), [("plain", False), ("dotted", True)])
def test_a_new_pattern_must_be_clearer_to_clip_than_none(rival: str, there: bool) -> None:
    captions = ("photo of a red box", "photo of a striped red box")
    clip, detector = Looks({"striped": 0.5, rival: 0.6}), Patterned({}, {"striped box": 0.9})
    known = Known(("box", "cup"), patterns=("striped", "dotted"))
    found = Verifier(BEFORE, MASK, *captions, clip, detector, "appearance", known).check(AFTER)
    assert (found.checks["material"], found.checks["look"], found.passed) == (True, there, there)
    assert clip.asked == {*captions, "photo of a striped box", "photo of a plain box"}
    if not there:
        assert found.note == "The result does not look striped enough."


def test_what_is_made_plain_must_fit_each_pattern_less() -> None:
    captions, known = (
        ("photo of a striped box", "photo of a plain box"),
        Known(("box",), patterns=("striped", "dotted")),
    )
    for after, plain in (({"plain": 0.5, "dotted": 0.6}, False), ({"plain": 0.7, "dotted": 0.6}, True)):
        found = Verifier(BEFORE, MASK, *captions, Looks(after), None, "appearance", known).check(AFTER)
        assert found.checks["look"] is plain


def test_looks_are_not_told_apart_of_what_is_no_known_thing() -> None:
    captions, known = ("photo of a roof", "photo of a striped roof"), Known(("box",), patterns=("striped", "dotted"))
    found = Verifier(BEFORE, MASK, *captions, Looks({"striped": 0.5}), None, "appearance", known).check(AFTER)
    assert "look" not in found.checks


def test_a_caption_in_another_look_says_nothing_else_of_the_thing() -> None:
    assert caption_in_look("Photo of a striped golden house", "house", "wooden") == "Photo of a wooden house"
    assert caption_in_look("pencil drawing of the red box", "box", "unusual") == "pencil drawing of an unusual box"
    assert caption_in_look("red boxes", "boxes", "dotted") == "dotted boxes"


@pytest.mark.parametrize(("after", "there"), [({}, True), ({"striped box": 0.3}, True), ({"dotted box": 0.9}, False)])
def test_plain_is_what_no_pattern_fits(after: dict[str, float], there: bool) -> None:
    captions, known = ("photo of a striped box", "photo of a plain box"), Known(patterns=("striped", "dotted"))
    detector = Patterned({"striped box": 0.9}, after)
    found = Verifier(BEFORE, MASK, *captions, ColourScorer(), detector, "appearance", known).check(AFTER)
    assert found.checks["material"] is there


def test_a_pattern_that_was_not_seen_before_cannot_be_lost() -> None:
    captions, known = ("photo of a striped blue box", "photo of a striped green box"), Known(patterns=("striped",))
    found = Verifier(BEFORE, MASK, *captions, ColourScorer(), Patterned({}, {}), "appearance", known).check(AFTER)
    assert found.passed and found.checks.get("pattern") is None


def test_an_orange_is_no_colour() -> None:
    assert named_plainly("striped purple orange", {"striped", "purple", "orange"}) == "orange"
    assert named_plainly("", {"red"}) == ""


def test_a_change_outside_the_region_fails() -> None:
    pixels = np.asarray(AFTER).copy()
    pixels[0, 0] = 0
    verifier = Verifier(BEFORE, MASK, "photo of a blue box", "photo of a green box", ColourScorer(), BlobDetector())
    region = np.zeros_like(MASK)
    region[15:45, 35:65] = True
    passed, failed = verifier.check_all([AFTER, Image.fromarray(pixels)], [region, region])
    assert passed.passed and passed.checks["outside"] is True
    assert not failed.passed and failed.note == "Something changed outside the region that the edit may touch."


def test_the_better_result_has_the_larger_score() -> None:
    verifier = Verifier(BEFORE, MASK, "photo of a blue box", "photo of a green box", ColourScorer())
    made, left = verifier.check_all([AFTER, BEFORE], [None, None])
    assert made.score > left.score and not left.passed


def test_pictures_of_another_size() -> None:
    verifier = Verifier(BEFORE, MASK, "photo of a blue box", "photo of a green box", ColourScorer())
    with pytest.raises(BadMaskError, match="96x64 and 60x60"):
        verifier.check(boxes("red", size=(60, 60)))


def test_each_of_several_things_must_have_the_colour() -> None:
    reds = (np.asarray(BEFORE) == np.asarray(boxes("red", "green", "red"))).all(axis=2)
    reds &= (np.asarray(BEFORE) != np.asarray(boxes("blue", "blue", "blue"))).any(axis=2)
    verifier = Verifier(BEFORE, reds, "Photo of red boxes", "Photo of green boxes", ColourScorer())
    one, both = verifier.check_all([boxes("green", "blue", "red"), boxes("green", "blue", "green")], [None, None])
    assert one.checks["colour"] is False and not one.passed and "looks red" in one.note
    assert both.checks["colour"] is True and both.passed
