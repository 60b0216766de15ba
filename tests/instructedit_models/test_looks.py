"""Among things of one kind: what another colour or pattern fits better is not what was meant."""

import pytest
from PIL import Image

from instructedit_models.segmenter import GroundedSegmenter, SearchOptions
from instructedit_models.types import Detection
from tests.instructedit_models.test_segmenter import FlatDetector, FlatSegmenter, Scene, in_a_row, iou, shapes

NOUNS = ("square", "disc")


@pytest.fixture
def row() -> Scene:
    return in_a_row()


class HesitantDetector(FlatDetector):
    """Finds things of another colour too, though less surely, and what is yellow or blue to be striped."""

    def __init__(self, less: float = 0.5) -> None:
        super().__init__()
        self.less = less

    def detect(self, image: Image.Image, phrase: str) -> list[Detection]:
        self.asked.append((phrase, image.size))
        found = []
        for part in phrase.split(" . "):
            *attributes, noun = part.split()
            for colour, kind, box in shapes(image):
                if kind == noun.removesuffix("s"):
                    fits = all(colour in {"striped": ("yellow", "blue")}.get(word, (word,)) for word in attributes)
                    found.append(Detection(box, 0.9 if fits else self.less, part))
        return found


@pytest.mark.parametrize(
    ("prompt", "taken", "meant"),
    [
        ("red square at the top", 1, 0),
        ("red square", 0, 0),
        ("yellow square at the top", 1, 1),  # there is none; what is there is not dropped for that
    ],
)
def test_what_another_colour_fits_better_is_left_out(row, prompt, taken, meant):
    options = {"object_phrases": NOUNS}
    models = GroundedSegmenter(HesitantDetector(), FlatSegmenter(), **options)
    assert iou(models.segment(row.image, prompt).mask, row.masks[taken]) > 0.9
    known = SearchOptions(looks=(("red", "blue", "yellow"),))
    models = GroundedSegmenter(HesitantDetector(), FlatSegmenter(), **options, options=known)
    assert iou(models.segment(row.image, prompt).mask, row.masks[meant]) > 0.9


def test_other_colours_are_not_asked_for_where_one_thing_fits(row):
    detector = FlatDetector()
    known = SearchOptions(looks=(("red", "blue"),))
    models = GroundedSegmenter(detector, FlatSegmenter(), object_phrases=NOUNS, options=known)
    models.segment(row.image, "red square")
    assert not any("blue square" in phrase for phrase, _ in detector.asked)


@pytest.mark.parametrize(("less", "meant"), [(0.3, 0), (0.5, 1)])
def test_plain_things_are_those_that_no_look_fits_clearly(row, less, meant):
    options = SearchOptions(unsaid=("plain",), looks=(("striped", "plain"),))
    detector = HesitantDetector(less)
    models = GroundedSegmenter(detector, FlatSegmenter(), object_phrases=NOUNS, options=options)
    assert iou(models.segment(row.image, "plain square at the top").mask, row.masks[meant]) > 0.9
    assert not any("plain" in phrase for phrase, _ in detector.asked)
