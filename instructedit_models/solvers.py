"""How a step from one noise level to the next is made: DDIM as in the paper, DPM-Solver++ (2M) or LCM.

The editor takes one for the denoising; `ddim.masked_denoise_batch` calls it. Whichever it is, the background stays
right, since Eq. 4 is applied after every step and not inside it: a cell outside the mask gets the stored latent of the
very level that was reached. The solvers work cell by cell, so what they remember of earlier steps outside the mask
never reaches a cell inside it.

    DDIM            inversion by DDIM, first order, 50 steps: the paper's
    DPM-Solver++    the same inversion; second order in log-SNR, 15 to 25 steps for about the same picture
    LCM             4 to 8 steps with a UNet distilled for it (LCM-LoRA). Such a UNet is no noise predictor that could
                    be inverted, so its background is not inverted but noised: x_t = sqrt(alpha_t) x_0 +
                    sqrt(1 - alpha_t) z with one z for all levels, which costs nothing and ends at x_0 itself.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from instructedit_models.ddim import Level, Step, ddim_step, predict_clean
from instructedit_models.edit_options import SOLVERS
from instructedit_models.errors import BadParameterError

__all__ = ["DpmSolver", "LcmSolver", "make_solver", "noised_levels"]

_SIGMA_DATA = 0.5
_TIMESTEP_SCALING = 10.0


def make_solver(name: str, seeds: Sequence[int] = (0,)) -> Step:
    """A solver for one run; solvers remember earlier steps, so each run needs its own.

    Args:
        name: "ddim", "dpm++" or "lcm".
        seeds: of the noise that LCM draws at every step, one for each sample of the batch.

    Raises:
        BadParameterError: there is no such solver.
    """
    if name == "ddim":
        return ddim_step
    if name == "dpm++":
        return DpmSolver()
    if name == "lcm":
        return LcmSolver(seeds)
    raise BadParameterError(f"There is no solver {name!r}; use one of {', '.join(SOLVERS)}.")


class DpmSolver:
    """DPM-Solver++ (2M): multistep, second order, in terms of the predicted clean latent (Lu et al., 2022).

    The first step of a run is of first order, which is DDIM, and so is the last one: in log-SNR it is several times as
    wide as the one before, too far to go by the slope of that.
    """

    def __init__(self) -> None:
        self._clean: Tensor | None = None
        self._width = 0.0

    def __call__(self, latents: Tensor, noise: Tensor, here: Level, before: Level) -> Tensor:
        """One step; a sample that joins the batch begins with a step of first order."""
        clean = predict_clean(latents, noise, here.alpha)
        if before.alpha >= 1:
            return clean
        width = _log_snr(before) - _log_snr(here)
        slope = clean
        if self._clean is not None and before.timestep > 0:
            earlier = torch.cat([self._clean, clean[len(self._clean) :]])
            slope = clean + width / (2 * self._width) * (clean - earlier)
        self._clean, self._width = clean, width
        noise_here, noise_before = math.sqrt(1 - here.alpha), math.sqrt(1 - before.alpha)
        return noise_before / noise_here * latents - math.sqrt(before.alpha) * math.expm1(-width) * slope


class LcmSolver:
    """Latent consistency: jump to the clean latent, and draw noise anew for the next level (Luo et al., 2023)."""

    def __init__(self, seeds: Sequence[int] = (0,)) -> None:
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, latents: Tensor, noise: Tensor, here: Level, before: Level) -> Tensor:
        """One step; the last one, to the clean level, draws no noise."""
        scaled = here.timestep * _TIMESTEP_SCALING
        skip = _SIGMA_DATA**2 / (scaled**2 + _SIGMA_DATA**2)
        out = scaled / math.sqrt(scaled**2 + _SIGMA_DATA**2)
        clean = out * predict_clean(latents, noise, here.alpha) + skip * latents
        if before.timestep == 0:
            return clean
        # Drawn on the CPU, so that a seed means the same on every device; queued, so that nothing waits for it.
        drawn = [torch.randn(latents.shape[1:], generator=each) for each in self._generators[: len(latents)]]
        fresh = torch.stack(drawn).to(latents.device, non_blocking=True)
        return math.sqrt(before.alpha) * clean + math.sqrt(1 - before.alpha) * fresh


def noised_levels(clean: Tensor, ladder: Sequence[Level], noise: Tensor) -> tuple[Tensor, ...]:
    """The background of every level without an inversion: x_t = sqrt(alpha_t) x_0 + sqrt(1 - alpha_t) z, x_0 first.

    Args:
        clean: x_0, (B, C, h, w).
        ladder: the levels, clean first.
        noise: z, standard normal, (B, C, h, w).
    """
    rest = (math.sqrt(level.alpha) * clean + math.sqrt(1 - level.alpha) * noise for level in ladder[1:])
    return (clean, *rest)


def _log_snr(level: Level) -> float:
    """Half the logarithm of the signal-to-noise ratio, lambda = log(sqrt(alpha) / sqrt(1 - alpha))."""
    return 0.5 * (math.log(level.alpha) - math.log1p(-level.alpha))
