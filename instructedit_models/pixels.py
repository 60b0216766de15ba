"""Images as the vision towers of CLIP and BLIP-2 take them.

And, for Grounding DINO and SAM, which keep a picture's shape, very long ones made wider.

Published checkpoints bring a `preprocessor_config.json`; the miniature's need no more than a resize and one scale.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

__all__ = ["SquarePixels", "load_image_processor", "padded"]

MAX_RATIO = 8
"""A picture's longer side over its shorter: of longer ones, models that keep the shape would see less than a patch."""


class SquarePixels:
    """Resizes to a square, bicubic, and scales 0..255 to -1..1; called as Hugging Face's image processors are."""

    def __init__(self, size: int) -> None:
        """Keeps the side of the square, in pixels."""
        self.size = size

    def __call__(self, images: Image.Image | list[Image.Image], return_tensors: str = "pt") -> dict[str, torch.Tensor]:
        """`pixel_values`, (B, 3, size, size) float32 in -1..1, of one PIL image or several."""
        batch = [images] if isinstance(images, Image.Image) else images
        pixels = np.stack([self._resized(image) for image in batch])
        return {"pixel_values": torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1}

    def _resized(self, image: Image.Image) -> np.ndarray:
        image = image.convert("RGB")
        if image.size != (self.size, self.size):
            image = image.resize((self.size, self.size), Image.Resampling.BICUBIC)
        return np.array(image)


def load_image_processor(folder: str | Path, size: int) -> Any:
    """The checkpoint's own image processor; `SquarePixels(size)` where a local folder holds none."""
    if Path(folder).is_dir() and not (Path(folder) / "preprocessor_config.json").is_file():
        return SquarePixels(size)
    from transformers import AutoImageProcessor

    return AutoImageProcessor.from_pretrained(folder)


def padded(image: Image.Image) -> Image.Image:
    """The picture itself; one that is more than 8 times as long as wide is made wider by black, right or below."""
    least = -(-max(image.size) // MAX_RATIO)
    if min(image.size) >= least:
        return image
    result = Image.new("RGB", (max(image.width, least), max(image.height, least)))
    result.paste(image, (0, 0))
    return result
