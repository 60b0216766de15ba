"""True pictures as a model may paint them: with wobbly outlines, softer, tinted, noisy.

What judges painted pictures is trained on these, so that it knows a somewhat crooked cat for a cat.
"""

import numpy as np
from PIL import Image, ImageFilter
from scipy import ndimage


def warped(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A crop with wobbly outlines, a little turned and stretched, (S, S, 3) uint8 in and out."""
    size = len(crop)
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    coarse = rng.normal(0, rng.uniform(0.3, 2.2), (2, 7, 7)).astype(np.float32)
    wobble = [np.asarray(Image.fromarray(plane).resize((size, size), Image.Resampling.BICUBIC)) for plane in coarse]
    turn = rng.normal(0, 0.08)
    stretch = np.exp(rng.normal(0, 0.08, 2))
    middle = (size - 1) / 2
    y, x = (rows - middle) * stretch[0], (columns - middle) * stretch[1]
    places = [y * np.cos(turn) - x * np.sin(turn) + middle + wobble[0]]
    places.append(y * np.sin(turn) + x * np.cos(turn) + middle + wobble[1])
    planes = [ndimage.map_coordinates(crop[..., i], places, order=1, mode="nearest") for i in range(3)]
    return np.stack(planes, axis=-1)


def as_painted(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A crop as a model may paint it: wobbly, softer, tinted, noisy. (S, S, 3) uint8 in and out."""
    size = len(crop)
    image = Image.fromarray(warped(crop, rng) if rng.random() < 0.6 else crop)
    if rng.random() < 0.5:
        side = int(rng.integers(18, size))
        image = image.resize((side, side), Image.Resampling.BILINEAR).resize((size, size), Image.Resampling.BICUBIC)
    if rng.random() < 0.4:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.6)))
    pixels: np.ndarray = np.asarray(image).astype(np.float32)
    if rng.random() < 0.6:
        pixels = pixels * rng.uniform(0.92, 1.08, 3) + rng.uniform(-10, 10, 3)
    if rng.random() < 0.5:
        pixels = pixels + rng.normal(0, rng.uniform(1, 9), pixels.shape)
    return np.rint(pixels).clip(0, 255).astype(np.uint8)
