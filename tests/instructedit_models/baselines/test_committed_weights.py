"""The committed UNets of InstructPix2Pix and inpainting are in diffusers' own layout: its pipelines run them."""

from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionInpaintPipeline,
    StableDiffusionInstructPix2PixPipeline,
    UNet2DConditionModel,
)
from PIL import Image
from transformers import AutoTokenizer, CLIPTextModel

from instructedit_models.miniature.rendering import render
from instructedit_models.miniature.training.common import WEIGHTS
from instructedit_models.miniature.world import sample_scene


def pipeline(kind: Any, role: str) -> Any:
    made = kind(
        vae=AutoencoderKL.from_pretrained(WEIGHTS / "vae", torch_dtype=torch.float32),
        text_encoder=CLIPTextModel.from_pretrained(WEIGHTS / "text", dtype=torch.float32),
        tokenizer=AutoTokenizer.from_pretrained(WEIGHTS / "text"),
        unet=UNet2DConditionModel.from_pretrained(WEIGHTS / role, torch_dtype=torch.float32),
        scheduler=DDIMScheduler.from_pretrained(WEIGHTS / "scheduler"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    made.set_progress_bar_config(disable=True)
    return made


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return Image.fromarray(render(sample_scene(9_000_000)).image).resize((64, 64))


def test_diffusers_runs_instruct_pix2pix(picture: Image.Image) -> None:
    run = pipeline(StableDiffusionInstructPix2PixPipeline, "instruct_pix2pix")
    generator = torch.Generator().manual_seed(0)
    (made,) = run("make the cup green", image=picture, num_inference_steps=10, generator=generator).images
    assert made.size == picture.size
    assert near(made, picture) < near(made, picture.rotate(180)), "it keeps the scene"


def test_diffusers_runs_inpainting(picture: Image.Image) -> None:
    run = pipeline(StableDiffusionInpaintPipeline, "inpainting")
    mask = Image.new("L", picture.size)
    mask.paste(255, (2, 10, 24, 32))
    (made,) = run(
        "photo of a green cup", image=picture, mask_image=mask, height=64, width=64, num_inference_steps=10,
        generator=torch.Generator().manual_seed(0),
    ).images  # fmt: skip
    assert made.size == picture.size and np.asarray(made).std() > 5


def near(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, float) - np.asarray(other, float)).mean())
