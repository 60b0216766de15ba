"""Remembers DDIM inversions, so that a second edit of the same crop pays for denoising only.

The editor owns one. Levels do not depend on the encoding ratio, so an inversion up to r serves every smaller r, and a
larger one goes on from its top.
"""

import threading
from collections import OrderedDict
from typing import NamedTuple

from torch import Tensor

__all__ = ["InversionCache", "InversionKey"]


class InversionKey(NamedTuple):
    """What an inversion depends on.

    Attributes:
        crop: hash of the crop's pixels.
        caption: the input caption.
        steps: steps of the full schedule.
        stride: levels that one noise prediction served.
        revision: hash of the models and of their noise schedule.
    """

    crop: str
    caption: str
    steps: int
    stride: int
    revision: str


class InversionCache:
    """Least-recently-used inversions within a budget of bytes; safe to share between threads."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._entries: OrderedDict[InversionKey, tuple[Tensor, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes_used(self) -> int:
        """Bytes of all stored latents."""
        with self._lock:
            return sum(map(_size, self._entries.values()))

    def get(self, key: InversionKey) -> tuple[Tensor, ...]:
        """The latents of the lowest levels, clean first; empty where nothing is known."""
        with self._lock:
            if key not in self._entries:
                return ()
            self._entries.move_to_end(key)
            return self._entries[key]

    def put(self, key: InversionKey, stored: tuple[Tensor, ...]) -> None:
        """Keeps a whole inversion, unless a longer one of the same key is known; the oldest make room for it."""
        with self._lock:
            if len(stored) >= len(self._entries.get(key, ())):
                self._entries[key] = stored
            self._entries.move_to_end(key)
            used = sum(map(_size, self._entries.values()))
            while self._entries and used > self.max_bytes:
                used -= _size(self._entries.popitem(last=False)[1])

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._entries.clear()


def _size(stored: tuple[Tensor, ...]) -> int:
    return sum(latents.numel() * latents.element_size() for latents in stored)
