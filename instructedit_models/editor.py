"""`MaskedDDIMEditor`: the paper's edit, from picture, mask and two captions to the edited picture.

Encode -> invert (cached) -> masked denoise -> decode -> compose. Model sets build it; `edit_image` and the benchmarks
call it.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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
)
from instructedit_models.guidance import GuidedNoise
from instructedit_models.inversion_cache import InversionCache, InversionKey
from instructedit_models.latent_diffusion import LatentDiffusion
from instructedit_models.residency import Residency, memory_told
from instructedit_models.solvers import make_solver, noised_levels
from instructedit_models.stages import reporter, timed
from instructedit_models.types import Box, EditOptions, EditResult, Preview, ProgressCallback

__all__ = ["MaskedDDIMEditor"]

VARIATION = 0.6
"""Share of the noise inside the mask that a seed other than 0 draws anew (see `ddim.vary`)."""


class MaskedDDIMEditor(LatentDiffusion):
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
        """Puts the components on the device; raises as `LatentDiffusion`.

        Args:
            vae: as in `LatentDiffusion`, like the next six.
            text_encoder: likewise.
            tokenizer: likewise.
            unet: likewise.
            scheduler_config: likewise.
            device: likewise.
            dtype: likewise.
            cache_size: bytes of inversions that are remembered.
        """
        super().__init__(vae, text_encoder, tokenizer, unet, scheduler_config, device, dtype)
        self._cache = InversionCache(cache_size)

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
                feather, context, solver, number of steps … begins a batch of its own.
            progress: likewise.

        Returns:
            One result per options, in their order; an inversion is counted with the first result that needed it, and
            seconds are shares of the batch's.

        Raises:
            What `edit` raises.
        """
        for each in options:
            check_options(each, self._train_steps)
        _check(image, mask)
        captions = input_caption, edited_caption
        self.embed(input_caption), self.embed(edited_caption)  # unknown words are told before any work
        results: dict[int, EditResult] = {}
        for members in _batches(options):
            job = _Job(image, mask, captions, [options[i] for i in members])
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
        with timed(seconds, "total"):
            grown = grow(job.mask, shared.grow)
            whole = self._plan(grown, shared)
            # All else happens in the crop's window: large photos are not copied, nor walked through, for small masks.
            rows, columns = whole.window
            pixels = np.asarray(job.image.crop((columns.start, rows.start, columns.stop, rows.stop)))
            near, plan = grown[rows, columns], whole.local
            alpha = feather(near, shared.feather)
            # Each ladder is the lower end of the longest one.
            ladders = [ddim.levels(self._scheduler_config, one.steps, one.encoding_ratio) for one in job.options]
            ladder = max(ladders, key=len)
            inverting = GuidedNoise(self._unet, self.embed(job.captions[0]))
            crop = extract(pixels, plan)
            digest = hashlib.sha256(crop.tobytes()).hexdigest()
            key = InversionKey(digest, job.captions[0], shared.steps, shared.inversion_stride, self.revision)
            if shared.solver == "lcm":
                stored = self._noised(key, crop, ladder, seconds)
            else:
                stored = self._inverted(key, crop, ladder, inverting, seconds, progress)
            editable = torch.from_numpy(editable_cells(near, plan, self.latent_size)).to(self._device)
            order = sorted(range(len(ladders)), key=lambda i: -len(ladders[i]))
            scales = [job.options[i].guidance_scale for i in order]
            negative = self._negative(shared.negative, job.captions[0])
            floor = shared.guidance_floor * self._train_steps
            guided = GuidedNoise(self._unet, self.embed(job.captions[1]), scales, negative, floor)
            guided.prepare([level.timestep for level in ladder])
            with timed(seconds, "denoise"), self._residency.using(self._unet):
                starts = []
                for i in order:
                    top = len(ladders[i])
                    starts.append((top - 1, self._start(stored[:top], ladders[i], editable, job.options[i].seed)))
                update = _Watched(make_solver(shared.solver, [job.options[i].seed for i in order]))
                box = (columns.start, rows.start, columns.stop, rows.stop)
                preview = self._previewer(update, lambda made: stitch(pixels, made, plan, alpha), box)
                told = reporter(progress, "denoise", preview)
                latents = ddim.masked_denoise_batch(starts, stored, ladder, editable, guided, told, update)
            with timed(seconds, "decode"):
                edited = {}
                for at, i in enumerate(order):
                    part = stitch(pixels, self.decode(latents[at : at + 1]), plan, alpha)
                    edited[i] = _pasted(job.image, part, (columns.start, rows.start))
            reporter(progress, "decode")(1, 1)
        region = np.zeros(grown.shape, bool)
        region[rows, columns] = alpha > 0
        share = {stage: spent / len(ladders) for stage, spent in seconds.items()}
        return [
            EditResult(
                image=edited[i],
                mask=grown,
                region=region,
                unet_evaluations=sum(guided.evaluations_at(level.timestep) for level in ladders[i][1:])
                + (0 if i else inverting.evaluations),
                inversion_cached=bool(i) or not inverting.evaluations,
                seconds=dict(share),
            )
            for i in range(len(ladders))
        ]

    def _negative(self, negative: str, input_caption: str) -> Tensor:
        """The states of what guidance leads away from, (1, T, D); see `EditOptions.negative`."""
        away = {"empty": [""], "input": [input_caption], "both": ["", input_caption]}[negative]
        return torch.stack([self.embed(caption) for caption in away]).mean(dim=0)

    def _plan(self, mask: np.ndarray, options: EditOptions) -> CropPlan:
        if options.crop:
            return plan_crop(mask, self.native_size, options.context, options.feather)
        return whole_picture((mask.shape[1], mask.shape[0]), self.native_size)

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
        with timed(seconds, "encode"):
            start = start or (self.encode(crop),)
        noise.prepare([level.timestep for level in ladder])
        with timed(seconds, "invert"), self._residency.using(self._unet):
            stored = ddim.invert(start, ladder, noise, reporter(progress, "invert"), key.stride)
        self._cache.put(key, stored)
        return stored

    def _noised(
        self, key: InversionKey, crop: np.ndarray, ladder: tuple[ddim.Level, ...], seconds: dict[str, float]
    ) -> tuple[Tensor, ...]:
        """The latents of all levels without an inversion, for LCM; x_0 is taken from the cache where it has it."""
        with timed(seconds, "encode"):
            clean = (self._cache.get(key) or (self.encode(crop),))[0]
        self._cache.put(key, (clean,))
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)).to(self._device)
        return noised_levels(clean, ladder, noise)

    def _previewer(
        self, update: "_Watched", stitched: Callable[[np.ndarray], np.ndarray], box: Box
    ) -> Callable[[], Preview] | None:
        """What decodes the estimate after the newest step; None where that would push the UNet off the device."""
        if self._residency.offload != "none":
            return None
        return lambda: Preview(Image.fromarray(stitched(self.decode(update.estimate()))), box)

    def _start(self, stored: tuple[Tensor, ...], ladder: tuple[ddim.Level, ...], editable: Tensor, seed: int) -> Tensor:
        if not seed:
            return stored[-1]
        # Drawn on the CPU, so that a seed means the same on every device.
        fresh = torch.randn(stored[-1].shape, generator=torch.Generator().manual_seed(seed)).to(self._device)
        return ddim.vary(stored, ladder, editable, fresh, VARIATION)


