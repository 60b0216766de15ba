"""A mask of the person's own and what is done to masks, as words: a job, a turn or a command line says them.

`agent.script` reads them from jobs files, `agent.faces.request` from the command line; both get `MaskRules` from here.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from instructedit_models.errors import BadMaskError
from instructedit_models.limits import MAX_RING
from instructedit_models.masks import MaskMode, MaskRules, Refinement

__all__ = ["MaskSettings"]


class MaskSettings(BaseModel):
    """What may be said of masks, under the names of the options of `instructedit edit`.

    Attributes:
        mask: a file, white = may be edited; None for what is found alone.
        mask_mode: how it meets what is found; None for "replace".
        invert_mask, fill_holes, keep_largest, mask_shrink, mask_grow: done to every mask, in this order; pixels.
        mask_feather: width in pixels of the blend around a mask; None leaves it to the model set.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    mask: str | None = Field(default=None, min_length=1)
    mask_mode: MaskMode | None = None
    invert_mask: bool = False
    fill_holes: bool = False
    keep_largest: bool = False
    mask_shrink: int = Field(default=0, ge=0, le=MAX_RING)
    mask_grow: int = Field(default=0, ge=0, le=MAX_RING)
    mask_feather: int | None = Field(default=None, ge=0, le=MAX_RING)

    def rules(self, own: np.ndarray | None) -> MaskRules:
        """The same, as a session takes it.

        Args:
            own: (H, W) bool, what the file holds; None where none is named.

        Raises:
            BadMaskError: it is all black, so that nothing could be edited.
        """
        refinement = Refinement(self.invert_mask, self.fill_holes, self.keep_largest, self.mask_shrink, self.mask_grow)
        if own is not None and not own.any() and not self.invert_mask:
            raise BadMaskError(f"The mask '{self.mask}' is all black; paint white what may be edited.")
        mode = self.mask_mode if own is not None else None
        return MaskRules(own, mode or "replace", refinement)

    def fixed(self) -> dict[str, Any]:
        """What was said of masks, without what was left out."""
        names = [name for name in MaskSettings.model_fields if name in self.model_fields_set]
        return {name: getattr(self, name) for name in names}

    def over(self, other: "MaskSettings") -> "MaskSettings":
        """These settings where they say something, the other's for the rest."""
        return MaskSettings(**{**other.fixed(), **self.fixed()})

    def digest_data(self, files: Mapping[str, str]) -> dict[str, Any]:
        """What a result depends on: the settings that differ from the usual, the mask's file by its SHA-256.

        Args:
            files: SHA-256 by path.
        """
        usual = MaskSettings()
        kept = {name: value for name, value in self.fixed().items() if value != getattr(usual, name)}
        return {**kept, "mask": files.get(self.mask, "")} if self.mask is not None else kept
