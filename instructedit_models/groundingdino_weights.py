"""The authors' Grounding DINO weights under the names of the transformers port, so that one .pth serves both builds.

The loaders call it where a set gives the port a .pth file; the parity of the two adapters is tested with it.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from instructedit_models.errors import ModelUnavailableError

__all__ = ["load_port", "port_config", "port_weights", "read_checkpoint"]

_BACKBONE = "model.backbone.conv_encoder.model"
_ATTENTION = (".query", ".key", ".value")
_RULES: tuple[tuple[str, str], ...] = (
    # Swin
    (r"^backbone\.0\.patch_embed\.proj\.", f"{_BACKBONE}.swin.embeddings.patch_embeddings.projection."),
    (r"^backbone\.0\.patch_embed\.norm\.", f"{_BACKBONE}.swin.embeddings.norm."),
    (r"^backbone\.0\.norm1\.", f"{_BACKBONE}.hidden_states_norms.stage2."),
    (r"^backbone\.0\.norm2\.", f"{_BACKBONE}.hidden_states_norms.stage3."),
    (r"^backbone\.0\.norm3\.", f"{_BACKBONE}.hidden_states_norms.stage4."),
    (
        r"^backbone\.0\.layers\.(\d+)\.blocks\.(\d+)\.norm1\.",
        rf"{_BACKBONE}.swin.encoder.layers.\1.blocks.\2.layernorm_before.",
    ),
    (
        r"^backbone\.0\.layers\.(\d+)\.blocks\.(\d+)\.norm2\.",
        rf"{_BACKBONE}.swin.encoder.layers.\1.blocks.\2.layernorm_after.",
    ),
    (r"^backbone\.0\.layers\.", f"{_BACKBONE}.swin.encoder.layers."),
    (r"\.attn\.relative_position_bias_table$", ".attention.relative_position_bias.relative_position_bias_table"),
    (r"(\.blocks\.\d+)\.attn\.proj\.", r"\1.attention.o_proj."),
    (r"(\.blocks\.\d+)\.attn\.qkv\.", r"\1.attention.qkv."),
    # text, and what leads into the transformer
    (r"^bert\.", "model.text_backbone."),
    (r"^feat_map\.", "model.text_projection."),
    (r"^input_proj\.", "model.input_proj_vision."),
    # encoder: fusion, text enhancer, deformable attention
    (r"^transformer\.encoder\.fusion_layers\.(\d+)\.", r"model.encoder.layers.\1.fusion_layer."),
    (r"\.fusion_layer\.gamma_v$", ".fusion_layer.vision_param"),
    (r"\.fusion_layer\.gamma_l$", ".fusion_layer.text_param"),
    (r"\.fusion_layer\.layer_norm_v\.", ".fusion_layer.layer_norm_vision."),
    (r"\.fusion_layer\.layer_norm_l\.", ".fusion_layer.layer_norm_text."),
    (r"\.fusion_layer\.attn\.(values_|out_|)v_proj\.", r".fusion_layer.attn.\1vision_proj."),
    (r"\.fusion_layer\.attn\.(values_|out_|)l_proj\.", r".fusion_layer.attn.\1text_proj."),
    (r"^transformer\.encoder\.text_layers\.(\d+)\.", r"model.encoder.layers.\1.text_enhancer_layer."),
    (r"\.text_enhancer_layer\.norm1\.", ".text_enhancer_layer.layer_norm_before."),
    (r"\.text_enhancer_layer\.norm2\.", ".text_enhancer_layer.layer_norm_after."),
    (r"^transformer\.encoder\.layers\.(\d+)\.", r"model.encoder.layers.\1.deformable_layer."),
    (r"\.deformable_layer\.norm1\.", ".deformable_layer.self_attn_layer_norm."),
    (r"\.deformable_layer\.norm2\.", ".deformable_layer.final_layer_norm."),
    # decoder
    (r"^transformer\.decoder\.norm\.", "model.decoder.layer_norm."),
    (r"^transformer\.decoder\.ref_point_head\.", "model.decoder.reference_points_head."),
    (r"^transformer\.decoder\.layers\.(\d+)\.norm1\.", r"model.decoder.layers.\1.encoder_attn_layer_norm."),
    (r"^transformer\.decoder\.layers\.(\d+)\.norm2\.", r"model.decoder.layers.\1.self_attn_layer_norm."),
    (r"^transformer\.decoder\.layers\.(\d+)\.norm3\.", r"model.decoder.layers.\1.final_layer_norm."),
    (r"^transformer\.decoder\.layers\.(\d+)\.cross_attn\.", r"model.decoder.layers.\1.encoder_attn."),
    (r"^transformer\.decoder\.layers\.(\d+)\.ca_text\.", r"model.decoder.layers.\1.encoder_attn_text."),
    (r"^transformer\.decoder\.layers\.(\d+)\.catext_norm\.", r"model.decoder.layers.\1.encoder_attn_text_layer_norm."),
    (r"^transformer\.decoder\.", "model.decoder."),
    (r"\.linear1\.", ".fc1."),
    (r"\.linear2\.", ".fc2."),
    # two stages
    (r"^transformer\.tgt_embed\.", "model.query_position_embeddings."),
    (r"^transformer\.enc_out_bbox_embed\.", "model.encoder_output_bbox_embed."),
    (r"^transformer\.", "model."),
)
"""Applied in this order, each to the outcome of the one before."""

_UNUSED = re.compile(r"relative_position_index$|^bert\.pooler\.|^bert\.embeddings\.position_ids$|^label_enc\.")
_ONLY_IN_PORT = re.compile(r"\.swin\.layernorm\.")


def read_checkpoint(file: str | Path) -> dict[str, Tensor]:
    """The weights of a .pth file as the authors publish it, by their own names, on the CPU.

    Raises ModelUnavailableError where the file is missing.
    """
    if not Path(file).is_file():
        raise ModelUnavailableError(f"The Grounding DINO checkpoint is missing: {file}.")
    state = torch.load(file, map_location="cpu", weights_only=True)
    return {name.removeprefix("module."): tensor for name, tensor in state.get("model", state).items()}


def port_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of groundingdino-py's `GroundingDINO` under the names of `GroundingDinoForObjectDetection`.

    Args:
        state: its state dict; the joint projections of attention layers, (3 D, D), are taken apart.

    Returns:
        Views of the same tensors; what the port does not use is left out.
    """
    converted: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if _UNUSED.search(name):
            continue
        for pattern, replacement in _RULES:
            name = re.sub(pattern, replacement, name)
        converted.update(_taken_apart(name, tensor))
    return converted


