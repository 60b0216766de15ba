"""Scripted runs as data: `jobs.yaml`, JSONL or CSV in, checked jobs out, with the line of every mistake.

`instructedit run` reads one with `load_script`; `agent.batch` runs it. No model is loaded and nothing is written here.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator, model_validator

from agent.plans import MAX_INSTRUCTION
from agent.script_files import Table, read_table
from agent.script_masks import MaskSettings
from instructedit_models.errors import BadParameterError
from instructedit_models.limits import MAX_GUIDANCE_SCALE, MAX_RETRIES, MAX_RING, MAX_SEED, MAX_STEPS
from tools.context import EditOverrides

__all__ = ["Job", "JobSettings", "Script", "Turn", "load_script"]

MAX_JOBS = 100_000
MAX_TURNS = 1000
_RESERVED = frozenset({"summary", "contact_sheet"})
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


class JobSettings(MaskSettings):
    """What `defaults` may say, and each job for itself; masks among it (`MaskSettings`).

    Attributes:
        models: a model set by name, or a TOML file.
        llm: "offline", "openai:MODEL" …; None for what the environment says.
        seed, encoding_ratio, steps, guidance_scale, grow: parameters to fix; None leaves one to the model set.
        retries: sweeps after an edit that fails its check; None for the rule of `EditOverrides.sweeps`.
        yes: take the best candidate where several tie, instead of stopping the turn with a question.
    """

    models: str = Field(default="miniature", min_length=1)
    llm: str | None = Field(default=None, min_length=1)
    seed: int | None = Field(default=None, ge=0, le=MAX_SEED)
    encoding_ratio: float | None = Field(default=None, gt=0, le=1)
    steps: int | None = Field(default=None, ge=1, le=MAX_STEPS)
    guidance_scale: float | None = Field(default=None, ge=1, le=MAX_GUIDANCE_SCALE)
    grow: int | None = Field(default=None, ge=0, le=MAX_RING)
    retries: int | None = Field(default=None, ge=0, le=MAX_RETRIES)
    yes: bool = False

    @property
    def overrides(self) -> EditOverrides:
        """What is fixed for all edits, as `agent.api.settings_for` takes it; masks come with their files."""
        names = ("seed", "encoding_ratio", "steps", "guidance_scale", "grow", "retries")
        return EditOverrides(**{name: getattr(self, name) for name in names}, feather=self.mask_feather)


class Turn(MaskSettings):
    """One thing that is said, with masks of its own where it needs other ones than the job's.

    Attributes:
        say: what is said.
    """

    say: str

    @field_validator("say")
    @classmethod
    def _said(cls, value: str) -> str:
        return _instruction(value)


class Job(JobSettings):
    """One picture, and one instruction or a whole conversation about it.

    Attributes:
        name: of the folder that its results go to.
        image: the picture's file.
        instruction: what to do, where it is one thing.
        turns: what to say, turn after turn; a file may give words alone.
    """

    name: str = Field(pattern=_NAME)
    image: str = Field(min_length=1)
    instruction: str | None = None
    turns: tuple[Turn, ...] | None = Field(default=None, min_length=1, max_length=MAX_TURNS, strict=False)

    @field_validator("instruction")
    @classmethod
    def _said(cls, value: str | None) -> str | None:
        return None if value is None else _instruction(value)

    @field_validator("turns", mode="before")
    @classmethod
    def _all_said(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            return value
        if odd := [turn for turn in value if not isinstance(turn, str | Mapping | Turn)]:
            raise ValueError(f"a turn must be words in quotes, or a mapping with 'say', unlike {_short(odd[0])}")
        return [Turn(say=_instruction(turn)) if isinstance(turn, str) else turn for turn in value]

    @model_validator(mode="after")
    def _one_of_both(self) -> "Job":
        if (self.instruction is None) == (self.turns is None):
            raise ValueError("a job needs either 'instruction' or 'turns'")
        if self.name.lower() in _RESERVED:
            raise ValueError(f"the name {self.name!r} is taken by the run itself")
        modes = [turn.mask_mode for turn in self.turns or () if turn.over(self).mask is None]
        if any(modes) or (self.mask_mode is not None and not self.mask_files):
            raise ValueError("'mask_mode' says how 'mask' meets what is found; give 'mask' too")
        return self

    @property
    def said(self) -> tuple[str, ...]:
        """Everything that is said, in order."""
        return tuple(turn.say for turn in self.turns) if self.turns is not None else (self.instruction or "",)

    @property
    def masking(self) -> tuple[MaskSettings, ...]:
        """What holds for masks, turn by turn: the turn's own words, the job's for the rest."""
        own: tuple[MaskSettings, ...] = self.turns if self.turns is not None else (MaskSettings(),)
        return tuple(turn.over(self) for turn in own)

    @property
    def mask_files(self) -> tuple[str, ...]:
        """The files of all its masks, each once."""
        return tuple(dict.fromkeys(masks.mask for masks in self.masking if masks.mask is not None))

    def digest(self, image_sha256: str, masks: Mapping[str, str] | None = None) -> str:
        """What the job's result depends on, in 16 hex digits; another digest means that it has to be run again.

        Args:
            image_sha256: of the picture's file.
            masks: of the masks' files, by path.
        """
        hidden = {"name", "image", "instruction", "turns", *MaskSettings.model_fields}
        data = self.model_dump(mode="json", exclude=hidden) | {"retries": self.overrides.sweeps}
        data |= {"said": list(self.said), "image": image_sha256}
        said_of_masks = [one.digest_data(masks or {}) for one in self.masking]
        data |= {"masks": said_of_masks} if any(said_of_masks) else {}
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Script:
    """All jobs of a file.

    Attributes:
        path: the file.
        jobs: in its order; `image` is an absolute path.
    """

    path: Path
    jobs: tuple[Job, ...]


def load_script(path: str | Path, roots: Sequence[str | Path] = ()) -> Script:
    """Reads and checks a script.

    Args:
        path: a .yaml, .yml, .json, .jsonl or .csv file; pictures and masks are looked for relative to its folder.
        roots: folders; pictures and masks outside all of them are refused. Without any, they may lie anywhere.

    Raises:
        BadParameterError: the file cannot be read, or a job is not right; the sentence says where.
    """
    path = Path(path)
    table = read_table(path)
    if not isinstance(table.data, Mapping):
        raise BadParameterError(f"{path}: expected 'defaults' and 'jobs' at the top.")
    if unknown := [str(key) for key in table.data if key not in ("defaults", "jobs")]:
        where = table.line((unknown[0],))
        raise BadParameterError(
            f"{path}, line {where}: unknown key {unknown[0]!r}; a script has 'defaults' and 'jobs'."
        )
    defaults = table.data.get("defaults") or {}
    _checked(JobSettings, defaults, ("defaults",), table, path)
    listed = table.data.get("jobs")
    if not isinstance(listed, list) or not listed:
        raise BadParameterError(f"{path}, line {table.line(('jobs',))}: 'jobs' must be a list of one job or more.")
    if len(listed) > MAX_JOBS:
        raise BadParameterError(f"{path} holds {len(listed):,} jobs; at most {MAX_JOBS:,} are run at once.")
    allowed = [Path(root).resolve() for root in roots]
    jobs: list[Job] = []
    names: dict[str, int] = {}
    for number, entry in enumerate(listed):
        place = ("jobs", number)
        if not isinstance(entry, Mapping):
            raise BadParameterError(f"{path}, line {table.line(place)}: a job must be a mapping, such as name: a.")
        job = _checked(Job, {**defaults, **entry}, place, table, path)
        line = table.line(place)
        if (first := names.get(job.name.lower())) is not None:
            raise BadParameterError(f"{path}, line {line}: the job name {job.name!r} was used before, on line {first}.")
        names[job.name.lower()] = line
        jobs.append(_located(job, place, _Places(path, allowed, table)))
    return Script(path, tuple(jobs))


@dataclass(frozen=True)
class _Places:
    """Where the files that a script names may lie."""

    script: Path
    roots: Sequence[Path]
    table: Table

    def file(self, given: str, place: tuple[str | int, ...], what: str) -> str:
        """The absolute path of a file that the script names at a place."""
        where = f"{self.script}, line {self.table.line(place)}"
        if "\0" in given:
            raise BadParameterError(f"{where}: the name of the {what} holds a null character.")
        path = (self.script.parent / given).resolve()
        if self.roots and not any(path.is_relative_to(root) for root in self.roots):
            allowed = ", ".join(str(root) for root in self.roots)
            raise BadParameterError(f"{where}: the {what} {given!r} lies outside {allowed}.")
        return str(path)


def _located(job: Job, place: tuple[str | int, ...], places: _Places) -> Job:
    """The job with absolute paths."""
    changes: dict[str, Any] = {"image": places.file(job.image, (*place, "image"), "picture")}
    if job.mask is not None:
        changes["mask"] = places.file(job.mask, (*place, "mask"), "mask")
    if job.turns is not None:
        turns = [
            turn.model_copy(update={"mask": places.file(turn.mask, (*place, "turns", number, "mask"), "mask")})
            if turn.mask is not None
            else turn
            for number, turn in enumerate(job.turns)
        ]
        changes["turns"] = tuple(turns)
    return job.model_copy(update=changes)


def _checked(model: type[Any], data: object, place: tuple[str | int, ...], table: Table, path: Path) -> Any:
    if not isinstance(data, Mapping):
        raise BadParameterError(f"{path}, line {table.line(place)}: {place[-1]!r} must be a mapping.")
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        within = tuple(first["loc"])
        line = table.line((*place, *within))
        if within and within[0] not in _at(table.data, place) and "defaults" in table.data and place[0] == "jobs":
            line = table.line(place)
        raise BadParameterError(f"{path}, line {line}: {_sentence(within, first)}.") from None


def _at(data: Any, place: tuple[str | int, ...]) -> Mapping[Any, Any]:
    for key in place:
        data = data[key]
    return data if isinstance(data, Mapping) else {}


def _sentence(place: tuple[str | int, ...], error: Mapping[str, Any]) -> str:
    what = ".".join(str(part) for part in place)
    kind, given = error["type"], error.get("input")
    if kind == "extra_forbidden":
        return f"unknown key {what!r}"
    if kind == "missing":
        return f"the job has no {what!r}"
    if what == "name" and kind == "string_pattern_mismatch":
        return (
            f"the name {_short(given)} must begin with a letter or digit and hold only letters, digits, '.', '_', '-'"
        )
    message = str(error["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if not what:
        return message
    hint = "; put it in quotes" if kind == "string_type" and not isinstance(given, str | list | dict) else ""
    return f"{what!r}: {message}, not {_short(given)}{hint}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _instruction(value: str) -> str:
    stripped = value.strip()
    if not stripped:
        raise ValueError("an instruction is empty")
    if len(stripped) > MAX_INSTRUCTION:
        raise ValueError(f"an instruction has {len(stripped):,} characters, at most {MAX_INSTRUCTION:,} are read")
    return stripped
