"""The recipes of the two conditioned UNets: their start, their examples, and weights that diffusers' pipelines load."""

import json
import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionInpaintPipeline, StableDiffusionInstructPix2PixPipeline
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from instructedit_models.miniature.training import conditioned, inpainting_unet, instruct_pix2pix, unet, vae
from instructedit_models.miniature.training.data import Pool
from instructedit_models.miniature.training.unet import denoising_loss, schedule
from instructedit_models.miniature.world import TRAIN_SEEDS
from tests.instructedit_models.baselines.tiny import picture, wide_unet
from tests.instructedit_models.tiny_diffusion import SCHEDULER_CONFIG, tiny_components


@pytest.mark.parametrize("extra", [4, 5])
def test_a_widened_unet_starts_as_the_one_it_came_from(extra: int) -> None:
    unet = tiny_components().unet
    wide = conditioned.widened(unet, extra).eval()
    assert wide.config.in_channels == 4 + extra
    latents, states = torch.randn(2, 4, 8, 8), torch.randn(2, 12, 16)
    with torch.no_grad():
        plain = unet(latents, 500, states).sample
        shown = wide(torch.cat([latents, torch.randn(2, extra, 8, 8)], dim=1), 500, states).sample
    torch.testing.assert_close(shown, plain)
    loss, _ = denoising_loss(wide, latents, states, schedule().alphas_cumprod, torch.randn(2, extra, 8, 8))
    loss.backward()
    assert wide.conv_in.weight.grad[:, 4:].abs().sum() > 0  # it can learn to look at them


def test_a_saved_config_does_not_tell_where_its_start_lay(tmp_path: Path) -> None:
    tiny_components().unet.save_pretrained(tmp_path / "start")
    start = UNet2DConditionModel.from_pretrained(tmp_path / "start")
    conditioned.save(conditioned.widened(start, 5), tmp_path / "unet", {})
    assert str(tmp_path) not in (tmp_path / "unet" / "config.json").read_text()


