"""One edit from plan to version: check, edit, verify, keep. `edit_image` and `adjust_edit` are thin over it."""

import contextlib
import dataclasses
import re

import numpy as np
from PIL import Image

from instructedit_models.caption_text import phrase_of
from instructedit_models.errors import BadMaskError, BadParameterError, ModelUnavailableError, UnknownWordError
from instructedit_models.lexicon import COLOURS, WHOLE, singular
from instructedit_models.medium import in_own_medium
from instructedit_models.own_look import (
    OwnLook,
    from_own_colour,
    from_own_pattern,
    in_own_colour,
    in_own_pattern,
    shape_in_own_colour,
)
from instructedit_models.own_parts import of_their_own
from instructedit_models.separate import apart, of_a_part, of_one
from instructedit_models.types import Change, EditOptions, EditResult
from tools import layers
from tools.context import ToolContext
from tools.events import Edited, Planned
from tools.graph import Base, EditNode, NewEdit
from tools.layers import Canvas
from tools.trying import Task, Tried, known_nouns, try_edit

__all__ = ["EditRequest", "Prepared", "edit_text", "keep", "log_seconds", "perform", "prepare"]

MAX_CAPTION = 500
SHADES = frozenset("bright dark light pale deep vivid rich soft pastel neon intense strong warm cool".split())
"""Words that only shade the colour after them: a text encoder that knows the colour alone is asked for that."""


@dataclasses.dataclass(frozen=True)
class EditRequest:
    """What to edit, where and how.

    Attributes:
        image_id: the picture to edit.
        mask_id: where.
        segmentation_prompt: how the mask was asked for.
        input_caption: what is inside the mask now.
        edited_caption: what should be there.
        change: what may become of the silhouette.
        options: parameters of the edit.
        adjusts: the version that this edit re-does.
        base: whether it is made on the picture as it is, or on the original's pixels in place of earlier edits there.
        replaces: the version in whose place among the layers it stands.
        reapplies: the version whose edit it makes once more.
        retry: whether other parameters may be tried where the check fails; not where these very ones were asked for.
    """

    image_id: str
    mask_id: str
    segmentation_prompt: str
    input_caption: str
    edited_caption: str
    change: Change
    options: EditOptions
    adjusts: str | None = None
    base: Base = "current"
    replaces: str | None = None
    reapplies: str | None = None
    retry: bool = True


@dataclasses.dataclass(frozen=True)
class Prepared:
    """An edit whose ids, masks and words have been checked.

    Attributes:
        request: in words that the text encoder knows.
        canvas: the picture that the models edit, and how the result is put under later layers.
        mask: (H, W) bool, where the edit is made: the request's mask without what is kept.
        things: the mask apart by the things that were found, where each is edited by itself; else empty.
        kept_parts: parts that are left as they are, since they have a look of their own.
    """

    request: EditRequest
    canvas: Canvas
    mask: np.ndarray
    things: tuple[np.ndarray, ...] = ()
    kept_parts: tuple[str, ...] = ()

    @property
    def captions(self) -> tuple[str, str]:
        """What is there, and what should be there."""
        return self.request.input_caption, self.request.edited_caption


def perform(context: ToolContext, request: EditRequest) -> EditNode:
    """Edits, verifies, retries where that is allowed, and keeps the best result as the current version.

    Raises:
        BadParameterError: an id names nothing, or a caption is empty or too long.
        BadMaskError: the mask is empty or of another size than the picture.
        UnknownWordError: the edited caption asks for something that the text encoder does not know.
        RefusedError: the picture or the result is flagged by the operator's checker; nothing is kept then.
    """
    prepared = prepare(context, request)
    request = prepared.request
    retries = context.settings.retries if request.retry else 0
    tried = try_edit(
        context,
        Task(
            prepared.canvas.image,
            prepared.mask,
            prepared.captions,
            request.options,
            request.change,
            retries,
            prepared.things,
            growing=not prepared.kept_parts,
        ),
    )
    for attempt in tried.attempts:
        log_seconds(context, attempt.result)
    return keep(context, prepared, tried)


def prepare(context: ToolContext, request: EditRequest) -> Prepared:
    """Checks a request and announces it; raises as `perform`."""
    conversation = context.conversation
    (width, height), mask = conversation.version(request.image_id).size, conversation.mask(request.mask_id)
    if mask.shape != (height, width):
        raise BadMaskError(
            f"{request.mask_id} is {mask.shape[1]} x {mask.shape[0]} pixels, "
            f"but {request.image_id} is {width} x {height}."
        )
    if not mask.any():
        raise BadMaskError(f"{request.mask_id} is empty: there is nothing to edit.")
    request = _of_the_only_one(context, _known_words(context, request))
    canvas = layers.canvas(conversation, request.image_id, mask, request.base, request.replaces)
    things = _things(context, request, mask)
    kept = _kept_parts(context, request, canvas.image, things or (mask,))
    if kept:
        left = ~np.logical_or.reduce([*kept.values()])
        mask, things = mask & left, tuple(thing & left for thing in things or (mask,))
    request = _in_own_look(context, _in_own_medium(context, request, canvas.image), canvas.image, mask)
    if context.settings.guard is not None:
        with context.turn.timed("safety"):
            context.settings.guard.check_input(canvas.image)
    context.emit(
        Planned(
            image_id=request.image_id,
            mask_id=request.mask_id,
            segmentation_prompt=request.segmentation_prompt,
            input_caption=request.input_caption,
            edited_caption=request.edited_caption,
            change=request.change,
            encoding_ratio=request.options.encoding_ratio,
        )
    )
    return Prepared(request, canvas, mask, things, (*kept,))


