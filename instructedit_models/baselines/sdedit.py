"""SDEdit (Meng et al., 2022): the picture is noised to a strength and denoised under the edited caption; no mask."""

from dataclasses import dataclass
from typing import ClassVar

from PIL import Image

from instructedit_models.baselines.types import EditTask, MaskSource, MethodModels
from instructedit_models.baselines.work import method_defaults, working
from instructedit_models.solvers import noised_levels
from instructedit_models.types import EditOptions, EditResult, ProgressCallback

__all__ = ["SdEdit"]


@dataclass(frozen=True)
class SdEdit:
    """SDEdit; its strength is `EditOptions.encoding_ratio`, and `EditOptions.seed` draws the noise."""

    name: ClassVar[str] = "sdedit"
    mask_source: ClassVar[MaskSource] = "none"
    instructed: ClassVar[bool] = False

    def defaults(self, models: MethodModels) -> EditOptions:
        """The set's own parameters for a change of looks."""
        return method_defaults(models)

    def edit(
        self,
        models: MethodModels,
        image: Image.Image,
        task: EditTask,
        options: EditOptions | None = None,
        progress: ProgressCallback | None = None,
    ) -> EditResult:
        """Edits as `types.Method` says: x_r = sqrt(alpha_r) x_0 + sqrt(1 - alpha_r) z, then Eq. 2 with guidance.

        UNet sample-evaluations at 50 steps and strength 0.5: 50.
        """
        with working(models, image, task, options or self.defaults(models), progress) as work:
            ladder, clean = work.ladder(), work.clean()
            noisy = noised_levels(clean, (ladder[0], ladder[-1]), work.drawn(tuple(clean.shape)))[-1]
            noise = work.noise(task.edited_caption, work.options.guidance_scale)
            return work.result(work.denoise(noisy, ladder, noise))
