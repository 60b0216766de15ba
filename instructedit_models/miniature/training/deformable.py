"""Multi-scale deformable attention for training on a CPU: transformers' own, level by level, in one precision.

transformers stacks what it samples and multiplies bfloat16 by float32, which PyTorch does slowly on a CPU; the sums
are the same.
"""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from transformers.models.grounding_dino.modeling_grounding_dino import MultiScaleDeformableAttention

__all__ = ["by_level"]


class _ByLevel(nn.Module):
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
        batch, _, heads, width = value.shape
        queries, levels, points = locations.shape[1], locations.shape[3], locations.shape[4]
        with torch.autocast("cpu", enabled=False):
            grids = (2 * locations.float() - 1).transpose(1, 2).flatten(0, 1)
            shares = weights.float().transpose(1, 2).reshape(batch * heads, 1, queries, levels, points)
            out = torch.zeros(batch * heads, width, queries)
            for level, maps in enumerate(value.float().split([h * w for h, w in shapes], dim=1)):
                height, across = shapes[level]
                maps = maps.flatten(2).transpose(1, 2).reshape(batch * heads, width, height, across)
                sampled = F.grid_sample(maps, grids[:, :, level], align_corners=False)
                out = out + (sampled * shares[:, :, :, level]).sum(-1)
        return out.view(batch, heads * width, queries).transpose(1, 2).contiguous()


def by_level(model: nn.Module) -> None:
    """Puts the faster attention in place, all through a model; its state dict stays the same."""
    for module in model.modules():
        for name, child in module.named_children():
            if isinstance(child, MultiScaleDeformableAttention):
                setattr(module, name, _ByLevel())
