"""One job of a scripted run, from its picture's bytes to its files' bytes; runs in whatever process or machine.

`agent.batch` hands tasks to workers (`agent.local_workers`, `agent.ray_workers`); a worker keeps its models.
"""

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from agent.bundle import BUNDLE_FILE, bundle_of, masking_data, turn_of
from agent.record import SCHEMA
from agent.script import Job
from instructedit_models.errors import (
    BadImageError,
    BadMaskError,
    CancelledError,
    InstructEditError,
    ModelUnavailableError,
)
from instructedit_models.masks import MaskRules
from instructedit_models.provenance import Provenance
from tools.context import Models, ToolSettings

__all__ = ["FINAL", "JobResult", "JobWorker", "Status", "Task", "failed"]

Status = Literal["done", "partly", "failed", "cancelled"]
"""done: every turn did what it should; partly: some did; failed: none did; cancelled: it was stopped."""
FINAL = "status.json"
"""The file that says that a job's folder is whole."""
_GOOD = ("edit", "undo", "answer")


@dataclass(frozen=True)
class Task:
    """A job with everything that a worker elsewhere needs.

    Attributes:
        job: what to do.
        picture: the bytes of the picture's file.
        masks: the bytes of the masks' files, by their paths in the job.
        digest: what the result depends on.
        threads: CPU threads of the models.
    """

    job: Job
    picture: bytes = field(repr=False)
    digest: str
    threads: int = 1
    masks: Mapping[str, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class JobResult:
    """What came of a job.

    Attributes:
        name: the job's.
        status: see `Status`.
        files: the job's folder: bytes by relative path, `status.json` among them.
        summary: its entry in `summary.json`.
        again: whether a resumed run should try it again: it failed for a reason that may pass.
    """

    name: str
    status: Status
    files: dict[str, bytes] = field(repr=False)
    summary: dict[str, Any]
    again: bool = False


class JobWorker:
    """Runs jobs one after the other; models are loaded once per set.

    Args:
        load: gives a model set by name; the installed sets by default.
    """

    def __init__(self, load: Callable[[str], Models] | None = None) -> None:
        self._load = load or _model_set
        self._models: dict[str, Models] = {}

    def run(self, task: Task, check: Callable[[], None] = lambda: None) -> JobResult:
        """Runs a job; whatever goes wrong in it becomes its status.

        Args:
            task: the job.
            check: called at every event; what it raises (`CancelledError`) stops the job.
        """
        started = time.perf_counter()
        try:
            with tempfile.TemporaryDirectory(prefix="instructedit-job-") as folder:
                return self._run(task, Path(folder), check, started)
        except InstructEditError as error:
            return failed(task, error, time.perf_counter() - started)
        except Exception as error:
            words = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            return failed(task, InstructEditError(f"Something broke inside the job ({words})."), 0.0)

    def _run(self, task: Task, folder: Path, check: Callable[[], None], started: float) -> JobResult:
        from agent.api import chat_model_for, settings_for
        from agent.provenance import signer_of
        from agent.saving import origin_of
        from agent.session import Session
        from instructedit_models.imaging import load_image, save_image, save_mask
        from instructedit_models.threads import use_threads
        from tools.workspace import Workspace

        use_threads(task.threads)
        job = task.job
        check()
        source = folder / _input_name(job)
        source.write_bytes(task.picture)
        loaded = _readable(lambda: load_image(source), source, job.image)
        masking = _masking(task, folder, loaded.image.size)
        said_of_masks = job.masking
        alike = all(masks == said_of_masks[0] for masks in said_of_masks)
        models = self._set(job.models)
        models.editor.forget()  # what a job costs must not depend on the jobs before it
        chat_model, spec, limits = chat_model_for(job.llm)
        records: list[dict[str, Any]] = []
        turns = []
        files: dict[str, bytes] = {}
        whole = settings_for(job.overrides, job.yes, models)
        settings = [_settled(whole, *each) for each in masking]
        whole = settings[0] if alike else whole
        with Workspace.temporary() as workspace:
            session = Session(
                models,
                chat_model,
                workspace.start(loaded.image, Path(job.image).name),
                llm=spec,
                settings=whole,
                limits=limits,
                on_event=lambda event: check(),
            )
            signer = signer_of()
            origins: dict[str, Provenance | None] = {}
            for number, said in enumerate(job.said, start=1):
                session.context.settings = settings[number - 1]
                record = session.turn(said)
                if isinstance(record.error, CancelledError | ModelUnavailableError):
                    raise record.error
                stem = f"turn_{number:0{max(2, len(str(len(job.said))))}}"
                output, mask = folder / f"{stem}.png", folder / f"{stem}_mask.png"
                found, _ = session.masks(record)
                if record.image_id not in origins:
                    origins[record.image_id] = origin_of(session.conversation, record.image_id)
                origin = origins[record.image_id]
                notes = save_image(session.conversation.image(record.image_id), output, loaded, origin, signer)
                if record.edits:
                    save_mask(found, mask)
                    files[mask.name] = mask.read_bytes()
                if number == 1:
                    record.warnings[:0] = [*loaded.warnings, *notes]
                records.append(record.to_turn_json(output.name, mask.name if record.edits else None))
                turn = turn_of(session, record, output)
                kept: dict[str, Any] = {"provenance": origin.to_json() if origin else None}
                if not alike:
                    kept["settings"] = masking_data(session.context.settings)
                if signer is not None:
                    kept["output_sha256"] = None  # a signature is made anew each time
                turns.append(turn.model_copy(update=kept))
                files[output.name] = output.read_bytes()
            session.context.settings = whole
            bundle = bundle_of(session, job.models, spec, source.name, task.picture, turns)
        files["record.json"] = _json(records)
        files[f"bundle/{BUNDLE_FILE}"] = _json(bundle.model_dump(mode="json", by_alias=True))
        files[f"bundle/{source.name}"] = task.picture
        good = sum(record["kind"] in _GOOD for record in records)
        status: Status = "done" if good == len(records) else "partly" if good else "failed"
        again = any(_may_pass(record) for record in records)
        summary = _summary(task, status, time.perf_counter() - started, records)
        files[FINAL] = _json({"schema": SCHEMA, "digest": task.digest, "again": again, "summary": summary})
        return JobResult(job.name, status, files, summary, again)

    def _set(self, name: str) -> Models:
        if name not in self._models:
            self._models[name] = self._load(name)
        return self._models[name]


def failed(task: Task, error: InstructEditError, seconds: float) -> JobResult:
    """The result of a job that came to nothing, or was stopped."""
    cancelled = isinstance(error, CancelledError)
    status: Status = "cancelled" if cancelled else "failed"
    again = cancelled or error.exit_code != 2
    summary = _summary(task, status, seconds, [])
    summary["error"] = {"kind": error.kind, "message": " ".join(str(error).split())}
    files = (
        {}
        if cancelled
        else {
            "record.json": _json([]),
            FINAL: _json({"schema": SCHEMA, "digest": task.digest, "again": again, "summary": summary}),
        }
    )
    return JobResult(task.job.name, status, files, summary, again)


def _summary(task: Task, status: Status, seconds: float, records: list[dict[str, Any]]) -> dict[str, Any]:
    error = next((record["error"] for record in records if "error" in record), None)
    edits = [record for record in records if record["kind"] == "edit"]
    return {
        "name": task.job.name,
        "status": status,
        "image": task.job.image,
        "turns": len(task.job.said),
        "kinds": [record["kind"] for record in records],
        "edits": len(edits),
        "verified": sum(bool(record["verified"]) for record in edits),
        "unet_evaluations": sum(record["unet_evaluations"] for record in records),
        "output": f"{task.job.name}/{records[-1]['output']}" if records else None,
        "seconds": round(seconds, 3),
        "error": error,
    }


def _may_pass(record: dict[str, Any]) -> bool:
    """Whether a turn failed for a reason outside the job: the language model, the machine."""
    return record.get("error", {}).get("kind") in ("llm_failed", "internal")


def _input_name(job: Job) -> str:
    suffix = Path(job.image).suffix[1:9]
    return f"input.{suffix if suffix.isascii() and suffix.isalnum() else 'img'}"


def _readable(load: Callable[[], Any], path: Path, name: str) -> Any:
    """What `load` gives; its error names the job's file, not the worker's copy."""
    try:
        return load()
    except (BadImageError, BadMaskError) as error:
        raise type(error)(str(error).replace(str(path), name)) from error


def _masking(task: Task, folder: Path, size: tuple[int, int]) -> list[tuple[int | None, MaskRules]]:
    """What holds for the masks of each turn: feather and rules, with the person's own masks read once each."""
    from instructedit_models.imaging import load_mask

    own: dict[str, np.ndarray] = {}
    for number, name in enumerate(task.job.mask_files):
        file = folder / f"mask_{number}{Path(name).suffix[:9]}"
        file.write_bytes(task.masks[name])
        own[name] = _readable(partial(load_mask, file, size), file, name)
    said = task.job.masking
    return [(one.mask_feather, one.rules(own[one.mask] if one.mask is not None else None)) for one in said]


def _settled(settings: ToolSettings, feather: int | None, masking: MaskRules) -> ToolSettings:
    return replace(settings, overrides=replace(settings.overrides, feather=feather), masking=masking)


def _json(data: object) -> bytes:
    return (json.dumps(data, indent=1, allow_nan=False) + "\n").encode()


def _model_set(name: str) -> Models:
    from agent.config import load_models

    return load_models(name)
