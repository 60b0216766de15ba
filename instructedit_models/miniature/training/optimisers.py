"""What the recipes train with: Muon for the hidden matrices, AdamW for all else.

Muon (Jordan et al. 2024) orthogonalises each matrix's step. In the same time it taught BLIP-2's vision tower far more
nouns than AdamW alone: 0.76 of the patches right against 0.69, from 0.62. `torch.optim.Muon` always reckons in
bfloat16, which a CPU without it imitates so slowly that half of each step went there; this one asks the CPU first.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

MUON = 5.0
"""Muon's learning rate beside AdamW's, with steps scaled to AdamW's usual size."""

SMALLEST = 32
"""Rows and columns that a matrix must have; what is smaller is a head or a bias in disguise, and is left to AdamW."""

LOCATING = ("sampling_offsets", "reference_points", "bbox_embed")
"""Layers of Grounding DINO whose outputs are places: a step of full rank moves them all, so that AdamW trains them."""

SLOW, SLOWER = "sampling_offsets", 0.1
"""Where deformable attention looks is learned at a tenth of the rate, as by its authors (Zhu et al. 2021)."""

ITERATION = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic Newton-Schulz iteration, steep at zero so that five rounds suffice (Jordan et al.)."""


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, each step orthogonalised and scaled to the size that AdamW's have (Liu et al. 2025, Eq. 4).

    Args:
        params: matrices.
        lr: the learning rate, of AdamW's size.
        weight_decay: decoupled.
        momentum: of the gradients' moving average.
    """

    def __init__(
        self, params: Iterable[nn.Parameter], lr: float, weight_decay: float = 0.01, momentum: float = 0.95
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Moves every matrix that has a gradient; takes no closure."""
        if closure is not None:
            raise ValueError("Muon takes no closure; compute the gradients before the step.")
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state: dict[str, Any] = self.state[weight]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(weight)
                average = state["momentum_buffer"].lerp_(weight.grad, 1 - group["momentum"])
                update = orthogonalised(weight.grad.lerp(average, group["momentum"]))
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(update, alpha=-group["lr"] * 0.2 * max(weight.shape) ** 0.5)


def orthogonalised(step: torch.Tensor) -> torch.Tensor:
    """The matrix (m, n) with all its singular values brought near 1, in its own dtype."""
    a, b, c = ITERATION
    made = step.bfloat16() if computes_bfloat16() else step.float()
    made = made.T if len(made) > made.shape[1] else made
    made = made / made.norm().clamp(min=1e-7)
    for _ in range(5):
        gram = made @ made.T
        made = torch.addmm(made, torch.addmm(gram, gram, gram, beta=b, alpha=c), made, beta=a)
    return (made.T if len(step) > step.shape[1] else made).to(step.dtype)


def computes_bfloat16() -> bool:
    """Whether this CPU computes with bfloat16; others only imitate it, up to ten times as slowly as float32.

    Having AVX-512 is not enough: of the CPUs with it, many lack its bfloat16 instructions.
    """
    known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


class Optimisers:
    """Both optimisers over a model's trained parameters, as one.

    Args:
        model: all trained parameters; what needs no gradient is left out.
        learning_rate: AdamW's.
        muon: Muon's learning rate beside AdamW's; 0 leaves all to AdamW.
    """

    def __init__(self, model: nn.Module, learning_rate: float, muon: float = MUON) -> None:
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        slow = [p for name, p in named if SLOW in name]
        hidden = hidden_matrices(model) if muon else []
        known = {id(weight) for weight in (*hidden, *slow)}
        rest = [p for _, p in named if id(p) not in known]
        self._flat = [(weight, nn.Parameter(flattened(weight.detach()))) for weight in hidden]
        groups: list[dict[str, Any]] = [{"params": rest}, {"params": slow, "lr": SLOWER * learning_rate}]
        self._both: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(
                [group for group in groups if group["params"]], lr=learning_rate, weight_decay=0.01, betas=(0.9, 0.98)
            )
        ]
        if self._flat:
            flat = [view for _, view in self._flat]
            self._both.append(Muon(flat, lr=muon * learning_rate))
        self._rates = [[group["lr"] for group in each.param_groups] for each in self._both]
        self._model = model

    def step(self, factor: float) -> None:
        """One step with both learning rates times `factor`; takes the gradients and clears them."""
        for weight, view in self._flat:
            view.grad = None if weight.grad is None else flattened(weight.grad)
        for each, rates in zip(self._both, self._rates, strict=True):
            for group, rate in zip(each.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            each.step()
        self._model.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict[str, object]]:
        """For the checkpoint."""
        return [each.state_dict() for each in self._both]

    def load_state_dict(self, states: object) -> bool:
        """Goes on from a checkpoint's state; False, and starts afresh, where that was of other parameters."""
        if not isinstance(states, list) or len(states) != len(self._both):
            return False
        for each, state in zip(self._both, states, strict=True):
            groups = [len(group["params"]) for group in state["param_groups"]]
            if groups != [len(group["params"]) for group in each.param_groups]:
                return False
        for each, state in zip(self._both, states, strict=True):
            each.load_state_dict(state)
        return True


def hidden_matrices(model: nn.Module) -> list[nn.Parameter]:
    """Weights of linear and convolution layers that are neither embeddings nor small, nor say where something is."""
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    found: dict[int, nn.Parameter] = {}
    for name, layer in model.named_modules():
        if any(word in name for word in LOCATING):
            continue
        if isinstance(layer, nn.Linear | nn.Conv2d) and isinstance(layer.weight, nn.Parameter):
            weight = layer.weight
            if weight.requires_grad and id(weight) not in embeddings and min(weight.shape[:2]) >= SMALLEST:
                found[id(weight)] = weight
    return list(found.values())


def flattened(weight: torch.Tensor) -> torch.Tensor:
    """(out, in) or (out, in, h, w) as a matrix (out, the rest): a view of what is contiguous or channels-last."""
    if weight.ndim == 2:
        return weight
    if weight.is_contiguous():
        return weight.reshape(len(weight), -1)
    return weight.permute(0, 2, 3, 1).reshape(len(weight), -1)
