"""The methods by name; nothing is imported before one is made, so that the command line may list them.

Parameters come as text from the command line or as numbers from Python.
"""

import importlib
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from instructedit_models.errors import BadParameterError

if TYPE_CHECKING:
    from instructedit_models.baselines.work import Method

__all__ = ["METHODS", "OURS", "has_mask", "make_method", "parameters_of"]

OURS = "instructedit"
"""This project's own way of editing, which is no baseline."""

METHODS: Mapping[str, tuple[str, str]] = {
    "instructedit_plain": ("InstructEditPlain", "InstructEdit as published: no geometry, crop, check or retry"),
    "diffedit": ("DiffEdit", "DiffEdit, with the mask that it finds from noise differences"),
    "mdp": ("Mdp", "MDP-epsilon_t: noise predictions of the input mixed into those of the edit"),
    "instruct_pix2pix": ("InstructPix2Pix", "InstructPix2Pix: a UNet that is shown the picture and the instruction"),
    "inpainting": ("Inpainting", "Grounded SAM's mask, filled by an inpainting UNet"),
    "sdedit": ("SdEdit", "SDEdit: noise, then denoise under the edited caption"),
}
"""By name, which is also that of its module: the class, and what it does."""

_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def make_method(name: str, parameters: Mapping[str, Any] | None = None) -> "Method":
    """A method with its parameters; hyphens in names count as underscores.

    Raises:
        BadParameterError: there is no such method or parameter, or a value is out of its range.
    """
    key = _tidy(name)
    if key not in METHODS:
        raise BadParameterError(f"There is no method {name!r}; use one of {', '.join((OURS, *METHODS))}.")
    known = parameters_of(key)
    given = {_tidy(parameter): value for parameter, value in (parameters or {}).items()}
    if unknown := sorted(given.keys() - known.keys()):
        raise BadParameterError(
            f"The method {key} has no parameter {unknown[0]!r}; it takes {', '.join(known) or 'none'}."
        )
    return _class(key)(**{parameter: _as(parameter, value, known[parameter]) for parameter, value in given.items()})


def parameters_of(name: str) -> dict[str, Any]:
    """A method's own parameters and their defaults."""
    return {each.name: each.default for each in fields(_class(name))}


def has_mask(name: str) -> bool:
    """Whether a method edits inside a mask at all; what is no baseline does."""
    return name not in METHODS or _class(name).mask_source != "none"


def _class(name: str) -> Any:
    return getattr(importlib.import_module(f"instructedit_models.baselines.{name}"), METHODS[name][0])


def _tidy(name: str) -> str:
    return name.strip().lower().replace("-", "_")


def _as(name: str, value: Any, default: Any) -> Any:
    """Text as the kind of value that the default is; anything else as it is, for the method to check."""
    if not isinstance(value, str) or isinstance(default, str):
        return value
    try:
        return _TRUTHS[value.strip().lower()] if isinstance(default, bool) else type(default)(value)
    except (KeyError, ValueError):
        wanted = (
            "yes or no" if isinstance(default, bool) else "a whole number" if isinstance(default, int) else "a number"
        )
        raise BadParameterError(f"The parameter {name} must be {wanted}, not {value!r}.") from None
