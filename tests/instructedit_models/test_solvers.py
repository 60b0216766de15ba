"""The solvers: against diffusers' own, against an exact solution, and with the background kept at every level."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from instructedit_models import ddim
from instructedit_models.editor import MaskedDDIMEditor
from instructedit_models.errors import BadParameterError
from instructedit_models.solvers import DpmSolver, LcmSolver, make_solver, noised_levels
from instructedit_models.types import EditOptions
from tests.instructedit_models.tiny_diffusion import SCHEDULER_CONFIG, tiny_components

SPREAD = 0.6
"""The standard deviation of the Gaussian that `exact` predicts the noise of."""


def exact(ladder: tuple[ddim.Level, ...]) -> Any:
    """The noise prediction of a Gaussian of spread SPREAD: E[z | x_t] = sqrt(1 - a) x / (a SPREAD^2 + 1 - a)."""
    alphas = {level.timestep: level.alpha for level in ladder}

    def noise(latents: Tensor, timestep: int) -> Tensor:
        alpha = alphas[timestep]
        return latents * (math.sqrt(1 - alpha) / (alpha * SPREAD**2 + 1 - alpha))

    return noise


def _error(steps: int, name: str) -> float:
    """How far a solver ends from the exact solution, which scales the start by the ratio of the spreads."""
    ladder = ddim.levels(SCHEDULER_CONFIG, steps, 0.9)
    top, bottom = ladder[-1].alpha, ladder[0].alpha
    start = torch.ones(1, 1, 2, 2, dtype=torch.float64)
    everywhere = torch.ones(2, 2, dtype=torch.bool)
    stored = [start] * len(ladder)
    end = ddim.masked_denoise_batch(
        [(len(ladder) - 1, start)], stored, ladder, everywhere, exact(ladder), update=make_solver(name)
    )
    scale = math.sqrt((bottom * SPREAD**2 + 1 - bottom) / (top * SPREAD**2 + 1 - top))
    return float((end - scale * start).abs().max())


def test_twenty_steps_of_dpm_solver_are_as_good_as_fifty_of_ddim() -> None:
    assert _error(20, "dpm++") < 1.1 * _error(50, "ddim") < _error(20, "ddim") / 2
    assert _error(40, "dpm++") < _error(20, "dpm++") / 2.5


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # diffusers' own way from torch to NumPy
def test_dpm_solver_is_diffusers_own() -> None:
    from diffusers import DPMSolverMultistepScheduler

    torch.manual_seed(0)
    ladder = ddim.levels(SCHEDULER_CONFIG, 10, 1.0)
    predictions = [torch.randn(1, 4, 3, 3) for _ in ladder]
    reference = DPMSolverMultistepScheduler.from_config(
        {**SCHEDULER_CONFIG, "algorithm_type": "dpmsolver++", "solver_order": 2, "lower_order_final": False}
    )
    ours = theirs = torch.randn(1, 4, 3, 3)
    sigmas = [math.sqrt((1 - level.alpha) / level.alpha) for level in reversed(ladder)]
    reference.set_timesteps(10)
    reference.sigmas = torch.tensor(sigmas, dtype=torch.float64)
    reference.timesteps = torch.tensor([level.timestep for level in ladder[:0:-1]])
    solver = DpmSolver()
    for step, place in enumerate(range(len(ladder) - 1, 0, -1)):
        ours = solver(ours, predictions[step], ladder[place], ladder[place - 1])
        theirs = reference.step(predictions[step], reference.timesteps[step], theirs).prev_sample
    torch.testing.assert_close(ours, theirs.to(ours.dtype), atol=1e-4, rtol=1e-4)


def test_lcm_is_diffusers_own_in_its_last_step() -> None:
    from diffusers import LCMScheduler

    torch.manual_seed(0)
    latents, noise = torch.randn(1, 4, 3, 3), torch.randn(1, 4, 3, 3)
    reference = LCMScheduler.from_config({**SCHEDULER_CONFIG, "clip_sample": False})
    reference.set_timesteps(timesteps=[499])
    expected = reference.step(noise, reference.timesteps[0], latents).denoised
    alpha = float(ddim.alphas(SCHEDULER_CONFIG)[499])
    ours = LcmSolver()(latents, noise, ddim.Level(499, alpha), ddim.Level(0, 0.999))
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["ddim", "dpm++", "lcm"])
def test_the_background_of_every_level_is_kept(name: str) -> None:
    torch.manual_seed(0)
    ladder = ddim.levels(SCHEDULER_CONFIG, 8, 0.75)
    clean = torch.randn(1, 4, 6, 6)
    stored = noised_levels(clean, ladder, torch.randn(1, 4, 6, 6))
    mask = torch.zeros(6, 6, dtype=torch.bool)
    mask[2:4, 1:5] = True
    seen: list[Tensor] = []

    def noise(latents: Tensor, timestep: int) -> Tensor:
        seen.append(latents.clone())
        return torch.tanh(latents)

    end = ddim.masked_denoise_batch(
        [(len(ladder) - 1, stored[-1])], stored, ladder, mask, noise, update=make_solver(name)
    )
    for latents, background in zip([*seen, end], reversed(stored), strict=True):
        assert torch.equal(latents[..., ~mask], background[..., ~mask])
    assert torch.equal(end[..., ~mask], clean[..., ~mask]) and not torch.equal(end[..., mask], clean[..., mask])


@pytest.mark.parametrize("name", ["dpm++", "lcm"])
def test_a_batch_gives_what_each_edit_gives_alone(name: str) -> None:
    torch.manual_seed(0)
    ladder = ddim.levels(SCHEDULER_CONFIG, 8, 1.0)
    stored = noised_levels(torch.randn(1, 4, 4, 4), ladder, torch.randn(1, 4, 4, 4))
    mask = torch.ones(4, 4, dtype=torch.bool)
    starts = [(8, stored[8]), (5, stored[5])]

    def run(own: list[Any], seeds: list[int]) -> Tensor:
        update = make_solver(name, seeds)
        return ddim.masked_denoise_batch(own, stored, ladder, mask, lambda x, _: torch.tanh(x), update=update)

    both = run(starts, [1, 2])
    for i, seed in enumerate((1, 2)):
        torch.testing.assert_close(both[i : i + 1], run([starts[i]], [seed]))


@pytest.mark.parametrize("name", ["dpm++", "lcm"])
def test_the_editor_with_each_solver(name: str) -> None:
    editor = MaskedDDIMEditor(*tiny_components(), SCHEDULER_CONFIG)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8))
    mask = np.zeros((60, 80), bool)
    mask[20:40, 30:55] = True
    options = EditOptions(steps=8, solver=name)
    plain, edited, again, other = (
        editor.edit(image, mask, "photo of a red car", "photo of a blue car", each)
        for each in (replace(options, solver="ddim"), options, options, replace(options, seed=3))
    )
    before, after = np.asarray(image), np.asarray(edited.image)
    assert (before == after)[~edited.region].all()
    assert edited.image.tobytes() != plain.image.tobytes()
    assert edited.image.tobytes() == again.image.tobytes() != other.image.tobytes()
    assert edited.unet_evaluations == 8  # the inversion is DDIM's, which the first edit made, or is not needed


def test_an_unknown_solver() -> None:
    with pytest.raises(BadParameterError, match="ddim, dpm"):
        make_solver("euler")
    editor = MaskedDDIMEditor(*tiny_components(), SCHEDULER_CONFIG)
    with pytest.raises(BadParameterError, match="euler"):
        editor.edit(Image.new("RGB", (40, 40)), np.ones((40, 40), bool), "a car", "a dog", EditOptions(solver="euler"))
