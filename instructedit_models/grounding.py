"""From a segmentation prompt to masks: detector, segmenter and geometry together.

The `segment` tool calls `GroundedSegmenter.segment`. It needs no torch itself, only the two models it is given.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from instructedit_models.errors import NothingFoundError
from instructedit_models.found import Found
from instructedit_models.masks import bounding_box
from instructedit_models.referring import parse_all
from instructedit_models.rivals import Opinion
from instructedit_models.search import Search, SearchOptions, Solved
from instructedit_models.types import Box, Detector, Region, Scorer, Segmenter

__all__ = ["GroundedSegmenter", "Grounding"]


@dataclass(frozen=True)
class Grounding:
    """What a segmentation prompt means in a picture.

    Attributes:
        prompt: as it was given.
        regions: all candidates, left to right, with ids r1, r2 …; `chosen` marks those that are meant.
        mask: (H, W) bool, the union of the chosen regions.
        note: how the prompt was solved where that was not plain, or None.
        ambiguous: ids of the regions that fit equally well where fewer were asked for; the best of them is chosen.
    """

    prompt: str
    regions: tuple[Region, ...]
    mask: np.ndarray = field(repr=False, compare=False)
    note: str | None = None
    ambiguous: tuple[str, ...] = ()


class GroundedSegmenter:
    """Finds what a phrase with attributes, numbers, positions, relations, exclusions and parts means."""

    def __init__(
        self,
        detector: Detector,
        segmenter: Segmenter,
        *,
        object_phrases: tuple[str, ...] = (),
        parts: Mapping[str, tuple[str, ...]] | None = None,
        options: SearchOptions | None = None,
        scorer: Callable[[], Scorer] | None = None,
    ) -> None:
        """Keeps the models; nothing is computed.

        Args:
            detector: Grounding DINO.
            segmenter: SAM.
            object_phrases: every noun the detector can find, where it knows but a closed set of them (the
                miniature's nouns): the background is then whatever these leave over. Empty for open detectors,
                which are asked for "sky" itself.
            parts: noun: the names of its parts, so that "roof" is looked for on houses; may be empty.
            options: margins and the work spent.
            scorer: gives CLIP, for `options.opinion`.
        """
        self.detector = detector
        self.segmenter = segmenter
        self.object_phrases = object_phrases
        self.parts = dict(parts or {})
        self.options = options or SearchOptions()
        self.opinion = Opinion(scorer, self.options.opinion) if scorer and self.options.opinion else None

    def segment(self, image: Image.Image, prompt: str, exclude: np.ndarray | None = None) -> Grounding:
        """All candidates for a prompt, and which of them it means.

        Args:
            image: PIL RGB.
            prompt: "cat on the right", "wheels of the bus", "car that is not red", "sky" …; several things may be
                joined by "and".
            exclude: (H, W) bool, what was edited last: not "the other one".

        Raises:
            NothingFoundError: nothing fits; the sentence says what was found instead.
            UnknownWordError: the detector does not know the noun.
            BadInstructionError: the prompt names nothing.
        """
        search = self._search(image.convert("RGB"), _box(exclude))
        solved = [search.solve(reference) for reference in parse_all(prompt)]
        for each in solved:
            if not each.chosen:
                raise NothingFoundError(f"Everything that was found is left out by {prompt!r}.")
        if self.options.refine:
            solved = [search.refined(each) for each in solved]
        return _ground(prompt, solved, (image.height, image.width))

    def parts_on(self, image: Image.Image, mask: np.ndarray, noun: str) -> dict[str, np.ndarray]:
        """The parts of one thing, as far as its noun is known to have some and they are found.

        Args:
            image: PIL RGB.
            mask: (H, W) bool, not empty: the thing.
            noun: what it is, "car".

        Returns:
            By name ("wheels"), all instances together, (H, W) bool inside the mask.
        """
        names, box = self.parts.get(noun, ()), _box(mask)
        if not names or box is None:
            return {}
        return self._search(image.convert("RGB"), None).parts_on(Found(noun, 1.0, box, mask), names)

    def _search(self, image: Image.Image, last: Box | None) -> Search:
        """What solves the references of one prompt; the benchmarks put another one in its place."""
        return Search(self, image, last)


def _ground(prompt: str, solved: list[Solved], shape: tuple[int, int]) -> Grounding:
    entries: list[tuple[Found, bool, bool]] = []
    for each in solved:
        for i, found in enumerate(each.found):
            entries.append((found, i in each.chosen, i in each.ambiguous))
    entries.sort(key=lambda entry: (entry[0].box[0] + entry[0].box[2], entry[0].box[1]))
    regions = tuple(
        Region(f"r{number}", found.phrase, round(found.score, 4), found.box, found.mask, chosen)
        for number, (found, chosen, _) in enumerate(entries, start=1)
    )
    mask = np.zeros(shape, dtype=bool)
    for region in regions:
        if region.chosen:
            mask |= region.mask
    ambiguous = tuple(region.id for region, (_, _, tied) in zip(regions, entries, strict=True) if tied)
    notes = [each.note for each in solved if each.note]
    return Grounding(prompt, regions, mask, "; ".join(notes) or None, ambiguous)


def _box(mask: np.ndarray | None) -> Box | None:
    if mask is None or not mask.any():
        return None
    x0, y0, x1, y1 = map(float, bounding_box(mask))
    return x0, y0, x1, y1
