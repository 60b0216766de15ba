"""Masks of the person's own: fixed for a conversation (`MaskRules`), or saved in it under a name.

`segment` asks here before it looks for anything, and passes what it found through here; `name_mask` saves.
"""

import dataclasses
import re

import numpy as np

from instructedit_models.errors import BadMaskError, BadParameterError
from instructedit_models.grounding import Grounding
from instructedit_models.masks import bounding_box
from tools.context import ToolContext, ToolResult
from tools.conversation import Conversation
from tools.events import Segmented
from tools.graph import MaskEntry
from tools.regions import RegionRecord, region_line
from tools.workspace import Workspace

__all__ = ["check_name", "finished", "saved_mask", "saved_mask_of", "settled", "stand_in"]

_NAME = re.compile(r"[^\W\d_][\w -]{0,39}")
_RESERVED = re.compile(r"(?:mask|image)[ _-]?\d+")
_INSIDE = 0.5
"""A candidate lies in the person's own mask where more than this share of it does."""


def check_name(name: str) -> str:
    """A mask's name, tidied: a letter, then letters, digits, spaces and hyphens, 40 characters at most.

    Raises:
        BadParameterError: it is no such name, or looks like an id.
    """
    tidy = " ".join(name.split()).casefold()
    if not _NAME.fullmatch(tidy) or _RESERVED.fullmatch(tidy):
        raise BadParameterError(
            f"'{name.strip()[:60]}' cannot name a mask; use a letter, then letters, digits, spaces or hyphens, "
            "40 characters at most."
        )
    return tidy


def saved_mask(conversation: Conversation, name: str, size: tuple[int, int]) -> MaskEntry | None:
    """The mask that was saved last under a name, of a picture of that size; None where there is none."""
    tidy = " ".join(name.split()).casefold()
    for entry in reversed(conversation.masks()):
        if entry.origin == "given" and entry.prompt == tidy and conversation.version(entry.image_id).size == size:
            return entry
    return None


def saved_mask_of(workspace: Workspace, name: str, size: tuple[int, int]) -> np.ndarray | None:
    """The mask saved last under a name in any conversation of a workspace: (H, W) bool, or None."""
    tidy = " ".join(name.split()).casefold()
    rows = workspace.query(
        "SELECT masks.sha256 FROM masks JOIN images ON images.conversation = masks.conversation"
        " AND 'image_' || images.number = masks.image WHERE masks.origin = 'given' AND masks.prompt = ?"
        " AND images.width = ? AND images.height = ? ORDER BY masks.created DESC LIMIT 1",
        (tidy, *size),
    )
    return workspace.objects.mask(rows[0][0]) if rows else None


def saved_names(workspace: Workspace) -> list[str]:
    """The names of all masks that were saved in a workspace, in alphabetical order."""
    rows = workspace.query("SELECT DISTINCT prompt FROM masks WHERE origin = 'given' AND prompt != '' ORDER BY prompt")
    return [name for (name,) in rows]


def stand_in(context: ToolContext, image_id: str, prompt: str) -> ToolResult | None:
    """The answer of `segment` where nothing need be found: the person's own mask replaces it, or a saved one is named.

    Raises:
        BadMaskError: the mask has another size than the picture, or nothing is left of it.
    """
    conversation, rules = context.conversation, context.settings.masking
    size = conversation.version(image_id).size
    saved = saved_mask(conversation, prompt, size)
    if rules.replaces and rules.own is not None:
        mask, words = rules.applied(_fitting(rules.own, size)), "the person's own mask"
    elif saved is not None:
        mask, words = finished(context, conversation.mask(saved.id)), f"the saved mask '{saved.prompt}'"
    else:
        return None
    region = RegionRecord(
        id="r1", phrase=prompt, score=1.0, box=_box(mask), area=round(float(mask.mean()), 4), chosen=True
    )
    mask_id = conversation.add_mask(mask, image_id, "segment", prompt, (region,), f"{words} was used")
    context.emit(
        Segmented(
            image_id=image_id, prompt=prompt, mask_id=mask_id, regions=(region,), ambiguous=(), note=f"{words} was used"
        )
    )
    return ToolResult(
        f"{mask_id} = {words} (chosen). Candidates: {region_line(region, size)}.", image_id=image_id, mask_id=mask_id
    )


def finished(context: ToolContext, found: np.ndarray) -> np.ndarray:
    """A found mask, (H, W) bool, after the conversation's rules; raises as `MaskRules.applied`."""
    rules = context.settings.masking
    if rules.own is not None:
        _fitting(rules.own, (found.shape[1], found.shape[0]))
    return rules.applied(found)


def settled(context: ToolContext, grounding: Grounding) -> Grounding:
    """The grounding, with a tie solved by the person's own mask where the two are to intersect.

    Painting roughly over one of two cars says which one is meant: those that the mask mostly holds are chosen.
    """
    rules = context.settings.masking
    own = rules.own
    if own is None or rules.mode != "intersect" or not grounding.ambiguous or own.shape != grounding.mask.shape:
        return grounding
    tied = [region for region in grounding.regions if region.id in grounding.ambiguous and region.mask.any()]
    meant = {region.id for region in tied if own[region.mask].mean() > _INSIDE}
    if not meant:
        return grounding
    regions = tuple(dataclasses.replace(region, chosen=region.id in meant) for region in grounding.regions)
    mask = np.logical_or.reduce([region.mask for region in regions if region.chosen])
    return dataclasses.replace(grounding, regions=regions, mask=mask, ambiguous=())


def _fitting(own: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if own.shape != (size[1], size[0]):
        raise BadMaskError(
            f"The given mask is {own.shape[1]} x {own.shape[0]} pixels, but the picture is {size[0]} x {size[1]}."
        )
    return own


def _box(mask: np.ndarray) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = bounding_box(mask)
    return float(x0), float(y0), float(x1), float(y1)
