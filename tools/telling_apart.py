"""Which candidates "the other one" leaves out, by what the conversation edited before. The tool `segment` asks.

The geometry below knows one box that was spoken of last. A conversation knows more: parts belong to owners, and where
two of three things were edited, the other one is the third.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from instructedit_models.errors import UserError
from instructedit_models.grounding import Grounding
from instructedit_models.reference import Reference
from instructedit_models.referring import parse_all
from tools.context import ToolContext
from tools.graph import EditNode
from tools.layers import live

__all__ = ["edited_last", "others"]

SAME_THING = 0.5
"""Of two masks of one thing, or of a thing and its part, at least this share of the smaller lies in the other."""
_WHOLE_PICTURE = 0.6


def edited_last(context: ToolContext, image_id: str, prompt: str) -> np.ndarray | None:
    """What "the other one" is not: where the picture was edited last, (H, W) bool.

    After an edit of a part, the other owner is not the one whose part it was.
    """
    edit = context.conversation.version(image_id).edit
    if edit is None:
        return None
    reference = _reference(prompt)
    owner = _reference(edit.segmentation_prompt)
    if reference is not None and reference.owner is not None and reference.owner.other and owner and owner.owner:
        try:
            image = context.conversation.image(image_id)
            found = context.models.grounded.segment(image, edit.segmentation_prompt.partition(" of the ")[2])
            return found.mask
        except UserError:
            pass
    return context.conversation.mask(edit.mask_id)


def others(context: ToolContext, image_id: str, grounding: Grounding) -> Grounding:
    """The grounding of "the other …" without what was edited before; every other grounding as it is.

    Of several that are left, those go that earlier edits made, the newest first, as long as one is left; of "the
    rest", those go that were made to look the same already.
    """
    reference = _reference(grounding.prompt)
    edits = _edits(context, image_id)
    if reference is None or not edits or not (reference.other or (reference.owner and reference.owner.other)):
        return grounding
    quantified = reference if reference.other else reference.owner
    assert quantified is not None
    left = [i for i, region in enumerate(grounding.regions) if region.mask.any()]
    if quantified.quantifier == "one":
        chosen = {i for i in left if grounding.regions[i].chosen}
        for number, edit in enumerate(reversed(edits)):
            kept = _untouched(context, grounding, left, edit)
            if number and len(left) <= 1 or not kept:
                break
            left = kept
        settled = chosen and chosen <= set(left) and not grounding.ambiguous
        return grounding if settled else _chosen(grounding, left)
    last = edits[-1]
    for edit in reversed(edits):
        alike = edit is last or edit.edited_caption.split()[-2:] == last.edited_caption.split()[-2:]
        left = (_untouched(context, grounding, left, edit) or left) if alike else left
    meant = {i for i, region in enumerate(grounding.regions) if region.chosen} & set(left)
    return _with(grounding, meant, ()) if meant else grounding


def _untouched(context: ToolContext, grounding: Grounding, places: Sequence[int], edit: EditNode) -> list[int]:
    mask = context.conversation.mask(edit.mask_id)
    return [i for i in places if not _same(grounding.regions[i].mask, mask)]


def _edits(context: ToolContext, image_id: str) -> list[EditNode]:
    """The edits of things that show in a version, the newest last."""
    conversation = context.conversation
    shown = live(conversation.path(image_id))
    return [edit for edit in shown if edit.change != "background" and not edit.removal]


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    if one.shape != other.shape or other.mean() > _WHOLE_PICTURE:
        return False
    smaller = min(np.count_nonzero(one), np.count_nonzero(other))
    return bool(smaller and np.count_nonzero(one & other) >= SAME_THING * smaller)


def _chosen(grounding: Grounding, left: Sequence[int]) -> Grounding:
    """The best of what is left; where that is several things, they tie."""
    best = max(left, key=lambda i: grounding.regions[i].score)
    return _with(grounding, {best}, tuple(left) if len(left) > 1 else ())


def _with(grounding: Grounding, meant: set[int], tied: Sequence[int]) -> Grounding:
    regions = tuple(dataclasses.replace(each, chosen=i in meant) for i, each in enumerate(grounding.regions))
    mask = np.logical_or.reduce([region.mask for region in regions if region.chosen])
    return dataclasses.replace(
        grounding, regions=regions, mask=mask, ambiguous=tuple(regions[i].id for i in sorted(tied))
    )


def _reference(prompt: str) -> Reference | None:
    """The one thing that a prompt names; None where it names several or none."""
    try:
        references = parse_all(prompt)
    except UserError:
        return None
    return references[0] if len(references) == 1 else None
