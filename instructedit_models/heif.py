"""Reads HEIC pictures where `pillow-heif` is installed; called by `imaging` only."""

from os import PathLike
from pathlib import Path

from instructedit_models.errors import BadImageError

__all__ = ["heif_reader"]

_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}


def heif_reader(file: Path, path: str | PathLike[str]) -> list[str]:
    """PIL's name of HEIC where the file is one, its reader registered; raises BadImageError where that is missing."""
    with file.open("rb") as opened:
        head = opened.read(32)
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, 32, 4))}
    if head[4:8] != b"ftyp" or b"avif" in brands or not brands & _BRANDS:
        return []
    try:
        from pillow_heif import register_heif_opener
    except ImportError as error:
        raise BadImageError(
            f"'{path}' is a HEIC picture; `pip install 'instructedit[heif]'` brings what reads it."
        ) from error
    register_heif_opener()
    return ["HEIF"]
