"""One call from a picture and a sentence to the edited picture; the command line and the benchmarks use it.

outcome = edit_image("photo.png", "make the car blue")
outcome.image.save("out.png")
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from agent.bundle import Bundle, bundle_of, turn_of
from agent.events import Event, EventCallback, Progressed
from agent.plans import check_instruction
from agent.policy import raise_if_refused
from agent.saving import origin_of
from instructedit_models.errors import BadImageError, BadInstructionError, LLMError
from instructedit_models.imaging import MIN_SIDE, LoadedImage, load_image
from instructedit_models.masks import MaskRules
from instructedit_models.provenance import Provenance
from instructedit_models.types import Progress, ProgressCallback
from tools.context import EditOverrides, Models, ToolSettings, TurnLog
from tools.workspace import Workspace

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from agent.record import TurnRecord
    from instructedit_models.safety import SafetyGuard

__all__ = [
    "EditOutcome",
    "EditOverrides",
    "chat_model_for",
    "edit_image",
    "guard_for",
    "loaded_picture",
    "settings_for",
]

_LONGEST_REPLY = 300


@dataclass(frozen=True)
class EditOutcome:
    """An edited picture.

    Attributes:
        image: PIL RGB, of the input's size.
        mask: (H, W) bool, what was segmented; over several edits the union.
        region: (H, W) bool, every pixel whose bytes may differ from the input's: grown mask plus blending ring.
        record: the JSON contract of `instructedit edit --json`; `output` and `mask` are None until files are written.
        loaded: the input as it was read, for `imaging.save_image(outcome.image, path, outcome.loaded)`.
        bundle: what makes it again without a language model, once it is given the input's file
            (`agent.bundle.with_input`); None for a baseline, which leaves none.
        provenance: what a saved file should say of itself, for `imaging.save_image`; None where the operator keeps it
            out.
    """

    image: Image.Image
    mask: np.ndarray = field(repr=False, compare=False)
    region: np.ndarray = field(repr=False, compare=False)
    record: dict[str, Any]
    loaded: LoadedImage = field(repr=False, compare=False)
    bundle: Bundle | None = field(repr=False, compare=False)
    provenance: Provenance | None = field(default=None, repr=False, compare=False)


def edit_image(
    image: str | PathLike[str] | Image.Image | LoadedImage,
    instruction: str,
    *,
    models: str | Models = "miniature",
    llm: str | BaseChatModel | None = None,
    options: EditOverrides | None = None,
    yes: bool = False,
    progress: ProgressCallback | None = None,
    on_event: EventCallback | None = None,
) -> EditOutcome:
    """Does what the instruction says to the picture, and nothing else.

    Args:
        image: a file, a PIL picture, or what `imaging.load_image` read.
        instruction: what to change, in words; several edits may be joined by "and".
        models: a model set or the name of one; pass the set itself to edit many pictures without loading it again.
        llm: "offline", "openai:MODEL", a chat model, or None for what the environment says.
        options: parameters to fix; the rest are the model set's for the kind of change. An edit that fails its check
            is swept over others (`EditOverrides(retries=0)` turns that off) and the best result is kept.
        yes: take the best candidate where several tie, and say so in a warning, instead of raising AmbiguousError.
        progress: called after each step of long work; raising CancelledError in it stops the edit.
        on_event: receives every event of `agent.events`, progress included.

    Raises:
        BadImageError, BadInstructionError, BadParameterError, BadMaskError: what was given cannot be used.
        RefusedError: the operator's rules do not allow the picture, the instruction or the result.
        NothingFoundError, AmbiguousError, UnknownWordError: the picture does not hold (just one of) what was named.
        LLMError: the language model failed, or only talked.
        ModelUnavailableError: weights, a package or a device are missing.
    """
    started = time.perf_counter()
    instruction = check_instruction(instruction)
    loaded = loaded_picture(image)
    chat_model, spec, limits = chat_model_for(llm)
    model_set = _model_set(models)

    from agent.session import Session

    with Workspace.temporary() as workspace:
        conversation = workspace.start(loaded.image)
        session = Session(
            model_set,
            chat_model,
            conversation,
            llm=spec,
            settings=settings_for(options or EditOverrides(), yes, model_set),
            limits=limits,
            on_event=_callback(progress, on_event),
        )
        record = session.turn(instruction)
        _require_edit(record, session.context.turn)
        edited = conversation.image(record.image_id).copy()
        mask, region = session.masks(record)
        name = models if isinstance(models, str) else model_set.name
        turn = turn_of(session, record)
        bundle = bundle_of(session, name, spec, "input.png", b"", [turn])
        origin = origin_of(conversation, record.image_id)
    record.warnings[:0] = loaded.warnings
    record.seconds["total"] = round(time.perf_counter() - started, 4)
    if origin is not None:
        bundle = bundle.model_copy(update={"turns": (turn.model_copy(update={"provenance": origin.to_json()}),)})
    return EditOutcome(edited, mask, region, record.to_json(), loaded, bundle, origin)


def settings_for(options: EditOverrides, yes: bool = False, models: Models | None = None) -> ToolSettings:
    """What the faces fix for a conversation: the person's parameters and masks, and the operator's guard.

    Args:
        options: what the person fixed; how often an edit is tried again follows from it (`EditOverrides.sweeps`).
        yes: take the best candidate where several tie.
        models: the model set, which decides what checks pictures by default.

    Raises:
        ModelUnavailableError: the checker that the operator named is missing.
    """
    masking = options.masking or MaskRules()
    return ToolSettings(options, assume_yes=yes, retries=options.sweeps, masking=masking, guard=guard_for(models))


def guard_for(models: Models | None = None) -> SafetyGuard | None:
    """What refuses pictures, as the environment sets it up; None for no check. Raises as `settings_for`."""
    from agent.config import load_settings
    from instructedit_models.safety import build_guard

    environment = load_settings()
    recipe = getattr(models, "recipe", None)
    real = recipe is not None and any(component.path is None for component in recipe.components.values())
    return build_guard(environment.safety, environment.safety_threshold, environment.safety_model, real_models=real)


def loaded_picture(image: str | PathLike[str] | Image.Image | LoadedImage) -> LoadedImage:
    """A picture in any of the forms that a caller may give it; raises BadImageError where it cannot be used."""
    if isinstance(image, LoadedImage):
        return image
    if not isinstance(image, Image.Image):
        return load_image(image)
    if min(image.size) < MIN_SIDE:
        raise BadImageError(
            f"The picture is {image.width} x {image.height}; it needs at least {MIN_SIDE} x {MIN_SIDE} pixels."
        )
    return LoadedImage(image=image.convert("RGB"), alpha=None, format=image.format or "PNG", mode=image.mode)


def _model_set(models: str | Models) -> Models:
    if not isinstance(models, str):
        return models
    from agent.config import load_models

    return load_models(models)


def chat_model_for(llm: str | BaseChatModel | None) -> tuple[BaseChatModel, str, Any]:
    """A chat model, its spec for the record, and the bounds of a turn, as the environment has them.

    Raises:
        BadParameterError: the spec or a setting cannot be used.
        ModelUnavailableError: a package or a key is missing.
    """
    from agent.config import load_settings
    from agent.guard import LoopLimits
    from agent.llm import build_chat_model, default_llm_spec

    environment = load_settings()
    limits = LoopLimits(tool_calls=environment.max_tool_calls, model_calls=environment.max_model_calls)
    if llm is not None and not isinstance(llm, str):
        name = getattr(llm, "model_name", None) or getattr(llm, "_llm_type", "given")
        return llm, str(name), limits
    spec = llm or default_llm_spec(environment)
    return build_chat_model(spec, environment), spec, limits


def _callback(progress: ProgressCallback | None, on_event: EventCallback | None) -> EventCallback:
    def call(event: Event) -> None:
        if on_event:
            on_event(event)
        if progress and isinstance(event, Progressed):
            progress(Progress(event.stage, event.step, event.total))

    return call


def _require_edit(record: TurnRecord, log: TurnLog) -> None:
    """Raises what the person should read where a turn made no picture."""
    if record.kind == "edit":
        return
    if record.error is not None:
        raise record.error
    raise_if_refused(record.reply)
    if record.kind == "answer" and not log.tools_used:
        raise LLMError(f"The LLM only talked and nothing was edited; it said: {_sentence(record.reply)}")
    raise BadInstructionError(f"Nothing was edited; the agent said: {_sentence(record.reply)}")


def _sentence(text: str) -> str:
    line = " ".join(text.split())
    if len(line) > _LONGEST_REPLY:
        return f"{line[: _LONGEST_REPLY - 1]}…"
    return line if line.endswith((".", "!", "?")) else f"{line}."
