"""The true-size architectures: their published counts of weights, and one guided step of SD v1.5's UNet."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from instructedit_models.fitting import Plan, fit, role_bytes
from instructedit_models.model_sets import load_model_set
from instructedit_models.sam_model import PUBLISHED, build_sam

CLIP_TEXT = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
FLAN_T5_XL = {
    "model_type": "t5",
    "vocab_size": 32128,
    "d_model": 2048,
    "d_kv": 64,
    "d_ff": 5120,
    "num_layers": 24,
    "num_decoder_layers": 24,
    "num_heads": 32,
    "feed_forward_proj": "gated-gelu",
    "tie_word_embeddings": False,
}
OPT_2_7B = {
    "model_type": "opt",
    "vocab_size": 50304,
    "hidden_size": 2560,
    "ffn_dim": 10240,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "max_position_embeddings": 2048,
    "word_embed_proj_dim": 2560,
}


def sd_unet() -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(sample_size=64, cross_attention_dim=768)


def sd_vae() -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        sample_size=512,
    )


def sd_text_encoder() -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(CLIPTextConfig(**CLIP_TEXT))


def clip(vision: dict[str, int], text: dict[str, int], width: int) -> Any:
    from transformers import CLIPConfig, CLIPModel

    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=width))


def clip_large() -> Any:
    vision = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
    return clip(vision | {"patch_size": 14}, CLIP_TEXT, 768)


def clip_base() -> Any:
    vision = {**CLIP_TEXT, "patch_size": 32}
    text = {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12, "num_attention_heads": 8}
    return clip(vision, text, 512)


def grounding_dino() -> Any:
    from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection

    return GroundingDinoForObjectDetection(GroundingDinoConfig())


def blip2(text: dict[str, Any]) -> Any:
    from transformers import Blip2Config, Blip2ForConditionalGeneration

    return Blip2ForConditionalGeneration(Blip2Config(vision_config={}, qformer_config={}, text_config=text))


def weights(model: Any) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


BUILD: dict[tuple[str, str], Callable[[], Any]] = {
    ("paper", "unet"): sd_unet,
    ("paper", "vae"): sd_vae,
    ("paper", "text_encoder"): sd_text_encoder,
    ("paper", "segmenter"): lambda: build_sam(PUBLISHED["vit_h"]),
    ("light", "segmenter"): lambda: build_sam(PUBLISHED["vit_b"]),
    ("paper", "scorer"): clip_large,
    ("light", "scorer"): clip_base,
    ("light", "describer"): lambda: blip2(OPT_2_7B),
}


@pytest.mark.parametrize(("name", "role"), BUILD)
def test_counts_of_weights(name: str, role: str) -> None:
    with torch.device("meta"):
        model = BUILD[name, role]()
    assert weights(model) == load_model_set(name).recipe.components[role].parameters


@pytest.mark.filterwarnings("ignore:You'd better set embed_dim")
def test_the_port_of_grounding_dino_has_one_norm_that_nothing_uses() -> None:
    with torch.device("meta"):
        model = grounding_dino()
    unused = weights(model.model.backbone.conv_encoder.model.swin.layernorm)
    assert weights(model) - unused == load_model_set("paper").recipe.components["detector"].parameters


def test_blip2_flan_t5_has_an_output_layer_of_its_own() -> None:
    """transformers ties it until a checkpoint brings both; the published count has both."""
    with torch.device("meta"):
        model = blip2(FLAN_T5_XL)
    own = model.language_model.lm_head.weight
    assert own is model.language_model.shared.weight
    assert weights(model) + own.numel() == load_model_set("paper").recipe.components["describer"].parameters


def test_sams_sizes_are_the_registrys() -> None:
    from segment_anything import sam_model_registry

    with torch.device("meta"):
        for name, config in PUBLISHED.items():
            ours, theirs = build_sam(config), sam_model_registry[name]()
            assert {key: each.shape for key, each in ours.state_dict().items()} == {
                key: each.shape for key, each in theirs.state_dict().items()
            }


def test_what_fits_eight_gigabytes() -> None:
    card = (8 * 2**30, 8 * 2**30)
    light, paper = load_model_set("light"), load_model_set("paper")
    assert fit(light.recipe, Plan("cuda", "float16", light.offload), card).fits
    whole = fit(paper.recipe, Plan("cuda", "float16", "none"), card)
    assert not whole.fits and "light" in whole.advice
    large = (16 * 2**30, 16 * 2**30)
    assert "--offload model" in fit(paper.recipe, Plan("cuda", "float16", "none"), large).advice
    assert fit(paper.recipe, Plan("cuda", "float16", "none"), (24 * 2**30, 24 * 2**30)).fits
    assert fit(paper.recipe, Plan("cuda", "float16", "none"), (0, 0)).fits, "what nobody knows is no reason to refuse"
    roles = role_bytes(paper.recipe, "float16")
    assert roles["unet"] == 2 * 859_520_964 and roles["vae"] == 4 * 83_653_863


@pytest.mark.slow
@torch.inference_mode()
def test_one_guided_step_of_the_true_unet() -> None:
    from instructedit_models import ddim
    from instructedit_models.guidance import GuidedNoise
    from tests.hub.repositories import PNDM

    torch.manual_seed(0)
    with torch.device("meta"):
        unet = sd_unet()
    unet = unet.to_empty(device="cpu").eval()
    for parameter in unet.parameters():
        parameter.normal_(0, 0.02) if parameter.dim() > 1 else parameter.fill_(0.5)
    states, empty = torch.randn(1, 77, 768), torch.randn(1, 77, 768)
    ladder = ddim.levels(PNDM, 50, 0.5)[:2]
    latents = torch.randn(1, 4, 64, 64)
    guided = GuidedNoise(unet, states, (7.5,), empty)
    mask = torch.ones(64, 64, dtype=torch.bool)
    end = ddim.masked_denoise_batch([(len(ladder) - 1, latents)], [latents, latents], ladder, mask, guided)
    assert end.shape == latents.shape and torch.isfinite(end).all()
    assert guided.evaluations == 2 and not torch.equal(end, latents)
