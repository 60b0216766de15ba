"""The detector's training: its deformable attention sums what transformers' own does, and all of it is trained."""

import pytest
import torch
from torch import nn
from transformers.models.grounding_dino.modeling_grounding_dino import MultiScaleDeformableAttention

from instructedit_models.miniature.training.deformable import by_cells
from instructedit_models.miniature.training.grounding_dino import build

SHAPES = [(8, 6), (4, 3), (2, 2)]


def _inputs() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    cells = sum(height * width for height, width in SHAPES)
    return {
        "value": torch.randn(2, cells, 3, 5, generator=generator),
        # Some points lie beyond the maps' borders.
        "locations": torch.rand(2, 7, 3, len(SHAPES), 4, 2, generator=generator) * 1.4 - 0.2,
        "weights": torch.rand(2, 7, 3, len(SHAPES), 4, generator=generator),
    }


def _run(attention: nn.Module) -> tuple[torch.Tensor, list[torch.Tensor]]:
    given = {name: each.requires_grad_(True) for name, each in _inputs().items()}
    unused = torch.empty(0)
    out = attention(given["value"], unused, SHAPES, unused, given["locations"], given["weights"], 64)
    (out * torch.arange(out.numel()).view_as(out)).sum().backward()
    return out.detach(), [each.grad for each in given.values() if each.grad is not None]


def test_outputs_and_gradients_are_those_of_transformers() -> None:
    holder = nn.Sequential(MultiScaleDeformableAttention())
    theirs, wanted = _run(holder[0])
    by_cells(holder)
    assert not isinstance(holder[0], MultiScaleDeformableAttention)
    ours, found = _run(holder[0])
    assert torch.allclose(ours, theirs, atol=1e-5)
    assert len(found) == len(wanted) == 3
    for mine, other in zip(found, wanted, strict=True):
        assert torch.allclose(mine, other, rtol=1e-3, atol=1e-2)


@pytest.mark.filterwarnings("ignore:You'd better set embed_dim")  # of use to CUDA kernels alone
def test_all_of_the_detector_is_trained_its_backbone_too() -> None:
    assert all(weight.requires_grad for weight in build().parameters())
