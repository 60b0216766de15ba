"""Makes a run again from its bundle, without any language model, and says whether the bytes are the same.

`instructedit replay` calls it.
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agent.api import guard_for
from agent.bundle import Bundle, BundleTurn, pixel_hash, read_bundle
from agent.config import load_models
from instructedit_models.errors import BadParameterError, CancelledError, InstructEditError, ModelUnavailableError
from instructedit_models.imaging import LoadedImage, load_image, save_image
from instructedit_models.provenance import Provenance
from instructedit_models.types import ProgressCallback
from tools.context import Models, ToolContext, TurnLog
from tools.events import Event, Progressed
from tools.registry import TOOLS, call
from tools.workspace import Workspace

__all__ = ["ReplayedTurn", "Replayed", "replay"]

_LOOKING = frozenset({"describe_image", "ask_image", "list_versions"})
"""Tools that change nothing; a replay leaves them out."""


@dataclass(frozen=True)
class ReplayedTurn:
    """One turn, made again.

    Attributes:
        instruction: what was said then.
        same: whether every picture of the turn has the same bytes as then.
        differences: what differs, one sentence each.
        output: where the picture was written, or None.
    """

    instruction: str
    same: bool
    differences: tuple[str, ...] = ()
    output: str | None = None


@dataclass(frozen=True)
class Replayed:
    """A whole run, made again.

    Attributes:
        same: whether all turns are the same.
        turns: one by one.
        warnings: what makes a difference likely, such as other weights.
    """

    same: bool
    turns: tuple[ReplayedTurn, ...]
    warnings: tuple[str, ...] = field(default_factory=tuple)


def replay(
    path: str | Path,
    models: Models | None = None,
    output: Path | None = None,
    progress: ProgressCallback | None = None,
    model_options: Mapping[str, Any] | None = None,
) -> Replayed:
    """Makes a run again.

    Args:
        path: the bundle.
        models: a model set to use in place of the bundle's; its own by default.
        output: a folder to write each turn's picture to; None writes nothing.
        progress: called after each step of long work; raising CancelledError in it stops the replay.
        model_options: how the bundle's own set is run ("device", "dtype" …), before what was recorded and what the
            environment says.

    Raises:
        BadParameterError: the bundle or its input picture cannot be read, or is not what was recorded.
        BadOutputError: a picture cannot be written.
        ModelUnavailableError: weights are missing.
    """
    from instructedit_models.threads import use_threads

    bundle, folder = read_bundle(path)
    loaded = _input(bundle, folder)
    use_threads(bundle.threads)
    if models is None:
        models = load_models(bundle.models, **{**bundle.model_options, **(model_options or {})})
    warnings = _other_models(bundle, models)

    def emit(event: Event) -> None:
        if progress and isinstance(event, Progressed):
            from instructedit_models.types import Progress

            progress(Progress(event.stage, event.step, event.total))

    with Workspace.temporary() as workspace:
        guard = guard_for(models)
        context = ToolContext(models, workspace.start(loaded.image), bundle.tool_settings, emit)
        turns = []
        for turn in bundle.turns:
            context.settings = dataclasses.replace(bundle.settings_of(turn), guard=guard)
            turns.append(_turn(context, turn, loaded, output))
    return Replayed(all(turn.same for turn in turns), tuple(turns), warnings)


def _turn(context: ToolContext, turn: BundleTurn, loaded: LoadedImage, output: Path | None) -> ReplayedTurn:
    context.turn = TurnLog()
    conversation = context.conversation
    differences: list[str] = []
    for one in turn.calls:
        if one.tool in _LOOKING:
            continue
        if one.tool not in TOOLS:
            raise BadParameterError(f"The bundle calls the tool {one.tool!r}, which this version does not have.")
        worked = _called(context, one.tool, one.arguments)
        if worked is not None and one.ok:
            differences.append(f"{one.tool} failed: {worked}")
        elif worked is None and not one.ok:
            differences.append(f"{one.tool} worked, and had failed before.")
    made = {edit.image_id for edit in context.turn.edits}
    for version in turn.versions:
        if version.image_id not in made:
            differences.append(f"{version.image_id} was not made.")
        elif pixel_hash(conversation.image(version.image_id)) != version.pixels:
            differences.append(f"The pixels of {version.image_id} differ.")
    try:
        if conversation.current_id != turn.image_id:
            conversation.go_to(turn.image_id, "turn failed")
    except BadParameterError:
        differences.append(f"{turn.image_id} does not exist.")
    image = conversation.image(conversation.current_id)
    if pixel_hash(image) != turn.pixels:
        differences.append(f"The pixels of the turn's picture, {turn.image_id}, differ.")
    written = None
    if output is not None and turn.output:
        target = output / Path(turn.output).name
        recorded = Provenance.from_json(turn.provenance) if turn.provenance else None
        save_image(image, target, loaded, recorded)
        written = str(target)
        if turn.output_sha256 and hashlib.sha256(target.read_bytes()).hexdigest() != turn.output_sha256:
            differences.append(f"The file {target.name} differs from the recorded one.")
    return ReplayedTurn(turn.instruction, not differences, tuple(dict.fromkeys(differences)), written)


def _called(context: ToolContext, name: str, arguments: dict[str, Any]) -> str | None:
    """The sentence of a failure, or None."""
    try:
        call(context, name, **arguments)
    except (CancelledError, ModelUnavailableError):
        raise
    except InstructEditError as error:
        return str(error)
    except ValidationError as error:
        return f"its arguments do not fit this version ({error.error_count()} of them)."
    return None


def _input(bundle: Bundle, folder: Path) -> LoadedImage:
    file = folder / bundle.input
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BadParameterError(f"The bundle's picture {file} cannot be read: {error.strerror or error}.") from error
    if hashlib.sha256(data).hexdigest() != bundle.input_sha256:
        raise BadParameterError(f"The bundle's picture {file} is not the one that was recorded; it has been changed.")
    return load_image(file)


def _other_models(bundle: Bundle, models: Models) -> tuple[str, ...]:
    from instructedit_models.revisions import revisions_of

    now = revisions_of(models) | {"editor": models.editor.revision}
    other = sorted(role for role in bundle.revisions if now.get(role, bundle.revisions[role]) != bundle.revisions[role])
    if not other:
        return ()
    return (f"The models are not those of the bundle ({', '.join(other)}), so the pictures will probably differ.",)
