"""The editor's loop against the float64 transcription, on tiny components; and that a wrong loop would be noticed."""

import numpy as np
import pytest
from PIL import Image

from benchmarks.core import Parts, loop_error
from instructedit_models import ddim
from instructedit_models.types import EditOptions
from tests.instructedit_models.tiny_diffusion import SCHEDULER_CONFIG, tiny_components

OPTIONS = EditOptions(encoding_ratio=0.5, steps=20, guidance_scale=3.0, grow=0)
CAPTIONS = ("photo of a red car", "photo of a blue car")


def error() -> float:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 48, 3), np.uint8))
    mask = np.zeros((48, 48), dtype=bool)
    mask[10:30, 12:34] = True
    return loop_error(Parts(*tiny_components(), SCHEDULER_CONFIG), image, mask, CAPTIONS, OPTIONS)


def test_our_loop_is_the_papers():
    assert error() <= 1e-4


def test_the_background_of_the_wrong_level_is_noticed(monkeypatch: pytest.MonkeyPatch):
    right = ddim.masked_denoise_batch

    def wrong(starts, stored, *more, **given):
        return right(starts, (*stored[1:], stored[-1]), *more, **given)

    monkeypatch.setattr(ddim, "masked_denoise_batch", wrong)
    assert error() > 1e-3


def test_a_wrong_step_is_noticed(monkeypatch: pytest.MonkeyPatch):
    right = ddim.invert_step
    monkeypatch.setattr(ddim, "invert_step", lambda x, eps, alpha, after: right(x, eps, alpha, after) + 1e-3 * eps)
    assert error() > 1e-4
