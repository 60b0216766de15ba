"""What every baseline takes and gives; no torch here.

A method is a frozen dataclass whose fields are its own parameters. `edit` takes a model set, a picture, what is asked
for, and the options that all methods share, and gives an `EditResult`.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np
from PIL import Image

from instructedit_models.errors import BadParameterError
from instructedit_models.types import Change, Detector, EditOptions, EditResult, ProgressCallback, Region, Segmenter

if TYPE_CHECKING:
    from instructedit_models.editor import MaskedDDIMEditor

__all__ = ["EditTask", "MaskSource", "Method", "MethodModels", "check_number"]

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


class Method(Protocol):
    """One way of editing.

    Attributes:
        name: as the registry and the records have it.
        mask_source: where it edits.
        instructed: whether it takes the instruction itself and needs no captions.
    """

    name: ClassVar[str]
    mask_source: ClassVar[MaskSource]
    instructed: ClassVar[bool]

    def defaults(self, models: MethodModels) -> EditOptions:
        """The options that suit the method with a model set."""
        ...

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
        ...


def check_number(what: str, value: Any, low: float, high: float, *, whole: bool = False) -> None:
    """Raises BadParameterError unless a parameter is a number (a whole one) within its range."""
    right = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not right or not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        raise BadParameterError(f"The {what} must be {kind} from {low:g} to {high:g}; got {value!r}.")
