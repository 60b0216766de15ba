"""What our edit costs against the size of the mask and the picture, the steps and the number of edits.

A part of `speed`; nothing is judged here, so pictures and captions are plain ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.methods import Made, measured
from benchmarks.scenes import tracked
from instructedit_models.editor import MaskedDDIMEditor
from instructedit_models.types import EditOptions

__all__ = ["cost_rows"]

MASKS = (0.01, 0.05, 0.2, 0.5)
"""Shares of the picture."""
PICTURES = (128, 256, 512, 1024, 2048)
"""Pixels a side, with the same object in the same share of the picture."""
STEPS = (10, 20, 50, 100)
EDITS = (1, 2, 4)
"""Edits of one picture, one after the other, in different places."""
CAPTIONS = "photo of a red box", "photo of a blue box"


def cost_rows(editor: MaskedDDIMEditor, options: EditOptions, rounds: int = 3) -> list[dict[str, Any]]:
    """The median of some rounds for every value on every axis.

    Args:
        editor: of any size.
        options: whatever is not the axis.
        rounds: how often each is timed.
    """
    base = editor.native_size
    jobs: list[tuple[str, float, Callable[[], Made], Image.Image]] = []
    for share in MASKS:
        jobs.append(("mask", share, _edits(editor, base, [share], options), _picture(base)))
    for side in PICTURES:
        jobs.append(("picture", side, _edits(editor, side, [0.05], options), _picture(side)))
    for steps in STEPS:
        jobs.append(("steps", steps, _edits(editor, base, [0.05], replace(options, steps=steps)), _picture(base)))
    for count in EDITS:
        jobs.append(("edits", count, _edits(editor, base, [0.05] * count, options), _picture(base)))
    rows = []
    for axis, value, call, image in tracked(jobs, "costs"):
        made = sorted((measured(call, image) for _ in range(rounds)), key=lambda one: one.seconds)
        middle = made[len(made) // 2]
        rows.append(
            {
                "axis": axis,
                "value": value,
                "seconds": middle.seconds,
                "unet_evaluations": middle.unet_evaluations,
                "peak_bytes": middle.peak_bytes,
            }
        )
    return rows


def _edits(editor: MaskedDDIMEditor, side: int, shares: Sequence[float], options: EditOptions) -> Callable[[], Made]:
    """Edits of a picture in one place after another, nothing kept from the round before."""

    def call() -> Made:
        editor.forget()
        image, spent = _picture(side), 0
        for place, share in enumerate(shares):
            result = editor.edit(image, _square(side, share, place), *CAPTIONS, options)
            image, spent = result.image, spent + result.unet_evaluations
        return Made(image, None, spent)

    return call


def _picture(side: int) -> Image.Image:
    ramp = np.linspace(0, 255, side).astype(np.uint8)
    across = np.tile(ramp, (side, 1))
    return Image.fromarray(np.stack([across, across.T, np.full_like(across, 90)], axis=2))


def _square(side: int, share: float, place: int) -> np.ndarray:
    """A square of a share of the picture, in one of four corners, (side, side) bool."""
    extent, mask = max(2, round(side * share**0.5)), np.zeros((side, side), bool)
    free = side - extent
    top, left = (free * (place // 2 % 2), free * (place % 2)) if place else (free // 2, free // 2)
    mask[top : top + extent, left : left + extent] = True
    return mask
