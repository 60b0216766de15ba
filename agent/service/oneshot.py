"""One edit of a picture that no conversation remembers, with as many results as asked for; `bench` calls it.

The picture and the mask lie as files in the job's folder, since the job may wait and the server may be started again.
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from agent.events import Event
from agent.saving import save_version
from agent.session import Session
from instructedit_models.errors import BadInstructionError, BadParameterError, InstructEditError
from instructedit_models.imaging import load_image, load_mask
from instructedit_models.masks import MaskRules
from tools.context import EditOverrides, ToolSettings, TurnLog
from tools.conversation import Conversation
from tools.registry import call
from tools.workspace import Workspace

__all__ = ["INPUT", "MASK", "edit_once"]

INPUT, MASK = "input.img", "mask.png"
_PARAMETERS = ("seed", "encoding_ratio")


def edit_once(
    new_session: Callable[[Conversation], Session],
    folder: Path,
    given: Mapping[str, Any],
    on_event: Callable[[Event], None],
) -> dict[str, Any]:
    """Edits the picture in a folder and writes the results beside it.

    Args:
        new_session: makes a session of a conversation.
        folder: with `INPUT`, and `MASK` (white = may be edited) where there is one.
        given: `text`; `n`, `size` (width and height, or None) and `suffix` of the results; parameters to fix.
        on_event: is told what happens.

    Returns:
        `files` (names, best first), `reply`, `verified`, `warnings`, `size`.

    Raises:
        InstructEditError: nothing was edited, and why.
    """
    loaded = load_image(folder / INPUT)
    own = load_mask(folder / MASK, loaded.image.size) if (folder / MASK).exists() else None
    with Workspace.temporary() as workspace:
        conversation = workspace.start(loaded.image, str(folder / INPUT))
        session = new_session(conversation)
        session.context.emit = on_event
        session.context.settings = _settings(session.context.settings, given, own)
        record = session.turn(given["text"])
        if record.error is not None:
            raise record.error
        if record.kind != "edit":
            raise BadInstructionError(f"Nothing was edited; the agent said: {' '.join(record.reply.split())[:300]}")
        made = [record.image_id, *_more(session, record.image_id, int(given.get("n", 1)) - 1)]
        files = []
        for number, image_id in enumerate(made, start=1):
            path = folder / f"result_{number}{given.get('suffix', '.png')}"
            save_version(conversation, image_id, path)
            if given.get("size") is not None:
                _resize(path, tuple(given["size"]))
            files.append(path.name)
        size = given.get("size") or loaded.image.size
    return {
        "files": files,
        "reply": record.reply,
        "verified": record.verified,
        "warnings": [*loaded.warnings, *record.warnings],
        "size": list(size),
    }


def _settings(base: ToolSettings, given: Mapping[str, Any], own: np.ndarray | None) -> ToolSettings:
    fixed = EditOverrides(**{name: given[name] for name in _PARAMETERS if given.get(name) is not None})
    overrides = dataclasses.replace(
        base.overrides, **{name: given[name] for name in _PARAMETERS if given.get(name) is not None}
    )
    return dataclasses.replace(
        base,
        overrides=overrides,
        assume_yes=True,
        masking=base.masking if own is None else MaskRules(own),
        retries=base.retries if fixed.encoding_ratio is None else fixed.sweeps,
    )


def _more(session: Session, image_id: str, count: int) -> list[str]:
    """Further results of the edit behind a version, with other seeds."""
    edit = session.conversation.version(image_id).edit
    if count < 1 or edit is None:
        return []
    session.context.turn = TurnLog()
    found = []
    for number in range(1, count + 1):
        try:
            result = call(session.context, "adjust_edit", image_id=image_id, seed=edit.options.seed + number)
        except BadParameterError as error:
            raise InstructEditError(f"No further result could be made: {error}") from error
        found.append(str(result.image_id))
    return found


def _resize(path: Path, size: tuple[int, ...]) -> None:
    from PIL import Image

    from instructedit_models.imaging import LoadedImage, save_image

    loaded: LoadedImage = load_image(path)
    if loaded.image.size != size:
        save_image(loaded.image.resize((size[0], size[1]), Image.Resampling.LANCZOS), path)
