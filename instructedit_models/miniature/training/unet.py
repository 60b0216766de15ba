"""Recipe of the miniature `UNet2DConditionModel`: epsilon prediction on the VAE's latents, SD v1.5's noise schedule.

Latents and captions are cached once (`--prepare N`); the text encoder is CLIP's, frozen.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from diffusers.models.attention_processor import AttnProcessor
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from transformers import CLIPTextModel

from instructedit_models.miniature.tokenizers import clip_tokenizer
from instructedit_models.miniature.training.common import (
    WEIGHTS,
    Batch,
    Run,
    mixed_precision,
    parse_run,
    save_half,
    train,
    warm_start,
    write_card,
)
from instructedit_models.miniature.training.data import (
    AROUND_PARTS,
    TRAINED_SEEDS,
    Sample,
    captioned_crop,
    cut,
    training_pool,
    validation_samples,
)
from instructedit_models.miniature.training.vae import NATIVE, load_vae, to_tensor
from instructedit_models.miniature.words import LATER_WORDS

WEIGHTS_FILE = "diffusion_pytorch_model.safetensors"

SNR_LIMIT = 5.0
"""Min-SNR weighting (Hang et al. 2023): nearly clean latents count for less."""

NOISY = 0.7
"""Timesteps are drawn as 1000 u^NOISY with u uniform: what an edit shows is decided where the noise is strong."""

LATER = 0.65
"""Share of examples whose caption has one of the larger world's later words: the first ones were learned before."""

REPAINTED_PARTS = 0.6
"""Share of crops around parts in repainted scenes: it is edits of parts that failed most often."""

PATTERNED = 0.5
"""Share of crops around objects that show a patterned one and say so: new materials failed most often of all edits."""

GRAINED = 2.5
"""How many times as often as the others examples are drawn whose caption says "wooden": grain is the finest of what is
painted, and of the new materials that failed most were to get it."""

DROPPED = 0.1
"""Share of captions replaced by the empty one, for classifier-free guidance."""


def build() -> UNet2DConditionModel:
    """The untrained model: plain convolutions at 16 x 16, cross-attention at 8 x 8 and 4 x 4."""
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        layers_per_block=1,
        block_out_channels=(64, 128, 192),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=128,
        attention_head_dim=4,
        norm_num_groups=16,
    )


def schedule() -> DDIMScheduler:
    """SD v1.5's noise schedule."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="epsilon",
    )


class TextStates:
    """What the UNet is told of captions: the trained text encoder's states, frozen."""

    def __init__(self) -> None:
        self._tokenizer = clip_tokenizer()
        encoder = CLIPTextModel.from_pretrained(WEIGHTS / "text", dtype=torch.float32)
        self._encoder = encoder.eval().requires_grad_(False)

    @torch.no_grad()
    def __call__(self, captions: list[str]) -> torch.Tensor:
        """The captions' states, (B, T, D) float32."""
        ids = self._tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
        return self._encoder(ids).last_hidden_state


@torch.no_grad()
def encode(vae: AutoencoderKL, crops: np.ndarray) -> torch.Tensor:
    """(B, 64, 64, 3) uint8 crops to scaled latents (B, 4, 16, 16) float32, the posterior's mode."""
    with mixed_precision():
        latents = vae.encode(to_tensor(crops)).latent_dist.mode()
    return latents.float() * vae.config.scaling_factor


def crops_of(samples: Iterator[Sample], rng: np.random.Generator, each: int) -> Iterator[tuple[np.ndarray, str]]:
    """`each` captioned crops of every sample."""
    for sample in samples:
        parts = REPAINTED_PARTS if sample.anew else AROUND_PARTS
        for _ in range(each):
            box, caption = captioned_crop(sample, rng, parts, PATTERNED)
            yield cut(sample.image, box, NATIVE), caption


