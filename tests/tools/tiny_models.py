"""A model set of the smallest real parts: it finds flat coloured boxes, masks them, and paints what a caption says.

Everything here really works on real pixels and is deterministic; the grounding, the verification and the geometry are
the product's own. Pictures come from `boxes`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from instructedit_models.errors import UnknownWordError
from instructedit_models.grounding import GroundedSegmenter
from instructedit_models.medium import Media
from instructedit_models.own_look import Keeping
from instructedit_models.types import (
    Aspect,
    Box,
    Change,
    Description,
    Detection,
    EditOptions,
    EditResult,
    Preview,
    Progress,
    ProgressCallback,
)

COLOURS = {
    "red": (200, 30, 30),
    "blue": (30, 60, 200),
    "green": (30, 150, 60),
    "yellow": (240, 210, 40),
    "purple": (130, 50, 170),
}
NOUNS = {"box", "boxes", "star", "stars"}
WORDS = NOUNS | set(COLOURS) | set("photo of a an the and with on in left right big small all both not except".split())


def boxes(*colours: str, size: tuple[int, int] = (96, 64)) -> Image.Image:
    """White paper with boxes of these colours in a row, left to right."""
    image = Image.new("RGB", size, (250, 250, 250))
    draw = ImageDraw.Draw(image)
    side = size[0] // (len(colours) + 1)
    for i, colour in enumerate(colours):
        left = round((i + 0.5) * size[0] / len(colours) - side / 2)
        draw.rectangle((left, 20, left + side - 6, 20 + side - 6), fill=COLOURS[colour])
    return image


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


class BlobDetector:
    """Boxes of connected pixels of the colours named, or of all colours; it has seen boxes, but no star."""

    def detect(self, image: Image.Image, phrase: str) -> list[Detection]:
        said = words(phrase)
        if not set(said) & WORDS:
            raise UnknownWordError(f"The detector does not know '{phrase}'.", tuple(said))
        if not set(said) & {"box", "boxes"}:
            return []
        pixels = np.asarray(image)
        found = []
        for colour in [word for word in said if word in COLOURS] or list(COLOURS):
            labels, _ = ndimage.label((pixels == COLOURS[colour]).all(axis=2))
            for rows, columns in ndimage.find_objects(labels):
                box = (float(columns.start), float(rows.start), float(columns.stop), float(rows.stop))
                found.append(Detection(box, 0.9, phrase))
        return found


class BoxSegmenter:
    """Masks that fill their boxes."""

    def masks(self, image: Image.Image, boxes: list[Box]) -> list[np.ndarray]:
        made = []
        for x0, y0, x1, y1 in boxes:
            mask = np.zeros((image.height, image.width), bool)
            mask[round(y0) : round(y1), round(x0) : round(x1)] = True
            made.append(mask)
        return made


class Painter:
    """Paints the mask in the colour that the edited caption names; a ring of one pixel is blended half and half.

    It spends what the real editor does: r x steps for an inversion that is not cached, twice that for denoising.
    """

    revision = "painter-1"
    native_size = 512

    def __init__(self) -> None:
        self.calls: list[EditOptions] = []
        self._inverted: set[tuple] = set()

    def unknown_words(self, text: str) -> tuple[str, ...]:
        return tuple(word for word in words(text) if word not in WORDS)

    def edit(
        self,
        image: Image.Image,
        mask: np.ndarray,
        input_caption: str,
        edited_caption: str,
        options: EditOptions,
        progress: ProgressCallback | None = None,
    ) -> EditResult:
        self.calls.append(options)
        before = np.asarray(image).copy()
        grown = ndimage.binary_dilation(mask, iterations=options.grow) if options.grow else mask
        region = ndimage.binary_dilation(grown, iterations=1)
        colour = next((COLOURS[word] for word in reversed(words(edited_caption)) if word in COLOURS), None)
        after = before.copy()
        whole = (0.0, 0.0, float(image.width), float(image.height))
        if colour is not None:
            after[region] = (before[region].astype(int) + colour) // 2
            after[grown] = colour
        steps = round(options.encoding_ratio * options.steps)
        for step in range(1, steps + 1):
            if progress:
                progress(Progress("denoise", step, steps, lambda: Preview(Image.fromarray(after), whole)))
        key = (before.tobytes(), grown.tobytes(), input_caption, steps)
        cached = key in self._inverted
        self._inverted.add(key)
        spent = (0 if cached else steps) + 2 * steps
        return EditResult(Image.fromarray(after), grown, region, spent, cached, {"denoise": 0.001, "total": 0.001})

    def sweep(
        self,
        image: Image.Image,
        mask: np.ndarray,
        input_caption: str,
        edited_caption: str,
        options: Sequence[EditOptions],
        progress: ProgressCallback | None = None,
    ) -> list[EditResult]:
        return [self.edit(image, mask, input_caption, edited_caption, each, progress) for each in options]

    def forget(self) -> None:
        self._inverted.clear()


class ColourScorer:
    """Similarity of a picture to a text: the share of pixels that have a colour which the text names."""

    def similarity(self, images: list[Image.Image], texts: list[str]) -> np.ndarray:
        scores = np.zeros((len(images), len(texts)), np.float32)
        for i, image in enumerate(images):
            pixels = np.asarray(image)
            for j, text in enumerate(texts):
                named = [COLOURS[word] for word in words(text) if word in COLOURS]
                scores[i, j] = sum(float((pixels == colour).all(axis=2).mean()) for colour in named)
        return scores


class BoxDescriber:
    """Names the boxes from left to right."""

    def describe(self, image: Image.Image) -> Description:
        found = [(box.box[0], colour) for colour in COLOURS for box in BlobDetector().detect(image, f"{colour} box")]
        return Description("photo", "photo of " + " and ".join(f"a {colour} box" for _, colour in sorted(found)))

    def ask(self, image: Image.Image, question: str) -> str:
        if "how many" in question.lower():
            return str(len(BlobDetector().detect(image, "box")))
        return "a box"


@dataclass
class TinyModels:
    """Shaped like `ModelSet`."""

    name: str = "tiny"
    editor: Painter = field(default_factory=Painter)
    describer: BoxDescriber = field(default_factory=BoxDescriber)
    scorer: ColourScorer = field(default_factory=ColourScorer)
    media: Media = field(default_factory=Media)
    keeping: Keeping = field(default_factory=lambda: Keeping(()))

    @cached_property
    def grounded(self) -> GroundedSegmenter:
        return GroundedSegmenter(BlobDetector(), BoxSegmenter())

    def defaults(self, change: Change, aspect: Aspect | None = None) -> EditOptions:
        return EditOptions(grow=3 if change == "shape" else 0)
