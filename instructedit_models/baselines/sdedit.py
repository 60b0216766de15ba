"""SDEdit (Meng et al., 2022): the picture is noised to a strength and denoised under the edited caption; no mask."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from torch import Tensor

from instructedit_models.baselines.types import MaskSource, MethodModels
from instructedit_models.baselines.work import Method, Work
from instructedit_models.solvers import noised_levels
from instructedit_models.types import EditOptions

__all__ = ["SdEdit"]

MOST = 0.6
"""Beyond this strength nothing of the picture is left."""


@dataclass(frozen=True)
class SdEdit(Method):
    """SDEdit: x_r = sqrt(alpha_r) x_0 + sqrt(1 - alpha_r) z, then Eq. 2 with guidance.

    Its strength is `EditOptions.encoding_ratio`, by default the set's, but at most the 0.6 up to which the paper goes;
    `EditOptions.seed` draws z. UNet sample-evaluations at 50 steps and strength 0.5: 50.
    """

    name: ClassVar[str] = "sdedit"
    mask_source: ClassVar[MaskSource] = "none"

    def defaults(self, models: MethodModels) -> EditOptions:
        """The set's, with the strength of the paper."""
        shared = super().defaults(models)
        return replace(shared, encoding_ratio=min(shared.encoding_ratio, MOST))

    def _edited(self, work: Work) -> tuple[Tensor, np.ndarray | None]:
        ladder, clean = work.ladder(), work.clean()
        noisy = noised_levels(clean, (ladder[0], ladder[-1]), work.drawn(tuple(clean.shape)))[-1]
        noise = work.noise(work.task.edited_caption, work.options.guidance_scale)
        return work.denoise(noisy, ladder, noise), None
