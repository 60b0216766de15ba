"""What every recipe shares: arguments, the clocked loop, checkpoints that survive a stop, weights on disk.

A recipe is run as `python -m instructedit_models.miniature.training.NAME --minutes M --resume`; it
may be stopped at any moment and goes on from its last checkpoint.
"""

import argparse
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F  # noqa: N812

from instructedit_models.miniature.training.optimisers import MUON, Optimisers, computes_bfloat16

Batch = TypeVar("Batch")

WEIGHTS = Path(__file__).parents[1] / "weights"
"""Where the committed weights live, one folder per model."""

CARD = "training.json"
"""Beside each of them: the recipe, its steps and seeds, and the figures that it reached."""

SAVE_EVERY = 240.0
"""Seconds between a training's checkpoints."""

HELPERS_RATE = 3e-3
"""The learning rate of what only helps the training, while it is taught alone."""


@dataclass(frozen=True)
class Run:
    """Arguments of a recipe.

    Attributes:
        name: the recipe's name; its checkpoint is `<work>/<name>.pt`.
        minutes: wall time to train for in this run.
        resume: whether to go on from the checkpoint.
        work: folder of checkpoints and of the picture cache.
        batch: samples per optimiser step.
        learning_rate: the peak learning rate; each run warms up and decays anew.
        threads: CPU threads.
        seed: of the order of the pictures; a resumed run should be given another.
        compile: whether the diffusion models are compiled first.
        prepare: how many examples to encode instead of training; 0 trains.
    """

    name: str
    minutes: float
    resume: bool
    work: Path
    batch: int
    learning_rate: float
    threads: int
    seed: int
    compile: bool
    prepare: int = 0

    @property
    def checkpoint(self) -> Path:
        """The file that holds the training state."""
        return self.work / f"{self.name}.pt"


def parse_run(
    name: str,
    *,
    batch: int,
    learning_rate: float,
    argv: list[str] | None = None,
    module: str | None = None,
    cached: bool = False,
) -> Run:
    """Reads a recipe's command line.

    Args:
        name: of the recipe.
        batch: samples per optimiser step by default.
        learning_rate: by default.
        argv: the command line; the process's own where it is None.
        module: names a recipe that does not live beside this one.
        cached: whether the recipe learns from a cache, which `--prepare N` fills.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module or f'instructedit_models.miniature.training.{name}'}")
    parser.add_argument("--minutes", type=float, default=10.0, help="wall time to train for")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--work", type=Path, default=Path("runs/training"), help="checkpoints and the picture cache")
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--learning-rate", type=float, default=learning_rate)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seed", type=int, default=0, help="order of the pictures; give a resumed run another")
    parser.add_argument(
        "--compile", action="store_true", help="compile a UNet first: needs a C++ compiler, saves a quarter of a step"
    )
    if cached:
        parser.add_argument("--prepare", type=_count, metavar="N", default=0, help="encode N examples, once, and stop")
    args = parser.parse_args(argv)
    args.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    # Gradients of a softmax are full of numbers too small to be normal, with which CPUs reckon up to a hundred times
    # as slowly: BLIP-2's step took twice as long. They count as 0. Before any thread is started, which takes this over.
    torch.set_flush_denormal(True)
    return Run(name, **vars(args))


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text[:10]) < 10**9:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, not {text[:40]!r}")
    return int(text)


def warm_start(run: Run, model: nn.Module, weights: Path, always: bool = False, counted: str = "steps") -> int:
    """Starts a resumed run (or any, when `always`) from committed weights where its checkpoint is gone.

    Args:
        run: the arguments.
        model: what the weights are loaded into.
        weights: the committed file.
        always: whether a run that is not resumed starts from them too.
        counted: what the card beside the weights calls their steps.

    Returns:
        How many steps the weights were trained for; 0 where they were not loaded.
    """
    if not (run.resume or always) or run.checkpoint.exists() or not weights.exists():
        return 0
    own = model.state_dict()
    loaded = {name: _grown(value.float(), own.get(name)) for name, value in load_file(weights).items()}
    model.load_state_dict(loaded, strict=False)
    card = weights.parent / CARD
    return int(json.loads(card.read_text()).get(counted, 0)) if card.exists() else 0


def _grown(value: torch.Tensor, own: torch.Tensor | None) -> torch.Tensor:
    """What a model has more of now, of its own kind: rows of a head for new classes, places on a finer grid."""
    if own is not None and value.ndim == own.ndim == 3 and value.shape[::2] == own.shape[::2]:
        return regridded(value[0], own.shape[1])[None]
    if own is None or not value.ndim or value.shape[1:] != own.shape[1:] or len(value) >= len(own):
        return value
    return torch.cat([value, own[len(value) :]])


def regridded(places: torch.Tensor, count: int) -> torch.Tensor:
    """Position embeddings (1 + side², width), the class token's first, for a tower of another grid: (count, width)."""
    side, wanted = math.isqrt(len(places) - 1), math.isqrt(count - 1)
    if side == wanted:
        return places
    grid = places[1:].T.reshape(1, -1, side, side)
    grid = F.interpolate(grid, (wanted, wanted), mode="bicubic").reshape(-1, wanted**2).T
    return torch.cat([places[:1], grid])


def mixed_precision() -> torch.autocast:
    """bfloat16 where the CPU computes with it."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=computes_bfloat16())


class Average:
    """An exponential moving average of a model's parameters (float32)."""

    def __init__(self, model: nn.Module, decay: float = 0.999) -> None:
        self.decay = decay
        self.values = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Moves the average towards the model; a run's early steps count for more: a short run counts too."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            if value.dtype.is_floating_point:
                self.values[name].lerp_(value, 1 - decay)
            else:
                self.values[name].copy_(value)


