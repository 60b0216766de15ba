"""Each baseline that diffusers has too, against its pipeline: the same weights, seeds and latents."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler

from instructedit_models import ddim
from instructedit_models.baselines.diffedit import DiffEdit, diffusers_ladders
from instructedit_models.baselines.inpainting import condition
from instructedit_models.baselines.instruct_pix2pix import InstructedNoise
from instructedit_models.baselines.work import Conditioned, Work, working
from instructedit_models.guidance import GuidedNoise
from tests.instructedit_models.baselines.tiny import EIGHT, TASK, TinyMethodModels, picture
from tests.instructedit_models.tiny_diffusion import SCHEDULER_CONFIG

STEPS = 10
SCALE = 3.0


@pytest.fixture(scope="module")
def models() -> TinyMethodModels:
    return TinyMethodModels()


@pytest.fixture
def work(models: TinyMethodModels) -> Iterator[Work]:
    options = replace(EIGHT, steps=STEPS, encoding_ratio=0.6, guidance_scale=SCALE)
    with working(models, picture(), TASK, options, None) as one:
        yield one


@pytest.fixture(autouse=True)
def old_diffusers() -> Iterator[None]:
    """The pipelines warn of what they themselves will lose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _pipeline(kind: Any, models: TinyMethodModels, unet: Any = None, **more: Any) -> Any:
    vae, text_encoder, tokenizer, own = models.components
    tokenizer.model_max_length = text_encoder.config.max_position_embeddings
    scheduler = DDIMScheduler(**SCHEDULER_CONFIG, clip_sample=False)
    pipeline = kind(
        vae=vae, text_encoder=text_encoder, tokenizer=tokenizer, unet=unet or own, scheduler=scheduler,
        safety_checker=None, feature_extractor=None, requires_safety_checker=False, **more,
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _ladder(strength: float = 1.0) -> tuple[ddim.Level, ...]:
    """The levels of diffusers' DDIM scheduler."""
    return diffusers_ladders(SCHEDULER_CONFIG, STEPS, strength)[1]


def _diffedit(models: TinyMethodModels) -> Any:
    from diffusers.pipelines.deprecated.stable_diffusion_diffedit.pipeline_stable_diffusion_diffedit import (
        StableDiffusionDiffEditPipeline,
    )

    inverse = DDIMInverseScheduler(**SCHEDULER_CONFIG, clip_sample=False)
    return _pipeline(StableDiffusionDiffEditPipeline, models, inverse_scheduler=inverse)


@pytest.mark.parametrize(("seed", "maps", "strength"), [(0, 1, 0.5), (5, 4, 0.5), (7, 3, 0.9)])
def test_diffedit_finds_the_same_mask(
    models: TinyMethodModels, work: Work, seed: int, maps: int, strength: float
) -> None:
    pipeline = _diffedit(models)
    clean = work.clean()
    theirs = pipeline.generate_mask(
        image=clean, source_prompt=TASK.input_caption, target_prompt=TASK.edited_caption, num_maps_per_mask=maps,
        mask_encode_strength=strength, num_inference_steps=STEPS, guidance_scale=SCALE,
        generator=torch.Generator().manual_seed(seed),
    )  # fmt: skip
    work.options = replace(work.options, seed=seed)
    ours = DiffEdit(maps=maps, mask_strength=strength, as_diffusers=True).cells(work, clean)
    assert 0 < ours.sum() < ours.numel()
    np.testing.assert_array_equal(ours.numpy(), theirs[0].astype(bool))


def test_diffedit_makes_the_same_latents_and_picture(models: TinyMethodModels, work: Work) -> None:
    pipeline = _diffedit(models)
    clean = work.clean()
    method = DiffEdit(maps=4, as_diffusers=True)
    cells = method.cells(work, clean)
    inverted = pipeline.invert(
        prompt=TASK.input_caption, image=clean, num_inference_steps=STEPS, inpaint_strength=0.6, guidance_scale=SCALE
    ).latents
    inverting, ladder = diffusers_ladders(SCHEDULER_CONFIG, STEPS, 0.6)
    stored = work.invert(clean, inverting, work.noise(TASK.input_caption, SCALE))
    assert len(stored) == inverted.shape[1] + 1 == 7
    for ours, theirs in zip(stored[1:], inverted[0].flip(0), strict=True):
        torch.testing.assert_close(ours[0], theirs, rtol=1e-4, atol=1e-4)

    given = {"prompt": TASK.edited_caption, "image_latents": inverted, "inpaint_strength": 0.6, "output_type": "latent"}
    theirs = pipeline(
        **given, mask_image=cells.float()[None, None], num_inference_steps=STEPS, guidance_scale=SCALE
    ).images
    ours = work.masked_denoise(stored[-1], stored[1:], ladder, cells, work.noise(TASK.edited_caption, SCALE))
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)

    whole = method.edit(models, picture(), TASK, work.options)
    np.testing.assert_array_equal(whole.mask, work.pixels(cells))
    assert np.abs(np.asarray(whole.image, int) - np.asarray(work.result(theirs).image, int)).max() <= 1
    assert whole.unet_evaluations == 2 * 4 + 2 * 6 + 2 * 6


def test_instruct_pix2pix_combines_as_diffusers_does(models: TinyMethodModels, work: Work) -> None:
    from diffusers import StableDiffusionInstructPix2PixPipeline

    unet = models.instruct_pix2pix
    pipeline = _pipeline(StableDiffusionInstructPix2PixPipeline, models, unet)
    start, side = work.drawn((1, 4, 8, 8)), models.editor.native_size
    theirs = pipeline(
        prompt=TASK.instruction, image=picture().resize((side, side), 3), num_inference_steps=STEPS,
        guidance_scale=SCALE, image_guidance_scale=1.7, latents=start, output_type="latent",
    ).images  # fmt: skip
    states = work.diffusion.embed(TASK.instruction, known=False), work.diffusion.embed("")
    shown = work.diffusion.unscaled(work.clean())
    noise = InstructedNoise(unet, states, shown, (SCALE, 1.7))
    ours = work.denoise(start, _ladder(), noise, unet)
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)
    assert noise.evaluations == 3 * STEPS


def test_inpainting_is_shown_what_diffusers_shows(models: TinyMethodModels, work: Work) -> None:
    from diffusers import StableDiffusionInpaintPipeline

    unet, side = models.inpainting, models.editor.native_size
    pipeline = _pipeline(StableDiffusionInpaintPipeline, models, unet)
    start, mask = work.drawn((1, 4, 8, 8)), np.zeros((40, 48), bool)
    mask[8:30, 5:20] = True
    channels = condition(work, mask)
    small = torch.from_numpy(np.asarray(_nearest(mask, side)).copy())
    np.testing.assert_array_equal(channels[0, 0].bool(), small[::4, ::4])
    theirs = pipeline(
        prompt=TASK.edited_caption, image=picture().resize((side, side), 3), mask_image=_nearest(mask, side),
        height=side, width=side, num_inference_steps=STEPS, guidance_scale=SCALE, latents=start,
        masked_image_latents=channels[:, 1:], output_type="latent",
    ).images  # fmt: skip
    states, empty = work.diffusion.embed(TASK.edited_caption), work.diffusion.embed("")
    noise = GuidedNoise(Conditioned(unet, channels), states, (SCALE,), empty)
    ours = work.denoise(start, _ladder(), noise, unet)
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


def _nearest(mask: np.ndarray, side: int) -> Any:
    from PIL import Image

    return Image.fromarray(mask).resize((side, side), Image.Resampling.NEAREST)
