"""InstructEdit as it was published (Wang et al., 2023), without anything that this project adds to it.

The segmentation prompt goes to Grounding DINO as it is and every box is taken, SAM masks them, the whole picture is
squashed to the model's size, and Eq. 2 to 4 edit it. No relations are solved, nothing is cropped, grown, feathered,
pasted back, checked or tried again.
"""

from dataclasses import dataclass
from typing import ClassVar

from PIL import Image

from instructedit_models.baselines.types import EditTask, MaskSource, MethodModels
from instructedit_models.baselines.work import method_defaults, working
from instructedit_models.types import EditOptions, EditResult, ProgressCallback

__all__ = ["InstructEditPlain"]


@dataclass(frozen=True)
class InstructEditPlain:
    """InstructEdit by its paper, or with `as_code` by its program.

    Attributes:
        as_code: like the authors' program, which inverts the whole schedule whatever the encoding ratio, and puts back
            the background of the level that a step came from instead of the one that it reached.
    """

    as_code: bool = False

    name: ClassVar[str] = "instructedit_plain"
    mask_source: ClassVar[MaskSource] = "grounded"
    instructed: ClassVar[bool] = False

    def defaults(self, models: MethodModels) -> EditOptions:
        """The set's own parameters for a change of looks; with the set `paper` those of the paper."""
        return method_defaults(models)

    def edit(
        self,
        models: MethodModels,
        image: Image.Image,
        task: EditTask,
        options: EditOptions | None = None,
        progress: ProgressCallback | None = None,
    ) -> EditResult:
        """Edits as `types.Method` says; the seed changes nothing.

        UNet sample-evaluations at 50 steps and r = 0.5: 75, or 100 `as_code`.
        """
        with working(models, image, task, options or self.defaults(models), progress) as work:
            mask = work.grounded_mask()
            ladder = work.ladder()
            whole = work.ladder(1.0) if self.as_code else ladder
            inverted = work.invert(work.clean(), whole, work.noise(task.input_caption))
            stored = inverted[: len(ladder)]
            background = stored[1:] if self.as_code else stored
            edited = work.noise(task.edited_caption, work.options.guidance_scale)
            latents = work.masked_denoise(stored[-1], background, ladder, work.cells(mask), edited)
            return work.result(latents, mask)