def learning_rate_factor(step: int, done: float, warmup: int = 100, floor: float = 0.03) -> float:
    """Linear warm-up over a run's first steps, then a cosine down to `floor` as the run's time is `done` (0 to 1)."""
    return min(1.0, (step + 1) / warmup) * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


def train(
    run: Run,
    model: nn.Module,
    batches: Iterator[Batch],
    loss_of: Callable[[Batch], tuple[torch.Tensor, dict[str, float]]],
    *,
    finish: Callable[[nn.Module, int], None],
    steps: int = 0,
    muon: float = MUON,
    committed: nn.Module | None = None,
) -> None:
    """Trains until the run's time is over, then hands the averaged model to `finish(model, steps)`.

    Args:
        run: the arguments.
        model: all trained parameters.
        batches: endless batches.
        loss_of: a batch's loss and what to log beside it.
        finish: validates and writes weights; called at the end, with the average in place.
        steps: what the model has been trained for where there is no checkpoint.
        muon: as `Optimisers` takes it.
        committed: the part of `model` that is committed; all else only helps to train it. None is all of it.
    """
    if steps and committed is not None:
        teach_helpers(model, committed, batches, loss_of)
    optimisers = Optimisers(model, run.learning_rate, muon)
    average, step, trained = Average(model), steps, 0.0
    if run.resume and run.checkpoint.exists():
        state = torch.load(run.checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimisers.load_state_dict(state.get("optimisers"))
        average.values, step, trained = state["average"], state["step"], state["seconds"]
    first = step
    start = saved = logged = time.monotonic()
    sums: dict[str, float] = {}
    count = 0
    model.train()
    while True:
        now = time.monotonic()
        over = now - start > run.minutes * 60
        if over or now - saved > SAVE_EVERY:
            state = {"model": model.state_dict(), "optimisers": optimisers.state_dict(), "average": average.values}
            write_atomically(run.checkpoint, {**state, "step": step, "seconds": trained + now - start})
            saved = time.monotonic()
        if over:
            break
        loss, log = loss_of(next(batches))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimisers.step(learning_rate_factor(step - first, (now - start) / (run.minutes * 60)))
        step += 1
        average.update(model, step - first)
        count += 1
        for key, value in {"loss": float(loss.detach()), **log}.items():
            sums[key] = sums.get(key, 0.0) + value
        if now - logged > 20:
            rate = count * run.batch / (time.monotonic() - logged)
            means = " ".join(f"{key} {value / count:.4f}" for key, value in sums.items())
            print(f"{run.name} step {step} {means} samples/s {rate:.0f}", flush=True)
            sums, count, logged = {}, 0, time.monotonic()
    model.load_state_dict(average.values)
    model.eval()
    finish(model, step)


def teach_helpers(
    model: nn.Module,
    committed: nn.Module,
    batches: Iterator[Batch],
    loss_of: Callable[[Batch], tuple[torch.Tensor, dict[str, float]]],
    steps: int = 150,
) -> None:
    """Trains what only helps the training, alone, where a model goes on from its committed weights.

    The helpers are not committed and begin anew: what they would ask of a trained model in their first steps is noise,
    and costs it more than the rest of a short run gives back.

    Args:
        model: all parameters.
        committed: the part of it that is left as it is.
        batches: endless batches.
        loss_of: as `train` takes it.
        steps: how many.
    """
    known = {id(parameter) for parameter in committed.parameters()}
    helpers = [p for p in model.parameters() if p.requires_grad and id(p) not in known]
    frozen = [p for p in committed.parameters() if p.requires_grad]
    if not helpers:
        return
    for parameter in frozen:
        parameter.requires_grad_(False)
    optimiser = torch.optim.AdamW(helpers, lr=HELPERS_RATE)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = HELPERS_RATE * learning_rate_factor(step, step / steps, warmup=10)
        loss, log = loss_of(next(batches))
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        if (step + 1) % 50 == 0:
            print("helpers", step + 1, " ".join(f"{name} {value:.4f}" for name, value in log.items()), flush=True)
    for parameter in frozen:
        parameter.requires_grad_(True)


def write_atomically(path: Path, state: object) -> None:
    """`torch.save` to a temporary name, then a rename."""
    temporary = path.with_suffix(".partial")
    torch.save(state, temporary)
    os.replace(temporary, path)


def save_half(model: nn.Module, path: Path) -> None:
    """Writes a model's parameters as float16 safetensors, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    halves = {
        name: (value.half() if value.dtype.is_floating_point else value).contiguous().clone()
        for name, value in model.state_dict().items()
    }
    write_tensors(halves, path)


def write_tensors(tensors: dict[str, torch.Tensor], path: Path) -> None:
    """Writes safetensors, atomically."""
    temporary = path.with_suffix(".partial")
    save_file(tensors, temporary, metadata={"format": "pt"})
    os.replace(temporary, path)


def write_card(folder: Path, card: dict[str, object]) -> None:
    """Writes `training.json` beside weights: recipe, seed ranges, steps, validation figures."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"{CARD}.partial"
    temporary.write_text(json.dumps({"schema": 1, **card}, indent=2) + "\n")
    os.replace(temporary, folder / CARD)


def mark_card(folder: Path, done: str, value: object) -> None:
    """Writes on a card what was `done` to the weights without training ("blended"); its figures are of before that."""
    card = json.loads((folder / CARD).read_text())
    told = {f"validation_un{done}" if name == "validation" else name: known for name, known in card.items()}
    write_card(folder, {**told, done: value})
