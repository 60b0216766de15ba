"""Idempotency keys: a request that is sent twice makes one thing. The HTTP face asks."""

import time

from agent.service.database import Database
from agent.service.limits import BusyError, KeyClashError

__all__ = ["Keys"]


class Keys:
    """Keys of all clients with what was answered under them, kept for a while and over restarts."""

    def __init__(self, database: Database, kept_seconds: float) -> None:
        self._database = database
        self._kept = kept_seconds

    def claim(self, client: str, key: str, fingerprint: str) -> tuple[int, str] | None:
        """Takes a key for a request.

        Args:
            client: who asks.
            key: the key.
            fingerprint: hash of all that the request says.

        Returns:
            The status and answer of the first request under that key; None where this is the first.

        Raises:
            KeyClashError: the key was used for another request.
            BusyError: the first one is still being answered.
        """
        now = time.time()
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM keys WHERE created < ?", (now - self._kept,))
            row = connection.execute(
                "SELECT fingerprint, status, answer FROM keys WHERE client = ? AND key = ?", (client, key)
            ).fetchone()
            if row is None:
                connection.execute("INSERT INTO keys VALUES (?, ?, ?, NULL, NULL, ?)", (client, key, fingerprint, now))
                return None
        if row["fingerprint"] != fingerprint:
            raise KeyClashError("This Idempotency-Key was used for another request; choose a new one.")
        if row["status"] is None:
            raise BusyError(
                "The first request with this Idempotency-Key is still being answered; try again in a moment."
            )
        return int(row["status"]), str(row["answer"])

    def settle(self, client: str, key: str, status: int, answer: str) -> None:
        """Keeps what was answered."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE keys SET status = ?, answer = ? WHERE client = ? AND key = ?", (status, answer, client, key)
            )

    def release(self, client: str, key: str) -> None:
        """Gives a key back, for a request that made nothing."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM keys WHERE client = ? AND key = ?", (client, key))

    def release_unsettled(self) -> None:
        """Gives back what a process that died had taken; called at the start."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM keys WHERE status IS NULL")
