"""The loops against the paper's equations, written out again here in float64."""

import math

import pytest
import torch
from torch import Tensor

from instructedit_models import ddim
from instructedit_models.errors import BadParameterError
from tests.instructedit_models.tiny_diffusion import SCHEDULER_CONFIG, tiny_unet

STEPS, RATIO, GUIDANCE = 10, 0.6, 7.5
TIMES = (0, 100, 200, 300, 400, 500, 600)


def literal_alphas() -> list[float]:
    """alpha_t of SD v1.5: the product of 1 - beta over all timesteps up to t, sqrt(beta) in equal steps."""
    first, last = math.sqrt(0.00085), math.sqrt(0.012)
    alphas, product = [], 1.0
    for t in range(1000):
        product *= 1 - (first + (last - first) * t / 999) ** 2
        alphas.append(product)
    return alphas


def literal_edit(unet: torch.nn.Module, x_0: Tensor, mask: Tensor, c_i: Tensor, c_e: Tensor, empty: Tensor) -> Tensor:
    """Eq. 3, then Eq. 2 and Eq. 4, symbol by symbol."""
    a = literal_alphas()

    def eps(x: Tensor, c: Tensor, t: int) -> Tensor:
        return unet(x, t, encoder_hidden_states=c).sample

    x = {0: x_0}
    for t, t_next in zip(TIMES[:-1], TIMES[1:], strict=True):
        e = eps(x[t], c_i, t)
        f = (x[t] - (1 - a[t]) ** 0.5 * e) / a[t] ** 0.5
        x[t_next] = a[t_next] ** 0.5 * f + (1 - a[t_next]) ** 0.5 * e
    y = x[TIMES[-1]]
    for t, t_before in zip(TIMES[:0:-1], TIMES[-2::-1], strict=True):
        e_empty = eps(y, empty, t)
        e = e_empty + GUIDANCE * (eps(y, c_e, t) - e_empty)
        f = (y - (1 - a[t]) ** 0.5 * e) / a[t] ** 0.5
        y = a[t_before] ** 0.5 * f + (1 - a[t_before]) ** 0.5 * e
        y = mask * y + (1 - mask) * x[t_before]
    return y


@pytest.fixture(scope="module")
def case() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(5)
    latents = torch.randn(1, 4, 8, 8, generator=generator, dtype=torch.float64)
    mask = torch.zeros(8, 8, dtype=torch.bool)
    mask[2:6, 3:7] = True
    states = torch.randn(3, 1, 5, 16, generator=generator, dtype=torch.float64)
    return {"x_0": latents, "mask": mask, "c_i": states[0], "c_e": states[1], "empty": states[2]}


@torch.inference_mode()
def test_our_loops_against_the_literal_equations(case: dict[str, Tensor]) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        unet = tiny_unet()
    single = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in case.items()}

    def plain(latents: Tensor, timestep: int) -> Tensor:
        return unet(latents, timestep, encoder_hidden_states=single["c_i"]).sample

    def guided(latents: Tensor, timestep: int) -> Tensor:
        both = unet(
            latents.repeat(2, 1, 1, 1), timestep, encoder_hidden_states=torch.cat([single["empty"], single["c_e"]])
        ).sample
        return both[:1] + GUIDANCE * (both[1:] - both[:1])

    ladder = ddim.levels(SCHEDULER_CONFIG, STEPS, RATIO)
    stored = ddim.invert((single["x_0"],), ladder, plain)
    ours = ddim.masked_denoise_batch([(len(ladder) - 1, stored[-1])], stored, ladder, single["mask"], guided)
    double = tiny_unet().double()
    double.load_state_dict(unet.state_dict())
    wanted = literal_edit(double, case["x_0"], case["mask"].double(), case["c_i"], case["c_e"], case["empty"])
    error = (ours.double() - wanted).norm() / wanted.norm()
    assert error <= 1e-4
    outside = ~single["mask"]
    assert torch.equal(ours[..., outside], single["x_0"][..., outside])
    assert not torch.allclose(ours[..., single["mask"]], single["x_0"][..., single["mask"]], atol=1e-2)


def test_inversion_without_mask_or_guidance_comes_back() -> None:
    """With a noise prediction that does not depend on the latents, Eq. 2 undoes Eq. 3 exactly."""
    generator = torch.Generator().manual_seed(2)
    latents = torch.randn(2, 4, 8, 8, generator=generator, dtype=torch.float64)
    fixed = torch.randn(2, 4, 8, 8, generator=generator, dtype=torch.float64)
    ladder = ddim.levels(SCHEDULER_CONFIG, 50, 0.5)
    stored = ddim.invert((latents,), ladder, lambda _, __: fixed)
    back = ddim.masked_denoise_batch(
        [(len(ladder) - 1, stored[-1])], stored, ladder, torch.ones(8, 8, dtype=torch.bool), lambda _, __: fixed
    )
    torch.testing.assert_close(back, latents)


