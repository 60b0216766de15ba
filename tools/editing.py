"""One edit from plan to version: check, edit, verify, keep. `edit_image` and `adjust_edit` are thin over it."""

import dataclasses
import re

import numpy as np

from instructedit_models.errors import (
    BadMaskError,
    BadParameterError,
    ModelUnavailableError,
    UnknownWordError,
)
from instructedit_models.separate import edit_separately
from instructedit_models.types import Change, EditOptions, EditResult, Progress
from tools.context import ToolContext
from tools.events import Edited, Planned
from tools.graph import EditNode, NewEdit

__all__ = ["EditRequest", "edit_text", "perform"]

MAX_CAPTION = 500


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
    """

    image_id: str
    mask_id: str
    segmentation_prompt: str
    input_caption: str
    edited_caption: str
    change: Change
    options: EditOptions
    adjusts: str | None = None


def perform(context: ToolContext, request: EditRequest) -> EditNode:
    """Edits, verifies and keeps the result as the current version.

    Raises:
        BadParameterError: an id names nothing, or a caption is empty or too long.
        BadMaskError: the mask is empty or of another size than the picture.
        UnknownWordError: the edited caption asks for something that the text encoder does not know.
    """
    conversation, models = context.conversation, context.models
    image, mask = conversation.image(request.image_id), conversation.mask(request.mask_id)
    if mask.shape != (image.height, image.width):
        raise BadMaskError(
            f"{request.mask_id} is {mask.shape[1]} x {mask.shape[0]} pixels, "
            f"but {request.image_id} is {image.width} x {image.height}."
        )
    if not mask.any():
        raise BadMaskError(f"{request.mask_id} is empty: there is nothing to edit.")
    request = _known_words(context, request)
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
    with context.turn.timed("edit"):
        captions = (request.input_caption, request.edited_caption)
        result = edit_separately(models.editor, image, mask, captions, request.options, context.progress)
    for stage, seconds in result.seconds.items():
        if stage != "total":
            context.turn.add_seconds(stage, seconds)
    verification = _verified(context, request, result)
    edit = conversation.add_edit(
        result.image,
        result.region,
        NewEdit(
            parent_id=request.image_id,
            mask_id=request.mask_id,
            segmentation_prompt=request.segmentation_prompt,
            input_caption=request.input_caption,
            edited_caption=request.edited_caption,
            change=request.change,
            options=request.options,
            unet_evaluations=result.unet_evaluations,
            inversion_cached=result.inversion_cached,
            seconds={stage: round(seconds, 4) for stage, seconds in result.seconds.items()},
            models={"set": models.name, "editor": models.editor.revision},
            verification=verification,
            adjusts=request.adjusts,
        ),
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


def edit_text(edit: EditNode) -> str:
    """What the LLM reads of an edit."""
    cached = ", inversion from the cache" if edit.inversion_cached else ""
    note = (edit.verification or {}).get("note") or "The edit could not be checked."
    return (
        f"{edit.image_id} made from {edit.parent_id} inside {edit.mask_id} (encoding ratio "
        f"{edit.options.encoding_ratio:g}, {edit.unet_evaluations} UNet evaluations{cached}); it is current. "
        f"{'Verified' if edit.verified else 'Not verified'}: {note}"
    )


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
    asked = tuple(dict.fromkeys(word for word in unknown["edited_caption"] if word.lower() not in described))
    if asked:
        raise UnknownWordError(
            f"The {context.models.name} models do not know {_words(asked)}; say it in other words, "
            "or use a larger model set.",
            asked,
        )
    if unknown["input_caption"]:
        left_out = tuple(dict.fromkeys(unknown["input_caption"]))
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


def _words(words: tuple[str, ...]) -> str:
    quoted = [f"'{word}'" for word in words]
    return f"the word {quoted[0]}" if len(quoted) == 1 else f"the words {', '.join(quoted[:-1])} and {quoted[-1]}"


def _without(caption: str, words: tuple[str, ...]) -> str:
    pattern = r"(?<![\w-])(?:" + "|".join(re.escape(word) for word in words) + r")(?![\w-])"
    return " ".join(re.sub(pattern, " ", caption, flags=re.IGNORECASE).split())


def _verified(context: ToolContext, request: EditRequest, result: EditResult) -> dict | None:
    from instructedit_models.verification import verify

    before, mask = context.conversation.image(request.image_id), np.asarray(result.mask)
    captions = (request.input_caption, request.edited_caption)
    with context.turn.timed("verify"):
        try:
            checked = verify(before, result.image, mask, *captions, context.models.scorer)
        except ModelUnavailableError as error:
            context.warn(f"The edit was not checked: {error}")
            return None
    context.progress(Progress("verify", 1, 1))
    return {name: _plain(value) for name, value in dataclasses.asdict(checked).items()}


def _plain(value: object) -> object:
    return round(float(value), 5) if isinstance(value, float) else value
