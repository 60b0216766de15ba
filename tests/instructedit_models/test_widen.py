"""A wider model that starts from a narrow one's weights computes the same, and its copies can part."""

import json
from pathlib import Path

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from safetensors.torch import load_file

from instructedit_models.miniature.training import widen as module
from instructedit_models.miniature.training.common import CARD, save_half, write_card
from instructedit_models.miniature.training.widen import widen, widened


def autoencoder(first: int) -> AutoencoderKL:
    torch.manual_seed(3)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(first, 32),
        norm_num_groups=4,
        sample_size=16,
    ).eval()


@torch.no_grad()
def test_the_wider_model_computes_the_same() -> None:
    narrow, wide, picture = autoencoder(8), autoencoder(16), torch.rand(2, 3, 16, 16)
    widen(narrow.state_dict(), wide, torch.Generator().manual_seed(0))
    latents = narrow.encode(picture).latent_dist.mode()
    assert torch.allclose(wide.encode(picture).latent_dist.mode(), latents, atol=1e-5)
    assert torch.allclose(wide.decode(latents).sample, narrow.decode(latents).sample, atol=1e-5)


def test_copies_are_read_differently_so_that_they_part() -> None:
    wide = autoencoder(16)
    widen(autoencoder(8).state_dict(), wide, torch.Generator().manual_seed(0))
    wide.encode(torch.rand(2, 3, 16, 16)).latent_dist.mode().square().sum().backward()
    weight = wide.encoder.conv_in.weight
    assert weight.grad is not None
    assert torch.equal(weight[0::2], weight[1::2]) and not torch.allclose(weight.grad[0::2], weight.grad[1::2])


def test_only_channels_are_doubled() -> None:
    with pytest.raises(ValueError, match=r"cannot widen \(2, 3\) to \(6, 3\)"):
        widened(torch.zeros(2, 3), torch.Size((6, 3)), torch.Generator())


def test_the_committed_file_is_replaced_and_its_scale_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WEIGHTS", tmp_path)
    monkeypatch.setitem(module.BUILD, "vae", lambda: autoencoder(16))
    narrow, weights = autoencoder(8), tmp_path / "vae" / "diffusion_pytorch_model.safetensors"
    narrow.register_to_config(scaling_factor=0.25)
    save_half(narrow, weights)
    narrow.save_config(weights.parent)
    write_card(weights.parent, {"steps": 7})
    module.main(["vae"])
    assert load_file(weights)["encoder.conv_in.weight"].shape == (16, 3, 3, 3)
    config = json.loads((weights.parent / "config.json").read_text())
    assert config["scaling_factor"] == 0.25 and config["block_out_channels"] == [16, 32]
    assert json.loads((weights.parent / CARD).read_text()) == {"schema": 1, "steps": 7, "widened": True}
