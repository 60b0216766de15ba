"""DDIM as the paper writes it: denoising (Eq. 2), inversion (Eq. 3 and 6) and mask guidance (Eq. 4).

Pure functions of latents, a schedule and an injected noise predictor; the editor and the baselines call them.

    paper           here
    x_t, y_t        `latents`, (B, C, h, w) float, in model scale
    alpha_t         `Level.alpha`, the cumulative product of the noise schedule
    eps(x, c, t)    `noise(latents, timestep)`; the caption c is bound inside
    f(x, c, t)      `predict_clean`
    r               `encoding_ratio`
    M               `mask`, True = may be edited
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from instructedit_models.errors import BadParameterError

__all__ = [
    "Level",
    "Noise",
    "Step",
    "StepCallback",
    "alphas",
    "blend",
    "ddim_step",
    "denoise",
    "denoise_step",
    "invert",
    "invert_step",
    "levels",
    "masked_denoise_batch",
    "noise_between",
    "predict_clean",
    "timesteps",
    "vary",
]

Noise = Callable[[Tensor, int], Tensor]
"""Predicts the noise in latents, (B, C, h, w), at a timestep of training; same shape back."""
Step = Callable[[Tensor, Tensor, "Level", "Level"], Tensor]
"""Of latents, (B, C, h, w), and the noise predicted in them makes the latents of the next cleaner level."""
StepCallback = Callable[[int, int], None]
"""Called with (steps done, steps in all) after each step; what it raises stops the loop."""


@dataclass(frozen=True)
class Level:
    """A noise level of the schedule.

    Attributes:
        timestep: the training timestep at which the UNet is asked.
        alpha: its cumulative alpha, from nearly 1 (clean) to nearly 0 (noise).
    """

    timestep: int
    alpha: float


def alphas(scheduler_config: Mapping[str, Any]) -> Tensor:
    """Cumulative alphas of a scheduler's config, (train steps,) float64.

    Args:
        scheduler_config: a `scheduler_config.json` of diffusers: `num_train_timesteps`, `beta_start`, `beta_end`,
            `beta_schedule`.

    Raises:
        BadParameterError: a schedule or a prediction type that is not supported.
    """
    if scheduler_config.get("prediction_type", "epsilon") != "epsilon":
        raise BadParameterError(
            f"The scheduler predicts {scheduler_config['prediction_type']!r}; only 'epsilon' is supported."
        )
    steps = int(scheduler_config.get("num_train_timesteps", 1000))
    start, end = float(scheduler_config.get("beta_start", 1e-4)), float(scheduler_config.get("beta_end", 0.02))
    kind = scheduler_config.get("beta_schedule", "linear")
    if kind == "scaled_linear":
        betas = torch.linspace(math.sqrt(start), math.sqrt(end), steps, dtype=torch.float64) ** 2
    elif kind == "linear":
        betas = torch.linspace(start, end, steps, dtype=torch.float64)
    else:
        raise BadParameterError(f"The noise schedule {kind!r} is not supported; use 'scaled_linear' or 'linear'.")
    return torch.cumprod(1 - betas, dim=0)


def timesteps(steps: int, train_steps: int, encoding_ratio: float) -> tuple[int, ...]:
    """Timesteps of the levels from clean up to x_r, ascending; the first is 0.

    The full schedule cuts the training steps into `steps` equal steps, and r takes the first `r * steps` of them, so
    that the top is r of the way to pure noise whatever the number of steps: 25 steps up to 500 for 50 steps, r = 0.5.
    """
    count = max(1, round(encoding_ratio * steps))
    rungs = (min(round(i * train_steps / steps), train_steps - 1) for i in range(count + 1))
    return tuple(dict.fromkeys(rungs))


def levels(scheduler_config: Mapping[str, Any], steps: int, encoding_ratio: float) -> tuple[Level, ...]:
    """The levels from the clean latent (index 0) up to x_r; the first levels are the same for every r.

    The clean latent counts as level 0 of training, or as alpha = 1 where the config says `set_alpha_to_one`.
    """
    cumulative = alphas(scheduler_config)
    ladder = [Level(t, float(cumulative[t])) for t in timesteps(steps, len(cumulative), encoding_ratio)]
    if scheduler_config.get("set_alpha_to_one", True):
        ladder[0] = Level(0, 1.0)
    return tuple(ladder)


def predict_clean(latents: Tensor, noise: Tensor, alpha: float) -> Tensor:
    """f(x, c, t) = (x - sqrt(1 - alpha) eps) / sqrt(alpha): the clean latent that the noise prediction implies."""
    return (latents - math.sqrt(1 - alpha) * noise) / math.sqrt(alpha)


def denoise_step(latents: Tensor, noise: Tensor, alpha: float, alpha_before: float) -> Tensor:
    """Eq. 2: from the level of `alpha` to the next cleaner one, of `alpha_before`, (B, C, h, w)."""
    clean = predict_clean(latents, noise, alpha)
    return math.sqrt(alpha_before) * clean + math.sqrt(1 - alpha_before) * noise


def ddim_step(latents: Tensor, noise: Tensor, here: Level, before: Level) -> Tensor:
    """Eq. 2 between two levels, as a `Step`."""
    return denoise_step(latents, noise, here.alpha, before.alpha)


def invert_step(latents: Tensor, noise: Tensor, alpha: float, alpha_after: float) -> Tensor:
    """Eq. 3 and 6: from the level of `alpha` to the next noisier one, of `alpha_after`, (B, C, h, w)."""
    clean = predict_clean(latents, noise, alpha)
    return math.sqrt(alpha_after) * clean + math.sqrt(1 - alpha_after) * noise


def blend(mask: Tensor, edited: Tensor, background: Tensor) -> Tensor:
    """Eq. 4: M y + (1 - M) x, with both latents of the same level.

    Args:
        mask: bool, broadcastable to (B, 1, h, w).
        edited: y, (B, C, h, w).
        background: x, the stored inversion latent of this very level.
    """
    return torch.where(mask, edited, background)


def invert(
    start: Sequence[Tensor],
    ladder: Sequence[Level],
    noise: Noise,
    on_step: StepCallback | None = None,
    stride: int = 1,
) -> tuple[Tensor, ...]:
    """Inverts up to x_r, the top of `ladder`, and keeps the latent of every level.

    Args:
        start: the latents of the lowest levels: x_0 alone, or a shorter inversion to go on from.
        ladder: the levels, clean first; at least as many as `start`.
        noise: the predictor; called once for each `stride` levels that are missing.
        on_step: told of each step made.
        stride: levels that one prediction serves, counted from the clean one. Eq. 3 twice with the same noise is Eq. 3
            over both levels, so that these are the latents of a coarser schedule, and those between.

    Returns:
        One latent per level, (B, C, h, w) each.
    """
    stored = list(start[: len(ladder)])
    total = len(ladder) - len(stored)
    predicted: Tensor | None = None
    for step in range(1, total + 1):
        level = len(stored) - 1
        asked = level - level % stride
        if predicted is None or asked == level:
            predicted = noise(stored[asked], ladder[asked].timestep)
        stored.append(invert_step(stored[-1], predicted, ladder[level].alpha, ladder[level + 1].alpha))
        if on_step:
            on_step(step, total)
    return tuple(stored)


def masked_denoise_batch(
    starts: Sequence[tuple[int, Tensor]],
    stored: Sequence[Tensor],
    ladder: Sequence[Level],
    mask: Tensor,
    noise: Noise,
    on_step: StepCallback | None = None,
    update: Step = ddim_step,
) -> Tensor:
    """Denoises edits of one inversion at once and keeps the background of each level (Eq. 2, then Eq. 4).

    Args:
        starts: (level, y of that level (1, C, h, w)) of each edit, the highest level first; an edit joins the batch
            when the others have come down to its level.
        stored: what `invert` returned, up to the highest of these levels at least.
        ladder: the same levels.
        mask: bool, broadcastable to (B, 1, h, w), True = may be edited.
        noise: the predictor under the edited captions, guided or not; called once for each step, with the first b
            edits as a batch of b.
        on_step: told of each step of the longest edit.
        update: the solver's step (see `solvers`); whichever it is, each level keeps its own stored background.

    Returns:
        y_0 of each edit, (B, C, h, w), in the order of `starts`.

    Raises:
        BadParameterError: the levels do not descend.
    """
    tops = [level for level, _ in starts]
    if not starts or tops != sorted(tops, reverse=True):
        raise BadParameterError(f"The edits of a batch must descend by their level; got {tops}.")
    latents, joined, total = starts[0][1], 1, tops[0]
    for step, level in enumerate(range(total, 0, -1), start=1):
        while joined < len(starts) and tops[joined] == level:
            latents, joined = torch.cat([latents, starts[joined][1]]), joined + 1
        here, before = ladder[level], ladder[level - 1]
        predicted = noise(latents, here.timestep)
        latents = blend(mask, update(latents, predicted, here, before), stored[level - 1])
        if on_step:
            on_step(step, total)
    return torch.cat([latents, *(start for _, start in starts[joined:])])


def noise_between(cleaner: Tensor, noisier: Tensor, low: Level, high: Level) -> Tensor:
    """The noise prediction with which Eq. 2 leads from one latent to the other, and Eq. 3 back.

    Args:
        cleaner: the latent of level `low`, (B, C, h, w).
        noisier: the latent of level `high`, whose alpha is smaller.
        low: the cleaner level.
        high: the noisier level.
    """
    signal_low, signal_high = math.sqrt(low.alpha), math.sqrt(high.alpha)
    noise_low, noise_high = math.sqrt(1 - low.alpha), math.sqrt(1 - high.alpha)
    return (signal_low * noisier - signal_high * cleaner) / (signal_low * noise_high - signal_high * noise_low)


def denoise(
    start: Tensor, ladder: Sequence[Level], noise: Noise, on_step: StepCallback | None = None, update: Step = ddim_step
) -> Tensor:
    """Denoises from the top of `ladder` to its clean level, everywhere and without a background (Eq. 2 alone).

    Args:
        start: y of the highest level, (B, C, h, w).
        ladder: the levels, clean first.
        noise: the predictor; called once for each step.
        on_step: told of each step.
        update: the solver's step (see `solvers`).

    Returns:
        y_0, (B, C, h, w).
    """
    latents, total = start, len(ladder) - 1
    for step, level in enumerate(range(total, 0, -1), start=1):
        here, before = ladder[level], ladder[level - 1]
        latents = update(latents, noise(latents, here.timestep), here, before)
        if on_step:
            on_step(step, total)
    return latents


def vary(stored: Sequence[Tensor], ladder: Sequence[Level], mask: Tensor, fresh: Tensor, strength: float) -> Tensor:
    """Another start for the same edit: x_r with part of its noise exchanged inside the mask.

    The noise e that the last inversion step put into x_r follows from the two top latents. It is replaced by
    sqrt(1 - strength^2) e + strength z, which keeps its variance; the clean part of x_r stays.

    Args:
        stored: what `invert` returned, two latents or more.
        ladder: the same levels.
        mask: bool, broadcastable to (B, 1, h, w).
        fresh: z, standard normal, (B, C, h, w).
        strength: 0 (no change) to 1 (all noise is new).

    Returns:
        y_r, (B, C, h, w).
    """
    top, noise_high = stored[-1], math.sqrt(1 - ladder[-1].alpha)
    noise = noise_between(stored[-2], top, ladder[-2], ladder[-1])
    mixed = math.sqrt(1 - strength**2) * noise + strength * fresh
    return blend(mask, top + noise_high * (mixed - noise), top)
