"""`MaskedDDIMEditor`: the paper's edit, from picture, mask and two captions to the edited picture.

Encode -> invert (cached) -> masked denoise -> decode -> compose. Model sets build it; `edit_image` and the benchmarks
call it.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
from instructedit_models.fingerprint import fingerprint
from instructedit_models.guidance import GuidedNoise
from instructedit_models.inversion_cache import InversionCache, InversionKey
from instructedit_models.residency import Residency, memory_told
from instructedit_models.solvers import make_solver, noised_levels
from instructedit_models.tokens import require_known, unknown_words
from instructedit_models.types import EditOptions, EditResult, Progress, ProgressCallback

__all__ = ["MaskedDDIMEditor"]

VARIATION = 0.6
"""Share of the noise inside the mask that a seed other than 0 draws anew (see `ddim.vary`)."""

_TEXTS_KEPT = 64


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
        device: str | Residency = "cpu",
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
            device: "cpu", "cuda" …, or when which model is on it.
            dtype: of the UNet and the text encoder.
            cache_size: bytes of inversions that are remembered.

        Raises:
            BadParameterError: a noise schedule or prediction type that is not supported.
        """
        self._residency = device if isinstance(device, Residency) else Residency(device)
        self._device = self._residency.device
        self._tokenizer = tokenizer
        self._scheduler_config = dict(scheduler_config)
        self._vae, self._unet = self._ready(vae, vae.dtype), self._ready(unet, dtype)
        self._text_encoder = self._ready(text_encoder, dtype)
        if self._residency.offload == "sequential":
            _ = self.revision  # once it is taken apart, a model has no weights to be read
        for model in (self._vae, self._unet, self._text_encoder):
            self._residency.place(model, by_layer=True)
        self._train_steps = len(ddim.alphas(scheduler_config))
        self._cache = InversionCache(cache_size)
        self._texts: OrderedDict[str, Tensor] = OrderedDict()
        self._texts_lock = threading.Lock()

    def _ready(self, model: Any, dtype: torch.dtype) -> Any:
        if model.dtype != dtype:
            model = model.to(dtype)
        model = model.eval().requires_grad_(False)
        # Convolutions are faster with channels last on a CPU; elsewhere the layout is left to the backend.
        return model.to(memory_format=torch.channels_last) if self._device.type == "cpu" else model

    @property
    def native_size(self) -> int:
        """Side in pixels of the square pictures that the models were trained on."""
        return self._latent_size * self._pixels_per_cell

    @cached_property
    def revision(self) -> str:
        """12 hex digits that change with the configs, the noise schedule or the weights (see `fingerprint`)."""
        return fingerprint((self._vae, self._text_encoder, self._unet), self._scheduler_config)

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
        return self.sweep(image, mask, input_caption, edited_caption, [options or EditOptions()], progress)[0]

    @torch.inference_mode()
    def sweep(
        self,
        image: Image.Image,
        mask: np.ndarray,
        input_caption: str,
        edited_caption: str,
        options: Sequence[EditOptions],
        progress: ProgressCallback | None = None,
    ) -> list[EditResult]:
        """The same edit with several options; those that share a crop share its inversion and are denoised at once.

        Args:
            image: as in `edit`, like the next three and `progress`.
            mask: likewise.
            input_caption: likewise.
            edited_caption: likewise.
            options: one per result; encoding ratio, guidance and seed may differ within a batch, another growth,
                feather, context, solver or number of steps begins a batch of its own.
            progress: likewise.

        Returns:
            One result per options, in their order; an inversion is counted with the first result that needed it, and
            seconds are shares of the batch's.

        Raises:
            What `edit` raises.
        """
        for each in options:
            check_options(each, self._train_steps)
        pixels = _checked(image, mask)
        captions = input_caption, edited_caption
        self._embed(input_caption), self._embed(edited_caption)  # unknown words are told before any work
        results: dict[int, EditResult] = {}
        for members in _batches(options):
            job = _Job(pixels, mask, captions, [options[i] for i in members])
            with memory_told():
                results |= zip(members, self._edit_batch(job, progress), strict=True)
        return [results[i] for i in range(len(options))]

    def forget(self) -> None:
        """Empties the inversion cache, so that what the next edit costs does not depend on what was edited before."""
        self._cache.clear()

    def _edit_batch(self, job: "_Job", progress: ProgressCallback | None) -> list[EditResult]:
        """One batch of `sweep`: the options of the job agree in all that decides the crop and its inversion."""
        shared = job.options[0]
        seconds: dict[str, float] = {}
        with _timed(seconds, "total"):
            grown = grow(job.mask, shared.grow)
            alpha = feather(grown, shared.feather)
            plan = self._plan(grown, shared)
            # Each ladder is the lower end of the longest one.
            ladders = [ddim.levels(self._scheduler_config, one.steps, one.encoding_ratio) for one in job.options]
            ladder = max(ladders, key=len)
            inverting = GuidedNoise(self._unet, self._embed(job.captions[0]))
            crop = extract(job.pixels, plan)
            digest = hashlib.sha256(crop.tobytes()).hexdigest()
            key = InversionKey(digest, job.captions[0], shared.steps, self.revision)
            if shared.solver == "lcm":
                stored = self._noised(key, crop, ladder, seconds)
            else:
                stored = self._inverted(key, crop, ladder, inverting, seconds, progress)
            editable = torch.from_numpy(editable_cells(grown, plan, self._latent_size)).to(self._device)
            order = sorted(range(len(ladders)), key=lambda i: -len(ladders[i]))
            scales = [job.options[i].guidance_scale for i in order]
            guided = GuidedNoise(self._unet, self._embed(job.captions[1]), scales, self._embed(""))
            guided.prepare([level.timestep for level in ladder])
            with _timed(seconds, "denoise"), self._residency.using(self._unet):
                starts = []
                for i in order:
                    top = len(ladders[i])
                    starts.append((top - 1, self._start(stored[:top], ladders[i], editable, job.options[i].seed)))
                update = make_solver(shared.solver, [job.options[i].seed for i in order])
                latents = ddim.masked_denoise_batch(
                    starts, stored, ladder, editable, guided, _reporter(progress, "denoise"), update
                )
            with _timed(seconds, "decode"):
                edited = {
                    i: stitch(job.pixels, self._decode(latents[at : at + 1]), plan, alpha) for at, i in enumerate(order)
                }
            _reporter(progress, "decode")(1, 1)
        region = _inside(alpha > 0, plan)
        share = {stage: spent / len(ladders) for stage, spent in seconds.items()}
        return [
            EditResult(
                image=Image.fromarray(edited[i]),
                mask=grown,
                region=region,
                unet_evaluations=guided.per_step * (len(ladders[i]) - 1) + (0 if i else inverting.evaluations),
                inversion_cached=bool(i) or not inverting.evaluations,
                seconds=dict(share),
            )
            for i in range(len(ladders))
        ]

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
        with self._residency.using(self._text_encoder):
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
        noise: GuidedNoise,
        seconds: dict[str, float],
        progress: ProgressCallback | None,
    ) -> tuple[Tensor, ...]:
        """The latents of all levels up to x_r: from the cache, as far as it has them."""
        start = self._cache.get(key)
        with _timed(seconds, "encode"):
            start = start or (self._encode(crop),)
        noise.prepare([level.timestep for level in ladder])
        with _timed(seconds, "invert"), self._residency.using(self._unet):
            stored = ddim.invert(start, ladder, noise, _reporter(progress, "invert"))
        self._cache.put(key, stored)
        return stored

    def _noised(
        self, key: InversionKey, crop: np.ndarray, ladder: tuple[ddim.Level, ...], seconds: dict[str, float]
    ) -> tuple[Tensor, ...]:
        """The latents of all levels without an inversion, for LCM; x_0 is taken from the cache where it has it."""
        with _timed(seconds, "encode"):
            clean = (self._cache.get(key) or (self._encode(crop),))[0]
        self._cache.put(key, (clean,))
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)).to(self._device)
        return noised_levels(clean, ladder, noise)

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
        with self._residency.using(self._vae):
            mode = self._vae.encode(pixels).latent_dist.mode().float()
        return (mode - (self._vae.config.shift_factor or 0.0)) * self._vae.config.scaling_factor

    def _decode(self, latents: Tensor) -> np.ndarray:
        """(1, C, h, w) float32 in model scale to (S, S, 3) uint8."""
        unscaled = latents / self._vae.config.scaling_factor + (self._vae.config.shift_factor or 0.0)
        with self._residency.using(self._vae):
            pixels = self._vae.decode(unscaled.to(self._vae.dtype)).sample[0].float()
        if not torch.isfinite(pixels).all():
            raise InstructEditError("The models gave values that are no numbers; try them in float32.")
        return pixels.add(1).mul(127.5).round().clamp(0, 255).permute(1, 2, 0).to("cpu", torch.uint8).numpy()


@dataclass(frozen=True)
class _Job:
    """What one batch of edits is made of: picture (H, W, 3) uint8, mask (H, W) bool, both captions, the options."""

    pixels: np.ndarray
    mask: np.ndarray
    captions: tuple[str, str]
    options: list[EditOptions]


def _batches(options: Sequence[EditOptions]) -> list[list[int]]:
    """The places of the options that share crop and inversion, in the order of their first."""
    batches: dict[tuple[object, ...], list[int]] = {}
    for place, one in enumerate(options):
        batches.setdefault((one.steps, one.grow, one.feather, one.crop, one.context, one.solver), []).append(place)
    return list(batches.values())


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
