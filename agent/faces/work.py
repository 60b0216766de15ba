"""Long work inside a command: a progress bar, silence from libraries, and Ctrl-C without half-written files.

The first Ctrl-C stops the work at its next step, also in threads that an agent started; a second one ends the process
at once. While files are being written, it waits until they are whole.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

from agent.faces.output import Output
from instructedit_models.errors import CancelledError

if TYPE_CHECKING:
    from instructedit_models.types import Progress, ProgressCallback

__all__ = ["Work", "working"]


class Work:
    """Takes over SIGINT while it is entered; idle outside the main thread, where signals cannot be handled.

    Args:
        show: called with each step of the work, in whatever thread does it.
    """

    def __init__(self, show: "ProgressCallback") -> None:
        self._show = show
        self._requested = threading.Event()
        self._held = False
        self._previous: Any = None

    def __enter__(self) -> "Work":
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def _handle(self, _signum: int, _frame: FrameType | None) -> None:
        again = self._requested.is_set()
        self._requested.set()
        if self._held:
            return
        if again:
            os._exit(CancelledError.exit_code)
        raise KeyboardInterrupt

    def step(self, progress: "Progress") -> None:
        """A progress callback. Raises CancelledError at the first step after a Ctrl-C."""
        self.check()
        self._show(progress)

    def check(self) -> None:
        """Raises CancelledError if the person asked to stop."""
        if self._requested.is_set():
            raise CancelledError("Stopped; nothing was written.")

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Finishes what is inside before a Ctrl-C takes effect; raises CancelledError at once if one came before."""
        self._held = True
        try:
            self.check()
            yield
        finally:
            self._held = False


@contextlib.contextmanager
def working(output: Output) -> Iterator[Work]:
    """What a command wraps its heavy imports and its work in."""
    with output.silenced(), output.progress() as show, Work(show) as work:
        yield work
