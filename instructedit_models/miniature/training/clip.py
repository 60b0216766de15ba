"""Recipe of the miniature `CLIPModel`: contrastive pairs of crops and captions, with hard negatives.

Its text tower becomes the diffusion model's text encoder; BLIP-2's vision tower starts from its vision tower.
`--vision-only` keeps the text tower, and with it what the UNet was trained on, and trains the rest on: with dense
labels on its patches, against every other noun, with many crops as a model may paint them and some seen through the
autoencoder from disturbed latents, as every edited picture is: it checks whether a new shape came out.
`--looks` does so without the labels, and against every other look of a thing: it checks whether a new pattern came.
`--later-words` does as `--vision-only` and teaches the text tower the later words of the larger world, by their
embeddings alone: whatever the text tower says of the first words, and the UNet draws for them, stays.
"""

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import nn
from torch.nn import functional as F  # noqa: N812
from transformers import CLIPConfig, CLIPModel, CLIPTextModel

from instructedit_models.miniature.tokenizers import TEXT_LENGTH, clip_tokenizer
from instructedit_models.miniature.training.as_painted import as_painted
from instructedit_models.miniature.training.common import (
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
    captioned_crop,
    cut,
    training_pool,
    validation_samples,
)
from instructedit_models.miniature.training.dense_labels import PatchHeads, labels, stacked
from instructedit_models.miniature.training.looks import look_crops
from instructedit_models.miniature.training.vae import NATIVE, load_vae, to_tensor
from instructedit_models.miniature.words import BACKGROUNDS, COLOURS, LATER_WORDS, MATERIALS, MEDIA, NOUNS, plural
from instructedit_models.verification import other_captions

PATCH = 8

_CLASSES: tuple[tuple[str, ...], ...] = (
    NOUNS,
    tuple(map(plural, NOUNS)),
    tuple(COLOURS),
    MATERIALS[1:],
    tuple(word for word in BACKGROUNDS if " " not in word),
    tuple(medium for medium in MEDIA if " " not in medium),
)


def build() -> CLIPModel:
    """The untrained model."""
    tokenizer = clip_tokenizer()
    ids = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 128,
        "intermediate_size": 512,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "max_position_embeddings": TEXT_LENGTH,
        "projection_dim": 128,
        **ids,
    }
    vision = {
        "hidden_size": 128,
        "intermediate_size": 512,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "image_size": NATIVE,
        "patch_size": PATCH,
        "projection_dim": 128,
    }
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=128))


def hard_negative(caption: str, rng: np.random.Generator) -> str:
    """The caption with one of its words exchanged for another of the same class; itself where none can be."""
    words = caption.split()
    places = [(i, group) for i, word in enumerate(words) for group in _CLASSES if word in group]
    if not places:
        return caption
    place, group = places[int(rng.integers(len(places)))]
    others = [word for word in group if word != words[place]]
    words[place] = others[int(rng.integers(len(others)))]
    return " ".join(words)


SOFT = 12
"""Crops of a batch that are seen through the autoencoder when the vision tower is trained on."""

DISTURBED = 0.35
"""The most noise that is added to their latents, in standard deviations of these."""

PAINTED = 0.6
"""Share of a batch that is made to look painted: what the UNet paints is to be judged as surely as what is drawn."""

NAMED = 32
"""Crops of a batch whose noun is told from every other one."""

LOOKS = 64
"""Crops beside those of a batch whose look is told from every other one; see `looks`."""

DENSE = 0.5
"""What the dense labels count beside the contrastive loss."""

Look = tuple[torch.Tensor, list[str], torch.Tensor]
"""Crops, a caption of each in every look, and which is right."""

Batch = tuple[torch.Tensor, list[str], dict[str, torch.Tensor], Look | None]


