"""Recipe of the judge: `python -m benchmarks.train_judge --minutes 22 --resume`.

It learns from training seeds that no model of the product has seen, on crops that are blurred, shrunk, tinted and
made noisy, so that it judges what comes out of an autoencoder as surely as what was drawn.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from benchmarks.judge import HEADS, WEIGHTS, Judge, JudgeNet, as_input, object_crop
from instructedit_models.miniature.seeds import TRAIN_SEEDS, mixed
from instructedit_models.miniature.training.as_painted import as_painted
from instructedit_models.miniature.training.common import WEIGHTS as MODELS
from instructedit_models.miniature.training.common import (
    mixed_precision,
    parse_run,
    save_half,
    train,
    warm_start,
    write_card,
)
from instructedit_models.miniature.training.data import Pool, Sample, validation_samples
from instructedit_models.miniature.words import MATERIALS
from instructedit_models.types import Box

SEEDS = mixed(TRAIN_SEEDS, 18_000, skip=2_000_000)
"""Training seeds of the judge alone."""

WIDEST = 1.9
"""Width of the widest crop over the longer side of the object's box: what an edit paints may be smaller than the place
it was given, and may stand anywhere in it."""

LEAST_SEEN = 100
"""The fewest visible pixels of an object that is shown to the judge."""

RARITY = torch.tensor([0.45 if material == "plain" else 1.67 for material in MATERIALS])
"""Weights of the materials: more than half of the world is plain, and faint grain must not pass for that."""

Batch = tuple[Tensor, dict[str, Tensor]]


def pool(work: Path) -> Pool:
    """The judge's pool of drawn scenes under `work`; draws what is missing."""
    scenes = Pool(work / "judge_pool", SEEDS, create=True)
    if scenes.ready < len(SEEDS):
        print(f"drawing {len(SEEDS) - scenes.ready} scenes", flush=True)
        scenes.draw()
    return scenes


def subjects(sample: Sample) -> list[tuple[int, Box]]:
    """The items of a scene that can be seen well enough to be judged, with their boxes."""
    found = []
    for i, box in enumerate(sample.boxes):
        if box is None or sample.mask(i).sum() < LEAST_SEEN:
            continue
        if max(box[2] - box[0], box[3] - box[1]) >= 0.75 * sample.scene.items[i].extent:
            found.append((i, box))
    return found


def targets(sample: Sample, item: int) -> tuple[int, ...]:
    """The item's class under each head."""
    return tuple(words.index(getattr(sample.scene.items[item], name)) for name, words in HEADS.items())


def batches(work: Path, batch: int, seed: int) -> Iterator[Batch]:
    """Endless batches of crops as they may be painted, with their classes."""
    rng, scenes = np.random.default_rng([seed, 77]), pool(work)
    while True:
        crops: list[np.ndarray] = []
        classes: list[tuple[int, ...]] = []
        while len(crops) < batch:
            sample = scenes.sample(int(rng.integers(scenes.ready)))
            for item, box in subjects(sample):
                context = rng.uniform(1.0, WIDEST)
                reach = (0.06 + 0.4 * (context - 1.0)) * max(box[2] - box[0], box[3] - box[1])
                shift = float(rng.uniform(-reach, reach)), float(rng.uniform(-reach, reach))
                crop = as_painted(object_crop(sample.image, box, context, shift), rng)
                crops.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
                classes.append(targets(sample, item))
        columns = torch.tensor(classes[:batch]).T
        images = as_input(np.stack(crops[:batch])).contiguous(memory_format=torch.channels_last)
        yield images, dict(zip(HEADS, columns, strict=True))


def validation_crops(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Crops of the objects in `count` validation scenes, (N, 64, 64, 3) uint8, and their classes (N, heads)."""
    crops, classes = [], []
    for sample in validation_samples(count):
        for item, box in subjects(sample):
            crops.append(object_crop(sample.image, box))
            classes.append(targets(sample, item))
    return np.stack(crops), np.array(classes)


def accuracy(judge: Judge, crops: np.ndarray, classes: np.ndarray) -> dict[str, float]:
    """The share of crops judged right, by head."""
    verdicts = [verdict for i in range(0, len(crops), 64) for verdict in judge.judge_crops(crops[i : i + 64])]
    return {
        name: round(float(np.mean([words[c] == v.word(name) for v, c in zip(verdicts, row, strict=True)])), 4)
        for (name, words), row in zip(HEADS.items(), classes.T, strict=True)
    }


@torch.inference_mode()
def through_autoencoder(crops: np.ndarray, folder: Path = MODELS / "vae") -> np.ndarray:
    """The crops as the product's autoencoder gives them back, (N, 64, 64, 3) uint8."""
    vae = AutoencoderKL.from_pretrained(folder, torch_dtype=torch.float32)
    parts = []
    for start in range(0, len(crops), 32):
        latents = vae.encode(as_input(crops[start : start + 32])).latent_dist.mode()
        parts.append(vae.decode(latents).sample.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8))
    return torch.cat(parts).permute(0, 2, 3, 1).numpy()


def finish(model: nn.Module, steps: int) -> None:
    """Writes the weights, and the card with the accuracy that they reach on validation seeds."""
    save_half(model, WEIGHTS)
    crops, classes = validation_crops(300)
    figures: dict[str, object] = {"crops": len(crops), "accuracy": accuracy(Judge(), crops, classes)}
    if (MODELS / "vae" / "config.json").is_file():
        figures["accuracy_through_autoencoder"] = accuracy(Judge(), through_autoencoder(crops), classes)
    seeds = [[2_000_000, 2_006_000], [6_000_000, 6_012_000]]
    write_card(WEIGHTS.parent, {"recipe": "judge", "steps": steps, "train_seeds": seeds, "validation": figures})
    print("judge", figures, flush=True)


def main(argv: list[str] | None = None) -> None:
    """Trains the judge."""
    given = sys.argv[1:] if argv is None else argv
    run = parse_run(
        "judge",
        batch=64,
        learning_rate=3e-3,
        argv=["--work", "runs/judge", *given],
        module="benchmarks.train_judge",
    )
    torch.manual_seed(0)
    model = JudgeNet().to(memory_format=torch.channels_last)
    warm_start(run, model, WEIGHTS)
    pool(run.work)

    def loss_of(batch: object) -> tuple[Tensor, dict[str, float]]:
        crops, classes = cast(Batch, batch)
        with mixed_precision():
            logits = model(crops)
        losses = {
            name: F.cross_entropy(logits[name].float(), classes[name], RARITY if name == "material" else None)
            for name in HEADS
        }
        return sum(losses.values(), torch.zeros(())), {name: float(loss.detach()) for name, loss in losses.items()}

    train(run, model, batches(run.work, run.batch, run.seed), loss_of, finish=finish)


if __name__ == "__main__":
    main()
