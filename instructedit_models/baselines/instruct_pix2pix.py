"""InstructPix2Pix (Brooks et al., 2023): a UNet that is shown the picture beside its latents, and the instruction.

With I the picture, T the instruction and - for nothing, its Eq. 3 is

    e = e(-, -) + s_I (e(I, -) - e(-, -)) + s_T (e(I, T) - e(I, -))

    paper           here
    s_I, s_T        `image_guidance`, `EditOptions.guidance_scale`
    I               the picture's latents as the VAE gives them, unscaled, in four further input channels
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from instructedit_models.baselines.types import MaskSource, MethodModels, check_number
from instructedit_models.baselines.work import Method, Work, checked_unet
from instructedit_models.types import EditOptions

__all__ = ["InstructPix2Pix", "InstructedNoise"]


@dataclass(frozen=True)
class InstructPix2Pix(Method):
    """InstructPix2Pix, with the UNet of the set's role `instruct_pix2pix`; it needs no captions.

    UNet sample-evaluations at its 100 steps: 300.

    Attributes:
        image_guidance: s_I; larger keeps more of the picture.

    Raises:
        BadParameterError: it is out of its range.
    """

    image_guidance: float = 1.5

    name: ClassVar[str] = "instruct_pix2pix"
    mask_source: ClassVar[MaskSource] = "none"
    instructed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_number("image guidance", self.image_guidance, 0, 100)

    def defaults(self, models: MethodModels) -> EditOptions:
        """100 steps from pure noise, as its own command does."""
        return replace(super().defaults(models), encoding_ratio=1.0, steps=100, guidance_scale=7.5)

    def _edited(self, work: Work) -> tuple[Tensor, np.ndarray | None]:
        unet = checked_unet(work.models.instruct_pix2pix, self.name, 2 * work.diffusion.unet.config.in_channels)
        clean = work.clean()
        states = [work.diffusion.embed(work.task.instruction, known=False), work.diffusion.embed("")]
        scales = work.options.guidance_scale, self.image_guidance
        noise = work.counted(InstructedNoise(unet, (states[0], states[1]), work.diffusion.unscaled(clean), scales))
        return work.denoise(work.drawn(tuple(clean.shape)), work.ladder(), noise, unet), None


class InstructedNoise:
    """The three-way guided noise of Eq. 3; counts sample-evaluations, three a step."""

    def __init__(self, unet: Any, states: tuple[Tensor, Tensor], image: Tensor, scales: tuple[float, float]) -> None:
        """Binds what the noise depends on.

        Args:
            unet: takes the latents' channels and the picture's.
            states: of the instruction and of the empty text, (1, T, D) each.
            image: the picture's unscaled latents, (1, C, h, w).
            scales: s_T and s_I.
        """
        self._unet = unet
        self._states = torch.cat([states[0], states[1], states[1]])
        self._image = torch.cat([image, image, torch.zeros_like(image)])
        self._text_scale, self._image_scale = scales
        self.evaluations = 0

    def __call__(self, latents: Tensor, timestep: int) -> Tensor:
        """The noise in latents (1, C, h, w) at a timestep; same shape and float32 back."""
        batch = torch.cat([latents.repeat(3, 1, 1, 1), self._image], dim=1).to(self._unet.dtype)
        noise = self._unet(batch, timestep, encoder_hidden_states=self._states.to(self._unet.dtype)).sample.float()
        self.evaluations += len(batch)
        instructed, shown, plain = noise.chunk(3)
        return plain + self._image_scale * (shown - plain) + self._text_scale * (instructed - shown)
