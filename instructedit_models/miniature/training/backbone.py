"""Recipe of the ResNet under the miniature Grounding DINO: what is at each place, in which colour, how far it goes.

It stands in for the original's ImageNet training; the result is read by the `grounding_dino` recipe and kept in its
weights.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from transformers import ResNetBackbone

from instructedit_models.miniature.scene import CANVAS
from instructedit_models.miniature.training.common import parse_run, save_half, train
from instructedit_models.miniature.training.data import WHOLE, Sample, around, cut, training_pool
from instructedit_models.miniature.training.grounding_dino import build
from instructedit_models.miniature.training.vae import to_tensor
from instructedit_models.miniature.words import ALL_PARTS, COLOURS, MATERIALS, NOUNS
from instructedit_models.types import Box

CELL = 8
HEADS = {"noun": len(NOUNS) + 1, "part": len(ALL_PARTS) + 1, "colour": len(COLOURS), "material": len(MATERIALS)}


class DenseLabels(nn.Module):
    """The backbone with 1 x 1 heads on its features, all at stride 8."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = ResNetBackbone(build().config.backbone_config)
        channels = sum(self.backbone.channels)
        self.mix = nn.Sequential(nn.Conv2d(channels, 128, 1), nn.ReLU())
        self.heads = nn.ModuleDict({name: nn.Conv2d(128, size, 1) for name, size in HEADS.items()})
        self.sides = nn.Conv2d(128, 4, 1)

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """(B, 3, 128, 128) to logits (B, classes, 16, 16) by head, and "sides", the box's sides seen from each cell."""
        fine, coarse = self.backbone(images).feature_maps
        mixed = self.mix(torch.cat([fine, F.interpolate(coarse, fine.shape[-2:], mode="nearest")], dim=1))
        return {name: head(mixed) for name, head in self.heads.items()} | {"sides": self.sides(mixed)}


def labels(sample: Sample, view: Box, cells: int = CANVAS // CELL) -> dict[str, np.ndarray]:
    """What the middle of each cell shows, (cells, cells) int64 by head; and "sides", (4, cells, cells) float32.

    The sides are the distances to the left, upper, right and lower side of the item's box, NaN where there is none.
    """
    at = (np.arange(cells) + 0.5) / cells
    rows = np.clip(view[1] + at * (view[3] - view[1]), 0, CANVAS - 1).astype(int)
    columns = np.clip(view[0] + at * (view[2] - view[0]), 0, CANVAS - 1).astype(int)
    place = np.ix_(rows, columns)
    items, pieces = sample.items[place].astype(int), sample.pieces[place].astype(int)
    scene = sample.scene
    noun = np.array([0, *(NOUNS.index(item.noun) + 1 for item in scene.items)])[items]
    colour = np.array([-100, *(list(COLOURS).index(item.colour) for item in scene.items)])[items]
    material = np.array([-100, *(MATERIALS.index(item.material) for item in scene.items)])[items]
    part = np.zeros_like(items)
    for index in np.unique(pieces[pieces > 0]):
        owner, code = sample.piece_codes[index - 1]
        item = scene.items[owner]
        name = ALL_PARTS[code]
        inside = pieces == index
        part[inside] = ALL_PARTS.index(name) + 1
        colour[inside] = list(COLOURS).index(item.part_colour(name))
        if name in dict(item.own_colours):
            material[inside] = MATERIALS.index("plain")
    sides = np.full((4, cells, cells), np.nan, np.float32)
    scale = (view[2] - view[0]) / 64
    for i, box in enumerate(sample.boxes):
        if box is not None:
            y, x = np.nonzero(items == i + 1)
            reach = np.array([columns[x] - box[0], rows[y] - box[1], box[2] - columns[x], box[3] - rows[y]])
            sides[:, y, x] = reach / 32 / scale
    return {"noun": noun, "part": part, "colour": colour, "material": material, "sides": sides}


def batches(work: Path, batch: int, seed: int) -> Iterator[tuple[torch.Tensor, dict[str, torch.Tensor]]]:
    """Endless (images, labels) of whole scenes and of enlarged crops."""
    rng, pool = np.random.default_rng([seed, 9]), training_pool(work)
    while True:
        images: list[np.ndarray] = []
        targets: list[dict[str, np.ndarray]] = []
        while len(images) < batch:
            sample = pool.sample(int(rng.integers(pool.ready)))
            boxes = [box for box in sample.boxes if box is not None]
            view = WHOLE
            if boxes and rng.random() < 0.4:
                view = around(boxes[int(rng.integers(len(boxes)))], rng, 1.08, 1.6, least=24.0)
            images.append(cut(sample.image, view, CANVAS))
            targets.append(labels(sample, view))
        stacked = {name: torch.from_numpy(np.stack([target[name] for target in targets])) for name in targets[0]}
        yield to_tensor(np.stack(images)), stacked


def main(argv: list[str] | None = None) -> None:
    """Trains the backbone and writes it beside the checkpoints."""
    run = parse_run("backbone", batch=32, learning_rate=2e-3, horizon=1_500, argv=argv)
    torch.manual_seed(0)
    model = DenseLabels().to(memory_format=torch.channels_last).train()

    def loss_of(
        batch: tuple[torch.Tensor, dict[str, torch.Tensor]],
    ) -> tuple[torch.Tensor, dict[str, float]]:
        images, targets = batch
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = model(images)
        log = {}
        loss = torch.zeros(())
        for name in HEADS:
            each = F.cross_entropy(out[name].float(), targets[name], ignore_index=-100)
            loss = loss + each
            log[name] = float(each.detach())
        known = ~targets["sides"].isnan()
        return loss + F.smooth_l1_loss(out["sides"].float()[known], targets["sides"][known]), log

    def finish(trained: nn.Module, steps: int) -> None:
        assert isinstance(trained, DenseLabels)
        save_half(trained.backbone, run.work / "backbone.safetensors")
        print("backbone", steps, flush=True)

    train(run, model, batches(run.work, run.batch, run.seed), loss_of, finish=finish)


if __name__ == "__main__":
    main()
