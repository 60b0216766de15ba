"""What every baseline is given: an edit that is asked for, and a model set; no torch here."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from instructedit_models.errors import BadParameterError
from instructedit_models.types import Change, Detector, EditOptions, Region, Segmenter

if TYPE_CHECKING:
    from instructedit_models.editor import MaskedDDIMEditor

__all__ = ["EditTask", "MaskSource", "MethodModels", "check_number"]

MaskSource = Literal["grounded", "own", "none"]
"""Where a method edits: in a mask that is given or grounded, in one that it finds by its own means, or everywhere."""


@dataclass(frozen=True)
class EditTask:
    """One edit that is asked for.

    Attributes:
        instruction: in the person's words.
        input_caption: what is there now.
        edited_caption: what shall be there.
        segmentation_prompt: what to select, for the methods that ground.
        regions: candidates that were found already; those `chosen` make the mask.
        mask: (H, W) bool, a mask that is given; it goes before the regions.
    """

    instruction: str
    input_caption: str
    edited_caption: str
    segmentation_prompt: str = ""
    regions: tuple[Region, ...] = ()
    mask: np.ndarray | None = field(default=None, repr=False, compare=False)

    @property
    def given_mask(self) -> np.ndarray | None:
        """The mask that is given, (H, W) bool; None where the method has to find one."""
        if self.mask is not None:
            return self.mask
        chosen = [region.mask for region in self.regions if region.chosen]
        return np.logical_or.reduce(chosen) if chosen else None


class MethodModels(Protocol):
    """What the methods use of a `ModelSet`; each part is loaded when it is first touched."""

    @property
    def editor(self) -> "MaskedDDIMEditor":
        """The latent diffusion model."""
        ...

    @property
    def detector(self) -> Detector:
        """Grounding DINO."""
        ...

    @property
    def segmenter(self) -> Segmenter:
        """SAM."""
        ...

    @property
    def instruct_pix2pix(self) -> Any:
        """InstructPix2Pix's `UNet2DConditionModel`; raises ModelUnavailableError where the set has none."""
        ...

    @property
    def inpainting(self) -> Any:
        """The inpainting `UNet2DConditionModel`; raises ModelUnavailableError where the set has none."""
        ...

    def defaults(self, change: Change) -> EditOptions:
        """The parameters that suit this set for a kind of change."""
        ...


def check_number(what: str, value: Any, low: float, high: float, *, whole: bool = False) -> None:
    """Raises BadParameterError unless a parameter is a number (a whole one) within its range."""
    right = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not right or not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        raise BadParameterError(f"The {what} must be {kind} from {low:g} to {high:g}; got {value!r}.")
