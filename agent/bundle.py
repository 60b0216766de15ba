"""What a run leaves so that it can be made again without any language model: calls, settings, seeds, hashes.

A bundle is a folder with `bundle.json` and the input picture as it was given. `agent.batch_worker` and the command
`edit` write them, `agent.replay` reads them.
"""

import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from instructedit_models.errors import BadOutputError, BadParameterError
from instructedit_models.masks import MaskRules
from tools.context import EditOverrides, ToolSettings

if TYPE_CHECKING:
    from agent.record import TurnRecord
    from agent.session import Session

__all__ = [
    "BUNDLE_FILE",
    "Bundle",
    "BundleTurn",
    "bundle_of",
    "masking_data",
    "pixel_hash",
    "read_bundle",
    "turn_of",
    "with_input",
    "write_bundle",
]

BUNDLE_FILE = "bundle.json"
MAX_BYTES = 256 * 2**20


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class BundleCall(_Data):
    """A tool call: the tool, its arguments, and whether it ended without an error."""

    tool: str
    arguments: dict[str, Any]
    ok: bool


class BundleVersion(_Data):
    """A picture that a turn made: its id, the hash of its pixels, and the parameters that were kept."""

    image_id: str
    pixels: str
    seed: int | None = None
    encoding_ratio: float | None = None
    guidance_scale: float | None = None
    steps: int | None = None


class BundleTurn(_Data):
    """One turn: what was said, what was called, and what came.

    Attributes:
        instruction: what the person said; a replay does not read it.
        kind: what came of the turn.
        start_image_id, image_id: the current picture before and after.
        calls: in order.
        versions: what the calls made, in order.
        output: name of the picture's file, and `output_sha256` of its bytes; None where none was written.
        provenance: what the file says of itself, as data.
        settings: what was fixed for masks in this turn (`masking_data`); None where it is what holds for the run.
    """

    instruction: str
    kind: str
    start_image_id: str
    image_id: str
    calls: tuple[BundleCall, ...] = ()
    versions: tuple[BundleVersion, ...] = ()
    pixels: str
    output: str | None = None
    output_sha256: str | None = None
    provenance: dict[str, Any] | None = None
    settings: dict[str, Any] | None = None


class Bundle(_Data):
    """A whole run of one conversation.

    Attributes:
        models: the model set's name or file; `revisions` by component, and the editor's as `editor`.
        llm: the chat model that made the calls.
        threads: CPU threads of the models.
        model_options: number format and solver of the models, on which bytes depend beside the weights.
        settings: what the person fixed.
        input: name of the picture's file in the bundle; `input_sha256` of its bytes.
    """

    schema_: Literal[1] = Field(default=1, alias="schema")
    models: str
    revisions: dict[str, str] = Field(default_factory=dict)
    llm: str
    threads: int = Field(ge=1, le=4096)
    model_options: dict[str, str] = Field(default_factory=dict)
    settings: dict[str, Any]
    input: str = Field(pattern=r"^input\.[A-Za-z0-9]{1,8}$")
    input_sha256: str
    turns: tuple[BundleTurn, ...]

    @property
    def tool_settings(self) -> ToolSettings:
        """The settings, as a tool context takes them."""
        return _settings(self.settings)

    def settings_of(self, turn: BundleTurn) -> ToolSettings:
        """The settings that held in one turn."""
        return self.tool_settings if turn.settings is None else _settings({**self.settings, **turn.settings})


def _settings(data: dict[str, Any]) -> ToolSettings:
    given = dict(data)
    try:
        yes, retries = bool(given.pop("yes", False)), int(given.pop("retries", 0))
        masking = MaskRules.from_json(given.pop("masking", None) or {})
        return ToolSettings(EditOverrides(**given), assume_yes=yes, retries=retries, masking=masking)
    except (TypeError, ValueError) as error:
        raise BadParameterError(f"The bundle's settings cannot be used: {error}.") from error


def masking_data(settings: ToolSettings) -> dict[str, Any]:
    """What is fixed for masks and the blend around them, as data; `masking` is None where nothing is."""
    masking = settings.masking
    fixed = masking.own is not None or not masking.refinement.nothing
    return {"feather": settings.overrides.feather, "masking": masking.to_json() if fixed else None}


