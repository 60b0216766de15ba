"""Jobs in SQLite: asked for, waiting in fair order, begun, told of, ended. `service` submits, `worker` takes.

Several processes may share the file; each takes a job by one write, and a conversation is worked on by one at a time.
"""

import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from agent.service.database import Database
from agent.service.fair import Waiting, fair_order
from agent.service.limits import NotThereError, ServiceLimits, TooManyError
from agent.service.watching import Watchers
from instructedit_models.errors import CancelledError, InstructEditError

__all__ = ["OPEN", "Event", "Job", "Jobs", "Kind", "NewJob", "State"]

Kind = Literal["message", "adjust", "refine", "image_edit"]
State = Literal["queued", "running", "done", "failed", "cancelled"]
OPEN = ("queued", "running")
_LEASE_SECONDS = 30.0
"""A job whose worker has not been seen for so long is begun again; workers say that they live every few seconds."""
_FIRST_GUESS = 6.0
_REMEMBERED = 20


@dataclass(frozen=True)
class NewJob:
    """What is asked for.

    Attributes:
        client: who asks, for fairness.
        owner: whom the job belongs to; "" for whoever knows its id.
        kind: what is to be done.
        payload: with what, as data.
        conversation: on which conversation; None for none that lasts.
        id: unguessable.
    """

    client: str
    owner: str
    kind: Kind
    payload: Mapping[str, Any]
    conversation: str | None = None
    id: str = field(default_factory=lambda: secrets.token_hex(16))


@dataclass(frozen=True)
class Job:
    """A job as it stands.

    Attributes:
        id, conversation, client, owner, kind, payload: as in `NewJob`.
        state: how far it is.
        created, started, finished: seconds since 1970; None for not yet.
        attempts: how often it was begun.
        stop: whether somebody asked to stop it.
        start: how its conversation stood when it was first begun, as data.
        progress: the newest step, as data.
        result: what came of it, as data.
        error: `{"kind": …, "message": …}` where it failed or was cancelled.
        last: the number of its newest event.
    """

    id: str
    conversation: str | None
    client: str
    owner: str
    kind: Kind
    payload: dict[str, Any]
    state: State
    created: float
    started: float | None
    finished: float | None
    attempts: int
    stop: bool
    start: dict[str, Any] | None
    progress: dict[str, Any] | None
    result: dict[str, Any] | None
    error: dict[str, str] | None
    last: int

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state not in OPEN


@dataclass(frozen=True)
class Event:
    """Something that happened in a job: its number, what it was, and the rest as data."""

    number: int
    kind: str
    data: dict[str, Any]