def batches(work: Path, batch: int, seed: int, painted: float = 0.0, looks: int = 0) -> Iterator[Batch]:
    """Endless (images, captions then hard negatives, labels of patches, looks); a share of the crops looks painted."""
    rng = np.random.default_rng(seed)
    draws = training_pool(work).draws(rng)
    looked = look_crops(work, NATIVE, looks, seed) if looks else None
    while True:
        crops, captions, dense = [], [], []
        for sample in islice(draws, batch):
            box, caption = captioned_crop(sample, rng)
            crop = cut(sample.image, box, NATIVE)
            crops.append(as_painted(crop, rng) if rng.random() < painted else crop)
            captions.append(caption)
            dense.append(labels(sample, box, NATIVE // PATCH))
        negatives = [hard_negative(caption, rng) for caption in captions]
        look = None
        if looked is not None:
            seen, texts, right = next(looked)
            look = to_tensor(seen), texts, torch.from_numpy(right)
        yield to_tensor(np.stack(crops)), captions + negatives, stacked(dense), look


@torch.no_grad()
def softened(vae: AutoencoderKL, images: torch.Tensor, count: int) -> torch.Tensor:
    """The images, the first `count` of them as the autoencoder gives them back, more or less disturbed."""
    with mixed_precision():
        latents = vae.encode(images[:count].contiguous(memory_format=torch.channels_last)).latent_dist.mode()
        noise = torch.randn_like(latents) / vae.config.scaling_factor
        decoded = vae.decode(latents + DISTURBED * torch.rand(count, 1, 1, 1) * noise).sample
    return torch.cat([decoded.float().clamp(-1, 1), images[count:]])


def noun_loss(model: CLIPModel, images: torch.Tensor, captions: list[str]) -> torch.Tensor:
    """How far the captions are from beating themselves with each other noun; those without a noun are left out.

    Args:
        model: with its text tower.
        images: embedded, (B, D), of length 1.
        captions: one for each.
    """
    rivals = [(i, others) for i, caption in enumerate(captions) if (others := other_captions(caption, NOUNS))]
    texts = [text for i, others in rivals for text in (captions[i], *others)]
    chosen = images[[i for i, _ in rivals]]
    return F.cross_entropy(_fits(model, chosen, texts), torch.zeros(len(rivals), dtype=torch.long))


def look_loss(model: CLIPModel, vae: AutoencoderKL, look: Look) -> tuple[torch.Tensor, float]:
    """How far the right look is from beating each other one, and the share of the crops in which it does."""
    crops, texts, right = look
    crops = softened(vae, crops, len(crops) // 3)
    with mixed_precision():
        seen = model.get_image_features(crops.contiguous(memory_format=torch.channels_last))
    features = seen if isinstance(seen, torch.Tensor) else seen.pooler_output
    logits = _fits(model, F.normalize(features.float(), dim=-1), texts)
    return F.cross_entropy(logits, right), float((logits.argmax(1) == right).float().mean())


def _fits(model: CLIPModel, images: torch.Tensor, texts: list[str]) -> torch.Tensor:
    """Logits (B, N) of embedded images (B, D) and B x N texts, those of one image together; the text tower is fixed."""
    with torch.no_grad(), mixed_precision():
        pooled = model.text_model(input_ids=_tokens(texts)).pooler_output
    embedded = F.normalize(model.text_projection(pooled.float()), dim=-1).view(len(images), -1, images.shape[-1])
    return model.logit_scale.exp() * torch.einsum("bd,bnd->bn", images, embedded)


def _tokens(texts: list[str]) -> torch.Tensor:
    """(N, length of the longest) int64: the text tower is causal, so that what is left out behind changes nothing."""
    found: torch.Tensor = clip_tokenizer()(texts, padding=True, truncation=True, return_tensors="pt").input_ids
    return found


class LaterWords:
    """The token embeddings of the later words, which alone are trained of the text tower.

    Args:
        model: its text tower is frozen but for the embeddings; a later word starts as the known word it is like.
        begin: whether to start so; else they stay as they are.
    """

    def __init__(self, model: CLIPModel, begin: bool) -> None:
        ids = clip_tokenizer().convert_tokens_to_ids
        self._weight = model.text_model.embeddings.token_embedding.weight.requires_grad_(True)
        later, like = ids(list(LATER_WORDS)), ids(list(LATER_WORDS.values()))
        with torch.no_grad():
            if begin:
                start = self._weight[like]
                self._weight[later] = start + start.std() * torch.randn_like(start)
            self._first = torch.ones(len(self._weight), dtype=torch.bool)
            self._first[later] = False
            self._kept = self._weight[self._first].clone()

    @torch.no_grad()
    def keep_first(self) -> None:
        """Puts back all other embeddings, which weight decay has moved."""
        self._weight[self._first] = self._kept


def finish(model: CLIPModel, steps: int) -> None:
    """Measures how often the true caption beats one with a word exchanged, then writes both towers."""
    rng = np.random.default_rng(8)
    tokenizer = clip_tokenizer()
    right = total = 0
    for sample in validation_samples(512):
        box, caption = captioned_crop(sample, rng)
        others = {hard_negative(caption, rng) for _ in range(4)} - {caption}
        with torch.no_grad():
            crop = to_tensor(cut(sample.image, box, NATIVE)[None])
            out = model(pixel_values=crop, input_ids=_tokens([caption, *sorted(others)]))
        right += int(out.logits_per_image[0].argmax() == 0)
        total += 1
    figures = {"true_caption_beats_four_hard_negatives": round(right / total, 3)}
    save_half(model, WEIGHTS / "clip" / "model.safetensors")
    model.config.save_pretrained(WEIGHTS / "clip")
    tokenizer.save_pretrained(WEIGHTS / "clip")
    text = CLIPTextModel(model.config.text_config)
    text.load_state_dict(
        {k: v for k, v in model.state_dict().items() if k.startswith("text_model.")}
        if any(k.startswith("text_model.") for k in text.state_dict())
        else model.text_model.state_dict()
    )
    save_half(text, WEIGHTS / "text" / "model.safetensors")
    text.config.save_pretrained(WEIGHTS / "text")
    tokenizer.save_pretrained(WEIGHTS / "text")
    write_card(
        WEIGHTS / "clip", {"recipe": "clip", "steps": steps, "train_seeds": TRAINED_SEEDS, "validation": figures}
    )
    print("clip", figures, flush=True)


def main(argv: list[str] | None = None) -> None:
    """Trains CLIP."""
    argv = list(sys.argv[1:] if argv is None else argv)
    later_words = "--later-words" in argv
    looks = "--looks" in argv
    vision_only = "--vision-only" in argv or later_words or looks
    argv = [word for word in argv if word not in ("--vision-only", "--later-words", "--looks")]
    name = "clip_words" if later_words else "clip_looks" if looks else "clip_vision" if vision_only else "clip"
    run = parse_run(name, batch=96, learning_rate=1e-3, argv=argv)
    torch.manual_seed(0)
    model = build()
    steps = warm_start(run, model, WEIGHTS / "clip" / "model.safetensors", always=vision_only)
    vae = later = None
    if vision_only:
        model.text_model.requires_grad_(False)
        vae = load_vae()
    if later_words:
        later = LaterWords(model, begin=not run.resume)
    heads = None if looks else PatchHeads(model.config.vision_config.hidden_size)
    trained = nn.ModuleDict({"model": model} if heads is None else {"model": model, "heads": heads})

    def loss_of(batch: Batch) -> tuple[torch.Tensor, dict[str, float]]:
        images, captions, dense, look = batch
        if later is not None:
            later.keep_first()
        if vae is not None and look is None:
            images = softened(vae, images, SOFT)
        with mixed_precision():
            out = model(pixel_values=images, input_ids=_tokens(captions))
        patches = out.vision_model_output.last_hidden_state[:, 1:]
        seen = heads.loss(patches, dense) if heads is not None else torch.zeros(())
        logits, count = out.logits_per_image.float(), len(images)
        same = torch.tensor([[a == b for b in captions] for a in captions[:count]])
        blocked = logits.masked_fill(same & ~torch.eye(count, 2 * count, dtype=torch.bool), -1e4)
        target = torch.arange(count)
        loss = (F.cross_entropy(blocked, target) + F.cross_entropy(blocked[:, :count].T, target)) / 2
        own = torch.stack([logits[target, target], logits[target, target + count]], dim=1)
        changed = ~same[target, target + count]
        hard = F.cross_entropy(own[changed], torch.zeros(int(changed.sum()), dtype=torch.long))
        right = (own[changed][:, 0] > own[changed][:, 1]).float().mean()
        some = NAMED if look is None else NAMED // 2
        named = noun_loss(model, out.image_embeds[:some].float(), captions[:some]) if vision_only else torch.zeros(())
        log = {"beats_hard": float(right), "dense": float(seen.detach()), "nouns": float(named.detach())}
        looked = torch.zeros(())
        if look is not None and vae is not None:
            looked, log["looks_right"] = look_loss(model, vae, look)
        return loss + hard + named + looked + DENSE * seen, log

    shares = (PAINTED if vision_only else 0.0, LOOKS if looks else 0)
    drawn = batches(run.work, run.batch, run.seed, *shares)

    def kept(_: nn.Module, steps: int) -> None:
        if later is not None:
            later.keep_first()
        finish(model, steps)

    train(run, trained, drawn, loss_of, finish=kept, steps=steps, committed=model)


if __name__ == "__main__":
    main()
