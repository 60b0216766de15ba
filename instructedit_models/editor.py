"""`MaskedDDIMEditor`: the paper's edit, from picture, mask and two captions to the edited picture.

Encode -> invert (cached) -> masked denoise -> decode -> compose. Model sets build it; `edit_image` and the benchmarks
call it.
"""

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from instructedit_models import ddim
from instructedit_models.crop import CropPlan, editable_cells, extract, feather, grow, plan_crop, stitch, whole_picture
from instructedit_models.edit_options import check_options
from instructedit_models.errors import (
    BadImageError,
    BadMaskError,
    BadParameterError,
    InstructEditError,
)
from instructedit_models.inversion_cache import InversionCache, InversionKey
from instructedit_models.tokens import require_known, unknown_words
from instructedit_models.types import EditOptions, EditResult, Progress, ProgressCallback

__all__ = ["MaskedDDIMEditor"]

VARIATION = 0.6
"""Share of the noise inside the mask that a seed other than 0 draws anew (see `ddim.vary`)."""

_TEXTS_KEPT = 64
_SAMPLES_PER_TENSOR = 64


class MaskedDDIMEditor:
    """Masked DDIM editing with the components of a latent diffusion model.

    DDIM is deterministic, so seed 0 stands for the edit itself; any other seed gives a variation of it, by drawing part
    of the noise inside the mask anew.
    """

    def __init__(
        self,
        vae: Any,
        text_encoder: Any,
        tokenizer: Any,
        unet: Any,
        scheduler_config: Mapping[str, Any],
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        *,
        cache_size: int = 256 * 2**20,
    ) -> None:
        """Puts the components on the device.

        Args:
            vae: an `AutoencoderKL`; it keeps its own dtype, since decoding in half precision may overflow.
            text_encoder: a `CLIPTextModel`.
            tokenizer: its fast tokenizer.
            unet: a `UNet2DConditionModel` that predicts epsilon.
            scheduler_config: `scheduler_config.json`, of which the noise schedule is read.
            device: "cpu", "cuda" …
            dtype: of the UNet and the text encoder.
            cache_size: bytes of inversions that are remembered.

        Raises:
            BadParameterError: a noise schedule or prediction type that is not supported.
        """
        self._device = torch.device(device)
        self._vae = self._placed(vae, vae.dtype)
        self._unet = self._placed(unet, dtype)
        self._text_encoder = self._placed(text_encoder, dtype)
        self._tokenizer = tokenizer
        self._scheduler_config = dict(scheduler_config)
        self._train_steps = len(ddim.alphas(scheduler_config))
        self._cache = InversionCache(cache_size)
        self._texts: OrderedDict[str, Tensor] = OrderedDict()
        self._texts_lock = threading.Lock()

    def _placed(self, model: Any, dtype: torch.dtype) -> Any:
        if model.dtype != dtype:
            model = model.to(dtype)
        model = model.to(self._device).eval().requires_grad_(False)
        # Convolutions are faster with channels last on a CPU; elsewhere the layout is left to the backend.
        return model.to(memory_format=torch.channels_last) if self._device.type == "cpu" else model

    @property
    def native_size(self) -> int:
        """Side in pixels of the square pictures that the models were trained on."""
        return self._latent_size * self._pixels_per_cell

    @cached_property
    def revision(self) -> str:
        """12 hex digits that change with the configs, the noise schedule or the weights.

        Of each tensor its shape and evenly spaced samples are hashed: enough to tell two trainings apart, cheap for
        large models, no proof against tampering.
        """
        digest = hashlib.sha256(json.dumps(_plain(self._scheduler_config), sort_keys=True).encode())
        for model in (self._vae, self._text_encoder, self._unet):
            config = model.config if isinstance(model.config, Mapping) else model.config.to_dict()
            digest.update(json.dumps(_plain(config), sort_keys=True).encode())
            for name, tensor in model.state_dict().items():
                digest.update(f"{name}{tuple(tensor.shape)}".encode())
                flat = tensor.flatten()
                sampled = flat[:: max(1, len(flat) // _SAMPLES_PER_TENSOR)]
                digest.update(sampled.to("cpu", torch.float32).contiguous().numpy().tobytes())
        return digest.hexdigest()[:12]

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """The words that the text encoder does not know, each once; always () for CLIP's own tokenizer."""
        # CLIP's byte-pair tokenizer names its end token as unknown token, and never needs it.
        if self._tokenizer.unk_token_id in (self._tokenizer.eos_token_id, self._tokenizer.pad_token_id):
            return ()
        return unknown_words(self._tokenizer, text)

    @torch.inference_mode()
    def edit(
        self,
        image: Image.Image,
        mask: np.ndarray,
        input_caption: str,
        edited_caption: str,
        options: EditOptions | None = None,
        progress: ProgressCallback | None = None,
    ) -> EditResult:
        """Edits inside the mask and nowhere else.

        Args:
            image: PIL RGB, at least 8 x 8.
            mask: (H, W) bool, True = may be edited.
            input_caption: what the masked part shows now, e.g. "photo of a dog".
            edited_caption: what it shall show.
            options: strength, steps, seed …
            progress: told of each step of the stages "invert", "denoise" and "decode"; what it raises (a
                `CancelledError`) stops the edit, and the cache keeps only whole inversions.

        Returns:
            The edited picture, byte for byte the original outside `region`, and what it took.

        Raises:
            BadImageError, BadMaskError, BadParameterError: bad input.
            UnknownWordError: a caption holds words that the text encoder does not know.
        """
        options = options or EditOptions()
        check_options(options, self._train_steps)
        pixels = _checked(image, mask)
        states = self._embed(input_caption), self._embed(edited_caption)
        seconds: dict[str, float] = {}
        with _timed(seconds, "total"):
            grown = grow(mask, options.grow)
            alpha = feather(grown, options.feather)
            plan = self._plan(grown, options)
            ladder = ddim.levels(self._scheduler_config, options.steps, options.encoding_ratio)
            inverting = _Noise(self._unet, states[0])
            crop = extract(pixels, plan)
            key = InversionKey(hashlib.sha256(crop.tobytes()).hexdigest(), input_caption, options.steps, self.revision)
            stored = self._inverted(key, crop, ladder, inverting, seconds, progress)
            guided = _Noise(self._unet, states[1], options.guidance_scale, self._embed(""))
            editable = torch.from_numpy(editable_cells(grown, plan, self._latent_size)).to(self._device)
            with _timed(seconds, "denoise"):
                latents = ddim.masked_denoise(
                    self._start(stored, ladder, editable, options.seed),
                    stored,
                    ladder,
                    editable,
                    guided,
                    _reporter(progress, "denoise"),
                )
            with _timed(seconds, "decode"):
                edited = stitch(pixels, self._decode(latents), plan, alpha)
            _reporter(progress, "decode")(1, 1)
        return EditResult(
            image=Image.fromarray(edited),
            mask=grown,
            region=_inside(alpha > 0, plan),
            unet_evaluations=inverting.evaluations + guided.evaluations,
            inversion_cached=not inverting.evaluations,
            seconds=seconds,
        )

    @property
    def _pixels_per_cell(self) -> int:
        return 2 ** (len(self._vae.config.block_out_channels) - 1)

    @property
    def _latent_size(self) -> int:
        size = self._unet.config.sample_size
        return int(size if isinstance(size, int) else size[0])

    def _plan(self, mask: np.ndarray, options: EditOptions) -> CropPlan:
        if options.crop:
            return plan_crop(mask, self.native_size, options.context, options.feather)
        return whole_picture((mask.shape[1], mask.shape[0]), self.native_size)

    def _embed(self, caption: str) -> Tensor:
        """A caption as the UNet takes it: (1, T, D), padded to the text encoder's length without an attention mask."""
        with self._texts_lock:
            if caption in self._texts:
                self._texts.move_to_end(caption)
                return self._texts[caption]
        if self.unknown_words(caption):
            require_known(self._tokenizer, caption, "The text encoder")
        length = self._text_encoder.config.max_position_embeddings
        tokens = len(self._tokenizer(caption, truncation=False, verbose=False).input_ids)
        if tokens > length:
            raise BadParameterError(
                f"The caption is {tokens} tokens long and the text encoder takes {length}; say it in fewer words: "
                f"'{caption[:60]}…'."
            )
        ids = self._tokenizer(caption, padding="max_length", max_length=length, return_tensors="pt").input_ids
        states = self._text_encoder(ids.to(self._device)).last_hidden_state
        with self._texts_lock:
            self._texts[caption] = states
            while len(self._texts) > _TEXTS_KEPT:
                self._texts.popitem(last=False)
        return states

    def _inverted(
        self,
        key: InversionKey,
        crop: np.ndarray,
        ladder: tuple[ddim.Level, ...],
        noise: "_Noise",
        seconds: dict[str, float],
        progress: ProgressCallback | None,
    ) -> tuple[Tensor, ...]:
        """The latents of all levels up to x_r: from the cache, as far as it has them."""
        start = self._cache.get(key)
        with _timed(seconds, "encode"):
            start = start or (self._encode(crop),)
        with _timed(seconds, "invert"):
            stored = ddim.invert(start, ladder, noise, _reporter(progress, "invert"))
        self._cache.put(key, stored)
        return stored

    def _start(self, stored: tuple[Tensor, ...], ladder: tuple[ddim.Level, ...], editable: Tensor, seed: int) -> Tensor:
        if not seed:
            return stored[-1]
        # Drawn on the CPU, so that a seed means the same on every device.
        fresh = torch.randn(stored[-1].shape, generator=torch.Generator().manual_seed(seed)).to(self._device)
        return ddim.vary(stored, ladder, editable, fresh, VARIATION)

    def _encode(self, crop: np.ndarray) -> Tensor:
        """(S, S, 3) uint8 to x_0, (1, C, h, w) float32 in model scale: the posterior's mode."""
        pixels = torch.from_numpy(crop.copy()).permute(2, 0, 1)[None].to(self._device, torch.float32)
        pixels = pixels.div(127.5).sub(1).to(self._vae.dtype)
        if self._device.type == "cpu":
            pixels = pixels.contiguous(memory_format=torch.channels_last)
        mode = self._vae.encode(pixels).latent_dist.mode().float()
        return (mode - (self._vae.config.shift_factor or 0.0)) * self._vae.config.scaling_factor

    def _decode(self, latents: Tensor) -> np.ndarray:
        """(1, C, h, w) float32 in model scale to (S, S, 3) uint8."""
        unscaled = latents / self._vae.config.scaling_factor + (self._vae.config.shift_factor or 0.0)
        pixels = self._vae.decode(unscaled.to(self._vae.dtype)).sample[0].float()
        if not torch.isfinite(pixels).all():
            raise InstructEditError("The models gave values that are no numbers; try them in float32.")
        return pixels.add(1).mul(127.5).round().clamp(0, 255).permute(1, 2, 0).to("cpu", torch.uint8).numpy()


class _Noise:
    """eps(x, c, t) with the caption bound, guided where the scale is not 1; counts sample-evaluations."""

    def __init__(self, unet: Any, states: Tensor, guidance_scale: float = 1.0, empty: Tensor | None = None) -> None:
        self._unet, self._scale = unet, guidance_scale
        self._states = states if guidance_scale == 1 or empty is None else torch.cat([empty, states])
        self.evaluations = 0

    def __call__(self, latents: Tensor, timestep: int) -> Tensor:
        batch = latents.repeat(len(self._states), 1, 1, 1).to(self._unet.dtype)
        noise = self._unet(batch, timestep, encoder_hidden_states=self._states).sample.float()
        self.evaluations += len(batch)
        if len(noise) == 1:
            return noise
        plain, captioned = noise.chunk(2)
        return plain + self._scale * (captioned - plain)


def _checked(image: Image.Image, mask: np.ndarray) -> np.ndarray:
    """The picture as (H, W, 3) uint8, once picture and mask fit the contract."""
    if image.mode != "RGB" or min(image.size) < 8:
        raise BadImageError(f"The picture must be RGB and at least 8 x 8; got {image.mode}, {_by(image.size)}.")
    if mask.dtype != np.bool_ or mask.ndim != 2:
        raise BadMaskError(f"The mask must be a boolean array (height, width); got {mask.dtype}, shape {mask.shape}.")
    if mask.shape[::-1] != image.size:
        raise BadMaskError(f"The mask is {_by(mask.shape[::-1])}, but the picture is {_by(image.size)}.")
    if not mask.any():
        raise BadMaskError("The mask is empty: no pixel may be edited.")
    return np.asarray(image)


def _by(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size))


def _inside(region: np.ndarray, plan: CropPlan) -> np.ndarray:
    result = np.zeros_like(region)
    result[plan.window] = region[plan.window]
    return result


def _plain(config: Mapping[str, Any]) -> dict[str, str]:
    """A config as text, without the names that say where and by what it was written."""
    written_by = ("transformers_version", "dtype", "torch_dtype")
    return {key: str(value) for key, value in config.items() if not key.startswith("_") and key not in written_by}


def _reporter(progress: ProgressCallback | None, stage: str) -> ddim.StepCallback:
    def report(step: int, total: int) -> None:
        if progress:
            progress(Progress(stage, step, total))

    return report


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - started
