"""The five ways of making one edit that `speed` compares, on one UNet.

original             the authors' program: 50 inversions, 25 guided steps, the whole picture
diffusers_diffedit   diffusers' own (deprecated) pipeline with its defaults, its mask included
cold                 ours, nothing known of the picture
feedback             ours, the next turn on the same picture: mask and inversion are kept
fast                 ours with a fast solver and few steps, on a picture that nothing is known of
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.methods import Made, forget
from instructedit_models.baselines.instructedit_plain import InstructEditPlain
from instructedit_models.baselines.types import EditTask
from instructedit_models.types import EditOptions

__all__ = ["WAYS", "Contenders", "Parts", "counted"]

WAYS = ("original", "diffusers_diffedit", "cold", "feedback", "fast")

DIFFEDIT_STRENGTH = 0.8
"""diffusers' default for how far its DiffEdit inverts."""


@dataclass(frozen=True)
class Parts:
    """The components of the one model that all ways share."""

    vae: Any
    text_encoder: Any
    tokenizer: Any
    unet: Any
    scheduler_config: Any


@dataclass
class Contenders:
    """The ways, on one model.

    Attributes:
        models: a `ModelSet`, or what has an `editor` of its own.
        parts: the same model's components, for diffusers.
        options: steps, encoding ratio and guidance of `original` and `diffusers_diffedit`.
        ours: the options of `cold` and `feedback`.
        fast: the options of `fast`.
    """

    models: Any
    parts: Parts
    options: EditOptions
    ours: EditOptions
    fast: EditOptions
    _pipeline: Any = field(default=None, repr=False)

    def ready(self, way: str, image: Image.Image, task: EditTask) -> Callable[[], Made]:
        """What is to be timed: all that a way may know beforehand is done, all else is forgotten."""
        forget(self.models)
        if way == "original":
            return lambda: self._original(image, task)
        if way == "diffusers_diffedit":
            self._diffusers()  # building it is no part of an edit
            return lambda: self._diffedit(image, task)
        if way == "feedback":
            mask = self._mask(image, task)
            self._ours(image, replace(task, mask=mask), self.ours)
            return lambda: self._ours(image, replace(task, mask=mask), self.ours)
        options = self.fast if way == "fast" else self.ours
        return lambda: self._ours(image, task, options)

    def _ours(self, image: Image.Image, task: EditTask, options: EditOptions) -> Made:
        mask = self._mask(image, task)
        result = self.models.editor.edit(image, mask, task.input_caption, task.edited_caption, options)
        return Made(result.image, mask, result.unet_evaluations)

    def _mask(self, image: Image.Image, task: EditTask) -> np.ndarray:
        if task.mask is not None:
            return task.mask
        return self.models.grounded.segment(image, task.segmentation_prompt).mask

    def _original(self, image: Image.Image, task: EditTask) -> Made:
        plain = replace(self.options, crop=False, grow=0, feather=0)
        result = InstructEditPlain(as_code=True).edit(self.models, image, task, plain)
        return Made(result.image, result.mask, result.unet_evaluations)

    def _diffedit(self, image: Image.Image, task: EditTask) -> Made:
        pipeline, side = self._diffusers(), self.models.editor.native_size
        squashed = image.resize((side, side), Image.Resampling.BICUBIC)
        shared = {"num_inference_steps": self.options.steps, "guidance_scale": self.options.guidance_scale}
        generator = torch.Generator().manual_seed(self.options.seed)
        with torch.inference_mode(), counted(self.parts.unet) as evaluations, _quiet():
            cells = pipeline.generate_mask(
                image=squashed,
                source_prompt=task.input_caption,
                target_prompt=task.edited_caption,
                generator=generator,
                **shared,
            )
            inverted = pipeline.invert(
                prompt=task.input_caption, image=squashed, inpaint_strength=DIFFEDIT_STRENGTH, **shared
            ).latents
            edited = pipeline(
                prompt=task.edited_caption,
                mask_image=cells,
                image_latents=inverted,
                inpaint_strength=DIFFEDIT_STRENGTH,
                **shared,
            ).images[0]
        mask = Image.fromarray(np.asarray(cells[0], dtype=bool)).resize(image.size, Image.Resampling.NEAREST)
        whole = edited.resize(image.size, Image.Resampling.BICUBIC)
        return Made(whole, np.asarray(mask, dtype=bool), evaluations[0])

    def _diffusers(self) -> Any:
        if self._pipeline is None:
            from diffusers import DDIMInverseScheduler, DDIMScheduler
            from diffusers.pipelines.deprecated.stable_diffusion_diffedit.pipeline_stable_diffusion_diffedit import (
                StableDiffusionDiffEditPipeline,
            )

            given = {**dict(self.parts.scheduler_config), "clip_sample": False, "steps_offset": 1}
            schedule = {key: value for key, value in given.items() if not key.startswith("_")}
            self.parts.tokenizer.model_max_length = self.parts.text_encoder.config.max_position_embeddings
            with _quiet():
                self._pipeline = StableDiffusionDiffEditPipeline(
                    vae=self.parts.vae,
                    text_encoder=self.parts.text_encoder,
                    tokenizer=self.parts.tokenizer,
                    unet=self.parts.unet,
                    scheduler=DDIMScheduler.from_config(schedule),
                    inverse_scheduler=DDIMInverseScheduler.from_config(schedule),
                    safety_checker=None,
                    feature_extractor=None,
                    requires_safety_checker=False,
                )
            self._pipeline.set_progress_bar_config(disable=True)
        return self._pipeline


@contextmanager
def counted(unet: Any) -> Iterator[list[int]]:
    """Counts the sample-evaluations of a UNet in the first place of a list."""
    spent = [0]

    def count(_: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        spent[0] += len(given[0] if given else named["sample"])

    hook = unet.register_forward_pre_hook(count, with_kwargs=True)
    try:
        yield spent
    finally:
        hook.remove()


@contextmanager
def _quiet() -> Iterator[None]:
    """The deprecated pipeline warns of its own end at every call."""
    from diffusers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)
