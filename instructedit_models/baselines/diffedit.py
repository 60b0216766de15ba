"""DiffEdit (Couairon et al., 2023): the mask from differences of noise predictions, then masked DDIM editing.

    paper                       here
    mask, Eq. 5 (InstructEdit)  |eps(x_t, c_i) - eps(x_t, c_e)|, averaged over `maps` draws of noise and all channels,
                                clamped at `clamp` times its mean, rescaled to 0..1, True above `threshold`
    t of the mask               `mask_strength` of the schedule
    encoding ratio              `EditOptions.encoding_ratio`

diffusers' deprecated `StableDiffusionDiffEditPipeline` differs in its schedule, guides its inversion, and puts back the
background of one level too noisy; `as_diffusers` does the same, so that the two can be compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from instructedit_models import ddim
from instructedit_models.baselines.types import MaskSource, check_number
from instructedit_models.baselines.work import Method, Work
from instructedit_models.solvers import noised_levels
from instructedit_models.stages import reporter

__all__ = ["DiffEdit", "as_mask", "difference", "diffusers_ladders"]

MOST_MAPS = 100


@dataclass(frozen=True)
class DiffEdit(Method):
    """DiffEdit with its own mask.

    UNet sample-evaluations at 50 steps and r = 0.5: 20 for the mask, 25 for the inversion, 50 for denoising.

    Attributes:
        threshold: theta, the share of the clamped difference above which a cell may be edited.
        maps: draws of noise that the difference is averaged over.
        mask_strength: how noisy the picture is for it, as a share of the schedule.
        clamp: outliers are cut off at so many times the mean; 3 as in diffusers.
        as_diffusers: schedule, guided inversion and late background of diffusers' pipeline.

    Raises:
        BadParameterError: a parameter is out of its range.
    """

    threshold: float = 0.5
    maps: int = 10
    mask_strength: float = 0.5
    clamp: float = 3.0
    as_diffusers: bool = False

    name: ClassVar[str] = "diffedit"
    mask_source: ClassVar[MaskSource] = "own"

    def __post_init__(self) -> None:
        check_number("threshold", self.threshold, 0, 1)
        check_number("number of maps", self.maps, 1, MOST_MAPS, whole=True)
        check_number("mask strength", self.mask_strength, 0.01, 1)
        check_number("clamp", self.clamp, 0.01, 100)

    def _edited(self, work: Work) -> tuple[Tensor, np.ndarray | None]:
        clean = work.clean()
        cells = self.cells(work, clean)
        scale = work.options.guidance_scale
        if self.as_diffusers:
            inverting, ladder = diffusers_ladders(
                work.diffusion.scheduler_config, work.options.steps, work.options.encoding_ratio
            )
            stored = work.invert(clean, inverting, work.noise(work.task.input_caption, scale))
            background = stored[1:]
        else:
            ladder = work.ladder()
            background = stored = work.invert(clean, ladder, work.noise(work.task.input_caption))
        edited = work.noise(work.task.edited_caption, scale)
        latents = work.masked_denoise(stored[-1], background, ladder, cells, edited)
        return latents, work.pixels(cells)

    def cells(self, work: Work, clean: Tensor) -> Tensor:
        """The mask, (h, w) bool latent cells; it may be empty, and then nothing is edited.

        No guidance: with the same unconditional prediction on both sides it scales the difference alone, and the
        rescaling takes that out again.

        Args:
            work: the edit.
            clean: x_0, (1, C, h, w).
        """
        config, steps = work.diffusion.scheduler_config, work.options.steps
        if self.as_diffusers:
            level = diffusers_ladders(config, steps, self.mask_strength)[1][-1]
        else:
            level = work.ladder(self.mask_strength)[-1]
        fresh = work.drawn((self.maps, *clean.shape[1:]))
        noisy = noised_levels(clean, (level, level), fresh)[1]
        with work.computing("mask"):
            first = work.noise(work.task.input_caption)(noisy, level.timestep)
            second = work.noise(work.task.edited_caption)(noisy, level.timestep)
        reporter(work.progress, "mask")(1, 1)
        return as_mask(difference(first, second), self.threshold, self.clamp)


def difference(first: Tensor, second: Tensor) -> Tensor:
    """|eps(x_t, c_i) - eps(x_t, c_e)|, averaged over draws and channels: (B, C, h, w) twice to (h, w)."""
    return (first - second).abs().mean(dim=(0, 1))


def as_mask(differences: Tensor, threshold: float, clamp: float) -> Tensor:
    """Differences (h, w) as a mask (h, w) bool: outliers clamped, rescaled to 0..1, thresholded."""
    most = differences.mean() * clamp
    if not most > 0:
        return torch.zeros_like(differences, dtype=torch.bool)
    return differences.clamp(max=float(most)) / most > threshold


def diffusers_ladders(
    scheduler_config: Mapping[str, Any], steps: int, strength: float
) -> tuple[tuple[ddim.Level, ...], tuple[ddim.Level, ...]]:
    """The levels of diffusers' DDIM and inverse DDIM schedulers with "leading" timesteps.

    The inverse scheduler asks the UNet at the level that a step leads to, not at the one that it comes from.

    Args:
        scheduler_config: `num_train_timesteps`, `steps_offset`, `set_alpha_to_one` and the betas.
        steps: of the full schedule.
        strength: share of it that is walked.

    Returns:
        The ladder of the inversion and that of denoising, clean first; their alphas are the same.
    """
    cumulative = ddim.alphas(scheduler_config)
    stride, offset = len(cumulative) // steps, int(scheduler_config.get("steps_offset", 0))
    count = max(1, min(int(steps * strength), steps))
    first = 1.0 if scheduler_config.get("set_alpha_to_one", True) else float(cumulative[0])
    times = [step * stride + offset for step in range(count)]
    denoising = (ddim.Level(0, first), *(ddim.Level(time, float(cumulative[time])) for time in times))
    asked = (*times, times[-1])
    inverting = tuple(ddim.Level(time, level.alpha) for time, level in zip(asked, denoising, strict=True))
    return inverting, denoising
