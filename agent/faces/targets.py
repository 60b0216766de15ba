"""Checks every file that a command will write before any model is loaded.

Called by the commands that write pictures.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from instructedit_models.errors import BadOutputError
from instructedit_models.imaging import check_writable

__all__ = ["Target", "checked_targets"]

_MASK_SUFFIX = ".png"


@dataclass(frozen=True)
class Target:
    """A file to be written.

    Attributes:
        option: the option that named it, for the sentence of an error.
        path: where to, or None where the person did not ask for it.
        mask: whether it is a mask, which only PNG keeps exactly.
    """

    option: str
    path: str | None
    mask: bool = False


def checked_targets(targets: list[Target], source: Path, force: bool = False) -> dict[str, Path]:
    """The paths to write by option, those not asked for left out.

    Args:
        targets: what may be written.
        source: the input picture, which is overwritten only with `force`.
        force: whether the person allowed that.

    Raises:
        BadOutputError: a path is empty, a directory, not writable, of a format that cannot be written, the same as
            another one, or the input's.
    """
    checked: dict[str, Path] = {}
    for target in targets:
        if target.path is None:
            continue
        path = _checked(target)
        for option, other in checked.items():
            if _same(path, other):
                raise BadOutputError(f"{target.option} and {option} both name {path}; give each its own file.")
        if _same(path, source) and not force:
            raise BadOutputError(f"{target.option} names the input {source}; pass --force to overwrite it.")
        checked[target.option] = path
    return checked


def _checked(target: Target) -> Path:
    if not target.path:
        raise BadOutputError(f"{target.option} is empty; give the name of a file.")
    path = Path(target.path)
    if target.mask and path.suffix.lower() != _MASK_SUFFIX:
        raise BadOutputError(f"{target.option} writes a mask, which needs a name that ends in .png, not {path.name!r}.")
    check_writable(path)
    return path


def _same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return os.path.realpath(one) == os.path.realpath(other)