class _Watched:
    """A solver's step that remembers its last call for the first edit of the batch, at no cost."""

    def __init__(self, update: ddim.Step) -> None:
        self._update = update
        self._last: tuple[Tensor, Tensor, float] | None = None

    def __call__(self, latents: Tensor, noise: Tensor, here: ddim.Level, before: ddim.Level) -> Tensor:
        self._last = latents[:1], noise[:1], here.alpha
        return self._update(latents, noise, here, before)

    def estimate(self) -> Tensor:
        """The clean latent, (1, C, h, w), that the last step implies."""
        if self._last is None:
            raise RuntimeError("No step was made yet.")
        return ddim.predict_clean(*self._last)


@dataclass(frozen=True)
class _Job:
    """What one batch of edits is made of: picture (PIL RGB), mask (H, W) bool, both captions, the options."""

    image: Image.Image
    mask: np.ndarray
    captions: tuple[str, str]
    options: list[EditOptions]


def _batches(options: Sequence[EditOptions]) -> list[list[int]]:
    """The places of the options that share crop and inversion, in the order of their first."""
    batches: dict[EditOptions, list[int]] = {}
    for place, one in enumerate(options):
        shared = replace(one, encoding_ratio=1.0, guidance_scale=1.0, seed=0)
        batches.setdefault(shared, []).append(place)
    return list(batches.values())


def _check(image: Image.Image, mask: np.ndarray) -> None:
    if image.mode != "RGB" or min(image.size) < 8:
        raise BadImageError(f"The picture must be RGB and at least 8 x 8; got {image.mode}, {_by(image.size)}.")
    if mask.dtype != np.bool_ or mask.ndim != 2:
        raise BadMaskError(f"The mask must be a boolean array (height, width); got {mask.dtype}, shape {mask.shape}.")
    if mask.shape[::-1] != image.size:
        raise BadMaskError(f"The mask is {_by(mask.shape[::-1])}, but the picture is {_by(image.size)}.")
    if not mask.any():
        raise BadMaskError("The mask is empty: no pixel may be edited.")


def _by(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size))


def _pasted(image: Image.Image, part: np.ndarray, corner: tuple[int, int]) -> Image.Image:
    """A copy of the picture with (h, w, 3) uint8 at a corner (x, y), and without the file's metadata."""
    result = image.copy()
    result.info = {}
    result.paste(Image.fromarray(part), corner)
    return result