def _of_the_only_one(context: ToolContext, request: EditRequest) -> EditRequest:
    """The request with captions of one thing, where "all the cups" found but one."""
    chosen = [region for region in context.conversation.mask_entry(request.mask_id).regions if region.chosen]
    if len(chosen) != 1:
        return request
    before, after = of_one((request.input_caption, request.edited_caption))
    return dataclasses.replace(request, input_caption=before, edited_caption=after)


def keep(context: ToolContext, prepared: Prepared, tried: Tried) -> EditNode:
    """Keeps the best of the tries as a new version, which becomes current, and tells of it."""
    kept, request, models = tried.kept, prepared.request, context.models
    layer = prepared.canvas.finish(kept.result.image, kept.result.region)
    if context.settings.guard is not None:
        with context.turn.timed("safety"):
            context.settings.guard.check_output(layer.image, layer.region)
    edit = context.conversation.add_edit(
        layer.image,
        layer.region,
        NewEdit(
            parent_id=request.image_id,
            mask_id=request.mask_id,
            segmentation_prompt=request.segmentation_prompt,
            input_caption=request.input_caption,
            edited_caption=request.edited_caption,
            change=request.change,
            options=kept.options,
            unet_evaluations=tried.unet_evaluations,
            inversion_cached=tried.attempts[0].result.inversion_cached,
            seconds={stage: round(seconds, 4) for stage, seconds in kept.result.seconds.items()},
            models={"set": models.name, **context.revisions},
            verification=tried.verification_json(),
            adjusts=request.adjusts,
            base=request.base,
            replaces=request.replaces,
            supersedes=prepared.canvas.supersedes,
            reapplies=request.reapplies,
            kept_parts=prepared.kept_parts,
        ),
        layer,
    )
    context.turn.edits.append(edit)
    context.emit(
        Edited(
            image_id=edit.image_id,
            parent_id=edit.parent_id,
            mask_id=edit.mask_id,
            verified=edit.verified,
            unet_evaluations=edit.unet_evaluations,
            encoding_ratio=edit.options.encoding_ratio,
        )
    )
    return edit


def log_seconds(context: ToolContext, result: EditResult) -> None:
    """Adds an edit's stages to the turn's seconds."""
    for stage, seconds in result.seconds.items():
        if stage != "total":
            context.turn.add_seconds(stage, seconds)


def edit_text(edit: EditNode) -> str:
    """What the LLM reads of an edit."""
    cached = ", inversion from the cache" if edit.inversion_cached else ""
    note = (edit.verification or {}).get("note") or "The edit could not be checked."
    tries = len((edit.verification or {}).get("attempts", ()))
    tried = f", the best of {tries} tries" if tries else ""
    kept = f" Left as they were: its {' and '.join(edit.kept_parts)}." if edit.kept_parts else ""
    return (
        f"{edit.image_id} made from {edit.parent_id} inside {edit.mask_id} (encoding ratio "
        f"{edit.options.encoding_ratio:g}, {edit.unet_evaluations} UNet evaluations{cached}{tried}); it is current. "
        f"{'Verified' if edit.verified else 'Not verified'}: {note}{kept}"
    )


def _in_own_medium(context: ToolContext, request: EditRequest, image: Image.Image) -> EditRequest:
    """The request with captions of the picture's own medium, where nobody has said which that is."""
    media = context.models.media
    if not media.words:
        return request
    captions = request.input_caption, request.edited_caption
    try:
        with context.turn.timed("medium"):
            before, after = in_own_medium(captions, image, media, context.models.scorer)
    except ModelUnavailableError:
        return request
    return dataclasses.replace(request, input_caption=before, edited_caption=after)


def _things(context: ToolContext, request: EditRequest, mask: np.ndarray) -> tuple[np.ndarray, ...]:
    if request.change == "background" or (request.change == "appearance" and of_a_part(request.edited_caption)):
        return ()  # the wheels of a car are seen together
    conversation = context.conversation
    regions = conversation.mask_entry(request.mask_id).regions
    ids = [region.mask_id for region in regions if region.chosen and region.mask_id]
    found = [conversation.mask(mask_id) for mask_id in ids] if len(ids) > 1 else []
    return apart(mask, [thing for thing in found if thing.any()])


