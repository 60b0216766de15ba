"""UNets that are shown more than latents: what the recipes of InstructPix2Pix and of inpainting share.

Both start from the miniature UNet with further input channels whose weights are zero, so that the first step predicts
what the UNet predicts, and both learn from a cache of encoded pictures that `--prepare N` fills once.
"""

import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from instructedit_models.miniature.training.common import WEIGHTS, parse_run, save_half, write_card
from instructedit_models.miniature.training.data import TRAINED_SEEDS
from instructedit_models.miniature.training.unet import (
    WEIGHTS_FILE,
    TextStates,
    caption_errors,
    denoising_loss,
    encode,
    schedule,
    train_unet,
)
from instructedit_models.miniature.training.vae import load_vae

CELLS = 16

VALIDATED = 256
"""Examples of validation seeds that the figures are of."""


class Example(NamedTuple):
    """What one training example is made of.

    Attributes:
        target: what the UNet learns to make, (64, 64, 3) uint8.
        seen: the picture that it is shown, (64, 64, 3) uint8.
        planes: further channels that it is shown before the picture's latents, (P, 16, 16) float.
        text: instruction or caption.
    """

    target: np.ndarray
    seen: np.ndarray
    planes: np.ndarray
    text: str


class Recipe(NamedTuple):
    """How the two recipes differ.

    Attributes:
        name: of the recipe and of the weights' folder.
        planes: how many further channels come before the picture's latents.
        unscaled: whether the picture is shown as the VAE gives it, without the scaling of latents.
        examples: endless ones, of training seeds or of validation seeds (`True`).
        dropped: puts out text and picture at random: texts and shown channels to texts and shown channels.
    """

    name: str
    planes: int
    unscaled: bool
    examples: Callable[[Path, np.random.Generator, bool], Iterator[Example]]
    dropped: Callable[[list[str], torch.Tensor], tuple[list[str], torch.Tensor]]


def widened(unet: UNet2DConditionModel, extra: int) -> UNet2DConditionModel:
    """The same UNet with `extra` more input channels, to which it pays no attention yet."""
    # What begins with an underscore tells of the file that the UNet came from, and its path is nobody's business.
    config = {name: value for name, value in unet.config.items() if not name.startswith("_")}
    wide = UNet2DConditionModel.from_config({**config, "in_channels": unet.config.in_channels + extra})
    state = unet.state_dict()
    known = state["conv_in.weight"]
    state["conv_in.weight"] = torch.cat([known, known.new_zeros(len(known), extra, *known.shape[2:])], dim=1)
    wide.load_state_dict(state)
    return wide


def save(model: UNet2DConditionModel, folder: Path, card: dict[str, object]) -> None:
    """Weights, config and card in diffusers' own layout."""
    save_half(model, folder / WEIGHTS_FILE)
    model.save_config(folder)
    write_card(folder, card)


class Cache:
    """Encoded examples on disk: (N, 4 + P + 4, 16, 16) float16, target, planes and picture, and one text each.

    Args:
        work: the folder.
        recipe: names the files and says how many planes there are.
    """

    def __init__(self, work: Path, recipe: Recipe) -> None:
        self._array, self._texts = work / f"{recipe.name}.f16", work / f"{recipe.name}.json"
        self._channels = 8 + recipe.planes

    def fill(self, examples: Iterator[Example], count: int, batch: int = 64) -> None:
        """Encodes `count` examples; training may begin before it is done."""
        vae = load_vae()
        array = np.memmap(self._array, np.float16, "w+", shape=(count, self._channels, CELLS, CELLS))
        texts: list[str] = []
        while len(texts) < count:
            chosen = list(islice(examples, min(batch, count - len(texts))))
            array[len(texts) : len(texts) + len(chosen)] = encoded(vae, chosen).half().numpy()
            texts += [example.text for example in chosen]
            if len(texts) % (100 * batch) == 0 or len(texts) == count:
                temporary = self._texts.with_suffix(".partial")
                temporary.write_text(json.dumps(texts))
                temporary.replace(self._texts)
                print(f"{self._array.stem} cache {len(texts)}", flush=True)

    def batches(self, batch: int, seed: int) -> Iterator[tuple[torch.Tensor, list[str]]]:
        """Endless (examples, texts), the texts read again now and then while the cache grows."""
        rng = np.random.default_rng(seed)
        size = self._array.stat().st_size // (2 * self._channels * CELLS * CELLS)
        array = np.memmap(self._array, np.float16, "r", shape=(size, self._channels, CELLS, CELLS))
        while True:
            texts: list[str] = json.loads(self._texts.read_text())
            for _ in range(500):
                chosen = rng.integers(len(texts), size=batch)
                yield torch.from_numpy(array[chosen].astype(np.float32)), [texts[i] for i in chosen]


