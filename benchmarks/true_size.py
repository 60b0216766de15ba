"""A diffusion model of Stable Diffusion v1.5's true size with random weights, for the time alone: `speed --true-size`.

860 M parameters in the UNet, 84 M in the VAE and 123 M in the text encoder: about 4.3 GB in float32.
"""

from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.contenders import Parts
from instructedit_models.editor import MaskedDDIMEditor
from instructedit_models.miniature.tokenizers import clip_tokenizer
from instructedit_models.types import Aspect, Change, EditOptions

__all__ = ["PIXELS", "Alone", "true_size"]

PIXELS = 256
"""Side of the picture; 512 would take four times as long and more, and compare the ways just the same."""

SCHEDULE = {
    "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon", "set_alpha_to_one": False,
}  # fmt: skip


@dataclass(frozen=True)
class Alone:
    """What the ways need of a model set where masks are given: an editor.

    Attributes:
        editor: of random weights.
        name: for the record.
    """

    editor: MaskedDDIMEditor
    name: str = "random weights of SD v1.5's size"

    def defaults(self, change: Change, aspect: Aspect | None = None) -> EditOptions:
        """The paper's."""
        return EditOptions()


def true_size(pixels: int = PIXELS) -> tuple[Alone, Parts]:
    """Builds it, which takes some seconds; the weights are drawn from a fixed seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vae, text, tokenizer, unet = _vae(), _text(), clip_tokenizer(), _unet(pixels // 8)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    editor = MaskedDDIMEditor(vae, text, tokenizer, unet, SCHEDULE, device)
    return Alone(editor), Parts(vae, text, tokenizer, editor.unet, SCHEDULE)


def _unet(cells: int) -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(sample_size=cells, cross_attention_dim=768, attention_head_dim=8).eval()


def _vae() -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
        sample_size=512,
    ).eval()


def _text() -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel

    config = CLIPTextConfig(
        hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, projection_dim=768
    )
    return CLIPTextModel(config).eval()
