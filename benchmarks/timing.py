"""How long a person waits: `--help`, one edit in a fresh process, and one more edit in a process that has begun.

A section of `main_job`.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from agent.api import edit_image
from benchmarks.figures import Bar, Row, Section
from benchmarks.scenes import Drawn
from benchmarks.scoring import EditCase
from instructedit_models.errors import InstructEditError, ModelUnavailableError
from instructedit_models.model_sets import ModelSet

__all__ = ["cold_row", "help_row", "time_section", "warm_row"]

ROOT = Path(__file__).parents[1]
_ATTEMPTS = 4
COMMAND = (sys.executable, "-m", "agent.faces.cli")


def help_row(times: int = 7) -> Row:
    """`instructedit --help`, the median of several calls."""
    seconds = _timed(lambda: subprocess.run((*COMMAND, "--help"), cwd=ROOT, check=True, capture_output=True), times)
    return _row("`instructedit --help`, seconds", seconds, Bar("<", 0.5))


def cold_row(drawn: Drawn, instruction: str, models: str, times: int = 3) -> Row:
    """`instructedit edit` in a process of its own, the median of several calls."""
    what = "`edit`, cold process, seconds"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "in.png"
        drawn.image.save(path)
        arguments = ("edit", str(path), instruction, "-o", str(Path(folder) / "out.png"), "--yes", "--json")
        command = (*COMMAND, *arguments, "--models", models, "--llm", "offline")
        try:
            seconds = _timed(lambda: subprocess.run(command, cwd=ROOT, check=True, capture_output=True), times)
        except subprocess.CalledProcessError as error:
            return Row(what, None, Bar("<", 15), note=error.stdout.decode(errors="replace").strip()[:160])
    return _row(what, seconds, Bar("<", 15))


def warm_row(cases: Sequence[EditCase], models: ModelSet, times: int = 7) -> Row:
    """`edit_image` on fresh scenes in a process that has edited before, with the set's own parameters."""
    what = "`edit`, warm in one process, seconds"
    seconds: list[float] = []
    for case in cases:
        started = time.perf_counter()
        try:
            edit_image(case.drawn.image, case.edit.instruction, models=models, llm="offline", yes=True)
        except ModelUnavailableError as error:
            return Row(what, None, Bar("<", 4), note=str(error))
        except InstructEditError:
            continue
        seconds.append(time.perf_counter() - started)
        if len(seconds) > times:
            break
    if len(seconds) < 2:
        return Row(what, None, Bar("<", 4), note="no edit was made")
    return _row(what, seconds[1:], Bar("<", 4))


def time_section(cases: Sequence[EditCase], models: ModelSet) -> Section:
    """All three."""
    cold = Row("`edit`, cold process, seconds", None, Bar("<", 15), note="there is no case")
    for case in cases[:_ATTEMPTS]:  # an object that is not found says nothing of the time
        cold = cold_row(case.drawn, case.edit.instruction, models.name)
        if cold.figure is not None:
            break
    return Section([help_row(), cold, warm_row(cases, models)])


def _timed(call: Callable[[], object], times: int) -> list[float]:
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return seconds


def _row(what: str, seconds: list[float], bar: Bar) -> Row:
    note = f"median; {min(seconds):.2f} to {max(seconds):.2f}"
    return Row(what, round(median(seconds), 3), bar, len(seconds), note=note)