def encoded(vae: torch.nn.Module, examples: list[Example]) -> torch.Tensor:
    """Examples as a cache keeps them, (B, 4 + P + 4, 16, 16) float32."""
    target = encode(vae, np.stack([example.target for example in examples]))
    seen = encode(vae, np.stack([example.seen for example in examples]))
    planes = torch.from_numpy(np.stack([example.planes for example in examples]).astype(np.float32))
    return torch.cat([target, planes, seen], dim=1)


def shown(recipe: Recipe, examples: torch.Tensor, scaling_factor: float) -> torch.Tensor:
    """The channels that the UNet is given beside noisy latents, (B, P + 4, 16, 16)."""
    given = examples[:, 4:].clone()
    if recipe.unscaled:
        given[:, recipe.planes :] /= scaling_factor
    return given


def run_recipe(recipe: Recipe, module: str, argv: list[str] | None = None) -> None:
    """Fills the cache (`--prepare N`) or trains.

    Args:
        recipe: what to train.
        module: names it on the command line.
        argv: the command line.
    """
    run = parse_run(recipe.name, batch=64, learning_rate=3e-4, argv=argv, module=f"{__package__}.{module}", cached=True)
    cache = Cache(run.work, recipe)
    if run.prepare:
        cache.fill(recipe.examples(run.work, np.random.default_rng(5), False), run.prepare)
        return
    torch.manual_seed(0)
    plain = UNet2DConditionModel.from_pretrained(WEIGHTS / "unet", torch_dtype=torch.float32)
    model, states = widened(plain, 4 + recipe.planes), TextStates()
    alphas, scaling = schedule().alphas_cumprod, load_vae().config.scaling_factor

    def loss_of(batch: tuple[torch.Tensor, list[str]]) -> tuple[torch.Tensor, dict[str, float]]:
        examples, texts = batch
        texts, given = recipe.dropped(texts, shown(recipe, examples, scaling))
        return denoising_loss(model, examples[:, :4], states(texts), alphas, given)

    train_unet(
        run,
        model,
        WEIGHTS / recipe.name,
        cache.batches,
        loss_of,
        lambda trained, steps: _finish(trained, steps, states, recipe),
    )


def _finish(model: UNet2DConditionModel, steps: int, states: TextStates, recipe: Recipe) -> None:
    """Measures the epsilon error with right and with wrong texts on validation seeds, then writes the weights."""
    vae = load_vae()
    examples = list(islice(recipe.examples(Path(), np.random.default_rng(8), True), VALIDATED))
    data = torch.cat([encoded(vae, examples[i : i + 64]) for i in range(0, len(examples), 64)])
    told = states([each.text for each in examples])
    figures = caption_errors(model, data[:, :4], told, shown(recipe, data, vae.config.scaling_factor))
    card = {"recipe": recipe.name, "steps": steps, "train_seeds": TRAINED_SEEDS, "validation": figures}
    save(model, WEIGHTS / recipe.name, card)
    print(recipe.name, figures, flush=True)
