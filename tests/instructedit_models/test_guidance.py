"""The step loop: the very numbers of plain UNet calls, and nothing in it that makes host and device wait."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

from instructedit_models import ddim
from instructedit_models.guidance import GuidedNoise
from instructedit_models.solvers import make_solver
from tests.instructedit_models.tiny_diffusion import SCHEDULER_CONFIG, tiny_unet

WAITING = ("aten::item", "aten::_local_scalar_dense", "aten::is_nonzero", "aten::lift_fresh", "aten::nonzero")


def _inputs(device: str = "cpu") -> tuple[Any, Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    unet = tiny_unet().to(device)
    states, empty, latents = torch.randn(1, 12, 16), torch.randn(1, 12, 16), torch.randn(1, 4, 8, 8)
    return unet, states.to(device), empty.to(device), latents.to(device)


def _loop(noise: GuidedNoise, latents: Tensor, steps: int, solver: str = "ddim") -> Callable[[], Tensor]:
    """A denoising that is ready to run: what comes before the first step is done."""
    ladder = ddim.levels(SCHEDULER_CONFIG, steps, 1.0)
    noise.prepare([level.timestep for level in ladder])
    mask = torch.zeros(8, 8, dtype=torch.bool, device=latents.device)
    mask[2:6, 2:6] = True
    stored, start, update = [latents] * len(ladder), [(len(ladder) - 1, latents)], make_solver(solver)
    return lambda: ddim.masked_denoise_batch(start, stored, ladder, mask, noise, update=update)


@torch.inference_mode()
def test_the_numbers_are_those_of_plain_unet_calls() -> None:
    unet, states, empty, latents = _inputs()
    noise = GuidedNoise(unet, states, (3.0,), empty)
    noise.prepare([0, 500])
    plain, captioned = unet(
        torch.cat([latents, latents]), 500, encoder_hidden_states=torch.cat([empty, states])
    ).sample.chunk(2)
    assert torch.equal(noise(latents, 500), plain + 3.0 * (captioned - plain))
    assert torch.equal(noise(latents, 250), GuidedNoise(unet, states, (3.0,), empty)(latents, 250))
    assert noise.evaluations == 4
    assert torch.equal(GuidedNoise(unet, states)(latents, 9), unet(latents, 9, encoder_hidden_states=states).sample)


@torch.inference_mode()
def _calls(steps: int, solver: str) -> Counter[str]:
    unet, states, empty, latents = _inputs()
    noise = GuidedNoise(unet, states, (3.0,), empty)
    _loop(noise, latents, 2, solver)()
    run = _loop(noise, latents, steps, solver)
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as profiled:
        run()
    return _counted(profiled)


def _counted(profiled: profile) -> Counter[str]:
    """Operations by name; of conversions only those of whole tensors, since a Python number is one without a shape."""
    counts: Counter[str] = Counter()
    for each in profiled.key_averages(group_by_input_shape=True):
        if each.key != "aten::_to_copy" or each.input_shapes[0]:
            counts[each.key] += each.count
    return counts


@pytest.mark.parametrize("solver", ["ddim", "dpm++"])
def test_no_step_waits_for_a_number(solver: str) -> None:
    """Two more steps ask for no number, and convert no tensor beyond what the bare UNet converts in two calls."""
    few, many = _calls(2, solver), _calls(4, solver)
    assert many["aten::convolution"] > few["aten::convolution"], "the profiler must have seen the steps"
    for name in WAITING:
        assert many[name] == few[name] == 0, name
    unet, states, empty, latents = _inputs()
    batch, both, when = torch.cat([latents] * 2), torch.cat([empty, states]), torch.tensor(500)
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as bare, torch.inference_mode():
        for _ in range(2):
            unet(batch, when, encoder_hidden_states=both)
    assert many["aten::_to_copy"] - few["aten::_to_copy"] == _counted(bare)["aten::_to_copy"]


class _Transfers(TorchDispatchMode):
    """Writes down every operation that brings something from or to another device."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        self.count += 1
        tensors = [each for each in (*args, *(kwargs or {}).values()) if isinstance(each, Tensor)]
        places = {each.device.type for each in tensors if each.dim()}
        if isinstance(result, Tensor):
            places.add(result.device.type)
        if len(places) > 1:
            self.seen.append(str(function))
        return result


@torch.inference_mode()
@pytest.mark.parametrize("solver", ["ddim", "dpm++"])
def test_no_step_moves_anything_between_devices(solver: str) -> None:
    """On the meta device, which holds no numbers: asking for one raises, and copies from the host are seen."""
    unet, states, empty, latents = _inputs("meta")
    noise = GuidedNoise(unet, states, (3.0,), empty)
    run = _loop(noise, latents, 4, solver)
    with _Transfers() as transfers:
        run()
    assert transfers.count > 100 and transfers.seen == []
    with pytest.raises((RuntimeError, NotImplementedError)):
        latents.sum().item()
    with _Transfers() as transfers:
        torch.ones(3).to("meta")
    assert transfers.seen, "the check itself must see a copy"
