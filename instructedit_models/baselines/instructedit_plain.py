"""InstructEdit as it was published (Wang et al., 2023), without anything that this project adds to it.

The segmentation prompt goes to Grounding DINO as it is and every box is taken, SAM masks them, the whole picture is
squashed to the model's size, and Eq. 2 to 4 edit it. No relations are solved, nothing is cropped, grown, feathered,
pasted back, checked or tried again.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

from instructedit_models.baselines.types import MaskSource
from instructedit_models.baselines.work import Method, Work

__all__ = ["InstructEditPlain"]


@dataclass(frozen=True)
class InstructEditPlain(Method):
    """InstructEdit by its paper, or with `as_code` by its program; the seed changes nothing.

    By default its parameters are the set's own, and with the set `paper` those of the paper. UNet sample-evaluations at
    50 steps and r = 0.5: 75, or 100 `as_code`.

    Attributes:
        as_code: like the authors' program, which inverts the whole schedule whatever the encoding ratio, and puts back
            the background of the level that a step came from instead of the one that it reached.
    """

    as_code: bool = False

    name: ClassVar[str] = "instructedit_plain"
    mask_source: ClassVar[MaskSource] = "grounded"

    def _edited(self, work: Work) -> tuple[Tensor, np.ndarray | None]:
        mask = work.grounded_mask()
        ladder = work.ladder()
        whole = work.ladder(1.0) if self.as_code else ladder
        inverted = work.invert(work.clean(), whole, work.noise(work.task.input_caption))
        stored = inverted[: len(ladder)]
        background = stored[1:] if self.as_code else stored
        edited = work.noise(work.task.edited_caption, work.options.guidance_scale)
        latents = work.masked_denoise(stored[-1], background, ladder, work.cells(mask), edited)
        return latents, mask
