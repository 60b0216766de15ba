"""Recipe of the miniature `AutoencoderKL`: 64 px crops and whole scenes to 16 x 16 x 4 latents (f = 4).

`--decoder-only` keeps the encoder, and with it the latents that the UNet knows, and sharpens the decoder. `--anchored`
trains both and holds the latents near those of the committed encoder, so that a UNet has little to learn anew.
"""

import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import nn
from torch.nn import functional as F  # noqa: N812

from instructedit_models.miniature.training.common import (
    CARD,
    WEIGHTS,
    mixed_precision,
    parse_run,
    save_half,
    train,
    warm_start,
    write_card,
)
from instructedit_models.miniature.training.data import (
    TRAINED_SEEDS,
    WHOLE,
    captioned_crop,
    cut,
    training_pool,
    validation_samples,
)

ANCHOR = 0.1
"""What the latents' squared distance from the committed encoder's, in their variances, counts beside the loss."""

CLOSE = 0.1
"""What the logarithm of a picture's squared error counts beside the loss: its mean is a mean PSNR but for the sign."""

NATIVE = 64
"""Pixels of the pictures that the VAE and the UNet see."""


def build() -> AutoencoderKL:
    """The untrained model."""
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(32, 48, 96),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=NATIVE,
        scaling_factor=1.0,
    )


def load_vae() -> AutoencoderKL:
    """The trained autoencoder, frozen."""
    vae = AutoencoderKL.from_pretrained(WEIGHTS / "vae", torch_dtype=torch.float32)
    return vae.to(memory_format=torch.channels_last).eval().requires_grad_(False)


