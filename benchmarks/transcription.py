"""The paper's Eq. 2, 3/6 and 4 written down once more, in float64 and straight from the text, to check our loop by.

Nothing of `instructedit_models.ddim` is used here. `core` and the tests call it.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

Epsilon = Callable[[np.ndarray, int], np.ndarray]
"""eps(x, c, t) with the caption bound; (1, C, h, w) float64 to the same."""


@dataclass(frozen=True)
class Given:
    """What the equations are given.

    Attributes:
        clean: x_0, (1, C, h, w) float64 in model scale.
        mask: M, (h, w) bool.
        steps: of the full schedule.
        ratio: r.
        guidance: scale of the classifier-free guidance.
    """

    clean: np.ndarray
    mask: np.ndarray
    steps: int
    ratio: float
    guidance: float


def cumulative_alphas(config: Mapping[str, Any]) -> np.ndarray:
    """alpha_t for every training timestep, of Stable Diffusion's schedule ("scaled linear")."""
    if config["beta_schedule"] != "scaled_linear":
        raise ValueError(f"this transcription knows the scaled linear schedule, not {config['beta_schedule']!r}")
    first, last = np.sqrt(config["beta_start"]), np.sqrt(config["beta_end"])
    return np.cumprod(1 - np.linspace(first, last, config["num_train_timesteps"], dtype=np.float64) ** 2)


def edited_latent(
    given: Given, config: Mapping[str, Any], invert_with: Epsilon, edit_with: Epsilon, empty: Epsilon
) -> np.ndarray:
    """y_0: inverts x_0 up to x_r, then denoises under the edited caption and keeps the background of each level."""
    alpha_of = cumulative_alphas(config)
    train = len(alpha_of)
    times = [min(round(i * train / given.steps), train - 1) for i in range(round(given.ratio * given.steps) + 1)]
    alpha = [alpha_of[t] for t in times]
    if config.get("set_alpha_to_one", True):
        alpha[0] = 1.0

    def f(x: np.ndarray, eps: np.ndarray, i: int) -> np.ndarray:
        return (x - np.sqrt(1 - alpha[i]) * eps) / np.sqrt(alpha[i])

    x = [given.clean]
    for i in range(len(times) - 1):  # Eq. 3 and 6
        eps = invert_with(x[i], times[i])
        x.append(np.sqrt(alpha[i + 1]) * f(x[i], eps, i) + np.sqrt(1 - alpha[i + 1]) * eps)
    y = x[-1]
    for i in range(len(times) - 1, 0, -1):
        plain = empty(y, times[i])
        eps = plain + given.guidance * (edit_with(y, times[i]) - plain)
        y = np.sqrt(alpha[i - 1]) * f(y, eps, i) + np.sqrt(1 - alpha[i - 1]) * eps  # Eq. 2
        y = np.where(given.mask, y, x[i - 1])  # Eq. 4, with x of the same level
    return y


def predictor(unet: Any, states: torch.Tensor) -> Epsilon:
    """The UNet in float64 under one caption, (1, T, D)."""
    double = unet if unet.dtype == torch.float64 else copy.deepcopy(unet).double()
    caption = states.double()

    @torch.no_grad()
    def eps(latents: np.ndarray, timestep: int) -> np.ndarray:
        return double(torch.from_numpy(latents), timestep, encoder_hidden_states=caption).sample.numpy()

    return eps


def relative_error(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The norm of the difference over the norm of what should have come."""
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
