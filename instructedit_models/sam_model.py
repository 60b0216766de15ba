"""Composes segment_anything's `Sam` at any size from a plain dict, the `config.json` beside its weights.

Called by the loaders and by the training recipe, so that both build the very same module.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import torch
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from torch import nn

from instructedit_models.errors import BadParameterError, ModelUnavailableError

__all__ = ["PUBLISHED", "SamConfig", "build_sam", "load_checkpoint"]


@dataclass(frozen=True)
class SamConfig:
    """Sizes of a `Sam`; the defaults are the miniature's, the authors' are in `PUBLISHED`.

    The low-resolution masks are 4 x (image_size / patch_size) pixels wide: the mask decoder upscales twice by two.

    Attributes:
        image_size: side of the square input in pixels; longer sides are resized to it, the rest is padded.
        patch_size: side of one patch in pixels.
        width: channels of the image encoder.
        depth: blocks of the image encoder.
        heads: attention heads of the image encoder.
        window_size: side in patches of the attention windows; 0 attends globally everywhere.
        global_attn_indexes: the blocks that attend globally all the same.
        prompt_dim: channels of prompts and image embeddings, a multiple of 8 (and of `2 * decoder_heads`).
        decoder_depth: layers of the two-way transformer.
        decoder_heads: its heads.
        decoder_mlp: its hidden width.
        mask_in_chans: hidden channels for mask prompts, a multiple of 4.
        iou_hidden: hidden width of the mask-quality head.
        pixel_mean: per channel RGB, on the 0-255 scale.
        pixel_std: likewise.
    """

    image_size: int = 128
    patch_size: int = 8
    width: int = 96
    depth: int = 4
    heads: int = 4
    window_size: int = 0
    global_attn_indexes: Sequence[int] = ()
    prompt_dim: int = 64
    decoder_depth: int = 2
    decoder_heads: int = 4
    decoder_mlp: int = 256
    mask_in_chans: int = 16
    iou_hidden: int = 64
    pixel_mean: Sequence[float] = (127.5, 127.5, 127.5)
    pixel_std: Sequence[float] = (127.5, 127.5, 127.5)

    def to_dict(self) -> dict[str, Any]:
        """The config as JSON takes it; `build_sam` reads it back."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def _published(width: int, depth: int, heads: int, global_attn_indexes: tuple[int, ...]) -> SamConfig:
    return SamConfig(
        image_size=1024,
        patch_size=16,
        width=width,
        depth=depth,
        heads=heads,
        window_size=14,
        global_attn_indexes=global_attn_indexes,
        prompt_dim=256,
        decoder_heads=8,
        decoder_mlp=2048,
        iou_hidden=256,
        pixel_mean=(123.675, 116.28, 103.53),
        pixel_std=(58.395, 57.12, 57.375),
    )


PUBLISHED: Mapping[str, SamConfig] = {
    "vit_h": _published(1280, 32, 16, (7, 15, 23, 31)),
    "vit_l": _published(1024, 24, 16, (5, 11, 17, 23)),
    "vit_b": _published(768, 12, 12, (2, 5, 8, 11)),
}
"""The authors' sizes, by the names of `segment_anything.sam_model_registry`."""


def load_checkpoint(checkpoint: str | Path, config: Mapping[str, Any] | SamConfig) -> Sam:
    """A `Sam` with the weights of a .pth as the authors publish it, on the CPU, in eval mode.

    Args:
        checkpoint: the file.
        config: its sizes.

    Raises:
        ModelUnavailableError: the weights are of another size.
    """
    with torch.device("meta"):
        sam = build_sam(config)
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
    except RuntimeError:  # the format before torch 1.6 cannot be mapped
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    try:
        sam.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise ModelUnavailableError(
            "SAM's checkpoint has other sizes than the set says; its option `registry` is one of vit_h, vit_l, vit_b."
        ) from error
    sizes = config if isinstance(config, SamConfig) else SamConfig(**config)
    for name in ("pixel_mean", "pixel_std"):  # no part of a checkpoint
        setattr(sam, name, torch.tensor(getattr(sizes, name), dtype=torch.float32).view(-1, 1, 1))
    return sam.eval()


def build_sam(config: Mapping[str, Any] | SamConfig | None = None) -> Sam:
    """A `Sam` with random weights, in eval mode.

    Args:
        config: fields of `SamConfig`; those missing take the miniature's values. Keys that begin with "_" are
            ignored, so that a config.json may carry notes.

    Returns:
        The module. `image_encoder` takes (B, 3, S, S) float as `Sam.preprocess` makes it and gives
        (B, prompt_dim, S/P, S/P); `prompt_encoder(boxes=(N, 4) in input pixels)` and `mask_decoder` give
        (N, 1, 4S/P, 4S/P) logits.

    Raises:
        BadParameterError: unknown field, or sizes that do not divide.
    """
    if not isinstance(config, SamConfig):
        given = {key: value for key, value in (config or {}).items() if not key.startswith("_")}
        if unknown := sorted(given.keys() - {each.name for each in fields(SamConfig)}):
            raise BadParameterError(f"The SAM config has unknown fields: {', '.join(unknown)}.")
        config = SamConfig(**given)
    _check(config)
    side = config.image_size // config.patch_size
    sam = Sam(
        image_encoder=ImageEncoderViT(
            img_size=config.image_size,
            patch_size=config.patch_size,
            embed_dim=config.width,
            depth=config.depth,
            num_heads=config.heads,
            mlp_ratio=4,
            out_chans=config.prompt_dim,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=config.window_size,
            global_attn_indexes=tuple(config.global_attn_indexes),
        ),
        prompt_encoder=PromptEncoder(
            embed_dim=config.prompt_dim,
            image_embedding_size=(side, side),
            input_image_size=(config.image_size, config.image_size),
            mask_in_chans=config.mask_in_chans,
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(
                depth=config.decoder_depth,
                embedding_dim=config.prompt_dim,
                mlp_dim=config.decoder_mlp,
                num_heads=config.decoder_heads,
            ),
            transformer_dim=config.prompt_dim,
            iou_head_depth=3,
            iou_head_hidden_dim=config.iou_hidden,
        ),
        pixel_mean=list(config.pixel_mean),
        pixel_std=list(config.pixel_std),
    )
    return sam.eval()


def _check(config: SamConfig) -> None:
    for whole, part in (
        ("image_size", "patch_size"),
        ("width", "heads"),
    ):
        if getattr(config, whole) % getattr(config, part):
            raise BadParameterError(
                f"SAM's {whole} ({getattr(config, whole)}) must be a multiple of {part} ({getattr(config, part)})."
            )
    if config.prompt_dim % 8 or (config.prompt_dim // 2) % config.decoder_heads or config.mask_in_chans % 4:
        raise BadParameterError(
            f"SAM's prompt_dim ({config.prompt_dim}) must be a multiple of 8 and of twice decoder_heads "
            f"({config.decoder_heads}), mask_in_chans ({config.mask_in_chans}) of 4."
        )
