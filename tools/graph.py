"""What the edit graph is made of: masks, edits and versions, as `tools.conversation` hands them out."""

import dataclasses
from typing import Literal

import numpy as np
from PIL import Image

from instructedit_models.types import Change, EditOptions
from tools.regions import RegionRecord

__all__ = ["Base", "EditNode", "Layer", "MaskEntry", "NewEdit", "Origin", "Version"]

Origin = Literal["segment", "region", "combine", "given"]
Base = Literal["current", "source"]
"""What an edit starts from: the picture as it is, or the original's pixels in place of earlier edits there."""


@dataclasses.dataclass(frozen=True)
class MaskEntry:
    """A mask and where it came from.

    Attributes:
        id: "mask_1" …
        image_id: the picture it was made for; it fits every version of that picture.
        sha256: its object file.
        origin: made by the tool segment (the union of the chosen), a single region of it, combine_masks, or given.
        prompt: the segmentation prompt or, for combine, the expression.
        regions: the candidates of its segmentation, `chosen` where this mask holds them.
        note: how the relation in the prompt was solved.
    """

    id: str
    image_id: str
    sha256: str
    origin: Origin
    prompt: str
    regions: tuple[RegionRecord, ...] = ()
    note: str | None = None


@dataclasses.dataclass(frozen=True)
class NewEdit:
    """An edit that was just made, before it has an id.

    Attributes:
        parent_id: the picture that was edited.
        mask_id: where.
        segmentation_prompt, input_caption, edited_caption, change: the plan.
        options: every parameter of the edit.
        unet_evaluations: UNet sample-evaluations spent.
        inversion_cached: whether the inversion came from the cache.
        seconds: wall seconds by stage.
        models: name of the model set and revisions of its parts.
        verification: what the check said, as data; None where it could not be made.
        adjusts: the version that this one replaces, when it re-does that edit with other parameters.
        base: what the pixels inside the mask were when the edit began.
        replaces: the version in whose place among the layers this edit stands, below those made after it.
        supersedes: the versions whose edits no longer show, because this one took their place.
        reapplies: the version whose edit was made once more, on this parent.
        kept_parts: parts of the thing that were left as they were, since they have a look of their own.
    """

    parent_id: str
    mask_id: str
    segmentation_prompt: str
    input_caption: str
    edited_caption: str
    change: Change
    options: EditOptions
    unet_evaluations: int
    inversion_cached: bool
    seconds: dict[str, float]
    models: dict[str, str]
    verification: dict | None = None
    adjusts: str | None = None
    base: Base = "current"
    replaces: str | None = None
    supersedes: tuple[str, ...] = ()
    reapplies: str | None = None
    kept_parts: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class EditNode(NewEdit):
    """An edit in the graph.

    Attributes:
        image_id: the picture that it made.
        region_sha256: object file of every pixel whose bytes may differ from the parent's.
        painted_sha256: object file of the pixels that are this edit's own; None where they are all of the region.
        under_sha256: object file of the picture before later layers were put over it; None where there were none.
    """

    image_id: str = ""
    region_sha256: str = ""
    painted_sha256: str | None = None
    under_sha256: str | None = None

    @property
    def verified(self) -> bool:
        """Whether the edit was checked and passed."""
        return bool(self.verification and self.verification.get("passed"))

    @property
    def removal(self) -> bool:
        """Whether it took an earlier edit out instead of making one; it then has no pixels of its own."""
        return bool(self.supersedes) and self.unet_evaluations == 0


@dataclasses.dataclass(frozen=True)
class Version:
    """One picture of the conversation.

    Attributes:
        id: "image_1" …
        sha256: its object file.
        size: (width, height) in pixels.
        source: where an original came from; empty for edits.
        edit: the edit that made it; None for an original.
        created: when, UTC, ISO 8601.
    """

    id: str
    sha256: str
    size: tuple[int, int]
    source: str
    edit: EditNode | None
    created: str = ""


@dataclasses.dataclass(frozen=True)
class Layer:
    """An edited picture and which of its pixels are the edit's own.

    Attributes:
        image: the new version, PIL RGB.
        region: (H, W) bool, every pixel whose bytes may differ from the parent's version.
        painted: (H, W) bool, the pixels that are this edit's own; a part of `region`.
        under: the picture before later layers were put over it, PIL RGB; None where there were none.
    """

    image: Image.Image
    region: np.ndarray = dataclasses.field(repr=False, compare=False)
    painted: np.ndarray = dataclasses.field(repr=False, compare=False)
    under: Image.Image | None = dataclasses.field(default=None, repr=False, compare=False)
