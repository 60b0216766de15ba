"""YAML, JSON, JSONL and CSV as plain data that knows its lines; `agent.script` checks what it says.

Hostile files are refused with one sentence: aliases (which make YAML bombs), deep nesting, large files, repeated keys.
"""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from instructedit_models.errors import BadParameterError

__all__ = ["Table", "read_table"]

MAX_BYTES = 64 * 2**20
MAX_DEPTH = 12
TURN_SEPARATOR = "|"
_WHOLE = ("seed", "steps", "grow", "retries", "mask_shrink", "mask_grow", "mask_feather")
_TRUTHS = ("yes", "invert_mask", "fill_holes", "keep_largest")
_NUMBERS = ("encoding_ratio", "guidance_scale")


@dataclass(frozen=True)
class Table:
    """What a file says.

    Attributes:
        data: {"defaults": …, "jobs": […]}, or whatever stands there instead.
        lines: the line of each place, ("jobs", 2, "image"): 14.
    """

    data: Any
    lines: Mapping[tuple[str | int, ...], int] = field(default_factory=dict)

    def line(self, place: tuple[Any, ...]) -> int:
        """The line of a place, or of the nearest one around it."""
        for length in range(len(place), -1, -1):
            if (line := self.lines.get(place[:length])) is not None:
                return line
        return 1


def read_table(path: Path) -> Table:
    """Reads a file by its suffix.

    Raises:
        BadParameterError: it is missing, too large, of another kind, no UTF-8, or broken; the sentence says where.
    """
    readers = {".yaml": _yaml, ".yml": _yaml, ".json": _yaml, ".jsonl": _jsonl, ".csv": _csv}
    if path.suffix.lower() not in readers:
        raise BadParameterError(f"{path} is no script; its name must end in {', '.join(readers)}.")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadParameterError(f"{path} is larger than {MAX_BYTES // 2**20} MB; split it.")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadParameterError(f"Cannot read {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise BadParameterError(f"{path} is no text in UTF-8 (byte {error.start}).") from error
    return readers[path.suffix.lower()](path, text)


def _yaml(path: Path, text: str) -> Table:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = 0
    try:
        # The events are looked at before anything is built, so that a bomb is never set up.
        for event in yaml.parse(text, Loader=loader):
            line = event.start_mark.line + 1 if event.start_mark else 1
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise BadParameterError(
                    f"{path}, line {line}: anchors and aliases are not read; use 'defaults' for what jobs share."
                )
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > MAX_DEPTH:
                raise BadParameterError(f"{path}, line {line}: nested more than {MAX_DEPTH} levels deep.")
        node = yaml.compose(text, Loader=loader)
        lines: dict[tuple[str | int, ...], int] = {}
        data = _built(node, (), lines, path, yaml.SafeLoader(""))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        if "nesting" in problem:  # The parser reads ahead, so its own limit may come before ours.
            raise BadParameterError(f"{path}{where}: nested more than {MAX_DEPTH} levels deep.") from error
        raise BadParameterError(f"{path}{where}: this is no YAML ({problem}).") from error
    except (ValueError, RecursionError) as error:
        raise BadParameterError(f"{path}: this is no YAML ({' '.join(str(error).split())[:120]}).") from error
    return Table(data, lines)


def _built(
    node: Any, place: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int], path: Path, by: Any
) -> Any:
    import yaml

    if node is None:
        return None
    lines[place] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        return [_built(item, (*place, number), lines, path, by) for number, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        built: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise BadParameterError(f"{path}, line {key.start_mark.line + 1}: a key must be a word.")
            if key.value in built:
                raise BadParameterError(f"{path}, line {key.start_mark.line + 1}: the key {key.value!r} comes twice.")
            built[key.value] = _built(value, (*place, key.value), lines, path, by)
            lines[(*place, key.value)] = key.start_mark.line + 1
        return built
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if kind in ("timestamp", "value", "merge"):
        return str(node.value)
    if kind not in ("str", "int", "float", "bool", "null"):
        raise BadParameterError(f"{path}, line {node.start_mark.line + 1}: the tag {node.tag!r} is not read.")
    return by.construct_object(node)


def _jsonl(path: Path, text: str) -> Table:
    """One job a line; a line {"defaults": {…}} may stand anywhere."""
    jobs: list[Any] = []
    data: dict[str, Any] = {"jobs": jobs}
    lines: dict[tuple[str | int, ...], int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            raise BadParameterError(f"{path}, line {number}: this is no JSON object ({error}).") from error
        if isinstance(entry, dict) and set(entry) == {"defaults"}:
            if "defaults" in data:
                raise BadParameterError(f"{path}, line {number}: the defaults come twice.")
            data["defaults"], lines[("defaults",)] = entry["defaults"], number
            continue
        lines[("jobs", len(jobs))] = number
        jobs.append(entry)
    return Table(data, lines)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        raise ValueError("a key comes twice")
    return data


def _csv(path: Path, text: str) -> Table:
    """A head line with the keys of a job, then one job a line; turns are separated by "|"."""
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    jobs: list[dict[str, Any]] = []
    lines: dict[tuple[str | int, ...], int] = {}
    try:
        keys = reader.fieldnames or []
        if len(set(keys)) < len(keys):
            raise BadParameterError(f"{path}, line 1: a column comes twice.")
        before = reader.line_num
        for row in reader:
            line, before = before + 1, reader.line_num
            if None in row:
                raise BadParameterError(f"{path}, line {line}: more cells than columns.")
            lines[("jobs", len(jobs))] = line
            jobs.append({key: _cell(key, cell) for key, cell in row.items() if cell not in ("", None)})
    except csv.Error as error:
        raise BadParameterError(f"{path}, line {reader.line_num}: this is no CSV ({error}).") from error
    return Table({"jobs": jobs}, lines)


def _cell(key: str, cell: str) -> Any:
    """A cell as the schema wants it; what cannot be read so is left for the schema to refuse."""
    if key == "turns":
        return [turn.strip() for turn in cell.split(TURN_SEPARATOR)]
    if key in _TRUTHS and cell.strip().lower() in ("true", "yes", "1", "false", "no", "0"):
        return cell.strip().lower() in ("true", "yes", "1")
    try:
        if key in _WHOLE:
            return int(cell)
        if key in _NUMBERS:
            return float(cell)
    except ValueError:
        return cell
    return cell
