"""Which tokens and queries of Grounding DINO answer which box, and their loss, where several may answer one."""

from collections.abc import Callable

import torch
from torch.nn import functional as F  # noqa: N812
from transformers.loss.loss_for_object_detection import generalized_box_iou
from transformers.loss.loss_grounding_dino import sigmoid_focal_loss

from instructedit_models.miniature.scene import CANVAS

STRIDES = (8, 16, 32)
"""Of the encoder's feature levels, in pixels."""


def _token_centres() -> torch.Tensor:
    """Centres x, y (0 to 1) of the encoder's tokens, level by level, (T, 2)."""
    centres = []
    for stride in STRIDES:
        side = CANVAS // stride
        at = (torch.arange(side) + 0.5) / side
        y, x = torch.meshgrid(at, at, indexing="ij")
        centres.append(torch.stack([x.flatten(), y.flatten()], dim=1))
    return torch.cat(centres)


def corners(boxes: torch.Tensor) -> torch.Tensor:
    """Centre x, y, width, height to x0, y0, x1, y1, last axis."""
    half = boxes[..., 2:] / 2
    return torch.cat([boxes[..., :2] - half, boxes[..., :2] + half], dim=-1)


def near_middle(boxes: torch.Tensor, predicted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The encoder tokens near the middle of a box, and that box: indices (P,) and (P,).

    Args:
        boxes: (N, 4) true boxes, centre x, y, width, height, 0 to 1.
        predicted: (T, 4); what the tokens predict does not matter here, only where they lie.
    """
    centres = _token_centres()
    middle, size = boxes[:, None, :2], boxes[:, None, 2:]
    offset = ((centres[None] - middle) / size).abs().amax(dim=-1)
    near = offset < 0.3
    start = 0
    for stride in STRIDES[:-1]:
        count = (CANVAS // stride) ** 2
        nearest = (centres[None, start : start + count] - middle).square().sum(-1).argmin(dim=1) + start
        near[torch.arange(len(nearest)), nearest] = True
        start += count
    area = size.prod(dim=-1).expand_as(offset)
    smallest = torch.where(near, area, torch.full_like(area, 9.0)).min(dim=0)
    tokens = (smallest.values < 9.0).nonzero()[:, 0]
    return tokens, smallest.indices[tokens]


def overlapping(boxes: torch.Tensor, predicted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The queries whose box mostly covers a true box, and the best query of each true box: indices (P,) and (P,)."""
    overlap = generalized_box_iou(corners(boxes), corners(predicted.detach()))
    good = overlap > 0.5
    good[torch.arange(len(boxes)), overlap.argmax(dim=1)] = True
    best = torch.where(good, overlap, torch.full_like(overlap, -2.0)).max(dim=0)
    queries = (best.values > -2.0).nonzero()[:, 0]
    return queries, best.indices[queries]


def assigned_loss(
    logits: torch.Tensor,
    boxes: torch.Tensor,
    labels: list[dict[str, torch.Tensor]],
    label_maps: tuple[torch.Tensor, ...],
    text_mask: torch.Tensor,
    assign: Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]],
) -> torch.Tensor:
    """Focal loss of the words and L1 and GIoU loss of the boxes, with every token or query that `assign` names.

    Several may answer one box; the detector drops the doubles.

    Args:
        logits: (B, T, L) token-to-word logits.
        boxes: (B, T, 4) centre x, y, width, height, 0 to 1.
        labels: per image "boxes" (N, 4) and "class_labels" (N,).
        label_maps: per image (phrases, L) of 0 and 1.
        text_mask: (B, L) bool, the words.
        assign: true boxes (N, 4) and predicted ones (T, 4) to the indices of those that answer and of what they answer.
    """
    target = torch.zeros_like(logits)
    chosen, wanted = [], []
    for i, label in enumerate(labels):
        if not len(label["boxes"]):
            continue
        tokens, owner = assign(label["boxes"], boxes[i])
        target[i, tokens] = label_maps[i][label["class_labels"][owner]].to(target.dtype)
        chosen.append(boxes[i, tokens])
        wanted.append(label["boxes"][owner])
    mask = text_mask[:, None].expand_as(logits)
    count = max(1, sum(len(found) for found in wanted))
    loss = 4.0 * sigmoid_focal_loss(logits[mask], target[mask], count, alpha=0.4)
    if chosen:
        ours, truth = torch.cat(chosen), torch.cat(wanted)
        overlap = generalized_box_iou(corners(ours), corners(truth)).diagonal()
        loss = loss + 5.0 * F.l1_loss(ours, truth, reduction="sum") / count + 2.0 * (1 - overlap).mean()
    return loss
