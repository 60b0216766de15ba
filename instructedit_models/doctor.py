"""Finds out whether this machine can run the models: interpreter, packages, device, memory, model sets, folders.

Called by `instructedit doctor`; every check says what it saw and, where something is amiss, what to do about it.
"""

import importlib
import importlib.metadata
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from instructedit_models.errors import InstructEditError
from instructedit_models.hardware import gib, main_memory

__all__ = [
    "Check",
    "check_device",
    "check_folders",
    "check_memory",
    "check_model_sets",
    "check_packages",
    "check_python",
]

OLDEST_PYTHON = (3, 11)
PACKAGES: dict[str, str] = {
    "torch": "torch",
    "torchvision": "torchvision",
    "diffusers": "diffusers",
    "transformers": "transformers",
    "segment-anything": "segment_anything",
    "groundingdino-py": "groundingdino",
    "pillow": "PIL",
    "numpy": "numpy",
}
"""What the models need at run time: the name it is installed by, and the name it is imported by."""

_GIB = 1024**3
_LEAST_MEMORY = 2 * _GIB
_LEAST_DISK = _GIB


@dataclass(frozen=True)
class Check:
    """What one check found.

    Attributes:
        name: what was checked.
        ok: whether the product works with it.
        detail: what was found.
        hint: what to do about it; empty where nothing has to be done.
    """

    name: str
    ok: bool
    detail: str
    hint: str = ""


def check_python() -> Check:
    """The interpreter's version."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    detail = f"{version} on {platform.system()} {platform.machine()}"
    return Check(
        "python",
        sys.version_info >= OLDEST_PYTHON,
        detail,
        _unless(sys.version_info >= OLDEST_PYTHON, "Install Python 3.11 or newer."),
    )


def check_packages(packages: dict[str, str] | None = None) -> list[Check]:
    """One check per package; each is really imported, which takes some seconds the first time."""
    return [_package(name, module) for name, module in (PACKAGES if packages is None else packages).items()]


def _package(name: str, module: str) -> Check:
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Check(name, False, "not installed", f"Run `pip install {name}`.")
    try:
        importlib.import_module(module)
    except Exception as error:  # a broken package may raise anything at import
        return Check(
            name, False, f"{version}, does not import: {error}", f"Run `pip install --force-reinstall {name}`."
        )
    return Check(name, True, version)


def check_device() -> Check:
    """Where torch computes, with the memory of a GPU."""
    try:
        import torch
    except Exception as error:  # as in _package
        return Check("device", False, f"torch does not import: {error}", "Run `pip install --force-reinstall torch`.")
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        return Check("device", True, f"{torch.cuda.get_device_name()}, {gib(free)} of {gib(total)} free")
    if torch.backends.mps.is_available():
        return Check("device", True, "mps (the memory of an Apple GPU is main memory)")
    threads = torch.get_num_threads()
    return Check(
        "device", True, f"cpu, {threads} {'thread' if threads == 1 else 'threads'} (fine for the miniature set)"
    )


def check_memory() -> Check:
    """Main memory that is free, where the system tells."""
    free, total = main_memory()
    if not total:
        return Check("memory", True, "unknown on this system")
    ok = free >= _LEAST_MEMORY
    return Check(
        "memory", ok, f"{gib(free)} of {gib(total)} free", _unless(ok, "Close other programs: 2 GiB are needed.")
    )


def check_model_sets(names: Iterable[str], missing: Callable[[str], list[str]], needed: str) -> list[Check]:
    """One check per model set.

    Args:
        names: the sets.
        missing: gives the roles of a set that have no weights here.
        needed: the set without which the product does not work; the others may be absent.
    """
    return [_model_set(name, missing, name == needed) for name in names]


def _model_set(name: str, missing: Callable[[str], list[str]], needed: bool) -> Check:
    try:
        absent = missing(name)
    except InstructEditError as error:
        return Check(f"models: {name}", False, str(error), "Mend or remove the set's file.")
    if not absent:
        return Check(f"models: {name}", True, "all weights present")
    detail = f"missing: {', '.join(absent)}"
    if needed:
        return Check(f"models: {name}", False, detail, "Install the package again, or use another set with --models.")
    return Check(f"models: {name}", True, f"{detail} (downloaded on first use)")


def check_folders(folders: Iterable[Path]) -> list[Check]:
    """One check per folder that the product writes into: writable, and enough room left."""
    return [_folder(folder) for folder in folders]


def _folder(folder: Path) -> Check:
    name = f"folder: {folder}"
    nearest = folder
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
        free = shutil.disk_usage(nearest).free
    except OSError as error:
        return Check(
            name, False, f"not writable: {error.strerror or error}", "Make it writable or choose another folder."
        )
    ok = free >= _LEAST_DISK
    return Check(name, ok, f"writable, {gib(free)} free", _unless(ok, "Free some disk space: 1 GiB is needed."))


def _unless(ok: bool, hint: str) -> str:
    return "" if ok else hint