def test_alphas_follow_the_schedule() -> None:
    ours = ddim.alphas(SCHEDULER_CONFIG)
    assert ours.dtype == torch.float64
    torch.testing.assert_close(ours, torch.tensor(literal_alphas(), dtype=torch.float64))
    ladder = ddim.levels({**SCHEDULER_CONFIG, "set_alpha_to_one": True}, 50, 0.5)
    assert ladder[0] == ddim.Level(0, 1.0)
    assert ddim.alphas({"beta_schedule": "linear"})[0] == pytest.approx(1 - 1e-4)
    for config in ({"beta_schedule": "cosine"}, {**SCHEDULER_CONFIG, "prediction_type": "v_prediction"}):
        with pytest.raises(BadParameterError):
            ddim.alphas(config)


def test_schedule_reaches_r_of_the_way_for_any_number_of_steps() -> None:
    assert ddim.timesteps(50, 1000, 0.5) == tuple(range(0, 501, 20))
    assert len(ddim.timesteps(50, 1000, 0.5)) - 1 == 25
    for steps in (2, 7, 10, 33, 50, 500):
        full = ddim.timesteps(steps, 1000, 1.0)
        assert full[0] == 0 and full[-1] == 999 and len(full) == steps + 1
        assert all(a < b for a, b in zip(full, full[1:], strict=False))
        half = ddim.timesteps(steps, 1000, 0.5)
        assert half == full[: len(half)] and abs(half[-1] - 500) <= 500 / steps + 1
    assert ddim.timesteps(1000, 1000, 1.0) == tuple(range(1000))
    assert ddim.timesteps(50, 1000, 0.001) == (0, 20)
    assert ddim.timesteps(1, 1000, 0.5) == (0, 999)


def test_background_is_of_the_same_level() -> None:
    ladder = ddim.levels(SCHEDULER_CONFIG, 10, 0.5)
    stored = [torch.full((1, 1, 2, 2), float(level)) for level in range(len(ladder))]
    mask = torch.tensor([[True, False], [False, False]])
    seen = []

    def noise(latents: Tensor, timestep: int) -> Tensor:
        seen.append((timestep, float(latents[0, 0, 1, 1])))
        return torch.zeros_like(latents)

    ddim.masked_denoise_batch([(len(ladder) - 1, stored[-1])], stored, ladder, mask, noise)
    assert seen == [(500, 5.0), (400, 4.0), (300, 3.0), (200, 2.0), (100, 1.0)]


def test_inversion_goes_on_from_a_shorter_one_and_tells_of_each_step() -> None:
    ladder = ddim.levels(SCHEDULER_CONFIG, 10, 0.8)
    latents = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    asked: list[int] = []

    def noise(latents: Tensor, timestep: int) -> Tensor:
        asked.append(timestep)
        return latents.roll(1, -1)

    told: list[tuple[int, int]] = []
    whole = ddim.invert((latents,), ladder, noise, lambda *step: told.append(step))
    assert told == [(i, 8) for i in range(1, 9)] and asked == [0, 100, 200, 300, 400, 500, 600, 700]
    asked.clear()
    longer = ddim.invert(whole[:6], ladder, noise)
    assert asked == [500, 600, 700] and all(map(torch.equal, whole, longer))
    assert len(ddim.invert(whole, ladder[:3], noise)) == 3


def test_strides_of_the_inversion_are_a_coarser_schedule_with_the_levels_between() -> None:
    ladder = ddim.levels(SCHEDULER_CONFIG, 10, 0.7)
    latents = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    asked: list[int] = []

    def noise(latents: Tensor, timestep: int) -> Tensor:
        asked.append(timestep)
        return latents.roll(1, -1)

    fine = ddim.invert((latents,), ladder, noise, stride=3)
    assert asked == [0, 300, 600]
    coarse = ddim.invert((latents,), [*ladder[::3], ladder[-1]], noise)
    assert all(map(torch.allclose, [*fine[::3], fine[-1]], coarse))
    asked.clear()
    longer = ddim.invert(fine[:5], ladder, noise, stride=3)
    assert asked == [300, 600] and all(map(torch.allclose, fine, longer))


def test_variation_keeps_the_clean_part_and_the_variance() -> None:
    ladder = ddim.levels(SCHEDULER_CONFIG, 50, 0.5)
    generator = torch.Generator().manual_seed(4)
    shape = (1, 4, 64, 64)
    clean, noise, fresh = (torch.randn(shape, generator=generator) for _ in range(3))
    stored = [math.sqrt(level.alpha) * clean + math.sqrt(1 - level.alpha) * noise for level in ladder]
    everywhere = torch.ones(64, 64, dtype=torch.bool)
    varied = ddim.vary(stored, ladder, everywhere, fresh, 0.6)
    top = ladder[-1]
    now = (varied - math.sqrt(top.alpha) * clean) / math.sqrt(1 - top.alpha)
    torch.testing.assert_close(now, 0.8 * noise + 0.6 * fresh, atol=1e-3, rtol=1e-3)
    assert now.std() == pytest.approx(1, abs=0.02)
    torch.testing.assert_close(ddim.vary(stored, ladder, everywhere, fresh, 0.0), stored[-1], atol=1e-4, rtol=0)
    assert torch.equal(ddim.vary(stored, ladder, ~everywhere, fresh, 0.6), stored[-1])
