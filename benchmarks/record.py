"""The record of a benchmark run: what was measured, of which commit, with which settings, on what machine.

`main_job` writes it after each section, so that a run that is stopped leaves what it had.
"""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from benchmarks.figures import Section
from benchmarks.judge import WEIGHTS as JUDGE_WEIGHTS
from instructedit_models.errors import BadOutputError
from instructedit_models.model_sets import ModelSet

__all__ = ["SCHEMA", "begun", "only_added_since", "write_json", "write_record"]

SCHEMA = 1
"""The version of the record; it grows when a field changes its meaning."""

ROOT = Path(__file__).parents[1]
PROGRAMS = ("agent", "benchmarks", "instructedit_models", "prompts", "tools")
PACKAGES = ("torch", "diffusers", "transformers", "langchain", "segment-anything", "numpy", "pillow")


def begun(settings: Mapping[str, Any], models: ModelSet) -> dict[str, Any]:
    """A record without figures yet.

    Args:
        settings: what the run was asked for, seeds included.
        models: the set that is measured.
    """
    return {
        "schema": SCHEMA,
        "benchmark": "main_job",
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain")),
        "command": ["python", "-m", "benchmarks.main_job", *sys.argv[1:]],
        "settings": dict(settings),
        "machine": machine(),
        "models": models.name,
        "training_cards": training_cards(models),
        "rows": [],
        "sections": {},
    }


def write_record(path: Path, record: dict[str, Any], sections: Mapping[str, Section]) -> None:
    """Writes the record with the sections that are done; the file appears whole or not at all.

    Raises:
        BadOutputError: it cannot be written.
    """
    rows = [{"section": name, **row.to_json()} for name, section in sections.items() for row in section.rows]
    cases = {name: section.cases for name, section in sections.items()}
    data = {**record, "written": datetime.now(UTC).isoformat(timespec="seconds"), "rows": rows, "sections": cases}
    write_json(path, data)


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Writes a record as it is; the file appears whole or not at all. Raises BadOutputError as `write_record`."""
    temporary = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise BadOutputError(f"Cannot write the record to {path}: {error.strerror or error}.") from error


def only_added_since(commit: str | None) -> bool:
    """Whether no file of the programs or their weights was changed since a commit, though others may have been added.

    Weights of a further method leave the figures of those before as they were. False where git cannot tell.
    """
    return bool(commit) and _git("diff", "--name-only", "--diff-filter=a", str(commit), "--", *PROGRAMS) == ""


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "load_average": [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }


def training_cards(models: ModelSet) -> dict[str, Any]:
    """The `training.json` beside each component's weights, and the judge's."""
    folders = {role: component.path for role, component in models.recipe.components.items()}
    folders["judge"] = JUDGE_WEIGHTS.parent
    cards = {}
    for role, folder in folders.items():
        if folder is not None and (card := folder / "training.json").is_file():
            cards[role] = json.loads(card.read_text(encoding="utf-8"))
    return cards


def _git(*arguments: str) -> str | None:
    command: Sequence[str] = ("git", "-C", str(ROOT), *arguments)
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
