"""A user study (Fig. 11 of the paper): which of two methods' results do people prefer, not knowing whose is whose?

A folder of results becomes triplets of input and two results. `agent.faces.study` shows them, `agent.study_votes` keeps
the votes. What a person sees, in which order and on which side, follows from a secret of the study and the person
alone, so that a page that is loaded again shows the same.
"""

import hashlib
import hmac
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from instructedit_models.errors import BadParameterError, InstructEditError
from instructedit_models.imaging import load_image

__all__ = ["Case", "Choice", "Shown", "Study", "Triplet", "picture_bytes", "read_study"]

INPUTS = "inputs"
"""The folder of results that holds the input pictures, where the methods' own folders do not."""
INSTRUCTIONS = "instructions.json"
Choice = Literal["left", "right", "none"]
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".avif")


@dataclass(frozen=True)
class Case:
    """One picture and what was to be done to it, with what each method made of it.

    Attributes:
        name: of the job, or of the files without their suffix.
        instruction: what was asked for.
        original: the input's file.
        results: each method's file, by its name.
    """

    name: str
    instruction: str
    original: Path
    results: dict[str, Path] = field(hash=False)


@dataclass(frozen=True)
class Triplet:
    """A case and the two methods that are compared on it, in the order of the study's methods."""

    case: Case
    a: str
    b: str

    @property
    def id(self) -> str:
        """16 hex digits that follow from the names."""
        return hashlib.sha256("\0".join((self.case.name, self.a, self.b)).encode()).hexdigest()[:16]

    @property
    def digest(self) -> str:
        """Of the bytes of its three pictures: votes on other pictures are votes on something else."""
        files = (self.case.original, self.case.results[self.a], self.case.results[self.b])
        parts = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
        return hashlib.sha256("".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Shown:
    """A triplet as one person sees it.

    Attributes:
        triplet: what is compared.
        left, right: the methods on each side.
    """

    triplet: Triplet
    left: str
    right: str

    def preferred(self, choice: Choice) -> str | None:
        """The method that a choice means; None for no preference."""
        return {"left": self.left, "right": self.right, "none": None}[choice]


@dataclass(frozen=True)
class Study:
    """All that is compared.

    Attributes:
        methods: their names, in the order of the alphabet.
        triplets: every case with every pair of methods that have it.
    """

    methods: tuple[str, ...]
    triplets: tuple[Triplet, ...]

    @property
    def cases(self) -> tuple[Case, ...]:
        """Each case once."""
        return tuple({one.case.name: one.case for one in self.triplets}.values())

    def order(self, secret: bytes, person: str) -> list[Shown]:
        """All triplets as one person sees them: in an order and with sides of their own.

        Args:
            secret: of the study; without it nobody can tell the sides.
            person: who looks.
        """

        def drawn(what: str, triplet: Triplet) -> bytes:
            return hmac.digest(secret, f"{what}:{person}:{triplet.id}".encode(), "sha256")

        mixed = sorted(self.triplets, key=lambda one: drawn("order", one))
        return [Shown(one, *((one.a, one.b) if drawn("side", one)[0] % 2 else (one.b, one.a))) for one in mixed]

    def pictures(self, secret: bytes) -> dict[str, Path]:
        """Every picture by a name that tells nothing of what it is."""
        files = {file for case in self.cases for file in (case.original, *case.results.values())}
        return {token_of(secret, file): file for file in files}


def token_of(secret: bytes, file: Path) -> str:
    """The name under which a picture is shown, 32 hex digits."""
    return hmac.digest(secret, str(file).encode("utf-8", "surrogateescape"), "sha256").hex()[:32]


def picture_bytes(file: Path) -> bytes:
    """The picture as a PNG of its pixels alone: what its file says of itself would tell whose it is.

    Raises:
        BadImageError: it cannot be read.
    """
    buffer = io.BytesIO()
    load_image(file).image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def read_study(folder: str | Path, methods: Sequence[str] = (), against: str | None = None) -> Study:
    """Reads a folder with one folder per method.

    A method's folder holds either what `instructedit run` wrote (a folder per job) or pictures by the name of their
    case; `docs/study.md` has the layout.

    Args:
        folder: of results.
        methods: those to compare; all of them by default.
        against: compare this one with each other one, and not the others among themselves.

    Raises:
        BadParameterError: there is nothing to compare, or an input or an instruction is missing.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadParameterError(f"There is no folder {folder} of results.")
    found = {path.name: path for path in sorted(folder.iterdir()) if path.is_dir() and _is_method(path)}
    for name in (*methods, *([against] if against else [])):
        if name not in found:
            raise BadParameterError(f"{folder} has no method {name!r}; it has {', '.join(found) or 'none'}.")
    names = tuple(dict.fromkeys(methods)) or tuple(found)
    if against is not None and against not in names:
        names = (against, *names)
    names = tuple(sorted(names))
    if len(names) < 2:
        raise BadParameterError(f"{folder} must hold the results of two methods or more, each in a folder of its own.")
    made = {name: _results(found[name]) for name in names}
    said = _instructions(folder / INSTRUCTIONS)
    cases: dict[str, Case] = {}
    for name in sorted({case for results in made.values() for case in results}):
        having = {method: made[method][name] for method in names if name in made[method]}
        if len(having) > 1:
            cases[name] = _case(folder, name, having, said)
    pairs = [pair for pair in combinations(names, 2) if against is None or against in pair]
    triplets = [
        Triplet(case, a, b) for case in cases.values() for a, b in pairs if a in case.results and b in case.results
    ]
    if not triplets:
        raise BadParameterError(f"No case of {folder} was done by two of the methods {', '.join(names)}.")
    return Study(names, tuple(triplets))


@dataclass(frozen=True)
class _Result:
    """One method's picture of a case, and what its folder tells of the case."""

    picture: Path
    original: Path | None = None
    instruction: str | None = None


def _is_method(folder: Path) -> bool:
    return folder.name != INPUTS and not folder.name.startswith(".")


def _results(folder: Path) -> dict[str, _Result]:
    found: dict[str, _Result] = {}
    for path in sorted(folder.iterdir()):
        if path.is_dir() and (path / "record.json").is_file():
            result = _job(path)
            if result is not None:
                found[path.name] = result
        elif path.is_file() and path.suffix.lower() in _SUFFIXES and path.stem != "contact_sheet":
            found.setdefault(path.stem, _Result(path))
    return found


def _job(folder: Path) -> _Result | None:
    """What `instructedit run` left of a job: its last picture, its input and what was said; None where it failed."""
    try:
        records = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        outputs = [record["output"] for record in records if record.get("output")]
        said = [record["instruction"] for record in records]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadParameterError(f"{folder / 'record.json'} is no record of a run ({error}).") from error
    if not outputs or not (picture := folder / Path(str(outputs[-1])).name).is_file():
        return None
    given = sorted((folder / "bundle").glob("input.*"))
    return _Result(picture, given[0] if given else None, "; ".join(map(str, said)))


def _case(folder: Path, name: str, results: dict[str, _Result], said: dict[str, str]) -> Case:
    originals = (path for path in _named(folder / INPUTS, name))
    original = _first(lambda one: one.original, results.values()) or next(originals, None)
    if original is None:
        raise BadParameterError(f"The input of the case {name!r} is missing; put it into {folder / INPUTS}.")
    instruction = said.get(name) or _first(lambda one: one.instruction, results.values())
    instruction = instruction or _first(lambda one: _told(one.picture), results.values())
    if not instruction:
        raise BadParameterError(
            f"Nobody says what was asked for in the case {name!r}; put it into {folder / INSTRUCTIONS}."
        )
    return Case(name, instruction, original, {method: result.picture for method, result in results.items()})


def _first(read: Callable[[_Result], Any], results: Iterable[_Result]) -> Any:
    return next((value for value in map(read, results) if value), None)


def _named(folder: Path, name: str) -> list[Path]:
    return [path for suffix in _SUFFIXES if (path := folder / f"{name}{suffix}").is_file()]


def _told(picture: Path) -> str | None:
    """The instruction that a picture's own file carries, as `instructedit edit` writes it."""
    try:
        provenance = load_image(picture).metadata.provenance or {}
    except InstructEditError:
        return None
    instruction = provenance.get("instruction")
    return instruction if isinstance(instruction, str) else None


def _instructions(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadParameterError(f"{file} cannot be read: {error}.") from error
    if not isinstance(data, dict) or not all(isinstance(text, str) for text in data.values()):
        raise BadParameterError(f'{file} must hold one instruction per case: {{"case": "make the car red"}}.')
    return data
