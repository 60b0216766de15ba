"""What every baseline does with a picture before and after its own idea: `Method` is the frame, `Work` the tools.

The picture is squashed to the model's square and stretched back, as the published programs do; nothing is pasted.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from instructedit_models import ddim
from instructedit_models.baselines.types import EditTask, MaskSource, MethodModels
from instructedit_models.edit_options import check_options
from instructedit_models.errors import (
    BadImageError,
    BadMaskError,
    BadParameterError,
    ModelUnavailableError,
    NothingFoundError,
)
from instructedit_models.guidance import GuidedNoise
from instructedit_models.latent_diffusion import LatentDiffusion
from instructedit_models.residency import memory_told
from instructedit_models.solvers import make_solver
from instructedit_models.stages import reporter, timed
from instructedit_models.types import EditOptions, EditResult, ProgressCallback

__all__ = ["Conditioned", "Counting", "Method", "Work", "checked_unet", "working"]


class Counting(Protocol):
    """A noise predictor that counts its sample-evaluations."""

    @property
    def evaluations(self) -> int:
        """Sample-evaluations so far."""
        ...

    def __call__(self, latents: Tensor, timestep: int) -> Tensor:
        """The noise in latents, (B, C, h, w), at a timestep of training."""
        ...


class Conditioned:
    """A UNet that is given further channels beside the latents: the same ones at every step."""

    def __init__(self, unet: Any, channels: Tensor) -> None:
        """Binds channels, (1, C, h, w), that are put behind the latents' own."""
        self._unet, self._channels = unet, channels
        self.dtype = unet.dtype

    def __call__(self, latents: Tensor, timestep: Any, encoder_hidden_states: Tensor) -> Any:
        """The UNet's output for a batch of latents."""
        channels = self._channels.to(self.dtype).expand(len(latents), -1, -1, -1)
        return self._unet(torch.cat([latents, channels], dim=1), timestep, encoder_hidden_states=encoder_hidden_states)


@dataclass
class Work:
    """What a method works on.

    Attributes:
        models: the model set.
        image: PIL RGB.
        task: what is asked for.
        options: of the edit.
        progress: told of each step.
        seconds: wall seconds by stage.
    """

    models: MethodModels
    image: Image.Image
    task: EditTask
    options: EditOptions
    progress: ProgressCallback | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    _counted: list[Counting] = field(default_factory=list)

    @property
    def diffusion(self) -> LatentDiffusion:
        """The latent diffusion model."""
        return self.models.editor

    def ladder(self, ratio: float | None = None) -> tuple[ddim.Level, ...]:
        """The levels from clean up to a ratio of the schedule; by default the options' encoding ratio."""
        ratio = self.options.encoding_ratio if ratio is None else ratio
        return ddim.levels(self.diffusion.scheduler_config, self.options.steps, ratio)

    def squashed(self) -> np.ndarray:
        """The picture at the model's size, (S, S, 3) uint8."""
        side = self.diffusion.native_size
        return np.asarray(self.image.resize((side, side), Image.Resampling.BICUBIC))

    def clean(self) -> Tensor:
        """x_0, (1, C, h, w) float32 in model scale."""
        with timed(self.seconds, "encode"):
            return self.diffusion.encode(self.squashed())

    def cells(self, mask: np.ndarray) -> Tensor:
        """A mask (H, W) bool of the picture as latent cells, (h, w) bool: the nearest pixel's value for each."""
        side = self.diffusion.latent_size
        small = Image.fromarray(mask).resize((side, side), Image.Resampling.NEAREST)
        return torch.from_numpy(np.asarray(small).copy()).to(self.diffusion.device)

    def pixels(self, cells: Tensor) -> np.ndarray:
        """Latent cells (h, w) bool as a mask (H, W) bool of the picture."""
        whole = Image.fromarray(cells.cpu().numpy())
        return np.asarray(whole.resize(self.image.size, Image.Resampling.NEAREST), dtype=bool).copy()

    def drawn(self, shape: tuple[int, ...]) -> Tensor:
        """Standard normal noise from the options' seed; drawn on the CPU, so that a seed means the same everywhere."""
        generator = torch.Generator().manual_seed(self.options.seed)
        return torch.randn(shape, generator=generator).to(self.diffusion.device)

    def noise(self, caption: str, scale: float = 1.0, unet: Any = None) -> GuidedNoise:
        """The noise predictor under a caption, guided where the scale is not 1."""
        states, empty = self.diffusion.embed(caption), self.diffusion.embed("")
        return self.counted(GuidedNoise(unet or self.diffusion.unet, states, (scale,), empty))

    def counted(self, noise: Any) -> Any:
        """A predictor whose evaluations count for this edit."""
        self._counted.append(noise)
        return noise

    def invert(
        self, start: Tensor, ladder: tuple[ddim.Level, ...], noise: Counting, stage: str = "invert"
    ) -> tuple[Tensor, ...]:
        """The latents of every level (Eq. 3 and 6), x_0 first."""
        with self.computing(stage):
            return ddim.invert((start,), ladder, noise, reporter(self.progress, stage))

    def denoise(self, start: Tensor, ladder: tuple[ddim.Level, ...], noise: Counting, unet: Any = None) -> Tensor:
        """y_0 from the latents of the top level, without a background."""
        with self.computing("denoise", unet):
            return ddim.denoise(start, ladder, noise, reporter(self.progress, "denoise"), self.solver())

    def masked_denoise(
        self,
        start: Tensor,
        background: tuple[Tensor, ...],
        ladder: tuple[ddim.Level, ...],
        cells: Tensor,
        noise: Counting,
    ) -> Tensor:
        """y_0 with the background of each level put back outside the cells (Eq. 4)."""
        starts = [(len(ladder) - 1, start)]
        report = reporter(self.progress, "denoise")
        with self.computing("denoise"):
            return ddim.masked_denoise_batch(starts, background, ladder, cells, noise, report, self.solver())

    def solver(self) -> ddim.Step:
        """The step from one level to the next."""
        return make_solver(self.options.solver, [self.options.seed])

    @contextmanager
    def computing(self, stage: str, unet: Any = None) -> Iterator[None]:
        """While entered, a UNet (the set's own by default) is on the device and the stage's clock runs."""
        with timed(self.seconds, stage), self.diffusion.residency.using(unet or self.diffusion.unet):
            yield

    def grounded_mask(self) -> np.ndarray:
        """The mask that is given, or Grounding DINO's boxes for the whole segmentation prompt, masked by SAM.

        As the published programs: the prompt goes to the detector as it is, with "on the right" and all, and every box
        that it finds is taken.

        Raises:
            NothingFoundError: there is no box.
            BadMaskError: the given mask has another size, or is empty.
        """
        height, width = self.image.height, self.image.width
        given = self.task.given_mask
        if given is not None:
            if given.shape != (height, width) or not given.any():
                raise BadMaskError(f"The mask must be {width} x {height} pixels, like the picture, and not be empty.")
            return given.astype(bool)
        prompt = self.task.segmentation_prompt
        with timed(self.seconds, "segment"):
            detector = self.models.detector
            detect = getattr(detector, "detect_published", detector.detect)
            boxes = [found.box for found in detect(self.image, prompt)]
            if not boxes:
                raise NothingFoundError(f"Nothing in the picture answers '{prompt}'.")
            mask = np.logical_or.reduce(self.models.segmenter.masks(self.image, boxes))
        reporter(self.progress, "segment")(1, 1)
        if not mask.any():
            raise NothingFoundError(f"The mask of '{prompt}' came out empty.")
        return mask

    def result(self, latents: Tensor, mask: np.ndarray | None = None) -> EditResult:
        """Decodes y_0 and stretches it back; without a mask the whole picture counts as edited."""
        with timed(self.seconds, "decode"):
            decoded = Image.fromarray(self.diffusion.decode(latents))
            picture = decoded.resize(self.image.size, Image.Resampling.BICUBIC)
        reporter(self.progress, "decode")(1, 1)
        everywhere = np.ones((self.image.height, self.image.width), bool)
        return EditResult(
            image=picture,
            mask=everywhere if mask is None else mask,
            region=everywhere.copy(),
            unet_evaluations=sum(noise.evaluations for noise in self._counted),
            inversion_cached=False,
            seconds=self.seconds,
        )