def port_config(text_encoder: str | Path, **changes: Any) -> Any:
    """The port's config for the authors' Swin-T OGC, with a text encoder of one's own.

    Args:
        text_encoder: folder or name of the BERT model.
        changes: fields of `GroundingDinoConfig` to change.

    Raises:
        ModelUnavailableError: the text encoder is missing.
    """
    from transformers import BertConfig, GroundingDinoConfig

    try:
        text = BertConfig.from_pretrained(text_encoder)
    except OSError as error:
        raise ModelUnavailableError(f"Grounding DINO's text encoder {text_encoder} is not here: {error}.") from error
    return GroundingDinoConfig(text_config=text.to_dict(), **changes)


def load_port(config: Any, state: Mapping[str, Tensor]) -> Any:
    """A `GroundingDinoForObjectDetection` with the authors' weights, in eval mode.

    Args:
        config: see `port_config`.
        state: see `read_checkpoint`.

    Raises:
        ModelUnavailableError: the weights are of another architecture than the config.
    """
    from transformers import GroundingDinoForObjectDetection

    model = GroundingDinoForObjectDetection(config)
    try:
        missing, unexpected = model.load_state_dict(port_weights(state), strict=False)
    except RuntimeError as error:
        raise ModelUnavailableError(
            "The Grounding DINO checkpoint has other sizes than Swin-T OGC; only that one is supported."
        ) from error
    wrong = [name for name in [*missing, *unexpected] if not _ONLY_IN_PORT.search(name)]
    if wrong:
        raise ModelUnavailableError(
            f"The Grounding DINO checkpoint does not fit Swin-T OGC: {len(wrong)} weights differ, e.g. {wrong[0]}."
        )
    return model.eval()


def _taken_apart(name: str, tensor: Tensor) -> dict[str, Tensor]:
    kind = name.rpartition(".")[2]
    if name.endswith((".in_proj_weight", ".in_proj_bias")):
        stem, kind = name.rsplit(".in_proj_", 1)
        return {f"{stem}{part}.{kind}": each for part, each in zip(_ATTENTION, tensor.chunk(3), strict=True)}
    if ".attention.qkv." in name:
        stem = name.rsplit(".qkv.", 1)[0]
        return {f"{stem}.{part}_proj.{kind}": each for part, each in zip("qkv", tensor.chunk(3), strict=True)}
    return {name: tensor}
