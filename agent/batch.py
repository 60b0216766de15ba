"""Runs a script: hands its jobs to workers, writes each job's folder whole, and resumes where an earlier run stopped.

`instructedit run` calls `run_batch`. What a job writes does not depend on how many workers there are, or on which jobs
ran before it on the same one.
"""

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from agent.batch_worker import FINAL, JobResult, Task, failed
from agent.record import SCHEMA
from agent.script import Job, Script
from instructedit_models.errors import BadImageError, BadOutputError, CancelledError, InstructEditError

__all__ = ["BatchOptions", "Summary", "Workers", "run_batch"]

SUMMARY = "summary.json"
MAX_PICTURE_BYTES = 512 * 2**20
_LOCK = ".lock"


class Workers(Protocol):
    """Where jobs run: processes here, or actors on a cluster."""

    def run(self, tasks: Iterator[Task], stopped: Callable[[], bool]) -> Iterator[JobResult]:
        """Runs tasks and yields results as they come."""
        ...


@dataclass(frozen=True)
class BatchOptions:
    """How a script is run.

    Attributes:
        workers: how many at once, for the summary.
        threads: CPU threads of each worker's models; part of what the bytes depend on, so not chosen by `workers`.
        fresh: run finished jobs again.
    """

    workers: int = 1
    threads: int = 1
    fresh: bool = False


@dataclass
class Summary:
    """What came of a run.

    Attributes:
        jobs: one entry per job, in the script's order; `resumed` where an earlier run had done it.
        seconds: wall seconds of this run.
        cancelled: whether it was stopped.
    """

    jobs: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    cancelled: bool = False

    def count(self, status: str) -> int:
        """Jobs of a status."""
        return sum(job["status"] == status for job in self.jobs)

    @property
    def exit_code(self) -> int:
        """0 where every job is done, 130 after a stop, 2 where what failed can be mended, else 1."""
        if self.cancelled:
            return CancelledError.exit_code
        bad = [job for job in self.jobs if job["status"] != "done"]
        if not bad:
            return 0
        final = ("llm_failed", "internal", "model_unavailable")
        return 1 if any((job["error"] or {}).get("kind") in final for job in bad) else 2

    def to_json(self, options: BatchOptions) -> dict[str, Any]:
        """`summary.json`."""
        return {
            "schema": SCHEMA,
            **{status: self.count(status) for status in ("done", "partly", "failed", "cancelled")},
            "resumed": sum(bool(job.get("resumed")) for job in self.jobs),
            "workers": options.workers,
            "threads": options.threads,
            "seconds": round(self.seconds, 3),
            "jobs": self.jobs,
        }


def run_batch(
    script: Script,
    directory: Path,
    workers: Workers,
    options: BatchOptions,
    on_result: Callable[[dict[str, Any]], None] = lambda entry: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Summary:
    """Runs all jobs that are not done yet; what goes wrong in one does not stop the rest.

    Args:
        script: the jobs.
        directory: where each job gets a folder; made where it does not exist.
        workers: where they run.
        options: how.
        on_result: told each job's summary entry as it is done, those of an earlier run first.
        stopped: asked often; once True, what is running is given up and the summary says so.

    Raises:
        BadOutputError: the directory cannot be written, another run is using it, or a job's folder is not a run's.
    """
    started = time.perf_counter()
    entries: dict[str, dict[str, Any]] = {}
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadOutputError(f"Cannot make the folder {directory}: {error.strerror or error}.") from error
    with _locked(directory):
        _tidy(directory)
        for job in script.jobs:
            _require_ours(directory / job.name)

        def done(entry: dict[str, Any]) -> None:
            entries[entry["name"]] = entry
            on_result(entry)

        tasks = _tasks(script, directory, options, done)
        for result in workers.run(tasks, stopped):
            if result.files:
                _write_folder(directory / result.name, result.files)
            done(result.summary)
        for job in script.jobs:
            if job.name not in entries:
                done(failed(_empty(job), CancelledError("Stopped before this job was done."), 0.0).summary)
        summary = Summary([entries[job.name] for job in script.jobs], time.perf_counter() - started, stopped())
        write_whole(directory / SUMMARY, _text(summary.to_json(options)))
    return summary


def _tasks(
    script: Script, directory: Path, options: BatchOptions, done: Callable[[dict[str, Any]], None]
) -> Iterator[Task]:
    """The tasks still to do; jobs that are done, or whose files cannot be read, are told at once."""
    for job in script.jobs:
        try:
            picture = _file(Path(job.image), "picture")
            masks = {name: _file(Path(name), "mask") for name in job.mask_files}
        except InstructEditError as error:
            result = failed(_empty(job), error, 0.0)
            _write_folder(directory / job.name, result.files)
            done(result.summary)
            continue
        hashes = {name: hashlib.sha256(mask).hexdigest() for name, mask in masks.items()}
        digest = f"{job.digest(hashlib.sha256(picture).hexdigest(), hashes)}-{options.threads}"
        earlier = None if options.fresh else _earlier(directory / job.name, digest)
        if earlier is not None:
            done({**earlier, "name": job.name, "resumed": True})
            continue
        yield Task(job, picture, digest, options.threads, masks)


def _earlier(folder: Path, digest: str) -> dict[str, Any] | None:
    """The summary entry of a job that an earlier run brought to its end, where it was the same job."""
    try:
        final = json.loads((folder / FINAL).read_bytes())
        if final["digest"] != digest or final["again"] or not (folder / "record.json").is_file():
            return None
        return dict(final["summary"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _file(path: Path, what: str) -> bytes:
    try:
        if path.stat().st_size > MAX_PICTURE_BYTES:
            raise BadImageError(f"The {what} '{path}' is larger than {MAX_PICTURE_BYTES // 2**20} MB.")
        return path.read_bytes()
    except OSError as error:
        raise BadImageError(f"Cannot read the {what} '{path}': {error.strerror or error}.") from error


def _empty(job: Job) -> Task:
    return Task(job, b"", "")


def _require_ours(folder: Path) -> None:
    """A folder that no run has made is never replaced."""
    if folder.exists() and not (folder / FINAL).is_file():
        raise BadOutputError(f"{folder} exists and was not written by a run; choose another name or folder.")


def _write_folder(folder: Path, files: dict[str, bytes]) -> None:
    """Writes a job's folder beside its place and renames it there, so that it is whole or not there at all."""
    partial = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.partial")
    try:
        for name, data in files.items():
            target = partial / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        if folder.exists():
            old = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.partial")
            os.replace(folder, old)
            os.replace(partial, folder)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(partial, folder)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise BadOutputError(f"Cannot write {folder}: {error.strerror or error}.") from error


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file under a temporary name and renames it.

    Raises:
        BadOutputError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise BadOutputError(f"Cannot write {path}: {error.strerror or error}.") from error


def _tidy(directory: Path) -> None:
    """Removes what a killed run left half-written; called under the lock."""
    for left in directory.glob(".*.partial"):
        shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keeps two runs from writing into one directory; the lock of a run that was killed is free again."""
    try:
        import fcntl
    except ImportError:  # not on this system; there the second run is the person's own affair
        yield
        return
    try:
        lock = open(directory / _LOCK, "w")
    except OSError as error:
        raise BadOutputError(f"Cannot write to {directory}: {error.strerror or error}.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BadOutputError(f"Another run is writing to {directory}; wait for it, or choose another.") from error
        yield


def _text(data: object) -> bytes:
    return (json.dumps(data, indent=1, allow_nan=False) + "\n").encode()
