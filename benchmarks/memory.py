"""The most memory that is in use while something runs: a GPU's where torch has one, else the process's own."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Peak", "peak_memory"]

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass
class Peak:
    """What was seen.

    Attributes:
        bytes: the most bytes in use, models included; None where this system does not tell.
    """

    bytes: int | None = None


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """Measures what runs inside; the figure is there when it ends."""
    peak, torch = Peak(), sys.modules.get("torch")
    on_gpu = torch is not None and torch.cuda.is_available()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    resettable = not on_gpu and _reset()
    try:
        yield peak
    finally:
        if on_gpu:
            peak.bytes = int(torch.cuda.max_memory_allocated())
        elif resettable:
            peak.bytes = _high_water()


def _reset() -> bool:
    """Sets the process's high-water mark back to what it uses now (Linux)."""
    try:
        _RESET.write_text("5")
    except OSError:
        return False
    return True


def _high_water() -> int | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)
