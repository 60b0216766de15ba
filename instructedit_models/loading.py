"""Who is told that a model is being loaded, which takes seconds and happens inside whatever work first needs it.

`agent.session` listens for each turn; `model_sets.ModelSet` tells.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from instructedit_models.types import Progress, ProgressCallback

__all__ = ["loading_told", "tell_loading"]

_LISTENER: ContextVar[ProgressCallback | None] = ContextVar("loading", default=None)


@contextmanager
def loading_told(progress: ProgressCallback) -> Iterator[None]:
    """Within the block, and in threads that take its context along, `progress` is told before a model is loaded."""
    before = _LISTENER.set(progress)
    try:
        yield
    finally:
        _LISTENER.reset(before)


def tell_loading() -> None:
    """A model, or the library under it, is about to be loaded: stage "load", step 0 of 0, for want of a forecast."""
    listener = _LISTENER.get()
    if listener is not None:
        listener(Progress("load", 0, 0))
