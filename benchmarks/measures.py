"""All metrics of one edited picture; `table1` and its sisters call `Measures`.

Background figures are taken outside the pixels that the true edit changes, never outside a method's own mask.
"""

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from agent.plans import EditPlan
from benchmarks.cases import Case
from benchmarks.judge import Judge
from benchmarks.methods import Made, joined_captions
from instructedit_models.crop import plan_crop
from instructedit_models.errors import ModelUnavailableError, UnknownWordError
from instructedit_models.metrics.background import background_psnr, background_ssim
from instructedit_models.metrics.clip_scores import clip_directional, clip_score
from instructedit_models.metrics.lpips import LEAST_SIDE, Lpips
from instructedit_models.metrics.masks import iou

__all__ = ["HIGHER", "LOWER", "METRICS", "Measures", "captions_of"]

HIGHER = (
    "clip_score", "clip_score_edited", "clip_directional", "mask_iou", "background_psnr", "background_ssim", "success",
)  # fmt: skip
LOWER = ("lpips", "seconds", "unet_evaluations", "peak_bytes")
METRICS = ("lpips", *HIGHER, "seconds", "unet_evaluations", "peak_bytes")
"""Every metric, in the order that it is shown."""
_CLIP = frozenset({"clip_score", "clip_score_edited", "clip_directional"})
_BACKGROUND = frozenset({"background_psnr", "background_ssim"})


@dataclass
class Measures:
    """What measures; LPIPS and the judge are loaded when first used.

    Attributes:
        clip: an `Embedder`, such as a set's scorer.
        world: whether the pictures are of the picture world, which the judge knows.
        wanted: those of `METRICS` that are asked for; others are not computed.
    """

    clip: Any
    world: bool = True
    wanted: Collection[str] = METRICS

    @cached_property
    def lpips(self) -> Lpips | None:
        """The distance; None where its weights are not installed, which is said once."""
        try:
            return Lpips.from_package()
        except ModelUnavailableError as error:
            print(f"LPIPS is left out: {error}", file=sys.stderr)
            return None

    @cached_property
    def judge(self) -> Judge:
        """The independent judge. Raises ModelUnavailableError where it has no weights."""
        return Judge()

    def __call__(self, case: Case, made: Made, captions: tuple[str, str] | None) -> dict[str, float | None]:
        """Every wanted metric by its name; None where it cannot be had.

        Args:
            case: what was asked for.
            made: what a method made of it.
            captions: input and edited caption, or None where there are none; of a picture of the world they are for
                the edited part alone, and what is described of the whole picture for the whole.
        """
        before, after = np.asarray(case.image), np.asarray(made.image)
        found: dict[str, float | None] = dict.fromkeys(METRICS)
        if "lpips" in self.wanted and self.lpips is not None and min(case.image.size) >= LEAST_SIDE:
            found["lpips"] = self.lpips.distance(case.image, made.image)
        whole = case.described or captions
        if whole is not None and not _CLIP.isdisjoint(self.wanted):
            found |= self._clip(case, made.image, whole, captions)
        if case.mask is not None and made.mask is not None:
            found["mask_iou"] = iou(made.mask, case.mask)
        elif case.mask is not None and made.error:
            found["mask_iou"] = 0.0
        if case.may_change is not None and not _BACKGROUND.isdisjoint(self.wanted):
            found["background_psnr"] = background_psnr(before, after, case.may_change)
            found["background_ssim"] = background_ssim(before, after, case.may_change)
        if self.world and "success" in self.wanted:
            succeeded = case.succeeded(after, self.judge)
            found["success"] = None if succeeded is None else float(succeeded)
        found["seconds"], found["unet_evaluations"] = made.seconds, float(made.unet_evaluations)
        found["peak_bytes"] = None if made.peak_bytes is None else float(made.peak_bytes)
        return {
            name: None if value is None else round(value, 5) for name, value in found.items() if name in self.wanted
        }

    def _clip(
        self, case: Case, after: Image.Image, whole: tuple[str, str], captions: tuple[str, str] | None
    ) -> dict[str, float | None]:
        try:
            found: dict[str, float | None] = {
                "clip_score": clip_score(self.clip, after, whole[1]),
                "clip_directional": clip_directional(self.clip, (case.image, after), whole),
            }
            if captions is not None and case.mask is not None and case.mask.any():
                found["clip_score_edited"] = clip_score(self.clip, _edited_part(after, case.mask), captions[1])
            return found
        except UnknownWordError:  # a CLIP of a small vocabulary has nothing to say of other words
            return {}


def captions_of(case: Case, plans: Sequence[EditPlan]) -> tuple[str, str] | None:
    """The captions to score by: the set's own, else those of the plans, joined; None where there is no plan."""
    if case.captions:
        return case.captions
    if not plans:
        return None
    return joined_captions(plans)


def _edited_part(image: Image.Image, mask: np.ndarray) -> Image.Image:
    """The square around the mask, PIL RGB."""
    rows, columns = plan_crop(mask, 64, 1.3, 0).window
    return image.crop((columns.start, rows.start, columns.stop, rows.stop))