def bundle_of(
    session: "Session", models: str, llm: str, input_name: str, given: bytes, turns: list[BundleTurn]
) -> Bundle:
    """The bundle of a conversation.

    Args:
        session: that was run.
        models: the model set's name or file, as it was asked for.
        llm: the chat model's spec.
        input_name: "input.png", with the suffix of the file that was given.
        given: its bytes.
        turns: from `turn_of`, one per turn.
    """
    from instructedit_models.threads import threads_used

    context = session.context
    fixed = context.settings.overrides
    names = ("seed", "encoding_ratio", "steps", "guidance_scale", "grow")
    settings: dict[str, Any] = {name: getattr(fixed, name) for name in names if getattr(fixed, name) is not None}
    settings |= {name: value for name, value in masking_data(context.settings).items() if value is not None}
    placed = {name: getattr(context.models, name, None) for name in ("dtype", "solver")}
    return Bundle(
        schema=1,
        models=models,
        revisions=context.revisions,
        llm=llm,
        threads=threads_used(),
        model_options={name: value for name, value in placed.items() if isinstance(value, str)},
        settings={**settings, "yes": context.settings.assume_yes, "retries": context.settings.retries},
        input=input_name,
        input_sha256=hashlib.sha256(given).hexdigest(),
        turns=tuple(turns),
    )


def with_input(bundle: Bundle, picture: Path, output: Path | None = None) -> tuple[Bundle, bytes]:
    """The bundle of one edit with its input's file and the picture that was written; and that file's bytes.

    Raises:
        BadParameterError: the picture cannot be read again.
    """
    try:
        given = picture.read_bytes()
        made = hashlib.sha256(output.read_bytes()).hexdigest() if output else None
    except OSError as error:
        raise BadParameterError(f"Cannot read {error.filename} for the bundle: {error.strerror or error}.") from error
    suffix = picture.suffix[1:9]
    name = f"input.{suffix if suffix.isascii() and suffix.isalnum() else 'img'}"
    last = bundle.turns[-1].model_copy(update={"output": output.name if output else None, "output_sha256": made})
    changes = {"input": name, "input_sha256": hashlib.sha256(given).hexdigest(), "turns": (*bundle.turns[:-1], last)}
    return bundle.model_copy(update=changes), given


def turn_of(session: "Session", record: "TurnRecord", output: Path | None = None) -> BundleTurn:
    """What a bundle keeps of the turn that the session has just ended.

    Args:
        session: after `turn`.
        record: what it returned.
        output: the picture's file, already written.
    """
    conversation, log = session.conversation, session.context.turn
    versions = [
        BundleVersion(
            image_id=edit.image_id,
            pixels=pixel_hash(conversation.image(edit.image_id)),
            seed=edit.options.seed,
            encoding_ratio=edit.options.encoding_ratio,
            guidance_scale=edit.options.guidance_scale,
            steps=edit.options.steps,
        )
        for edit in log.edits
    ]
    return BundleTurn(
        instruction=record.instruction,
        kind=record.kind,
        start_image_id=record.start_image_id,
        image_id=record.image_id,
        calls=tuple(BundleCall(tool=call.tool, arguments=call.arguments, ok=call.ok) for call in log.calls),
        versions=tuple(versions),
        pixels=pixel_hash(conversation.image(record.image_id)),
        output=output.name if output else None,
        output_sha256=hashlib.sha256(output.read_bytes()).hexdigest() if output else None,
    )


def pixel_hash(image: Image.Image) -> str:
    """SHA-256 of a picture's size and RGB pixels, however its file is packed."""
    return hashlib.sha256(f"{image.width}x{image.height}:".encode() + image.convert("RGB").tobytes()).hexdigest()


def write_bundle(folder: Path, bundle: Bundle, given: bytes) -> None:
    """Writes a bundle into a folder, which may exist; each file appears whole.

    Raises:
        BadOutputError: it cannot be written.
    """
    text = json.dumps(bundle.model_dump(mode="json", by_alias=True), indent=1) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in ((bundle.input, given), (BUNDLE_FILE, text.encode())):
            partial = folder / f".{name}.{secrets.token_hex(4)}.partial"
            partial.write_bytes(data)
            os.replace(partial, folder / name)
    except OSError as error:
        raise BadOutputError(f"Cannot write the bundle to {folder}: {error.strerror or error}.") from error


def read_bundle(path: str | Path) -> tuple[Bundle, Path]:
    """A bundle and the folder that it lies in.

    Args:
        path: the bundle's folder, its `bundle.json`, or the folder of a job of a run.

    Raises:
        BadParameterError: there is none, it is damaged, or it is of a newer version.
    """
    path = Path(path)
    tried = [path] if path.name == BUNDLE_FILE else [path / BUNDLE_FILE, path / "bundle" / BUNDLE_FILE]
    file = next((one for one in tried if one.is_file()), None)
    if file is None:
        raise BadParameterError(f"{path} holds no bundle; give the folder that has a {BUNDLE_FILE}.")
    try:
        if file.stat().st_size > MAX_BYTES:
            raise BadParameterError(f"{file} is too large to be a bundle.")
        return Bundle.model_validate_json(file.read_bytes()), file.parent
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise BadParameterError(f"{file} is no bundle that can be read: {where}: {first['msg']}.") from None
    except OSError as error:
        raise BadParameterError(f"Cannot read {file}: {error.strerror or error}.") from error