def prepare(run: Run, count: int) -> None:
    """Fills the latent cache: `latents.f16` (count, 4, 16, 16) and one caption a line, growing as it goes."""
    vae, pool = load_vae(), training_pool(run.work)
    rng = np.random.default_rng([run.seed, 3])
    latents = np.memmap(run.work / "latents.f16", np.float16, "w+", shape=(count, 4, 16, 16))
    captions: list[str] = []
    crops: list[np.ndarray] = []
    order = (pool.seen(int(index), rng) for index in rng.permutation(pool.ready))
    each = max(1, -(-count // pool.ready))
    for crop, caption in crops_of(order, rng, each):
        crops.append(crop)
        captions.append(caption)
        if len(crops) == 128:
            latents[len(captions) - 128 : len(captions)] = encode(vae, np.stack(crops)).half().numpy()
            crops = []
            if len(captions) % 6400 == 0:
                _write_captions(run.work, captions)
        if len(captions) >= count:
            break
    _write_captions(run.work, captions[: len(captions) - len(crops)])


def _write_captions(work: Path, captions: list[str]) -> None:
    temporary = work / "captions.json.partial"
    temporary.write_text(json.dumps(captions))
    temporary.replace(work / "captions.json")
    print(f"unet cache {len(captions)}", flush=True)


def batches(work: Path, batch: int, seed: int) -> Iterator[tuple[torch.Tensor, list[str]]]:
    """Endless (latents, captions) from the cache, re-read now and then while it grows."""
    rng = np.random.default_rng(seed)
    size = (work / "latents.f16").stat().st_size // (2 * 4 * 16 * 16)
    latents = np.memmap(work / "latents.f16", np.float16, "r", shape=(size, 4, 16, 16))
    while True:
        captions: list[str] = json.loads((work / "captions.json").read_text())
        words_of = [caption.split() for caption in captions]
        later = np.array([not LATER_WORDS.keys().isdisjoint(words) for words in words_of])
        often = np.where(["wooden" in words for words in words_of], GRAINED, 1.0)
        groups = [(places, often[places] / often[places].sum()) for places in map(np.flatnonzero, (later, ~later))]
        for _ in range(500):
            counts = [round(LATER * batch), batch - round(LATER * batch)]
            drawn = [rng.choice(places, n, p=shares) for (places, shares), n in zip(groups, counts, strict=True)]
            chosen = np.concatenate(drawn)
            said = ["" if rng.random() < DROPPED else captions[i] for i in chosen]
            yield torch.from_numpy(latents[chosen].astype(np.float32)), said


def denoising_loss(
    model: UNet2DConditionModel,
    latents: torch.Tensor,
    states: torch.Tensor,
    alphas: torch.Tensor,
    shown: torch.Tensor | None = None,
) -> tuple[torch.Tensor, dict[str, float]]:
    """Min-SNR weighted error of the predicted noise at random timesteps, and what to log beside it.

    Args:
        model: the UNet.
        latents: what it learns to make, scaled, (B, 4, 16, 16).
        states: of the text, (B, T, D).
        alphas: cumulative, (1000,).
        shown: further input channels, (B, C, 16, 16).
    """
    t = (1000 * torch.rand(len(latents)) ** NOISY).long().clamp(max=999)
    alpha = alphas[t].view(-1, 1, 1, 1)
    epsilon = torch.randn_like(latents)
    noisy = alpha.sqrt() * latents + (1 - alpha).sqrt() * epsilon
    given = (noisy if shown is None else torch.cat([noisy, shown], dim=1)).contiguous(memory_format=torch.channels_last)
    with mixed_precision():
        predicted = model(given, t, states).sample
    error = (predicted.float() - epsilon).square().mean(dim=(1, 2, 3))
    snr = (alpha / (1 - alpha)).flatten()
    high = error[t > 500].mean() if bool((t > 500).any()) else error.mean()
    weight = (SNR_LIMIT / snr).clamp(max=1) * (1 / snr).clamp(min=1) ** 0.25
    return (error * weight).mean(), {"high_noise": float(high.detach())}


@torch.no_grad()
def caption_errors(
    model: UNet2DConditionModel, latents: torch.Tensor, states: torch.Tensor, shown: torch.Tensor | None = None
) -> dict[str, float]:
    """The epsilon error at three levels, under the right text and under another picture's; see `denoising_loss`."""
    generator, noise, figures = torch.Generator().manual_seed(8), schedule(), {}
    for level in (250, 500, 750):
        epsilon = torch.randn(latents.shape, generator=generator)
        t = torch.full((len(latents),), level)
        noisy = noise.add_noise(latents, epsilon, t)
        given = noisy if shown is None else torch.cat([noisy, shown], dim=1)
        for name, condition in (("right", states), ("wrong", states.roll(1, 0))):
            error = (model(given, t, condition).sample - epsilon).square().mean()
            figures[f"epsilon_error_t{level}_{name}_caption"] = round(float(error), 4)
    return figures


def train_unet(
    run: Run,
    model: UNet2DConditionModel,
    folder: Path,
    batches: Callable[[int, int], Iterator[Batch]],
    loss_of: Callable[[Batch], tuple[torch.Tensor, dict[str, float]]],
    finish: Callable[[UNet2DConditionModel, int], None],
) -> None:
    """Trains a UNet, from committed weights where a resumed run has no checkpoint.

    Args:
        run: the arguments.
        model: what is trained.
        folder: of the committed weights.
        batches: endless batches by their size and a seed.
        loss_of: as `train` takes it.
        finish: likewise.
    """
    model.to(memory_format=torch.channels_last)
    model.set_attn_processor(AttnProcessor())  # PyTorch's fused attention is slower here when it goes backward.
    steps = warm_start(run, model, folder / WEIGHTS_FILE)
    if run.compile:
        model.compile()
    seed = int(torch.randint(1 << 30, (1,), generator=torch.Generator().manual_seed(run.seed)))
    # In a short trial with Muon the errors came out no lower, and a step took a quarter longer.
    train(run, model, batches(run.batch, seed), loss_of, finish=finish, steps=steps, muon=0.0)


def finish(model: UNet2DConditionModel, steps: int, states: TextStates) -> None:
    """Measures the epsilon error with right and with wrong captions on validation seeds, then writes the weights."""
    rng, vae = np.random.default_rng(8), load_vae()
    pairs = list(crops_of(iter(validation_samples(192)), rng, 2))
    latents = torch.cat([encode(vae, np.stack([c for c, _ in pairs[i : i + 64]])) for i in range(0, len(pairs), 64)])
    figures = caption_errors(model, latents, states([caption for _, caption in pairs]))
    save_half(model, WEIGHTS / "unet" / WEIGHTS_FILE)
    model.save_config(WEIGHTS / "unet")
    schedule().save_config(WEIGHTS / "scheduler")
    write_card(
        WEIGHTS / "unet", {"recipe": "unet", "steps": steps, "train_seeds": TRAINED_SEEDS, "validation": figures}
    )
    print("unet", figures, flush=True)


def main(argv: list[str] | None = None) -> None:
    """Fills the cache (`--prepare N`) or trains the UNet."""
    run = parse_run("unet", batch=64, learning_rate=6e-4, argv=argv, cached=True)
    if run.prepare:
        prepare(run, run.prepare)
        return
    torch.manual_seed(0)
    model, states, alphas = build(), TextStates(), schedule().alphas_cumprod

    def loss_of(batch: tuple[torch.Tensor, list[str]]) -> tuple[torch.Tensor, dict[str, float]]:
        latents, captions = batch
        return denoising_loss(model, latents, states(captions), alphas)

    train_unet(
        run,
        model,
        WEIGHTS / "unet",
        lambda size, seed: batches(run.work, size, seed),
        loss_of,
        lambda trained, steps: finish(trained, steps, states),
    )


if __name__ == "__main__":
    main()
