"""Grounded SAM with inpainting, as Grounded-Segment-Anything's demo: the mask is filled from the edited caption alone.

The inpainting UNet takes nine channels: latents, mask, and the latents of the picture with the mask greyed out.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from instructedit_models.baselines.types import MaskSource, MethodModels
from instructedit_models.baselines.work import Conditioned, Method, Work, checked_unet
from instructedit_models.solvers import noised_levels
from instructedit_models.stages import timed
from instructedit_models.types import EditOptions

__all__ = ["Inpainting"]


@dataclass(frozen=True)
class Inpainting(Method):
    """Grounded SAM and the inpainting UNet of the set's role `inpainting`.

    It starts from pure noise (encoding ratio 1); with a smaller ratio, from the picture noised so far. The input
    caption is not used. UNet sample-evaluations at 50 steps: 100.
    """

    name: ClassVar[str] = "inpainting"
    mask_source: ClassVar[MaskSource] = "grounded"

    def defaults(self, models: MethodModels) -> EditOptions:
        """From pure noise."""
        return replace(super().defaults(models), encoding_ratio=1.0)

    def _edited(self, work: Work) -> tuple[Tensor, np.ndarray | None]:
        latent_channels = work.diffusion.unet.config.in_channels
        unet = checked_unet(work.models.inpainting, self.name, 2 * latent_channels + 1)
        mask = work.grounded_mask()
        conditioned = Conditioned(unet, condition(work, mask))
        noise = work.noise(work.task.edited_caption, work.options.guidance_scale, conditioned)
        ladder, side = work.ladder(), work.diffusion.latent_size
        fresh = work.drawn((1, latent_channels, side, side))
        start = fresh
        if work.options.encoding_ratio < 1:
            start = noised_levels(work.clean(), (ladder[0], ladder[-1]), fresh)[-1]
        return work.denoise(start, ladder, noise, unet), mask


def condition(work: Work, mask: np.ndarray) -> Tensor:
    """What the UNet is shown beside the latents: the mask and the masked picture's latents, (1, 1 + C, h, w) float32.

    As diffusers' pipeline: masked pixels are 0 (grey, -1..1), and the mask's cells are its nearest pixels.

    Args:
        work: the edit.
        mask: (H, W) bool.
    """
    side, cells = work.diffusion.native_size, work.diffusion.latent_size
    small = np.asarray(Image.fromarray(mask).resize((side, side), Image.Resampling.NEAREST))
    with timed(work.seconds, "encode"):
        pixels = torch.from_numpy(work.squashed().copy()).permute(2, 0, 1)[None].float().div(127.5).sub(1)
        hole = torch.from_numpy(small.copy())[None, None]
        masked = work.diffusion.encode_tensor((pixels * ~hole).to(work.diffusion.device))
        coarse = torch.nn.functional.interpolate(hole.float(), size=(cells, cells)).to(masked)
    return torch.cat([coarse, masked], dim=1)
