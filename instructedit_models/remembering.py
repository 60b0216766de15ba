"""What a detector remembers: its answers about the last pictures, and the features of the very last ones.

A conversation asks for the same things again, and a search asks for several things in the same picture.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

import torch
from PIL import Image

from instructedit_models.types import Detection, Detector

__all__ = ["KeptFeatures", "RememberingDetector", "detect_each", "detect_views"]

_ANSWERS = 128
_LARGEST = 1 << 20
"""Pixels of a picture that is remembered, and of all pictures whose features are."""


class RememberingDetector:
    """`types.Detector` over another one; pictures of up to a megapixel are told apart by their bytes."""

    def __init__(self, detector: Detector, answers: int = _ANSWERS) -> None:
        """Remembers the last `answers` answers."""
        self.detector = detector
        self._answers = answers
        self._known: OrderedDict[tuple[bytes, str], list[Detection]] = OrderedDict()

    def detect(self, image: Image.Image, phrase: str) -> list[Detection]:
        """As the other detector; larger pictures are always looked at again. Raises what it raises."""
        return self.detect_each(image, [phrase])[0]

    def detect_each(self, image: Image.Image, phrases: Sequence[str]) -> list[list[Detection]]:
        """What is found for each of several phrases, those that are not known yet asked for together."""
        if image.width * image.height > _LARGEST:
            return detect_each(self.detector, image, phrases)
        picture = _digest(image)
        keys = {phrase: (picture, phrase) for phrase in phrases}
        if new := [phrase for phrase, key in keys.items() if key not in self._known]:
            for phrase, found in zip(new, detect_each(self.detector, image, new), strict=True):
                self._known[keys[phrase]] = found
        answers = [list(self._known[keys[phrase]]) for phrase in phrases]
        self._forget_the_oldest(keys.values())
        return answers

    def detect_views(self, images: Sequence[Image.Image], phrase: str) -> list[list[Detection]]:
        """What is found for a phrase in each of several pictures, those that are not known yet looked at together."""
        if any(image.width * image.height > _LARGEST for image in images):
            return detect_views(self.detector, images, phrase)
        keys = [(_digest(image), phrase) for image in images]
        if new := {key: image for key, image in zip(keys, images, strict=True) if key not in self._known}:
            self._known |= zip(new, detect_views(self.detector, [*new.values()], phrase), strict=True)
        answers = [list(self._known[key]) for key in keys]
        self._forget_the_oldest(keys)
        return answers

    def _forget_the_oldest(self, used: Iterable[tuple[bytes, str]]) -> None:
        for key in used:
            self._known.move_to_end(key)
        while len(self._known) > self._answers:
            self._known.popitem(last=False)

    def forget(self) -> None:
        """Looks at every picture anew, so that what a search costs does not depend on what was searched before."""
        self._known.clear()
        if forget := getattr(self.detector, "forget", None):
            forget()


def detect_each(detector: Detector, image: Image.Image, phrases: Sequence[str]) -> list[list[Detection]]:
    """What a detector finds for each of several phrases: together where it can, else one after the other."""
    together = getattr(detector, "detect_each", None)
    return together(image, phrases) if together else [detector.detect(image, phrase) for phrase in phrases]


def detect_views(detector: Detector, images: Sequence[Image.Image], phrase: str) -> list[list[Detection]]:
    """What a detector finds for a phrase in each of several pictures: together where it can."""
    together = getattr(detector, "detect_views", None)
    return together(images, phrase) if together else [detector.detect(image, phrase) for image in images]


def _digest(image: Image.Image) -> bytes:
    return blake2b(image.tobytes(), digest_size=16, key=repr((image.mode, image.size)).encode()).digest()


class KeptFeatures:
    """Lets the image backbone of transformers' Grounding DINO keep what it made of its last pictures.

    Backbone features do not depend on the text, so that the second phrase about a picture does not pay for them, nor do
    several that are asked for together: a batch of one picture is looked at once. The last picture is kept, and those
    before it that make up a megapixel with it, so that the tiles of a small picture are.
    """

    def __init__(self, backbone: torch.nn.Module) -> None:
        """Takes the place of `backbone.forward`, of (pixel_values, pixel_mask); its weights keep their names."""
        self._forward = backbone.forward
        self._kept: list[tuple[torch.Tensor, torch.Tensor, tuple[list[Any], ...]]] = []
        backbone.forward = self  # type: ignore[assignment]

    def __call__(self, pixel_values: torch.Tensor, pixel_mask: torch.Tensor) -> tuple[list[Any], ...]:
        """Features and positions of each level, in lists of their own, since the model adds to them."""
        count = len(pixel_values)
        if count > 1 and _alike(pixel_values) and _alike(pixel_mask):
            features, positions = self(pixel_values[:1], pixel_mask[:1])
            many = [(maps.expand(count, -1, -1, -1), mask.expand(count, -1, -1)) for maps, mask in features]
            return many, [place.expand(count, *[-1] * (place.ndim - 1)) for place in positions]
        if count > 1:
            each = [self(pixel_values[i : i + 1], pixel_mask[i : i + 1]) for i in range(count)]
            levels = range(len(each[0][0]))
            joined = [tuple(torch.cat([one[0][at][k] for one in each]) for k in (0, 1)) for at in levels]
            return joined, [torch.cat([one[1][at] for one in each]) for at in levels]
        known = (each for each in self._kept if _same(each[0], pixel_values) and _same(each[1], pixel_mask))
        kept = next(known, None) or (pixel_values, pixel_mask, self._forward(pixel_values, pixel_mask))
        others = [each for each in self._kept if each is not kept]
        self._kept = [kept, *others[: max(0, _LARGEST // pixel_mask[0].numel() - 1)]]
        return tuple(list(each) for each in kept[2])

    def forget(self) -> None:
        """Keeps nothing."""
        self._kept = []


def _alike(batch: torch.Tensor) -> bool:
    return bool((batch == batch[:1]).all())


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype and torch.equal(one, other)
