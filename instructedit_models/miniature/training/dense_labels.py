"""Dense labels of a view: what is at each place, in which colour and material, how far it goes; and heads for them.

They give every pixel of a drawn scene something to teach; the recipes of Grounding DINO's backbone, of Grounding
DINO itself, of CLIP and of BLIP-2 use them, the weights hold nothing of them.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from instructedit_models.miniature.scene import CANVAS
from instructedit_models.miniature.training.data import Sample
from instructedit_models.miniature.words import ALL_PARTS, COLOURS, MATERIALS, NOUNS
from instructedit_models.types import Box

CELL = 8
"""Pixels of a cell, where a whole scene is labelled."""

HEADS = {"noun": len(NOUNS) + 1, "part": len(ALL_PARTS) + 1, "colour": len(COLOURS), "material": len(MATERIALS)}
"""Classes by head; noun and part count "none" as 0."""

NONE_WEIGHT = 0.2
"""What a cell without an object counts beside one with: most cells have none, and tell nothing of nouns."""


class DenseHeads(nn.Module):
    """1 x 1 heads on a ResNet's features, all at stride 8.

    Args:
        channels: of the features at stride 8 and at stride 16.
    """

    def __init__(self, channels: list[int]) -> None:
        super().__init__()
        self.mix = nn.Sequential(nn.Conv2d(sum(channels), 128, 1), nn.ReLU())
        self.heads = nn.ModuleDict({name: nn.Conv2d(128, size, 1) for name, size in HEADS.items()})
        self.sides = nn.Conv2d(128, 4, 1)

    def forward(self, fine: torch.Tensor, coarse: torch.Tensor) -> dict[str, torch.Tensor]:
        """Features to logits (B, classes, h, w) by head, and "sides", the box's sides seen from each cell."""
        mixed = self.mix(torch.cat([fine, F.interpolate(coarse, fine.shape[-2:], mode="nearest")], dim=1))
        return {name: head(mixed) for name, head in self.heads.items()} | {"sides": self.sides(mixed)}


class PatchHeads(nn.ModuleDict):
    """Linear heads on a vision tower's patches.

    Args:
        width: of a patch's features.
    """

    def __init__(self, width: int) -> None:
        super().__init__({name: nn.Linear(width, size) for name, size in HEADS.items()})

    def loss(self, patches: torch.Tensor, targets: dict[str, torch.Tensor]) -> torch.Tensor:
        """Cross-entropy of what each patch shows, (B, patches, width) against (B, side, side) by head."""
        losses = [
            surprise(name, head(patches).transpose(1, 2), targets[name].flatten(1)) for name, head in self.items()
        ]
        return torch.stack(losses).sum()


def dense_loss(out: dict[str, torch.Tensor], targets: dict[str, torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
    """Cross-entropies of the heads and smooth L1 of the sides, and the former one by one, of what `labels` gives."""
    losses = {name: surprise(name, out[name], targets[name]) for name in HEADS}
    known = ~targets["sides"].isnan()
    sides = F.smooth_l1_loss(out["sides"].float()[known], targets["sides"][known])
    return torch.stack(list(losses.values())).sum() + sides, {name: float(x.detach()) for name, x in losses.items()}


def surprise(head: str, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of (B, classes, ...) logits against (B, ...) int64 labels, -100 left out."""
    weight = torch.ones(logits.shape[1])
    if head in ("noun", "part"):
        weight[0] = NONE_WEIGHT
    return F.cross_entropy(logits.float(), targets, weight, ignore_index=-100)


def stacked(labels: list[dict[str, np.ndarray]]) -> dict[str, torch.Tensor]:
    """A batch of what `labels` gives."""
    return {name: torch.from_numpy(np.stack([each[name] for each in labels])) for name in labels[0]}


def cell_middles(view: Box, cells: int = CANVAS // CELL) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the scene's pixels at the middles of a view's cells, (cells,) int64 each."""
    at = (np.arange(cells) + 0.5) / cells
    rows = np.clip(view[1] + at * (view[3] - view[1]), 0, CANVAS - 1).astype(int)
    columns = np.clip(view[0] + at * (view[2] - view[0]), 0, CANVAS - 1).astype(int)
    return rows, columns


def labels(sample: Sample, view: Box, cells: int = CANVAS // CELL) -> dict[str, np.ndarray]:
    """What the middle of each cell shows, (cells, cells) int64 by head; and "sides", (4, cells, cells) float32.

    The sides are the distances to the left, upper, right and lower side of the item's box, NaN where there is none.
    """
    rows, columns = cell_middles(view, cells)
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
