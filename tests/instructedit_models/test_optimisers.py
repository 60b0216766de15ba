"""Which parameters Muon takes, and that its steps reach the model through the flattened views."""

import pytest
import torch
from torch import nn

from instructedit_models.miniature.training.optimisers import (
    Muon,
    Optimisers,
    computes_bfloat16,
    flattened,
    hidden_matrices,
    orthogonalised,
)


def small_model() -> nn.Sequential:
    return nn.Sequential(
        nn.Embedding(50, 64), nn.Linear(64, 64), nn.Linear(64, 7), nn.Conv2d(3, 64, 3), nn.Conv2d(64, 32, 3)
    )


def test_muon_takes_wide_linear_and_convolution_weights_only() -> None:
    model = small_model()
    assert [id(w) for w in hidden_matrices(model)] == [id(model[1].weight), id(model[4].weight)]


def test_a_weight_tied_to_an_embedding_is_left_to_adamw() -> None:
    table = nn.Embedding(50, 64)
    head = nn.Linear(64, 50, bias=False)
    head.weight = table.weight
    assert hidden_matrices(nn.ModuleList([table, head])) == []


def test_frozen_weights_are_left_out() -> None:
    model = small_model()
    model[1].requires_grad_(False)
    assert [id(w) for w in hidden_matrices(model)] == [id(model[4].weight)]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_flattened_is_a_view_of_either_layout(layout: torch.memory_format) -> None:
    weight = torch.randn(8, 4, 3, 3).to(memory_format=layout)
    view = flattened(weight)
    assert view.shape == (8, 36) and view.data_ptr() == weight.data_ptr()


@pytest.mark.parametrize(
    ("known", "computes"),
    [
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, False),
        ({"avx512_f": True, "avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({}, False),
    ],
)
def test_bfloat16_is_computed_with_only_where_the_cpu_has_its_instructions(
    monkeypatch: pytest.MonkeyPatch, known: dict[str, bool], computes: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known)
    assert computes_bfloat16() is computes


@pytest.mark.parametrize("shape", [(64, 128), (200, 50), (64, 64)])
def test_muon_steps_as_pytorchs_own_does_up_to_its_bfloat16(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    start = torch.randn(shape)
    ours, theirs = (nn.Parameter(start.clone()) for _ in range(2))
    known = torch.optim.Muon([theirs], lr=1e-2, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
    muon = Muon([ours], lr=1e-2)
    for _ in range(4):
        ours.grad = torch.randn(shape)
        theirs.grad = ours.grad.clone()
        muon.step()
        known.step()
    assert (ours - theirs).norm() < 0.02 * (theirs - start).norm()


@pytest.mark.parametrize("shape", [(64, 128), (200, 50)])
def test_orthogonalised_brings_all_singular_values_near_one(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalised(torch.randn(shape)))
    assert values.min() > 0.5 and values.max() < 1.3


def test_muon_says_that_it_takes_no_closure() -> None:
    with pytest.raises(ValueError, match="takes no closure"):
        Muon([nn.Parameter(torch.ones(2, 2))], lr=0.1).step(lambda: 0.0)


@pytest.mark.parametrize("muon", [0.0, 5.0])
def test_steps_lower_a_loss_and_clear_the_gradients(muon: float) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1))
    model = model.to(memory_format=torch.channels_last)
    optimisers = Optimisers(model, 3e-3, muon)
    x = torch.randn(4, 32, 6, 6)
    wanted = torch.tanh(x.roll(1, 1))
    losses = []
    for _ in range(30):
        loss = (model(x) - wanted).square().mean()
        loss.backward()
        optimisers.step(1.0)
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]
    assert all(p.grad is None for p in model.parameters())


def test_state_goes_on_where_it_fits_and_starts_afresh_where_not() -> None:
    model = small_model()
    state = Optimisers(model, 1e-3).state_dict()
    assert Optimisers(model, 1e-3).load_state_dict(state)
    model[1].requires_grad_(False)
    assert not Optimisers(model, 1e-3).load_state_dict(state)
    assert not Optimisers(model, 1e-3).load_state_dict(None)


def test_layers_that_say_where_are_left_to_adamw_and_offsets_learn_slowly() -> None:
    names = ("sampling_offsets", "bbox_embed", "value_proj")
    model = nn.ModuleDict({name: nn.Linear(64, 64, bias=False) for name in names})
    assert [id(w) for w in hidden_matrices(model)] == [id(model["value_proj"].weight)]
    before = {name: model[name].weight.detach().clone() for name in names}
    optimisers = Optimisers(model, 1e-2)
    sum(layer.weight.square().sum() for layer in model.values()).backward()
    optimisers.step(1.0)
    moved = {name: float((model[name].weight.detach() - before[name]).abs().mean()) for name in names}
    assert moved["sampling_offsets"] < 0.2 * moved["bbox_embed"]
