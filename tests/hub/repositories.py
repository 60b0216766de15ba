"""Writes the repositories: the layouts that the pinned revisions have, the classes that their configs name."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import (
    BertConfig,
    Blip2Config,
    Blip2ForConditionalGeneration,
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
)

from instructedit_models.model_sets import load_model_set
from instructedit_models.sam_model import SamConfig, build_sam
from tests.hub.tokenizers import t5_like, write_bert, write_clip

SAM = SamConfig(image_size=64, patch_size=16, width=16, depth=2, heads=2, window_size=2, prompt_dim=16, decoder_heads=2)
PNDM = {
    "_class_name": "PNDMScheduler",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
}
WIDTHS = (32, 32, 32, 32)


def make_hub(home: Path) -> Path:
    """Writes every repository of `paper` into a home folder, and returns a set that reads them.

    The set extends `paper` with its pinned revisions; only SAM's sizes, which no file of its checkpoint holds, differ.
    """
    torch.manual_seed(0)
    components = load_model_set("paper-pth").recipe.components
    port = load_model_set("paper").recipe.components["detector"]
    text_encoder = components["detector"].parts["text_encoder"]
    makers: dict[tuple[str, str], Callable[[Path], None]] = {
        (components["vae"].repo or "", components["vae"].revision): stable_diffusion,
        (port.repo or "", port.revision): grounding_dino,
        (text_encoder.repo or "", text_encoder.revision): bert,
        (components["describer"].repo or "", components["describer"].revision): blip2,
        (components["scorer"].repo or "", components["scorer"].revision): clip,
        (components["lcm_lora"].repo or "", components["lcm_lora"].revision): lcm_lora,
    }
    hub = home / "hf" / "hub"
    for (repo, revision), make in makers.items():
        snapshot = hub / ("models--" + repo.replace("/", "--")) / "snapshots" / revision
        snapshot.mkdir(parents=True)
        make(snapshot)
    downloads = home / ".cache" / "instructedit"
    downloads.mkdir(parents=True)
    torch.save(build_sam(SAM).state_dict(), downloads / Path(components["segmenter"].url or "").name)
    return _set(home, components["segmenter"].url or "")


def _set(home: Path, sam: str) -> Path:
    sizes = ", ".join(f"{key} = {json.dumps(value)}" for key, value in SAM.to_dict().items())
    text = (
        'schema = 1\nextends = "paper"\nworking_bytes = 0\n'
        f'[components.segmenter]\nclass = "Sam"\nurl = "{sam}"\nlicence = "Apache-2.0"\n'
        f"options = {{ sizes = {{ {sizes} }} }}\n"
    )
    (home / "set.toml").write_text(text)
    return home / "set.toml"


def stable_diffusion(folder: Path) -> None:
    """vae, unet, text_encoder, tokenizer, scheduler and model_index.json, as stable-diffusion-v1-5 has them."""
    size = write_clip(folder / "tokenizer", fast=False)
    AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=WIDTHS,
        layers_per_block=1,
        sample_size=128,
        scaling_factor=0.18215,
    ).save_pretrained(folder / "vae")
    UNet2DConditionModel(
        sample_size=16, block_out_channels=WIDTHS, layers_per_block=1, cross_attention_dim=32, attention_head_dim=8
    ).save_pretrained(folder / "unet")
    text = CLIPTextConfig(
        vocab_size=size,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        bos_token_id=size - 2,
        eos_token_id=size - 1,
        pad_token_id=size - 1,
    )
    CLIPTextModel(text).save_pretrained(folder / "text_encoder")
    _renamed(folder / "text_encoder" / "model.safetensors", _old_clip)
    _renamed(folder / "vae" / "diffusion_pytorch_model.safetensors", _old_vae)
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(PNDM))
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))


def _renamed(file: Path, rename: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    save_file(rename(load_file(file)), file, metadata={"format": "pt"})


def _old_clip(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The names of 2022: below `text_model`, with the position ids."""
    return {f"text_model.{name}": tensor for name, tensor in state.items()} | {
        "text_model.embeddings.position_ids": torch.arange(77)[None]
    }