@contextmanager
def working(
    models: MethodModels,
    image: Image.Image,
    task: EditTask,
    options: EditOptions,
    progress: ProgressCallback | None,
) -> Iterator[Work]:
    """Checks the input, and is the frame of one edit; its seconds get their "total" on leaving.

    Raises:
        BadImageError, BadParameterError: bad input.
    """
    if image.mode != "RGB" or min(image.size) < 8:
        raise BadImageError(
            f"The picture must be RGB and at least 8 x 8; got {image.mode}, {image.width} x {image.height}."
        )
    check_options(options, models.editor.train_steps)
    if options.solver == "lcm":
        raise BadParameterError("The baselines run with the solvers ddim and dpm++, not with lcm.")
    work = Work(models, image, task, options, progress)
    with timed(work.seconds, "total"), memory_told(), torch.inference_mode():
        yield work


class Method(ABC):
    """One way of editing: a frozen dataclass whose fields are its own parameters.

    Attributes:
        name: as the registry and the records have it.
        mask_source: where it edits.
        instructed: whether it takes the instruction itself and needs no captions.
    """

    name: ClassVar[str]
    mask_source: ClassVar[MaskSource]
    instructed: ClassVar[bool] = False

    def defaults(self, models: MethodModels) -> EditOptions:
        """The set's parameters for a change of looks, without the geometry that the baselines do not have."""
        shared = replace(models.defaults("appearance"), negative="empty", guidance_floor=0.0, inversion_stride=1)
        return replace(shared, crop=False, grow=0, feather=0)

    def edit(
        self,
        models: MethodModels,
        image: Image.Image,
        task: EditTask,
        options: EditOptions | None = None,
        progress: ProgressCallback | None = None,
    ) -> EditResult:
        """Edits a picture.

        Args:
            models: the model set.
            image: PIL RGB, at least 8 x 8.
            task: what is asked for.
            options: by default `defaults`; strength, steps, guidance, seed and solver are read, not the geometry.
            progress: told of each step; what it raises stops the edit.

        Returns:
            The edited picture. Its `mask` is where the method edited (everywhere, for "none"); its `region` is the
            whole picture, for each of these methods decodes it anew.

        Raises:
            BadImageError, BadMaskError, BadParameterError: bad input.
            NothingFoundError: the method grounds, and nothing answers the segmentation prompt.
            UnknownWordError: a caption holds words that the text encoder does not know.
            ModelUnavailableError: the set has not the weights that the method needs.
        """
        with working(models, image, task, options or self.defaults(models), progress) as work:
            return work.result(*self._edited(work))

    @abstractmethod
    def _edited(self, work: Work) -> tuple[Tensor, np.ndarray | None]:
        """The method's own idea: y_0, (1, C, h, w), and the mask (H, W) bool that it edited in, None for everywhere."""


def checked_unet(unet: Any, role: str, channels: int) -> Any:
    """The UNet of an optional role.

    Raises:
        ModelUnavailableError: it takes another number of input channels.
    """
    found = unet.config.in_channels
    if found != channels:
        raise ModelUnavailableError(
            f"The UNet of the role {role} takes {found} input channels; it must take {channels}."
        )
    return unet
