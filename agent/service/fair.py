"""The order of a fair queue: clients take turns, and so do the conversations of one client. Pure; `jobs` asks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Waiting", "fair_order"]


@dataclass(frozen=True)
class Waiting:
    """A job that waits.

    Attributes:
        id: of the job.
        client: who asked.
        conversation: what it works on; None where it works on nothing that lasts.
        created: when it was asked for, in seconds.
    """

    id: str
    client: str
    conversation: str | None
    created: float


def fair_order(
    waiting: Sequence[Waiting], served: Mapping[str, float], busy: frozenset[str] = frozenset()
) -> list[str]:
    """The ids of jobs in the order in which they will be done, if nothing else comes.

    Next is always the client that was served longest ago, then its conversation that was, then what was asked first; so
    somebody who asks for one edit waits for one edit of everybody else, however many those have asked for.

    Args:
        waiting: all that waits.
        served: when each client (`"client:" + id`) and conversation was last begun, in seconds; never, where missing.
        busy: conversations that are being worked on; what waits for them comes after all else, for it cannot begin yet.
    """
    left = sorted(waiting, key=lambda one: one.created)
    last = dict(served)
    clock = max(last.values(), default=0.0)
    order: list[str] = []
    while left:
        best = min(left, key=lambda one: _rank(one, last, busy))
        left.remove(best)
        order.append(best.id)
        clock += 1.0
        last[f"client:{best.client}"] = last[best.conversation or best.id] = clock
    return order


def _rank(one: Waiting, last: Mapping[str, float], busy: frozenset[str]) -> tuple[bool, float, float, float]:
    return (
        one.conversation in busy,
        last.get(f"client:{one.client}", 0.0),
        last.get(one.conversation or one.id, 0.0),
        one.created,
    )
