"""A model set of tiny real components for the baselines: random UNets, and flat coloured boxes to be found."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from instructedit_models.baselines.types import EditTask
from instructedit_models.editor import MaskedDDIMEditor
from instructedit_models.miniature.training.conditioned import widened
from instructedit_models.types import Box, Change, Detection, EditOptions
from tests.instructedit_models.tiny_diffusion import SCHEDULER_CONFIG, Components, tiny_components

RED, BLUE = (200, 30, 30), (30, 60, 200)
TASK = EditTask("make the red car blue", "photo of a red car", "photo of a blue car", "red car on the left")
EIGHT = EditOptions(steps=8, encoding_ratio=0.5, guidance_scale=3.0, seed=5, crop=False)


def picture(width: int = 48, height: int = 40) -> Image.Image:
    """Two red boxes and a blue one."""
    image = Image.new("RGB", (width, height), (240, 240, 240))
    draw = ImageDraw.Draw(image)
    for left, colour in ((2, RED), (18, BLUE), (34, RED)):
        draw.rectangle((left, 10, left + 9, 25), fill=colour)
    return image


def wide_unet(extra: int, seed: int = 3) -> Any:
    """The tiny UNet with more input channels, to all of which it pays attention."""
    wide = widened(tiny_components().unet, extra).eval()
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        wide.conv_in.weight.normal_(std=0.1)
    return wide


class RedDetector:
    """Every red box, whatever is asked for, as a detector does that goes by the surest word."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def detect(self, image: Image.Image, phrase: str) -> list[Detection]:
        self.asked.append(phrase)
        if "car" not in phrase:
            return []
        return [Detection((float(left), 10.0, left + 10.0, 26.0), 0.9, phrase) for left in (2, 34)]


class BoxSegmenter:
    """Masks that fill their boxes."""

    def masks(self, image: Image.Image, boxes: list[Box]) -> list[np.ndarray]:
        made = []
        for x0, y0, x1, y1 in boxes:
            mask = np.zeros((image.height, image.width), bool)
            mask[int(y0) : int(y1), int(x0) : int(x1)] = True
            made.append(mask)
        return made


@dataclass
class TinyMethodModels:
    """Shaped like `ModelSet`."""

    name: str = "tiny"
    detector: RedDetector = field(default_factory=RedDetector)
    segmenter: BoxSegmenter = field(default_factory=BoxSegmenter)

    @cached_property
    def components(self) -> Components:
        return tiny_components()

    @cached_property
    def editor(self) -> MaskedDDIMEditor:
        return MaskedDDIMEditor(*self.components, SCHEDULER_CONFIG)

    @cached_property
    def instruct_pix2pix(self) -> Any:
        return wide_unet(4)

    @cached_property
    def inpainting(self) -> Any:
        return wide_unet(5)

    def defaults(self, change: Change) -> EditOptions:
        return EditOptions(steps=8, grow=3, feather=4)
