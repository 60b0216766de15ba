"""All events of a conversation, typed; every face renders them, none needs to know the agent.

They are given to a callback on the thread that works, at once: `Session(..., on_event=callback)`. Raising
`CancelledError` in the callback stops the turn.
"""

from collections.abc import Callable
from typing import Literal

from tools.events import Called, Described, Edited, Event, Moved, Planned, Progressed, Segmented, Warned
from tools.regions import RegionRecord

__all__ = [
    "Asked",
    "Called",
    "Described",
    "Edited",
    "Event",
    "EventCallback",
    "Failed",
    "Moved",
    "Planned",
    "Progressed",
    "Replied",
    "Segmented",
    "Warned",
]

EventCallback = Callable[[Event], None]


class Asked(Event):
    """The agent asks the person.

    Attributes:
        text: the question, with the candidates numbered from 1.
        candidates: region ids, in the order of their numbers.
        image_id: the picture that they are in, None where the question is about no regions.
        regions: the candidates with their masks' ids and boxes, for a numbered overlay.
    """

    kind: Literal["question"] = "question"
    text: str
    candidates: tuple[str, ...] = ()
    image_id: str | None = None
    regions: tuple[RegionRecord, ...] = ()


class Failed(Event):
    """The turn failed and the picture is as before it."""

    kind: Literal["error"] = "error"
    error: str
    text: str


class Replied(Event):
    """The agent's closing words; `image_id` is the current picture."""

    kind: Literal["reply"] = "reply"
    text: str
    image_id: str
