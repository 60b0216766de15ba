"""The judge: a small classifier of what an object-centred crop shows, trained apart and used nowhere in the product.

`benchmarks.edits` asks it whether a noun swap or a new material succeeded; `benchmarks.train_judge` trains it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from instructedit_models.errors import ModelUnavailableError
from instructedit_models.miniature.words import COLOURS, MATERIALS, NOUNS
from instructedit_models.types import Box

SIZE = 64
"""Pixels of the square crops that the judge sees."""
CONTEXT = 1.15
"""Width of the crop over the longer side of the object's box."""
WEIGHTS = Path(__file__).parent / "weights" / "judge.safetensors"

HEADS: dict[str, tuple[str, ...]] = {"noun": NOUNS, "material": MATERIALS, "colour": tuple(COLOURS)}
"""What is judged, and the words of each head."""


class JudgeNet(nn.Module):
    """Four strided convolutions with a residual block after each but the first; 0.47 M parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_strided(3, 24), *_strided(24, 48), _Residual(48), *_strided(48, 96), _Residual(96),
            *_strided(96, 144), _Residual(144),
        )  # fmt: skip
        self.heads = nn.ModuleDict({name: nn.Linear(2 * 144, len(words)) for name, words in HEADS.items()})

    def forward(self, crops: Tensor) -> dict[str, Tensor]:
        """(B, 3, 64, 64) float in -1..1 to logits by head."""
        features = self.layers(crops).float()
        pooled = torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)
        return {name: head(pooled) for name, head in self.heads.items()}


@dataclass(frozen=True)
class Verdict:
    """What the judge sees in a crop.

    Attributes:
        shares: for each head ("noun", "material", "colour") the probability of each word.
    """

    shares: Mapping[str, Mapping[str, float]]

    def word(self, head: str) -> str:
        """The likeliest word of a head."""
        return max(self.shares[head], key=self.shares[head].__getitem__)


class Judge:
    """The trained network."""

    def __init__(self, weights: Path = WEIGHTS) -> None:
        """Reads the weights. Raises ModelUnavailableError where they are missing."""
        if not weights.is_file():
            raise ModelUnavailableError(
                f"The judge has no weights at '{weights}'; run `python -m benchmarks.train_judge`."
            )
        self._net = JudgeNet()
        self._net.load_state_dict({name: value.float() for name, value in load_file(weights).items()})
        self._net.eval()

    def judge(self, image: np.ndarray, boxes: list[Box]) -> list[Verdict]:
        """What is in each box of a picture.

        Args:
            image: (H, W, 3) uint8 RGB.
            boxes: around the objects, in pixels.
        """
        return self.judge_crops(np.stack([object_crop(image, box) for box in boxes])) if boxes else []

    @torch.inference_mode()
    def judge_crops(self, crops: np.ndarray) -> list[Verdict]:
        """What each of the crops shows, (B, 64, 64, 3) uint8."""
        shares = {name: logits.softmax(dim=1).tolist() for name, logits in self._net(as_input(crops)).items()}
        return [
            Verdict({name: dict(zip(HEADS[name], shares[name][i], strict=True)) for name in HEADS})
            for i in range(len(crops))
        ]


def as_input(crops: np.ndarray) -> Tensor:
    """(B, H, W, 3) uint8 to (B, 3, H, W) float32 in -1..1."""
    return torch.from_numpy(crops).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def object_crop(
    image: np.ndarray, box: Box, context: float = CONTEXT, shift: tuple[float, float] = (0, 0)
) -> np.ndarray:
    """The square around a box as the judge sees it, (64, 64, 3) uint8; beyond the picture the border is repeated.

    Args:
        image: (H, W, 3) uint8.
        box: x0, y0, x1, y1 in pixels.
        context: width of the crop over the longer side of the box.
        shift: moves the crop, in pixels.
    """
    height, width = image.shape[:2]
    side = max(box[2] - box[0], box[3] - box[1], 4.0) * context
    x = (box[0] + box[2]) / 2 + shift[0] - side / 2
    y = (box[1] + box[3]) / 2 + shift[1] - side / 2
    pad = int(max(0.0, -x, -y, x + side - width, y + side - height)) + 1
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    place = (x + pad, y + pad, x + pad + side, y + pad + side)
    return np.asarray(Image.fromarray(padded).resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=place))


def _strided(given: int, made: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(given, made, 4 if given == 3 else 3, 2, 1, bias=False), nn.BatchNorm2d(made), nn.ReLU()


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.norm(self.convolution(x)))
