"""Checks the numbers of an edit before anything is computed with them; the editor calls it."""

import math

from instructedit_models.errors import BadParameterError
from instructedit_models.types import EditOptions

__all__ = ["check_options"]

MAX_SEED = 2**63 - 1

_RANGES: dict[str, tuple[float, float]] = {
    "guidance_scale": (1, 100),
    "seed": (0, MAX_SEED),
    "grow": (0, 128),
    "feather": (0, 128),
    "context": (1, 10),
}
_WHOLE = ("steps", "seed", "grow", "feather")


def check_options(options: EditOptions, train_steps: int = 1000) -> None:
    """Checks every field of the options.

    Args:
        options: what was asked for.
        train_steps: timesteps that the models were trained with; an edit has at most as many.

    Raises:
        BadParameterError: a number is out of its range; the sentence names both.
    """
    for name in _WHOLE:
        value = getattr(options, name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise BadParameterError(f"The {_words(name)} must be a whole number; got {value!r}.")
    ratio = options.encoding_ratio
    if not _is_number(ratio) or not 0 < ratio <= 1:
        raise BadParameterError(f"The encoding ratio must be above 0 and at most 1; got {ratio!r}.")
    for name, (low, high) in {**_RANGES, "steps": (1, train_steps)}.items():
        value = getattr(options, name)
        if not _is_number(value) or not low <= value <= high:
            raise BadParameterError(f"The {_words(name)} must be between {low} and {high}; got {value!r}.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _words(name: str) -> str:
    return {"steps": "number of steps", "grow": "mask's growth", "feather": "feather ring"}.get(
        name, name.replace("_", " ")
    )
