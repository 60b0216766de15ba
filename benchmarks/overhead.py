"""What our step loop costs beside bare UNet calls: `python -m benchmarks.overhead [--models SET] [--json]`.

On a CPU the loop is timed, and within it its UNet calls: what is left over is the loop's own, and a machine that is
busy elsewhere disturbs both alike. On a GPU, where calls only queue work, rounds of bare calls on the same inputs
alternate with rounds of the loop, and the medians are compared; on a CPU these rounds are reported beside the figure.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from benchmarks.record import machine
from instructedit_models import ddim
from instructedit_models.guidance import GuidedNoise
from instructedit_models.model_sets import load_model_set

__all__ = ["main", "overhead_row"]

BAR = 0.03
"""The most that the loop may add, as a share of the bare calls."""


@torch.inference_mode()
def overhead_row(unet: Any, scheduler_config: Any, steps: int, rounds: int, guidance_scale: float) -> dict[str, Any]:
    """Seconds of a guided denoising by our loop and of its bare UNet calls.

    Args:
        unet: a `UNet2DConditionModel`.
        scheduler_config: its noise schedule.
        steps: steps of one round.
        rounds: rounds of each kind.
        guidance_scale: 1 for unguided.

    Returns:
        Median seconds of a step bare and by the loop ("bare", "loop"), seconds of a step's UNet call and of the whole
        step within the loop ("inside", "whole"), the share that the loop adds ("overhead"), and what was measured.
    """
    config = unet.config
    device, dtype = unet.device, unet.dtype
    torch.manual_seed(0)
    side = int(config.sample_size)
    latents = torch.randn(1, config.in_channels, side, side, device=device)
    states, empty = torch.randn(2, 1, 77, config.cross_attention_dim, device=device, dtype=dtype)
    ladder = ddim.levels(scheduler_config, steps, 1.0)
    stored = [latents] * len(ladder)
    mask = torch.zeros(side, side, dtype=torch.bool, device=device)
    mask[side // 4 : side // 2, side // 4 : side // 2] = True
    guided = GuidedNoise(unet, states, (guidance_scale,), empty)
    guided.prepare([level.timestep for level in ladder])
    times = guided.evaluations_at(0)
    batch = latents.repeat(times, 1, 1, 1).to(dtype)
    both = torch.cat([empty, states]) if times == 2 else states
    moments = [torch.tensor(level.timestep, device=device) for level in ladder[:0:-1]]

    def bare() -> None:
        for when in moments:
            unet(batch, when, encoder_hidden_states=both)

    def loop() -> None:
        ddim.masked_denoise_batch([(len(ladder) - 1, latents)], stored, ladder, mask, guided)

    seconds = _alternated((bare, loop), rounds, device.type)
    bare_step, loop_step = (statistics.median(each) / len(moments) for each in seconds)
    inside, whole = _within(unet, loop, rounds)
    overhead = loop_step / bare_step - 1 if device.type == "cuda" else whole / inside - 1
    return {
        "what": "masked_denoise_batch",
        "device": str(device),
        "dtype": str(dtype).removeprefix("torch."),
        "sample_size": side,
        "steps": len(moments),
        "rounds": rounds,
        "guided": times == 2,
        "bare": bare_step,
        "loop": loop_step,
        "inside": inside / len(moments) / rounds,
        "whole": whole / len(moments) / rounds,
        "overhead": overhead,
        "bar": BAR,
    }


def _within(unet: Any, loop: Callable[[], None], rounds: int) -> tuple[float, float]:
    """CPU seconds of the UNet calls within the loop, and of the whole loop, over all rounds."""
    began, inside = 0.0, 0.0

    def begin(*_: object) -> None:
        nonlocal began
        began = time.process_time()

    def end(*_: object) -> None:
        nonlocal inside
        inside += time.process_time() - began

    hooks = [unet.register_forward_pre_hook(begin), unet.register_forward_hook(end)]
    started = time.process_time()
    for _ in range(rounds):
        loop()
    whole = time.process_time() - started
    for hook in hooks:
        hook.remove()
    return inside, whole


def _alternated(runs: Sequence[Callable[[], None]], rounds: int, device: str) -> list[list[float]]:
    """Seconds of each run in each round, after one round that is thrown away; CPU seconds where the CPU computes."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    seconds: list[list[float]] = [[] for _ in runs]
    for number in range(rounds + 1):
        for run, own in zip(runs, seconds, strict=True):
            started = clock()
            run()
            if device == "cuda":
                torch.cuda.synchronize()
            if number:
                own.append(clock() - started)
    return seconds


def main(argv: Sequence[str] | None = None) -> int:
    """Measures the UNet of a set, or one of SD v1.5's shape with random weights; exits 1 above the bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="miniature", help="the set whose UNet is called, or sd15-shape")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--guidance-scale", type=float, default=7.5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    row = overhead_row(*_unet(args.models), args.steps, args.rounds, args.guidance_scale)
    row |= {"models": args.models, "machine": machine()}
    if args.json:
        print(json.dumps({"schema": 1, "rows": [row]}))
    else:
        print(
            f"a step {row['whole'] * 1e3:.3f} ms, of which its UNet call {row['inside'] * 1e3:.3f} ms: the loop adds "
            f"{row['overhead']:.2%} (alternating rounds: bare {row['bare'] * 1e3:.2f}, loop {row['loop'] * 1e3:.2f} ms)"
        )
    return 0 if row["overhead"] <= BAR else 1


def _unet(name: str) -> tuple[Any, dict[str, Any]]:
    if name != "sd15-shape":
        editor = load_model_set(name).editor
        return editor._unet, editor._scheduler_config
    from diffusers import UNet2DConditionModel

    config = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "set_alpha_to_one": False}
    return UNet2DConditionModel(sample_size=64, cross_attention_dim=768).eval(), config


if __name__ == "__main__":
    raise SystemExit(main())
