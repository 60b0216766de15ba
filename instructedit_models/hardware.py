"""What this machine has: where torch can compute, and how much memory is free there and on the disk.

The model sets ask it before they load and `instructedit models` and `doctor` to say what fits; torch is imported only
where a GPU is asked about.
"""

import os
from pathlib import Path

from instructedit_models.errors import ModelUnavailableError

__all__ = ["free_memory", "gib", "main_memory", "pick_device"]

_GIB = 1024**3


def pick_device(wanted: str) -> str:
    """The device for "auto", "cpu", "mps", "cuda" or "cuda:N"; "auto" takes the fastest that is here.

    Raises:
        ModelUnavailableError: a GPU was asked for that is not here.
    """
    import torch

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if wanted == "auto":
        return "cuda" if cuda else "mps" if mps else "cpu"
    if wanted == "mps" and not mps:
        raise ModelUnavailableError("There is no Apple GPU that torch can use here; use --device cpu.")
    if wanted.startswith("cuda"):
        if not cuda:
            raise ModelUnavailableError("There is no GPU that torch can use here; use --device cpu.")
        number = int(wanted.partition(":")[2] or 0)
        if number >= torch.cuda.device_count():
            raise ModelUnavailableError(
                f"There is no GPU number {number} here, they are counted from 0 to {torch.cuda.device_count() - 1}."
            )
    return wanted


def free_memory(device: str) -> tuple[int, int]:
    """Free and total bytes of a device's memory; an Apple GPU shares main memory. (0, 0) where nobody tells."""
    if device.startswith("cuda"):
        import torch

        free, total = torch.cuda.mem_get_info(device)
        return int(free), int(total)
    return main_memory()


def main_memory() -> tuple[int, int]:
    """Free and total bytes of main memory, what can be had without swapping counted as free; (0, 0) if unknown."""
    try:
        size = os.sysconf("SC_PAGE_SIZE")
        total = os.sysconf("SC_PHYS_PAGES") * size
        free = os.sysconf("SC_AVPHYS_PAGES") * size if "SC_AVPHYS_PAGES" in os.sysconf_names else total // 2
    except (AttributeError, OSError, ValueError):
        return 0, 0
    return max(free, _available()), total


def gib(size: int) -> str:
    """Bytes in words, "1.5 GiB"."""
    return f"{size / _GIB:.1f} GiB"


def _available() -> int:
    """What Linux says can be had without swapping, in bytes; 0 elsewhere."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else 0
