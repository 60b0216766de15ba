"""What a conversation knows that one picture does not tell, where the tool `segment` looks for things.

Edits leave things where they are, so that the source pixels show most of them best; parts belong to owners; where two
of three things were edited, the other one is the third; and what was found as a ball before is no fish now.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from instructedit_models.errors import NothingFoundError, UserError
from instructedit_models.grounding import Grounding
from instructedit_models.reference import Reference
from instructedit_models.referring import parse_all
from tools.context import ToolContext
from tools.conversation import Conversation
from tools.graph import EditNode
from tools.layers import live

__all__ = ["ground"]

SAME_THING = 0.5
"""Of two masks of one thing, or of a thing and its part, at least this share of the smaller lies in the other."""
_WHOLE_PICTURE = 0.6
_REMEMBERED_MASKS = 40
_ONLY_SOME = re.compile(r"\bonly \d+ (?:of \d+ )?found")
"""The note of a grounding that found fewer things than were asked for: another picture may show more."""


def ground(context: ToolContext, image_id: str, prompt: str) -> Grounding:
    """What a prompt means in a version of the picture, with all that the conversation knows.

    Raises:
        NothingFoundError: nothing fits; the sentence says what was found instead.
        UnknownWordError: the detector does not know the noun.
        BadInstructionError: the prompt names nothing.
    """
    conversation = context.conversation
    source = _source(conversation, image_id, prompt)
    for looked_at in dict.fromkeys((source, image_id)):
        try:
            found = context.models.grounded.segment(
                conversation.image(looked_at), prompt, exclude=_edited_last(context, image_id, looked_at, prompt)
            )
            if looked_at != image_id and _ONLY_SOME.search(found.note or ""):
                continue
            found = _others(conversation, image_id, found)
        except NothingFoundError:
            if looked_at != image_id:
                continue
            if (before := _as_it_was(context, image_id, prompt)) is None:
                raise
            found = before
        return _once_each(_familiar(conversation, image_id, found))
    raise AssertionError("the last picture answers or raises")


def _source(conversation: Conversation, image_id: str, prompt: str) -> str:
    """The picture to look at: the original, where no edit changed what the prompt goes by; else the version itself.

    An edit of a thing's look leaves its place and its shape, and blurs what a detector goes by.
    """
    references = _references(prompt)
    path = conversation.path(image_id)
    shown = [edit for edit in live(path) if edit.change != "background"]
    if not references or not shown:
        return image_id
    nouns = {reference.noun for reference in references}
    by_looks = any(reference.attributes or reference.generic for reference in references)
    by_others = any(reference.background for reference in references)
    for edit in shown:
        if edit.change == "shape" and (by_others or nouns & _nouns(edit)):
            return image_id
    return image_id if by_looks else path[0].parent_id


def _as_it_was(context: ToolContext, image_id: str, prompt: str) -> Grounding | None:
    """What the prompt means in the original, where no edit was made of that: an edit beside it may have hidden some.

    Without what edits painted over; None where nothing is left.
    """
    conversation = context.conversation
    path = conversation.path(image_id)
    shown = [edit for edit in live(path) if edit.change != "background" and not edit.removal]
    if not shown or any(reference.other for reference in _references(prompt)):
        return None
    try:
        found = context.models.grounded.segment(conversation.image(path[0].parent_id), prompt)
    except UserError:
        return None
    masks = [conversation.mask(edit.mask_id) for edit in shown]
    if any(_same(region.mask, mask) for region in found.regions if region.chosen for mask in masks):
        return None
    free = ~np.logical_or.reduce(masks)
    regions = tuple(dataclasses.replace(region, mask=region.mask & free) for region in found.regions)
    if not all(region.mask.any() for region in regions if region.chosen):
        return None
    return dataclasses.replace(found, regions=regions, mask=found.mask & free)


def _nouns(edit: EditNode) -> set[str]:
    """The words of a plan, and the nouns that its prompt names."""
    words = f"{edit.input_caption} {edit.edited_caption}".lower().split()
    named = {reference.noun for reference in _references(edit.segmentation_prompt)}
    return named | {*words, *(word.removesuffix("s") for word in words), *(word.removesuffix("es") for word in words)}


def _edited_last(context: ToolContext, image_id: str, looked_at: str, prompt: str) -> np.ndarray | None:
    """What "the other one" is not: where the picture was edited last, (H, W) bool.

    After an edit of a part, the other owner is not the one whose part it was.
    """
    conversation = context.conversation
    edit = conversation.version(image_id).edit
    if edit is None:
        return None
    reference, edited = _reference(prompt), _reference(edit.segmentation_prompt)
    owner = edit.segmentation_prompt.partition(" of the ")[2]
    if owner and reference and reference.owner and reference.owner.other and edited and edited.owner:
        try:
            return context.models.grounded.segment(conversation.image(looked_at), owner).mask
        except UserError:
            pass
    return conversation.mask(edit.mask_id)


def _others(conversation: Conversation, image_id: str, grounding: Grounding) -> Grounding:
    """The grounding of "the other …" without what was edited before; every other grounding as it is.

    Raises NothingFoundError where what was edited last is all that there is.

    Of several that are left, those go that earlier edits made, the newest first, as long as one is left; of "the
    rest", those go that were made to look the same already.
    """
    reference = _reference(grounding.prompt)
    edits = [edit for edit in live(conversation.path(image_id)) if edit.change != "background" and not edit.removal]
    other = next((each for each in (reference, reference and reference.owner) if each and each.other), None)
    if other is None or not edits:
        return grounding
    left = [i for i, region in enumerate(grounding.regions) if region.mask.any()]
    if other.quantifier == "one":
        chosen = {i for i in left if grounding.regions[i].chosen}
        for number, edit in enumerate(reversed(edits)):
            kept = _untouched(conversation, grounding, left, edit)
            if not number and not kept:
                raise NothingFoundError(f"No {grounding.prompt!r} was found beside what was edited last.")
            if number and (len(left) <= 1 or not kept):
                break
            left = kept
        settled = chosen and chosen <= set(left) and not grounding.ambiguous
        return grounding if settled else _chosen(grounding, left)
    last = edits[-1]
    for edit in reversed(edits):
        alike = edit is last or edit.edited_caption.split()[-2:] == last.edited_caption.split()[-2:]
        left = (_untouched(conversation, grounding, left, edit) or left) if alike else left
    meant = {i for i, region in enumerate(grounding.regions) if region.chosen} & set(left)
    return _with(grounding, meant, ()) if meant else grounding


def _familiar(conversation: Conversation, image_id: str, grounding: Grounding) -> Grounding:
    """The grounding without those of its ties that were found as another thing before, as long as one is left."""
    reference = _reference(grounding.prompt)
    if not grounding.ambiguous or reference is None or reference.owner is not None or reference.generic:
        return grounding
    tied = [i for i, region in enumerate(grounding.regions) if region.id in grounding.ambiguous]
    known = list(_known(conversation, image_id, reference.noun))
    kept = [i for i in tied if not any(_same(grounding.regions[i].mask, mask) for mask in known)]
    return _chosen(grounding, kept) if kept and len(kept) < len(tied) else grounding


def _known(conversation: Conversation, image_id: str, noun: str) -> Iterator[np.ndarray]:
    """Masks of single things of other kinds, found in versions that lead to this one and not turned into others."""
    path = conversation.path(image_id)
    leading = {image_id, *(edit.parent_id for edit in path)}
    reshaped = [conversation.mask(edit.mask_id) for edit in path if edit.change == "shape"]
    for entry in conversation.masks()[-_REMEMBERED_MASKS:]:
        reference = _reference(entry.prompt) if entry.origin == "segment" and entry.image_id in leading else None
        if reference is None or reference.noun == noun or reference.quantifier != "one":
            continue
        if reference.owner or reference.generic or reference.background:
            continue
        mask = conversation.mask(entry.id)
        if not any(_same(mask, other) for other in reshaped):
            yield mask


def _once_each(grounding: Grounding) -> Grounding:
    """The grounding with every thing counted once: of ties, or of several that are meant, the surest that overlap."""
    tied = [i for i, region in enumerate(grounding.regions) if region.id in grounding.ambiguous]
    kept = _apart(grounding, tied)
    if len(kept) < len(tied):
        return _chosen(grounding, sorted(kept))
    reference = _reference(grounding.prompt)
    meant = [i for i, region in enumerate(grounding.regions) if region.chosen]
    alone = _apart(grounding, meant)
    if tied or len(alone) == len(meant) or reference is None:
        return grounding
    if reference.quantifier == "count" and not reference.positional:
        best = [*alone, *(i for i in _surest(grounding, range(len(grounding.regions))) if i not in meant)]
        alone = _apart(grounding, best, ordered=True)[: len(meant)]
    return _with(grounding, set(alone), ())


def _surest(grounding: Grounding, places: Iterable[int]) -> list[int]:
    return sorted(places, key=lambda place: -grounding.regions[place].score)


def _apart(grounding: Grounding, places: Sequence[int], ordered: bool = False) -> list[int]:
    """Of regions that are the same thing, the surest, or the first where they are ordered already."""
    kept: list[int] = []
    for i in places if ordered else _surest(grounding, places):
        if not any(_same(grounding.regions[i].mask, grounding.regions[j].mask) for j in kept):
            kept.append(i)
    return kept


def _untouched(conversation: Conversation, grounding: Grounding, places: Sequence[int], edit: EditNode) -> list[int]:
    mask = conversation.mask(edit.mask_id)
    return [i for i in places if not _same(grounding.regions[i].mask, mask)]


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    if one.shape != other.shape or other.mean() > _WHOLE_PICTURE:
        return False
    smaller = min(np.count_nonzero(one), np.count_nonzero(other))
    return bool(smaller and np.count_nonzero(one & other) >= SAME_THING * smaller)


def _chosen(grounding: Grounding, left: Sequence[int]) -> Grounding:
    """The best of what is left, the largest where no noun was named; where that is several things, they tie."""
    reference = _reference(grounding.prompt)
    largest = reference is not None and reference.generic
    best = max(left, key=lambda i: grounding.regions[i].area if largest else grounding.regions[i].score)
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


def _references(prompt: str) -> list[Reference]:
    """Everything that a prompt names, with owners, anchors and what is left out; [] where it cannot be read."""
    try:
        waiting = list(parse_all(prompt))
    except UserError:
        return []
    found: list[Reference] = []
    while waiting:
        reference = waiting.pop()
        found.append(reference)
        waiting += [each for each in (reference.owner, reference.excluded) if each is not None]
        waiting += [anchor for relation in reference.relations for anchor in relation.anchors]
    return found