def _old_vae(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The names of 2022 in the attention of the middle blocks."""
    old = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}
    for new, before in old.items():
        state = {name.replace(new, before): tensor for name, tensor in state.items()}
    return state


def grounding_dino(folder: Path) -> None:
    """grounding-dino-tiny: a Swin backbone, a BERT, and the processor's files."""
    size = write_bert(folder)
    backbone = {"model_type": "swin", "embed_dim": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2]}
    config = GroundingDinoConfig(
        backbone_config=backbone | {"out_indices": [2, 3, 4]},
        text_config=_bert_config(size).to_dict(),
        d_model=32,
        num_queries=30,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
    )
    GroundingDinoForObjectDetection(config).save_pretrained(folder)
    processor = {
        "image_processor_type": "GroundingDinoImageProcessor",
        "processor_class": "GroundingDinoProcessor",
        "do_normalize": True,
        "do_pad": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
        "resample": 2,
        "rescale_factor": 1 / 255,
        "size": {"longest_edge": 213, "shortest_edge": 128},
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))


def _bert_config(size: int) -> BertConfig:
    return BertConfig(vocab_size=size, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)


def bert(folder: Path) -> None:
    """bert-base-uncased, without its weights."""
    size = write_bert(folder)
    (folder / "config.json").write_text(
        json.dumps(_bert_config(size).to_dict() | {"architectures": ["BertForMaskedLM"]})
    )


def blip2(folder: Path) -> None:
    """blip2-flan-t5-xl: two shards with their index, an output layer of its own, and the processor's files."""
    tokenizer = t5_like()
    tokenizer.save_pretrained(folder)
    small = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "hidden_size": 32}
    config = Blip2Config(
        vision_config=small | {"image_size": 28, "patch_size": 14},
        qformer_config=small | {"vocab_size": len(tokenizer), "encoder_hidden_size": 32},
        text_config={
            "model_type": "t5",
            "vocab_size": len(tokenizer),
            "d_model": 32,
            "d_kv": 16,
            "d_ff": 64,
            "num_layers": 2,
            "num_decoder_layers": 2,
            "num_heads": 2,
            "feed_forward_proj": "gated-gelu",
            "tie_word_embeddings": False,
            "decoder_start_token_id": 0,
            "pad_token_id": 0,
            "eos_token_id": 1,
        },
        num_query_tokens=4,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    model = Blip2ForConditionalGeneration(config)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state["language_model.lm_head.weight"] = torch.randn_like(state["language_model.lm_head.weight"]) / 8
    model.config.save_pretrained(folder)
    _shard(state, folder)
    processor = {
        "image_processor_type": "BlipImageProcessor",
        "processor_class": "Blip2Processor",
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "size": {"height": 28, "width": 28},
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))


def _shard(state: dict[str, torch.Tensor], folder: Path) -> None:
    names = sorted(state)
    halves = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, own in halves.items():
        save_file({name: state[name].contiguous() for name in own}, folder / file, metadata={"format": "pt"})
    weight_map = {name: file for file, own in halves.items() for name in own}
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def clip(folder: Path) -> None:
    """clip-vit-large-patch14, with both tokenizers."""
    size = write_clip(folder, fast=True)
    small = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    ends = {"bos_token_id": size - 2, "eos_token_id": size - 1}
    config = CLIPConfig(
        text_config=small | ends | {"vocab_size": size},
        vision_config=small | {"image_size": 28, "patch_size": 14},
        projection_dim=16,
    )
    CLIPModel(config).save_pretrained(folder)
    processor = {
        "image_processor_type": "CLIPImageProcessor",
        "crop_size": 28,
        "do_center_crop": True,
        "do_normalize": True,
        "do_resize": True,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
        "size": 28,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))


def lcm_lora(folder: Path) -> None:
    """lcm-lora-sdv1-5: one file of low-rank updates under kohya's names."""
    names = [f"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_{which}" for which in ("q", "k", "v")]
    state = {}
    for name in names:
        state[f"{name}.lora_down.weight"] = torch.randn(4, WIDTHS[0])
        state[f"{name}.lora_up.weight"] = torch.randn(WIDTHS[0], 4) / 4
        state[f"{name}.alpha"] = torch.tensor(4.0)
    save_file(state, folder / "pytorch_lora_weights.safetensors")


def copied(hub: Path, target: Path) -> Path:
    """A copy of a home made by `make_hub`, to be spoilt."""
    shutil.copytree(hub, target)
    return target
