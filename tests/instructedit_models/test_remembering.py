"""What a detector found is found again without looking."""

import torch
from PIL import Image

from instructedit_models.remembering import KeptFeatures, RememberingDetector
from instructedit_models.types import Detection


class Counting:
    """Finds one thing, and counts how often it looks."""

    def __init__(self) -> None:
        self.looked = 0
        self.forgot = 0

    def forget(self) -> None:
        self.forgot += 1

    def detect(self, image: Image.Image, phrase: str) -> list[Detection]:
        self.looked += 1
        return [Detection((0.0, 0.0, float(image.width), float(self.looked)), 0.9, phrase)]


def test_the_same_question_is_looked_up_once() -> None:
    inner = Counting()
    detector = RememberingDetector(inner)
    first = detector.detect(Image.new("RGB", (8, 8)), "cat")
    first.clear()
    assert len(detector.detect(Image.new("RGB", (8, 8)), "cat")) == 1
    assert inner.looked == 1


def test_another_phrase_picture_or_shape_is_looked_at() -> None:
    inner = Counting()
    detector = RememberingDetector(inner)
    for size, phrase in (((8, 8), "cat"), ((8, 8), "dog"), ((4, 16), "cat")):
        detector.detect(Image.new("RGB", size), phrase)
    detector.detect(Image.new("RGB", (8, 8), "red"), "cat")
    assert inner.looked == 4


def test_what_was_asked_long_ago_is_forgotten() -> None:
    inner = Counting()
    detector = RememberingDetector(inner, answers=2)
    for phrase in ("a", "b", "c", "a"):
        detector.detect(Image.new("RGB", (8, 8)), phrase)
    assert inner.looked == 4


def test_of_several_questions_only_the_new_ones_are_asked() -> None:
    inner = Counting()
    detector = RememberingDetector(inner)
    image = Image.new("RGB", (8, 8))
    detector.detect(image, "cat")
    found = detector.detect_each(image, ["dog", "cat", "dog"])
    assert [each[0].phrase for each in found] == ["dog", "cat", "dog"] and inner.looked == 2


def test_forgetting_reaches_the_detector() -> None:
    inner = Counting()
    detector = RememberingDetector(inner)
    detector.detect(Image.new("RGB", (8, 8)), "cat")
    detector.forget()
    detector.detect(Image.new("RGB", (8, 8)), "cat")
    assert (inner.looked, inner.forgot) == (2, 1)


def test_large_pictures_are_not_remembered() -> None:
    inner = Counting()
    detector = RememberingDetector(inner)
    large = Image.new("L", (1025, 1024))
    detector.detect(large, "cat")
    detector.detect(large, "cat")
    assert inner.looked == 2


class Backbone(torch.nn.Module):
    """Counts the pictures that it looks at."""

    looked = 0

    def forward(self, pixel_values: torch.Tensor, pixel_mask: torch.Tensor) -> tuple[list, list]:
        self.looked += len(pixel_values)
        return [(pixel_values, pixel_mask)], [pixel_mask]


def look(backbone: Backbone, shade: float, size: int) -> float:
    features, _ = backbone(torch.full((1, 3, size, size), shade), torch.ones(1, size, size, dtype=torch.bool))
    return float(features[0][0].mean())


def test_the_features_of_several_small_pictures_are_kept_and_of_large_ones_the_last() -> None:
    backbone = Backbone()
    kept = KeptFeatures(backbone)
    shades = [0.25, 0.5, 0.75, 0.25, 0.5]
    assert [look(backbone, shade, 64) for shade in shades] == shades and backbone.looked == 3
    for shade in (0.25, 0.5, 0.5, 0.25):
        assert look(backbone, shade, 1024) == shade
    assert backbone.looked == 6
    kept.forget()
    look(backbone, 0.25, 1024)
    assert backbone.looked == 7