class Jobs:
    """The queue and all that is known of its jobs."""

    def __init__(self, database: Database, limits: ServiceLimits, watchers: Watchers) -> None:
        self._database = database
        self._limits = limits
        self.watchers = watchers

    def submit(self, new: NewJob, room: Callable[[], None] | None = None) -> Job:
        """Puts a job into the queue.

        Args:
            new: what is asked for.
            room: called once it is sure that the job may wait, before anybody can take it.

        Raises:
            TooManyError: too much waits already.
        """
        with self._database.transaction() as connection:
            waiting = connection.execute("SELECT client FROM jobs WHERE state = 'queued'").fetchall()
            mine = sum(row["client"] == new.client for row in waiting)
            if len(waiting) >= self._limits.waiting_jobs:
                raise TooManyError(
                    f"{len(waiting)} jobs wait already; try again later.", self.usual_seconds(), "queue_full"
                )
            if mine >= self._limits.waiting_jobs_each:
                raise TooManyError(
                    f"{mine} of your jobs wait already; let them be done first.", self.usual_seconds(), "queue_full"
                )
            if room is not None:
                room()
            values = (new.id, new.conversation, new.client, new.owner, new.kind, json.dumps(dict(new.payload)))
            connection.execute(
                "INSERT INTO jobs (id, conversation, client, owner, kind, payload, state, created)"
                " VALUES (?, ?, ?, ?, ?, ?, 'queued', ?)",
                (*values, time.time()),
            )
        self.watchers.tell_all()
        return self.get(new.id)

    def get(self, job_id: str) -> Job:
        """A job; raises NotThereError where there is none of that id, or no more."""
        rows = self._database.query("SELECT * FROM jobs WHERE id = ?", (job_id,))
        if not rows:
            raise NotThereError("There is no such job; ended ones are kept for a day.")
        return _job(rows[0])

    def open_of(self, conversation: str) -> list[Job]:
        """The jobs of a conversation that wait or run, oldest first."""
        rows = self._database.query(
            "SELECT * FROM jobs WHERE conversation = ? AND state IN ('queued', 'running') ORDER BY created, rowid",
            (conversation,),
        )
        return [_job(row) for row in rows]

    def order(self) -> list[str]:
        """The ids of all waiting jobs in the order in which they will be begun."""
        rows = self._database.query("SELECT id, client, conversation, created FROM jobs WHERE state = 'queued'")
        return fair_order([Waiting(*row) for row in rows], self._served(), self._working())

    def counts(self) -> dict[str, int]:
        """How many jobs there are in each state."""
        rows = self._database.query("SELECT state, COUNT(*) AS count FROM jobs GROUP BY state")
        return {row["state"]: row["count"] for row in rows}

    def ahead(self, job: Job) -> tuple[int, float]:
        """How many jobs come before a waiting one, and about how many seconds it will wait."""
        if job.state != "queued":
            return 0, 0.0
        order = self.order()
        place = order.index(job.id) if job.id in order else 0
        running = self.counts().get("running", 0)
        return place + running, round(self.usual_seconds() * (place + 0.5 * bool(running)), 1)

    def wait_for_new(self) -> float:
        """About how many seconds a job would wait that is asked for now."""
        counts = self.counts()
        queued, running = counts.get("queued", 0), counts.get("running", 0)
        return round(self.usual_seconds() * (queued + 0.5 * bool(running)), 1)

    def usual_seconds(self) -> float:
        """How long the last jobs took, on average."""
        rows = self._database.query(
            "SELECT finished - started AS taken FROM jobs WHERE state = 'done' AND started IS NOT NULL"
            " ORDER BY finished DESC LIMIT ?",
            (_REMEMBERED,),
        )
        taken = [float(row["taken"]) for row in rows]
        return max(0.1, sum(taken) / len(taken)) if taken else _FIRST_GUESS

    def claim(self, worker: str) -> Job | None:
        """Takes the next job for a worker; None where nothing can be begun."""
        with self._database.transaction() as connection:
            busy = self._working()
            rows = connection.execute(
                "SELECT id, client, conversation, created FROM jobs WHERE state = 'queued'"
            ).fetchall()
            free = [Waiting(*row) for row in rows if row["conversation"] not in busy]
            if not free:
                return None
            chosen = fair_order(free, self._served(), busy)[0]
            now = time.time()
            connection.execute(
                "UPDATE jobs SET state = 'running', started = ?, worker = ?, seen = ?, attempts = attempts + 1"
                " WHERE id = ?",
                (now, worker, now, chosen),
            )
        self.watchers.tell_all()
        return self.get(chosen)

    def keep_start(self, job_id: str, start: Mapping[str, Any]) -> None:
        """Notes how the conversation stood when the job was first begun."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE jobs SET start = ? WHERE id = ?", (json.dumps(dict(start)), job_id))

    def add_event(self, job_id: str, kind: str, data: Mapping[str, Any]) -> None:
        """Keeps an event and wakes those who listen; of progress and previews, only the newest is kept."""
        body = json.dumps(dict(data))
        with self._database.transaction() as connection:
            connection.execute("UPDATE jobs SET last = last + 1 WHERE id = ?", (job_id,))
            if kind in ("progress", "preview"):
                connection.execute("DELETE FROM events WHERE job = ? AND kind = ?", (job_id, kind))
            if kind == "progress":
                connection.execute("UPDATE jobs SET progress = ? WHERE id = ?", (body, job_id))
            connection.execute("INSERT INTO events SELECT id, last, ?, ? FROM jobs WHERE id = ?", (kind, body, job_id))
        self.watchers.tell(job_id)

    def events(self, job_id: str, after: int = 0) -> list[Event]:
        """What happened after an event, in order."""
        rows = self._database.query(
            "SELECT number, kind, body FROM events WHERE job = ? AND number > ? ORDER BY number", (job_id, after)
        )
        return [Event(row["number"], row["kind"], json.loads(row["body"])) for row in rows]

    def end(
        self, job_id: str, state: State, result: Mapping[str, Any] | None = None, error: InstructEditError | None = None
    ) -> None:
        """Ends a job that is open."""
        told = None if error is None else json.dumps({"kind": error.kind, "message": str(error)})
        made = None if result is None else json.dumps(dict(result))
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE jobs SET state = ?, finished = ?, result = ?, error = ?, last = last + 1"
                " WHERE id = ? AND state IN ('queued', 'running')",
                (state, time.time(), made, told, job_id),
            )
            connection.execute("DELETE FROM events WHERE job = ? AND kind = 'preview'", (job_id,))
        self.watchers.tell_all()

    def put_back(self, job_id: str, *, counts: bool = False) -> None:
        """Lets a running job wait again; `counts` where its attempt counts against it."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE jobs SET state = 'queued', started = NULL, worker = NULL, progress = NULL,"
                " attempts = attempts - ? WHERE id = ? AND state = 'running'",
                (0 if counts else 1, job_id),
            )
            connection.execute("DELETE FROM events WHERE job = ?", (job_id,))
        self.watchers.tell_all()

    def stop(self, job_id: str) -> Job:
        """Asks a job to stop: one that waits is over at once, one that runs at its next step."""
        error = json.dumps({"kind": CancelledError.kind, "message": "The job was cancelled before it began."})
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE jobs SET state = 'cancelled', finished = ?, error = ?, last = last + 1"
                " WHERE id = ? AND state = 'queued'",
                (time.time(), error, job_id),
            )
            connection.execute("UPDATE jobs SET stop = 1 WHERE id = ? AND state = 'running'", (job_id,))
        self.watchers.tell_all()
        return self.get(job_id)

    def stopped(self, job_id: str) -> bool:
        """Whether somebody asked the job to stop, or deleted it."""
        rows = self._database.query("SELECT stop FROM jobs WHERE id = ?", (job_id,))
        return not rows or bool(rows[0]["stop"])

    def seen(self, worker: str) -> None:
        """A worker says that it lives."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE jobs SET seen = ? WHERE worker = ? AND state = 'running'", (time.time(), worker))

    def take_up(self, died: Callable[[Job], None], *, alone: bool) -> list[Job]:
        """Lets jobs wait again whose worker has died; and ends those that killed it too often.

        Args:
            died: called with each before it waits or ends, to clear away what its try left.
            alone: whether no other process works on this queue, so that whatever runs has no worker.

        Returns:
            The jobs that wait again.
        """
        late = time.time() + 1.0 if alone else time.time() - _LEASE_SECONDS
        rows = self._database.query("SELECT * FROM jobs WHERE state = 'running' AND COALESCE(seen, 0) < ?", (late,))
        again = []
        for job in map(_job, rows):
            died(job)
            if job.attempts >= self._limits.attempts:
                words = f"The server stopped {job.attempts} times while it worked on this; it is not tried again."
                self.end(job.id, "failed", error=InstructEditError(words))
            else:
                self.put_back(job.id, counts=True)
                again.append(job)
        return again

    def forget_old(self) -> list[str]:
        """Drops jobs that ended long ago; returns their ids."""
        before = time.time() - self._limits.kept_seconds
        with self._database.transaction() as connection:
            rows = connection.execute("SELECT id FROM jobs WHERE finished < ?", (before,)).fetchall()
            connection.execute("DELETE FROM jobs WHERE finished < ?", (before,))
        return [row["id"] for row in rows]

    def _served(self) -> dict[str, float]:
        served: dict[str, float] = {}
        rows = self._database.query("SELECT id, client, conversation, started FROM jobs WHERE started IS NOT NULL")
        for row in rows:
            for name in (f"client:{row['client']}", row["conversation"] or row["id"]):
                served[name] = max(served.get(name, 0.0), float(row["started"]))
        return served

    def _working(self) -> frozenset[str]:
        rows = self._database.query(
            "SELECT conversation FROM jobs WHERE state = 'running' AND conversation IS NOT NULL"
        )
        return frozenset(row["conversation"] for row in rows)


def _job(row: sqlite3.Row) -> Job:
    read = {name: row[name] for name in Job.__dataclass_fields__}
    for name in ("payload", "start", "progress", "result", "error"):
        read[name] = None if read[name] is None else json.loads(read[name])
    return Job(**(read | {"stop": bool(read["stop"])}))
