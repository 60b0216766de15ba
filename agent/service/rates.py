"""How often one client may ask: a bucket of tokens each, refilled steadily. Kept in memory, bounded."""

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from agent.service.limits import TooManyError

__all__ = ["RateLimiter"]

_CLIENTS = 10_000
_BURST_SECONDS = 10.0


class RateLimiter:
    """Lets each client through `a_minute` times a minute, and at once as often as it may in ten seconds."""

    def __init__(self, a_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Takes the rate; 0 for no limit.

        Args:
            a_minute: requests of one client.
            clock: seconds that only grow.
        """
        self._rate = a_minute / 60.0
        self._burst = max(1.0, self._rate * _BURST_SECONDS)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = Lock()

    def take(self, client: str) -> None:
        """Counts a request; raises TooManyError where the client has to slow down."""
        if self._rate <= 0:
            return
        now = self._clock()
        with self._lock:
            tokens, since = self._buckets.pop(client, (self._burst, now))
            tokens = min(self._burst, tokens + (now - since) * self._rate)
            allowed = tokens >= 1.0
            self._buckets[client] = (tokens - 1.0 if allowed else tokens, now)
            while len(self._buckets) > _CLIENTS:
                self._buckets.popitem(last=False)
        if not allowed:
            raise TooManyError(
                f"That is more than {self._rate * 60:.0f} requests a minute; slow down.", (1.0 - tokens) / self._rate
            )
