"""Types that every package shares; no torch here, so that importing them is free.

Conventions: images are PIL RGB or uint8 (H, W, 3) RGB; masks are bool (H, W), True = may be edited;
boxes are float (x0, y0, x1, y1) in pixels of the image given, x1 and y1 exclusive.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from PIL import Image

Box = tuple[float, float, float, float]
Change = Literal["shape", "appearance", "background"]
Aspect = Literal["part", "pattern"]
"""What an edit does to the silhouette: `shape` may alter it (the mask is grown), `appearance` keeps it (tight mask),
`background` edits everything but the objects."""


@dataclass(frozen=True)
class Detection:
    """One box that a detector found.

    Attributes:
        box: x0, y0, x1, y1 in pixels.
        score: confidence, 0 to 1.
        phrase: the part of the prompt that the box answers.
    """

    box: Box
    score: float
    phrase: str


@dataclass(frozen=True)
class Click:
    """A point of a picture that belongs to a mask, or that does not.

    Attributes:
        x: in pixels, from the left.
        y: in pixels, from the top.
        inside: whether the point belongs to the mask.
    """

    x: float
    y: float
    inside: bool = True


@dataclass(frozen=True)
class Region:
    """A candidate for a segmentation prompt: a detection with its mask.

    Attributes:
        id: "r1", "r2" … left to right.
        phrase: the phrase it answers.
        score: the detector's confidence, 0 to 1.
        box: x0, y0, x1, y1 in pixels.
        mask: (H, W) bool.
        chosen: whether the segmentation prompt, relations included, means this one.
    """

    id: str
    phrase: str
    score: float
    box: Box
    mask: np.ndarray = field(repr=False, compare=False)
    chosen: bool = True

    @property
    def area(self) -> float:
        """The mask's share of the picture, 0 to 1."""
        return float(self.mask.mean())


@dataclass(frozen=True)
class Description:
    """What BLIP-2 says of a picture (the paper's protocol).

    Attributes:
        medium: rho, "photo", "painting" …
        text: d, the completion of "{medium} of", e.g. "photo of a red car on grass".
    """

    medium: str
    text: str


@dataclass(frozen=True)
class EditOptions:
    """Parameters of one masked DDIM edit.

    Attributes:
        encoding_ratio: r in (0, 1], the share of the schedule that is inverted and denoised; larger = stronger.
        steps: DDIM steps of the full schedule.
        guidance_scale: classifier-free guidance; 1 turns it off.
        negative: what guidance leads away from: "empty", the empty caption as in the paper; "input", the input caption
            as a negative prompt, which asks for nothing that both captions share; or "both", halfway between the two.
        guidance_floor: share of the schedule below which steps are not guided, since guidance changes little where
            hardly any noise is left (Kynkäänniemi et al., 2024); 0 guides every step.
        inversion_stride: levels that one noise prediction serves when inverting; 1 asks at every level, as the paper.
        seed: seeds every random draw of the edit.
        grow: pixels by which the mask is dilated before the edit.
        feather: width in pixels of the blending ring outside the (grown) mask.
        crop: whether to edit an enlarged crop around the mask and stitch it back.
        context: width of the crop over the width of the mask's box.
        solver: "ddim" as in the paper, "dpm++" or "lcm" (see `solvers`).
    """

    encoding_ratio: float = 0.5
    steps: int = 50
    guidance_scale: float = 7.5
    negative: str = "empty"
    guidance_floor: float = 0.0
    inversion_stride: int = 1
    seed: int = 0
    grow: int = 0
    feather: int = 2
    crop: bool = True
    context: float = 1.5
    solver: str = "ddim"


@dataclass(frozen=True)
class EditResult:
    """What `MaskedDDIMEditor.edit` returns.

    Attributes:
        image: the edited picture, size and mode of the input.
        mask: (H, W) bool, where the edit was made (after growing).
        region: (H, W) bool, every pixel whose bytes may differ: mask plus feather ring.
        unet_evaluations: UNet sample-evaluations spent (a guided step counts 2).
        inversion_cached: whether the inversion came from the cache.
        seconds: wall seconds by stage: "encode", "invert", "denoise", "decode", "total".
    """

    image: Image.Image
    mask: np.ndarray = field(repr=False, compare=False)
    region: np.ndarray = field(repr=False, compare=False)
    unet_evaluations: int
    inversion_cached: bool
    seconds: dict[str, float]


@dataclass(frozen=True)
class Preview:
    """How an edit looks so far.

    Attributes:
        image: PIL RGB, the part of the picture that is worked on, with the estimate of the result in the mask.
        box: where that part lies, in pixels of the picture.
    """

    image: Image.Image
    box: Box


@dataclass(frozen=True)
class Progress:
    """One step of long work, given to a progress callback.

    Attributes:
        stage: "load", "describe", "segment", "invert", "denoise", "decode" …
        step: steps done, from 1.
        total: steps of this stage.
        preview: decodes how the edit looks after this step, which costs time; valid inside the callback alone. None
            where there is nothing to see.
    """

    stage: str
    step: int
    total: int
    preview: "Callable[[], Preview] | None" = field(default=None, repr=False, compare=False)


ProgressCallback = Callable[[Progress], None]
"""Called after each step; raising `errors.CancelledError` inside it stops the work."""


class Describer(Protocol):
    """BLIP-2's role."""

    def describe(self, image: Image.Image) -> Description:
        """Asks for the medium, then completes "{medium} of" (Section 3.1 of the paper)."""
        ...

    def ask(self, image: Image.Image, question: str) -> str:
        """Answers any question about the picture in a few words."""
        ...


class Detector(Protocol):
    """Grounding DINO's role."""

    def detect(self, image: Image.Image, phrase: str) -> list[Detection]:
        """All boxes that answer `phrase`, best first; an empty list where nothing does.

        Raises UnknownWordError where the text encoder knows none of the words.
        """
        ...


class Segmenter(Protocol):
    """SAM's role: the image is set (and embedded) once, masks are asked for many times."""

    def masks(self, image: Image.Image, boxes: list[Box]) -> list[np.ndarray]:
        """One (H, W) bool mask per box."""
        ...


class Scorer(Protocol):
    """CLIP's role."""

    def similarity(self, images: list[Image.Image], texts: list[str]) -> np.ndarray:
        """Cosine similarities, (len(images), len(texts)) float32."""
        ...