@pytest.mark.parametrize(
    ("kind", "extra"), [(StableDiffusionInstructPix2PixPipeline, 4), (StableDiffusionInpaintPipeline, 5)]
)
def test_saved_weights_run_in_diffusers_pipelines(kind: Any, extra: int, tmp_path: Path) -> None:
    saved = wide_unet(extra)
    conditioned.save(saved, tmp_path / "unet", {"recipe": "test", "steps": 1})
    assert json.loads((tmp_path / "unet" / "training.json").read_text())["recipe"] == "test"
    loaded = UNet2DConditionModel.from_pretrained(tmp_path / "unet")
    torch.testing.assert_close(loaded.conv_in.weight, saved.conv_in.weight, rtol=1e-2, atol=1e-3)
    vae, text_encoder, tokenizer, _ = tiny_components()
    tokenizer.model_max_length = text_encoder.config.max_position_embeddings
    scheduler = DDIMScheduler(**SCHEDULER_CONFIG, clip_sample=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline = kind(
            vae=vae, text_encoder=text_encoder, tokenizer=tokenizer, unet=loaded, scheduler=scheduler,
            safety_checker=None, feature_extractor=None, requires_safety_checker=False,
        )  # fmt: skip
        pipeline.set_progress_bar_config(disable=True)
        image = picture().resize((32, 32))
        masked = {"mask_image": image.convert("L"), "height": 32, "width": 32} if extra == 5 else {}
        made = pipeline(prompt="red car", image=image, num_inference_steps=2, **masked).images[0]
    assert made.size == (32, 32) and made.tobytes() != image.tobytes()


def test_examples_of_instructions_differ_where_the_edit_is() -> None:
    made = list(islice(instruct_pix2pix.examples(Path(), np.random.default_rng(1), True), 6))
    for example in made:
        assert example.target.shape == example.seen.shape == (64, 64, 3) and example.planes.shape == (0, 16, 16)
        changed = (example.target != example.seen).any(axis=2).mean()
        assert changed > 0 and len(example.text.split()) > 1
    assert len({example.text for example in made}) > 3


def test_examples_of_inpainting_hide_what_the_mask_covers(monkeypatch: pytest.MonkeyPatch) -> None:
    few = inpainting_unet.validation_samples(3)
    monkeypatch.setattr(inpainting_unet, "validation_samples", lambda count: few)
    made = list(islice(inpainting_unet.examples(Path(), np.random.default_rng(2), True), 40))
    covered = []
    for example in made:
        hidden = (example.seen == inpainting_unet.GREY).all(axis=2)
        cells = example.planes[0].astype(bool)
        assert example.planes.shape == (1, 16, 16) and hidden[::4, ::4][cells].all()
        same = (example.seen == example.target).all(axis=2)
        assert (same | hidden).all() and example.text
        covered.append(hidden.mean())
    assert max(covered) == 1 and 0 < min(covered) < 0.2 and len(set(covered)) > 20


@pytest.mark.parametrize(("recipe", "picture_goes"), [(instruct_pix2pix.RECIPE, True), (inpainting_unet.RECIPE, False)])
def test_what_is_put_out_in_training(recipe: conditioned.Recipe, picture_goes: bool) -> None:
    torch.manual_seed(0)
    texts, given = recipe.dropped(["make it red"] * 4000, torch.ones(4000, 4 + recipe.planes, 1, 1))
    said, seen = np.array([bool(text) for text in texts]), given.flatten(1).all(dim=1).numpy()
    assert 0.08 < 1 - said.mean() < 0.12
    if not picture_goes:
        assert seen.all()
        return
    for gone in (~said & seen, said & ~seen, ~said & ~seen):
        assert 0.035 < gone.mean() < 0.065


def test_a_cache_is_filled_and_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    recipe = inpainting_unet.RECIPE

    def encode(vae: Any, crops: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(crops[:, ::4, ::4, :1].astype(np.float32)).permute(0, 3, 1, 2).expand(-1, 4, -1, -1)

    monkeypatch.setattr(conditioned, "encode", encode)
    monkeypatch.setattr(conditioned, "load_vae", lambda: None)
    plane = np.ones((1, 16, 16), np.float32)
    examples = [
        conditioned.Example(np.full((64, 64, 3), i, np.uint8), np.full((64, 64, 3), 9, np.uint8), plane, f"text {i}")
        for i in range(7)
    ]
    cache = conditioned.Cache(tmp_path, recipe)
    cache.fill(iter(examples), 7, batch=3)
    batch, texts = next(cache.batches(16, seed=0))
    assert batch.shape == (16, 9, 16, 16)
    for example, text in zip(batch, texts, strict=True):
        assert example[:4].unique().tolist() == [float(text.split()[1])]
        assert example[4].unique().tolist() == [1.0] and example[5:].unique().tolist() == [9.0]
    shown = conditioned.shown(instruct_pix2pix.RECIPE, torch.ones(1, 8, 16, 16), 0.5)
    assert shown.shape == (1, 4, 16, 16) and (shown == 2).all()


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of weights with the committed VAE and text encoder and a UNet so small that a step takes no time."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for name in ("vae", "text"):
        (folder / name).symlink_to(conditioned.WEIGHTS / name)
    small = UNet2DConditionModel(
        sample_size=16, layers_per_block=1, block_out_channels=(16, 32), norm_num_groups=8, cross_attention_dim=128,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
    )  # fmt: skip
    small.save_pretrained(folder / "unet")
    for module in (vae, unet, conditioned):
        monkeypatch.setattr(module, "WEIGHTS", folder)
    return folder


@pytest.fixture
def threads() -> Iterator[None]:
    """Gives PyTorch its threads back after a recipe."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(("module", "channels"), [(instruct_pix2pix, 8), (inpainting_unet, 9)])
def test_a_recipe_prepares_trains_and_goes_on(
    module: Any, channels: int, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Pool(tmp_path / "pool", TRAIN_SEEDS[:3], create=True)
    pool.draw()
    few = inpainting_unet.validation_samples(3)
    monkeypatch.setattr(inpainting_unet, "training_pool", lambda work: pool)
    monkeypatch.setattr(inpainting_unet, "validation_samples", lambda count: few)
    monkeypatch.setattr(conditioned, "VALIDATED", 8)
    common = ["--work", str(tmp_path / "work"), "--batch", "4", "--threads", "1"]
    module.main([*common, "--prepare", "6"])
    module.main([*common, "--minutes", "0.005"])
    folder = weights / module.RECIPE.name
    first = json.loads((folder / "training.json").read_text())
    module.main([*common, "--minutes", "0.005", "--resume"])
    card = json.loads((folder / "training.json").read_text())
    assert card["steps"] > first["steps"] > 0 and card["recipe"] == module.RECIPE.name
    assert all(np.isfinite(value) for value in card["validation"].values())
    loaded = UNet2DConditionModel.from_pretrained(folder)
    assert loaded.config.in_channels == channels
    assert "_name_or_path" not in (folder / "config.json").read_text()
