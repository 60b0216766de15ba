"""Short hashes of a model set's weights, for bundles: were two results made by the same models?"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from instructedit_models.model_files import Component
from instructedit_models.recipes import BASELINE_ROLES

__all__ = ["revisions_of"]

_SAMPLE = 2**20


def revisions_of(models: Any, also: Sequence[str] = ()) -> dict[str, str]:
    """By role, 12 hex digits of each component's files, or the name of its revision where it comes from a hub.

    Of a large file its size and its first and last mebibyte are hashed. What is no `ModelSet` (in tests) has none.

    Args:
        models: the model set.
        also: roles of baselines that were used; the others are left out.
    """
    recipe = getattr(models, "recipe", None)
    components = recipe.components.items() if recipe else ()
    return {role: _revision(part) for role, part in components if role not in BASELINE_ROLES or role in also}


def _revision(component: Component) -> str:
    folder = component.path
    if folder is None:
        return component.sha256[:12] or component.revision
    digest = hashlib.sha256()
    for name in component.files or ("",):
        digest.update(name.encode())
        _add(digest, folder / name if name else folder)
    return digest.hexdigest()[:12]


def _add(digest: Any, file: Path) -> None:
    try:
        size = file.stat().st_size
        with open(file, "rb") as opened:
            digest.update(str(size).encode() + opened.read(_SAMPLE))
            if size > 2 * _SAMPLE:
                opened.seek(size - _SAMPLE)
            digest.update(opened.read(_SAMPLE))
    except OSError:
        digest.update(b"missing")
