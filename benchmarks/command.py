"""What every benchmark's command line does with an error that a person can read."""

import sys
from collections.abc import Callable

from instructedit_models.errors import InstructEditError

__all__ = ["exit_code_of"]


def exit_code_of(run: Callable[[], int]) -> int:
    """What `run` returns; where it raises one of our errors, its sentence on stderr and its exit code."""
    try:
        return run()
    except InstructEditError as error:
        print(error, file=sys.stderr)
        return error.exit_code
