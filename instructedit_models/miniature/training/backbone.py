"""Recipe of the ResNet under the miniature Grounding DINO: what is at each place, in which colour, how far it goes.

It stands in for the original's ImageNet training; the result is read by the `grounding_dino` recipe and kept in its
weights.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import nn
from transformers import ResNetBackbone

from instructedit_models.miniature.scene import CANVAS
from instructedit_models.miniature.training.common import mixed_precision, parse_run, save_half, train
from instructedit_models.miniature.training.data import WHOLE, around, cut, training_pool
from instructedit_models.miniature.training.dense_labels import DenseHeads, dense_loss, labels, stacked
from instructedit_models.miniature.training.grounding_dino import build
from instructedit_models.miniature.training.vae import to_tensor


class DenseLabels(nn.Module):
    """The backbone with heads for dense labels."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = ResNetBackbone(build().config.backbone_config)
        self.dense = DenseHeads(self.backbone.channels)

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """(B, 3, 128, 128) to what `DenseHeads` gives, 16 x 16."""
        return self.dense(*self.backbone(images).feature_maps)


def batches(work: Path, batch: int, seed: int) -> Iterator[tuple[torch.Tensor, dict[str, torch.Tensor]]]:
    """Endless (images, labels) of whole scenes and of enlarged crops."""
    rng = np.random.default_rng([seed, 9])
    draws = training_pool(work).draws(rng)
    while True:
        images: list[np.ndarray] = []
        targets: list[dict[str, np.ndarray]] = []
        for sample in islice(draws, batch):
            boxes = [box for box in sample.boxes if box is not None]
            view = WHOLE
            if boxes and rng.random() < 0.4:
                view = around(boxes[int(rng.integers(len(boxes)))], rng, 1.08, 1.6, least=24.0)
            images.append(cut(sample.image, view, CANVAS))
            targets.append(labels(sample, view))
        yield to_tensor(np.stack(images)), stacked(targets)


def main(argv: list[str] | None = None) -> None:
    """Trains the backbone and writes it beside the checkpoints."""
    run = parse_run("backbone", batch=32, learning_rate=2e-3, argv=argv)
    torch.manual_seed(0)
    model = DenseLabels().to(memory_format=torch.channels_last).train()

    def loss_of(
        batch: tuple[torch.Tensor, dict[str, torch.Tensor]],
    ) -> tuple[torch.Tensor, dict[str, float]]:
        images, targets = batch
        with mixed_precision():
            out = model(images)
        return dense_loss(out, targets)

    def finish(trained: nn.Module, steps: int) -> None:
        assert isinstance(trained, DenseLabels)
        save_half(trained.backbone, run.work / "backbone.safetensors")
        print("backbone", steps, flush=True)

    train(run, model, batches(run.work, run.batch, run.seed), loss_of, finish=finish)


if __name__ == "__main__":
    main()
