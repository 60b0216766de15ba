"""Checks the numbers of an edit before anything is computed with them; the editor calls it."""

import math

from instructedit_models.errors import BadParameterError
from instructedit_models.limits import MAX_CONTEXT, MAX_GUIDANCE_SCALE, MAX_RING, MAX_SEED, MAX_STEPS, MAX_STRIDE
from instructedit_models.types import EditOptions

__all__ = ["SOLVERS", "check_options"]

SOLVERS = ("ddim", "dpm++", "lcm")
"""The ways of making a step; see `solvers`."""

NEGATIVES = ("empty", "input", "both")
"""What guidance may lead away from."""

_RANGES: dict[str, tuple[float, float]] = {
    "guidance_scale": (1, MAX_GUIDANCE_SCALE),
    "guidance_floor": (0, 1),
    "inversion_stride": (1, MAX_STRIDE),
    "seed": (0, MAX_SEED),
    "grow": (0, MAX_RING),
    "feather": (0, MAX_RING),
    "context": (1, MAX_CONTEXT),
}
_WHOLE = ("steps", "seed", "grow", "feather", "inversion_stride")


def check_options(options: EditOptions, train_steps: int = MAX_STEPS) -> None:
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
    if options.solver not in SOLVERS:
        raise BadParameterError(f"There is no solver {options.solver!r}; use one of {', '.join(SOLVERS)}.")
    if options.negative not in NEGATIVES:
        raise BadParameterError(f"There is no negative {options.negative!r}; use one of {', '.join(NEGATIVES)}.")
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