def _kept_parts(
    context: ToolContext, request: EditRequest, image: Image.Image, things: tuple[np.ndarray, ...]
) -> dict[str, np.ndarray]:
    """The parts of the things that a change of the look leaves, (H, W) bool each.

    None of "the whole car", nor in a mask of one's own.
    """
    origin = context.conversation.mask_entry(request.mask_id).origin
    if request.change != "appearance" or origin not in ("segment", "region") or of_a_part(request.input_caption):
        return {}
    if WHOLE & {*request.segmentation_prompt.lower().split()}:
        return {}
    noun = phrase_of(request.input_caption).split()[-1].lower()
    kept: dict[str, np.ndarray] = {}
    with context.turn.timed("look"), contextlib.suppress(ModelUnavailableError, UnknownWordError):
        for thing in things:
            parts = context.models.grounded.parts_on(image, thing, singular(noun) or noun)
            for name, part in of_their_own(image, thing, parts, request.options.feather // 2).items():
                kept[name] = kept.get(name, False) | part
    return kept


def _in_own_look(context: ToolContext, request: EditRequest, image: Image.Image, mask: np.ndarray) -> EditRequest:
    """The request with captions that name the look that the edit should leave, or has to change, and nobody named."""
    if request.change == "background":
        return request
    models, captions, detector = context.models, (request.input_caption, request.edited_caption), None
    with context.turn.timed("look"):
        if models.keeping.patterns:
            with contextlib.suppress(ModelUnavailableError):  # an edit in a mask of one's own needs no detector
                detector = models.grounded.detector
        own = OwnLook(image, mask, models.keeping, detector)
        if request.change == "shape":
            looking = shape_in_own_colour(captions, own, known_nouns(context))
        else:
            looking = in_own_colour(captions, own)
            if request.options.negative != "empty":
                looking = from_own_pattern(from_own_colour(looking, own), own)
            looking = in_own_pattern(looking, own)
    if looking == captions or models.editor.unknown_words(looking[0]):
        return request
    return dataclasses.replace(request, input_caption=looking[0], edited_caption=looking[1])


def _known_words(context: ToolContext, request: EditRequest) -> EditRequest:
    """The request in words that the text encoder knows.

    An unknown word that only the edited caption has is what the person asked for, so the edit cannot be made; one
    that the input caption has as well ("the cute cat") changes nothing and is left out with a warning.
    """
    captions = {}
    for name in ("input_caption", "edited_caption"):
        caption = " ".join(getattr(request, name).split())
        if not caption:
            raise BadParameterError(f"The {name.replace('_', ' ')} is empty.")
        if len(caption) > MAX_CAPTION:
            raise BadParameterError(f"The {name.replace('_', ' ')} is longer than {MAX_CAPTION} characters.")
        captions[name] = caption
    unknown = {name: context.models.editor.unknown_words(caption) for name, caption in captions.items()}
    described = {word.lower() for word in unknown["input_caption"]}
    asked = tuple(
        dict.fromkeys(
            word
            for word in unknown["edited_caption"]
            if word.lower() not in described and not _shades(word, captions["edited_caption"], unknown)
        )
    )
    if asked:
        raise UnknownWordError(
            f"The {context.models.name} models do not know {_words(asked)}; say it in other words, "
            "or use a larger model set.",
            asked,
        )
    if left_out := tuple(dict.fromkeys((*unknown["input_caption"], *unknown["edited_caption"]))):
        known = {name: _without(caption, left_out) for name, caption in captions.items()}
        if not all(known.values()):
            raise UnknownWordError(
                f"The {context.models.name} models do not know {_words(left_out)}; say it in other words.", left_out
            )
        captions = known
        context.warn(f"The {context.models.name} models do not know {_words(left_out)}, so it was left out.")
    return dataclasses.replace(
        request, input_caption=captions["input_caption"], edited_caption=captions["edited_caption"]
    )


def _shades(word: str, caption: str, unknown: dict[str, tuple[str, ...]]) -> bool:
    """Whether an unknown word only shades a known colour that follows it: "bright yellow"."""
    follower = re.search(rf"\b{re.escape(word)} ([\w-]+)", caption)
    return word.lower() in SHADES and follower is not None and follower[1] in COLOURS - {*unknown["edited_caption"]}


def _words(words: tuple[str, ...]) -> str:
    quoted = [f"'{word}'" for word in words]
    return f"the word {quoted[0]}" if len(quoted) == 1 else f"the words {', '.join(quoted[:-1])} and {quoted[-1]}"


def _without(caption: str, words: tuple[str, ...]) -> str:
    pattern = r"(?<![\w-])(?:" + "|".join(re.escape(word) for word in words) + r")(?![\w-])"
    return " ".join(re.sub(pattern, " ", caption, flags=re.IGNORECASE).split())
