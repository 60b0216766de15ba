"""One turn of a chat: the agent works on a thread of its own while the main thread shows, asks and minds Ctrl-C.

The first Ctrl-C stops the turn at its next step and leaves the picture as it was; a second one ends the process at
once, which the workspace bears like a kill.
"""

import os
import queue
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

from agent.faces.chat_view import View
from instructedit_models.errors import CancelledError

if TYPE_CHECKING:
    from agent.events import Asked, Event, Planned
    from agent.record import TurnRecord

__all__ = ["Decision", "TurnRunner"]

STOPPED = "Stopped; the picture is as it was."
REFUSED = "Refused; the picture is as it was."
_LAST_WORDS = {"reply", "question", "error"}


class Decision:
    """What the person says to a plan.

    Attributes:
        approved: go on.
        instead: what to do instead, in words; None to leave it at the refusal.
    """

    def __init__(self, approved: bool, instead: str | None = None) -> None:
        self.approved = approved
        self.instead = instead


Approve = Callable[["Planned"], Decision]


class TurnRunner:
    """Runs turns.

    Attributes:
        asked: the question that the turn ended with, if it did.
        instead: what the person wants instead of the plan that they refused.
    """

    def __init__(self, view: View, approve: Approve | None = None) -> None:
        """Prepares to run turns.

        Args:
            view: where events are shown.
            approve: asked, on the main thread, before each edit; None approves all.
        """
        self._view = view
        self._approve = approve
        self._stop = threading.Event()
        self._plans: queue.Queue[Planned | None] = queue.Queue()
        self._answers: queue.Queue[Decision] = queue.Queue()
        self._approved: set[str] = set()
        self._why = STOPPED
        self.asked: Asked | None = None
        self.instead: str | None = None

    def run(self, turn: Callable[[], "TurnRecord"]) -> "TurnRecord":
        """Runs `turn` on a thread and returns its record.

        Args:
            turn: calls `Session.turn`, whose events come to `on_event`.

        Raises:
            Exception: what the turn raised.
        """
        self._stop.clear()
        self._approved.clear()
        self._plans = queue.Queue()
        self.asked, self.instead, self._why = None, None, STOPPED
        done: list[Any] = [None, None]

        def work() -> None:
            try:
                done[0] = turn()
            except BaseException as error:
                done[1] = error
            finally:
                self._plans.put(None)

        thread = threading.Thread(target=work, name="turn", daemon=True)
        before = self._take_interrupts()
        try:
            with self._view.working():
                thread.start()
                while (plan := self._next()) is not None:
                    self._answers.put(self._decided(plan))
                thread.join()
        finally:
            if before is not None:
                signal.signal(signal.SIGINT, before)
        if done[1] is not None:
            raise done[1]
        return done[0]

    def on_event(self, event: "Event") -> None:
        """Shows an event; the session calls it on the thread that works.

        Raises:
            CancelledError: the person stopped the turn or refused the plan.
        """
        if event.kind == "question":
            self.asked = cast("Asked", event)
        if event.kind not in _LAST_WORDS and self._stop.is_set():
            raise CancelledError(self._why)
        self._view.event(event)
        if event.kind == "planned" and self._approve is not None:
            self._ask(cast("Planned", event))

    def _ask(self, plan: "Planned") -> None:
        key = plan.model_dump_json(exclude={"encoding_ratio"})
        if key in self._approved:
            return
        self._plans.put(plan)
        decision = self._answers.get()
        if not decision.approved:
            self.instead, self._why = decision.instead, REFUSED
            self._stop.set()
            raise CancelledError(REFUSED)
        self._approved.add(key)

    def _decided(self, plan: "Planned") -> Decision:
        if self._approve is None:
            return Decision(True)
        with self._view.paused():
            try:
                return self._approve(plan)
            except (EOFError, KeyboardInterrupt):
                return Decision(False)

    def _next(self) -> "Planned | None":
        told = False
        while True:
            try:
                return self._plans.get(timeout=0.1)
            except queue.Empty:
                if self._stop.is_set() and self._why == STOPPED and not told:
                    told = True
                    self._view.note("Stopping at the next step; Ctrl-C again leaves.")

    def _take_interrupts(self) -> Any:
        if threading.current_thread() is not threading.main_thread():
            return None
        return signal.signal(signal.SIGINT, self._interrupted)

    def _interrupted(self, _signum: int, _frame: FrameType | None) -> None:
        # Nothing is printed here: the main thread may hold the lock of the view just now.
        if self._stop.is_set():
            self._view.leave()
            os._exit(CancelledError.exit_code)
        self._stop.set()
