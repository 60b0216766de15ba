"""Multi-scale deformable attention for training on a CPU: transformers' own sums, as one matrix product a head.

transformers samples every channel at every point. The miniature's maps together have a few hundred cells, so that it
is far cheaper to write down first how much each query takes of each cell, and to multiply once: half of a training
step went to the sampling before.
"""

import torch
from torch import nn
from transformers.models.grounding_dino.modeling_grounding_dino import MultiScaleDeformableAttention

__all__ = ["by_cells"]


class _ByCells(nn.Module):
    """Takes the place of `MultiScaleDeformableAttention`, which has no parameters."""

    def forward(
        self,
        value: torch.Tensor,
        _shapes: torch.Tensor,
        shapes: list[tuple[int, int]],
        _starts: torch.Tensor,
        locations: torch.Tensor,
        weights: torch.Tensor,
        _im2col_step: int,
    ) -> torch.Tensor:
        """Values (B, T, heads, dim), locations (B, Q, heads, levels, points, 2), weights to (B, Q, heads * dim)."""
        batch, cells, heads, width = value.shape
        with torch.autocast("cpu", enabled=False):
            places, parts = _corners(shapes, locations.float(), weights.float())
            # (B, Q, heads, corners) to (B * heads, Q, corners)
            places, parts = (each.transpose(1, 2).flatten(0, 1) for each in (places, parts))
            taken = value.new_zeros(batch * heads, places.shape[1], cells, dtype=torch.float32)
            taken.scatter_add_(2, places, parts)
            out = taken @ value.float().transpose(1, 2).flatten(0, 1)
        return out.view(batch, heads, -1, width).transpose(1, 2).flatten(2)


def _corners(
    shapes: list[tuple[int, int]], locations: torch.Tensor, weights: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The cells around each sampled point, and how much of each counts: bilinear, and nothing beyond the map's border.

    Args:
        shapes: (height, width) of each level.
        locations: (B, Q, heads, levels, points, 2), x and y, 0 to 1.
        weights: (B, Q, heads, levels, points).

    Returns:
        Places among the cells of all levels, int64, and their shares, both (B, Q, heads, levels * points * 4).
    """
    start, places, parts = 0, [], []
    for level, (height, width) in enumerate(shapes):
        x, y = locations[:, :, :, level, :, 0] * width - 0.5, locations[:, :, :, level, :, 1] * height - 0.5
        left, top = x.detach().floor(), y.detach().floor()
        for right in (0, 1):
            for low in (0, 1):
                column, row = left + right, top + low
                share = (1 - (x - column).abs()) * (1 - (y - row).abs())
                inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
                parts.append(weights[:, :, :, level] * share * inside)
                places.append((start + row.clamp(0, height - 1) * width + column.clamp(0, width - 1)).long())
        start += height * width
    return torch.cat(places, dim=-1), torch.cat(parts, dim=-1)


def by_cells(model: nn.Module) -> None:
    """Puts the faster attention in place, all through a model; its state dict stays the same."""
    for module in model.modules():
        for name, child in module.named_children():
            if isinstance(child, MultiScaleDeformableAttention):
                setattr(module, name, _ByCells())
