"""Small pictures of an edit while it is denoised, for those who asked; so seldom that they cost next to nothing.

`bench` keeps one for all jobs, since what a picture costs is known from the one before.
"""

import base64
import io
import time
from collections.abc import Callable
from typing import Any

from PIL import Image

from agent.events import Progressed
from instructedit_models.errors import InstructEditError

__all__ = ["Previews"]

_PATIENCE = 24
"""A picture comes when so many times its cost has passed since the one before: it takes a 25th of the time."""
_SIDE = 256
_MOST_BYTES = 7_500
"""Of the JPEG; in base64 it is a third more."""


class Previews:
    """Decides when a picture is made, and makes it; for one thread."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._cost = self._ready = 0.0

    def of(self, event: Progressed) -> dict[str, Any] | None:
        """A picture of the edit after a step, as data of an event; None where there is none, or not yet.

        Returns:
            `step` and `total`, `box` (x0, y0, x1, y1 in pixels of the picture), `image` (a JPEG in base64).
        """
        if event.preview is None:
            return None
        started = self._clock()
        if event.step == 1:
            self._ready = started + _PATIENCE * self._cost
            return None
        if started < self._ready or event.step == event.total:
            return None
        try:
            preview = event.preview()
            image = base64.b64encode(_jpeg(preview.image)).decode()
        except InstructEditError:  # the edit itself will say what is wrong
            return None
        now = self._clock()
        self._cost = now - started
        self._ready = now + _PATIENCE * self._cost
        return {"step": event.step, "total": event.total, "box": list(preview.box), "image": image}


def _jpeg(image: Image.Image) -> bytes:
    """The picture, made small, in at most `_MOST_BYTES` (of noise perhaps a little more)."""
    small = image.copy()
    small.thumbnail((_SIDE, _SIDE))
    data = b""
    for quality in (75, 50, 25, 10):
        buffer = io.BytesIO()
        small.save(buffer, "JPEG", quality=quality)
        data = buffer.getvalue()
        if len(data) <= _MOST_BYTES:
            break
    return data