def to_tensor(images: np.ndarray) -> torch.Tensor:
    """(B, H, W, 3) uint8 to (B, 3, H, W) float in -1..1, channels last in memory."""
    return (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous(
        memory_format=torch.channels_last
    )


def reconstruction_loss(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """L1 and squared error at three scales, with edges counted twice, and a logarithm: each picture matters."""
    loss = output.new_zeros(())
    for scale in range(3):
        difference = output - target
        squared = difference.square().mean(dim=(1, 2, 3))
        loss = loss + difference.abs().mean() + 2.0 * squared.mean()
        if scale == 0:
            loss = loss + CLOSE * (squared + 1e-4).log().mean()
        if scale < 2:
            across = (output.diff(dim=-1) - target.diff(dim=-1)).abs().mean()
            down = (output.diff(dim=-2) - target.diff(dim=-2)).abs().mean()
            loss = loss + across + down
            output, target = F.avg_pool2d(output, 2), F.avg_pool2d(target, 2)
    return loss


def batches(work: Path, batch: int, seed: int) -> Iterator[torch.Tensor]:
    """Endless batches of crops, flipped at random."""
    rng = np.random.default_rng(seed)
    draws = training_pool(work).draws(rng)
    while True:
        crops = []
        for sample in islice(draws, batch // 2):
            for _ in range(2):
                box, _ = captioned_crop(sample, rng)
                crop = cut(sample.image, box, NATIVE)
                crops.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
        yield to_tensor(np.stack(crops))


def validation_crops(count: int) -> np.ndarray:
    """(2 * count, 64, 64, 3) uint8: whole scenes and object crops of validation seeds."""
    rng = np.random.default_rng(8)
    crops = []
    for sample in validation_samples(count):
        crops.append(cut(sample.image, WHOLE, NATIVE))
        crops.append(cut(sample.image, captioned_crop(sample, rng)[0], NATIVE))
    return np.stack(crops)


@torch.no_grad()
def psnr(model: AutoencoderKL, crops: np.ndarray) -> float:
    """Mean PSNR in dB of reconstructions from the posterior mode."""
    values = []
    for start in range(0, len(crops), 64):
        target = to_tensor(crops[start : start + 64])
        output = model.decode(model.encode(target).latent_dist.mode()).sample.clamp(-1, 1)
        error = ((output - target) / 2).square().mean(dim=(1, 2, 3))
        values.append(-10 * torch.log10(error))
    return float(torch.cat(values).mean())


def finish(model: AutoencoderKL, steps: int, trained_on: str = "") -> None:
    """Measures the latents' spread and the reconstructions, then writes weights, config and card.

    Args:
        model: the autoencoder.
        steps: of this recipe's checkpoint.
        trained_on: which count of the card the steps went on from, "steps" or "decoder_steps"; "" for a new model.
    """
    crops = validation_crops(256)
    with torch.no_grad():
        latents = model.encode(to_tensor(crops)).latent_dist.mode()
    if model.config.scaling_factor == 1.0:
        model.register_to_config(scaling_factor=round(1.0 / float(latents.std()), 4))
    folder = WEIGHTS / "vae"
    save_half(model, folder / "diffusion_pytorch_model.safetensors")
    model.save_config(folder)
    figures = {"psnr_db": round(psnr(model, crops), 2)}
    earlier = json.loads((folder / CARD).read_text()) if trained_on else {}
    counted = {name: earlier[name] for name in ("steps", "decoder_steps") if name in earlier}
    counted |= {trained_on or "steps": steps}
    write_card(folder, {"recipe": "vae", **counted, "train_seeds": TRAINED_SEEDS, "validation": figures})
    print("vae", figures, "scaling", model.config.scaling_factor, flush=True)


def main(argv: list[str] | None = None) -> None:
    """Trains the autoencoder."""
    argv = list(sys.argv[1:] if argv is None else argv)
    decoder_only, anchored = "--decoder-only" in argv, "--anchored" in argv
    argv = [word for word in argv if word not in ("--decoder-only", "--anchored")]
    trained_on = "decoder_steps" if decoder_only else "steps" if anchored else ""
    name = "vae_decoder" if decoder_only else "vae_anchored" if anchored else "vae"
    run = parse_run(name, batch=16, learning_rate=1e-3, argv=argv)
    torch.manual_seed(0)
    if decoder_only:
        model = AutoencoderKL.from_config(AutoencoderKL.load_config(WEIGHTS / "vae"))
        steps = warm_start(run, model, WEIGHTS / "vae" / "diffusion_pytorch_model.safetensors", True, "decoder_steps")
        nn.ModuleList([model.encoder, model.quant_conv]).requires_grad_(False)
    elif anchored:
        model = AutoencoderKL.from_config(AutoencoderKL.load_config(WEIGHTS / "vae"))
        steps = warm_start(run, model, WEIGHTS / "vae" / "diffusion_pytorch_model.safetensors", True)
    else:
        model = build()
        steps = warm_start(run, model, WEIGHTS / "vae" / "diffusion_pytorch_model.safetensors")
    known = load_vae() if anchored else None
    model = model.to(memory_format=torch.channels_last)

    def loss_of(images: torch.Tensor) -> tuple[torch.Tensor, dict[str, float]]:
        with mixed_precision():
            with torch.set_grad_enabled(not decoder_only):
                posterior = model.encode(images).latent_dist
            output = model.decode(posterior.sample()).sample
        reconstruction = reconstruction_loss(output.float(), images)
        if decoder_only:
            return reconstruction, {}
        kl = posterior.kl().mean() / posterior.mean[0].numel()
        loss, log = reconstruction + 1e-4 * kl, {"kl": float(kl.detach())}
        if known is not None:
            with torch.no_grad(), mixed_precision():
                before = known.encode(images).latent_dist.mode().float()
            moved = ((posterior.mode().float() - before) * known.config.scaling_factor).square().mean()
            loss, log = loss + ANCHOR * moved, log | {"moved": float(moved.detach())}
        return loss, log

    train(
        run,
        model,
        batches(run.work, run.batch, run.seed),
        loss_of,
        finish=lambda _, steps: finish(model, steps, trained_on),
        steps=steps,
    )


if __name__ == "__main__":
    main()
