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

from agent.events import Event, EventCallback, Progressed
from agent.plans import check_instruction
from instructedit_models.errors import BadImageError, BadInstructionError, LLMError
from instructedit_models.imaging import MIN_SIDE, LoadedImage, load_image
from instructedit_models.types import Progress, ProgressCallback
from tools.context import EditOverrides, Models, ToolSettings, TurnLog
from tools.workspace import Workspace

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from agent.record import TurnRecord

__all__ = ["EditOutcome", "EditOverrides", "edit_image"]

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
    """

    image: Image.Image
    mask: np.ndarray = field(repr=False, compare=False)
    region: np.ndarray = field(repr=False, compare=False)
    record: dict[str, Any]
    loaded: LoadedImage = field(repr=False, compare=False)


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
        options: parameters to fix; the rest are the model set's for the kind of change.
        yes: take the best candidate where several tie, and say so in a warning, instead of raising AmbiguousError.
        progress: called after each step of long work; raising CancelledError in it stops the edit.
        on_event: receives every event of `agent.events`, progress included.

    Raises:
        BadImageError, BadInstructionError, BadParameterError: what was given cannot be used.
        NothingFoundError, AmbiguousError, UnknownWordError: the picture does not hold (just one of) what was named.
        LLMError: the language model failed, or only talked.
        ModelUnavailableError: weights, a package or a device are missing.
    """
    started = time.perf_counter()
    instruction = check_instruction(instruction)
    loaded = _loaded(image)
    chat_model, spec, limits = _chat_model(llm)
    model_set = _model_set(models)

    from agent.session import Session

    with Workspace.temporary() as workspace:
        conversation = workspace.start(loaded.image)
        session = Session(
            model_set,
            chat_model,
            conversation,
            llm=spec,
            settings=ToolSettings(options or EditOverrides(), assume_yes=yes),
            limits=limits,
            on_event=_callback(progress, on_event),
        )
        record = session.turn(instruction)
        _require_edit(record, session.context.turn)
        edited = conversation.image(record.image_id).copy()
        mask, region = session.masks(record)
    record.warnings[:0] = loaded.warnings
    record.seconds["total"] = round(time.perf_counter() - started, 4)
    return EditOutcome(edited, mask, region, record.to_json(), loaded)


def _loaded(image: str | PathLike[str] | Image.Image | LoadedImage) -> LoadedImage:
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
    from instructedit_models.model_sets import load_model_set

    return load_model_set(models)


def _chat_model(llm: str | BaseChatModel | None) -> tuple[BaseChatModel, str, Any]:
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
    if record.kind == "answer" and not log.tools_used:
        raise LLMError(f"The LLM only talked and nothing was edited; it said: {_sentence(record.reply)}")
    raise BadInstructionError(f"Nothing was edited; the agent said: {_sentence(record.reply)}")


def _sentence(text: str) -> str:
    line = " ".join(text.split())
    if len(line) > _LONGEST_REPLY:
        return f"{line[: _LONGEST_REPLY - 1]}…"
    return line if line.endswith((".", "!", "?")) else f"{line}."
