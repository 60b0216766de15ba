"""The votes of a user study in one SQLite file, and what they come to: preference rates with intervals.

A vote is written whole or not at all, and each person has one on each triplet.
"""

import secrets
import sqlite3
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from agent.study import Shown, Study
from instructedit_models.errors import BadParameterError
from tools.sqlite_file import SqliteFile, connect

__all__ = ["Pair", "Vote", "VoteBook", "interval_of", "preferences"]

APPLICATION_ID = 0x49457631
"""Marks the file as ours ("IEv1")."""
VERSION = 1
RESAMPLES = 2000
_TABLES = (
    "CREATE TABLE study (secret BLOB NOT NULL, created TEXT NOT NULL)",
    "CREATE TABLE triplets (id TEXT PRIMARY KEY, name TEXT NOT NULL, a TEXT NOT NULL, b TEXT NOT NULL,"
    " digest TEXT NOT NULL)",
    "CREATE TABLE votes (person TEXT NOT NULL, triplet TEXT NOT NULL REFERENCES triplets(id), preferred TEXT,"
    " left_method TEXT NOT NULL, created TEXT NOT NULL, PRIMARY KEY (person, triplet))",
)


@dataclass(frozen=True)
class Vote:
    """One vote.

    Attributes:
        person: who voted.
        case: the triplet's.
        a, b: the methods that were compared.
        preferred: the method that was liked better; None for no preference.
    """

    person: str
    case: str
    a: str
    b: str
    preferred: str | None


@dataclass(frozen=True)
class Pair:
    """What the votes on two methods come to.

    Attributes:
        a, b: the methods.
        a_votes, b_votes, no_preference: how many preferred each, and neither.
        rate: share of a among the votes that preferred one; None where there is none.
        interval: its 95 % interval by Wilson, every vote counted as independent.
        score: a's votes and half of those without preference, over all votes.
        score_interval: its 95 % interval by bootstrap over people; None for fewer than two of them.
        people, cases: how many of each.
    """

    a: str
    b: str
    a_votes: int
    b_votes: int
    no_preference: int
    rate: float | None
    interval: tuple[float, float] | None
    score: float
    score_interval: tuple[float, float] | None
    people: int
    cases: int

    def to_json(self) -> dict[str, Any]:
        """As data."""
        return asdict(self) | {"votes": self.a_votes + self.b_votes + self.no_preference}


class VoteBook(SqliteFile):
    """A file of votes; any number of threads and processes may write to it.

    Raises:
        BadParameterError: the file cannot be made or read, or is another program's or a newer version's.
    """

    def __init__(self, path: str | Path, create: bool = True) -> None:
        """Opens or makes it.

        Args:
            path: the SQLite file.
            create: whether to make one where there is none.
        """
        self.path = Path(path)
        if not create and not self.path.is_file():
            raise BadParameterError(f"There is no file of votes {self.path}.")
        try:
            connection = connect(self.path)
        except sqlite3.Error as error:
            raise BadParameterError(f"Cannot open {self.path}: {error}.") from error
        super().__init__(connection, self._prepare)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def secret(self) -> bytes:
        """What decides order and sides; drawn once when the file is made."""
        return bytes(self.query("SELECT secret FROM study")[0][0])

    def begin(self, study: Study) -> None:
        """Notes what is compared.

        Raises:
            BadParameterError: a picture is not the one that votes were cast on before.
        """
        with self.transaction() as connection:
            known = dict(connection.execute("SELECT id, digest FROM triplets").fetchall())
            for one in study.triplets:
                digest = one.digest
                if known.setdefault(one.id, digest) != digest:
                    raise BadParameterError(
                        f"The pictures of the case {one.case.name!r} have changed since {self.path} was begun; "
                        "keep the votes on them in another file (--votes)."
                    )
                connection.execute(
                    "INSERT OR IGNORE INTO triplets VALUES (?, ?, ?, ?, ?)",
                    (one.id, one.case.name, one.a, one.b, digest),
                )

    def add(self, person: str, shown: Shown, preferred: str | None) -> bool:
        """Keeps a vote; False, and nothing changes, where the person has voted on it before.

        Args:
            person: who votes.
            shown: what they saw.
            preferred: the method; None for no preference.
        """
        row = (person, shown.triplet.id, preferred, shown.left, datetime.now(UTC).isoformat(timespec="seconds"))
        with self.transaction() as connection:
            return connection.execute("INSERT OR IGNORE INTO votes VALUES (?, ?, ?, ?, ?)", row).rowcount == 1

    def voted(self, person: str) -> set[str]:
        """The ids of the triplets that a person has voted on."""
        return {row[0] for row in self.query("SELECT triplet FROM votes WHERE person = ?", (person,))}

    def votes(self) -> list[Vote]:
        """All votes, in the order in which they were cast."""
        rows = self.query(
            "SELECT person, name, a, b, preferred FROM votes JOIN triplets ON id = triplet ORDER BY votes.rowid"
        )
        return [Vote(*row) for row in rows]

    def _prepare(self) -> None:
        connection = self._connection
        owner = int(connection.execute("PRAGMA application_id").fetchone()[0])
        tables = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
        if owner != APPLICATION_ID and (owner or tables):
            raise BadParameterError(f"{self.path} is the database of another program; choose another file.")
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > VERSION:
            raise BadParameterError(f"{self.path} was made by a newer version of this program.")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")
        with self.transaction():
            if int(connection.execute("PRAGMA user_version").fetchone()[0]):
                return
            for table in _TABLES:
                connection.execute(table)
            now = datetime.now(UTC).isoformat(timespec="seconds")
            connection.execute("INSERT INTO study VALUES (?, ?)", (secrets.token_bytes(32), now))
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")

    def _failure(self, error: sqlite3.Error) -> BadParameterError:
        return BadParameterError(f"The file of votes {self.path} cannot be used: {error}.")


def preferences(votes: list[Vote], seed: int = 0) -> list[Pair]:
    """What votes come to, pair by pair.

    Args:
        votes: from `VoteBook.votes`.
        seed: of the bootstrap.
    """
    pairs: dict[tuple[str, str], list[Vote]] = {}
    for vote in votes:
        pairs.setdefault((vote.a, vote.b), []).append(vote)
    return [_pair(a, b, cast, seed) for (a, b), cast in sorted(pairs.items())]


def interval_of(successes: int, trials: int) -> tuple[float, float] | None:
    """The 95 % interval of a share by Wilson's score, None without trials."""
    if not trials:
        return None
    from scipy.stats import binomtest

    found = binomtest(successes, trials).proportion_ci(method="wilson")
    return round(float(found.low), 4), round(float(found.high), 4)


def _pair(a: str, b: str, votes: list[Vote], seed: int) -> Pair:
    for_a, for_b = (sum(vote.preferred == method for vote in votes) for method in (a, b))
    neither = len(votes) - for_a - for_b
    people: dict[str, list[float]] = {}
    for vote in votes:
        people.setdefault(vote.person, []).append({a: 1.0, b: 0.0}.get(vote.preferred or "", 0.5))
    return Pair(
        a=a,
        b=b,
        a_votes=for_a,
        b_votes=for_b,
        no_preference=neither,
        rate=round(for_a / (for_a + for_b), 4) if for_a + for_b else None,
        interval=interval_of(for_a, for_a + for_b),
        score=round((for_a + neither / 2) / len(votes), 4),
        score_interval=_over_people(list(people.values()), seed),
        people=len(people),
        cases=len({vote.case for vote in votes}),
    )


def _over_people(scores: list[list[float]], seed: int) -> tuple[float, float] | None:
    """The 95 % percentile interval of the mean vote, people drawn with replacement and each with all their votes."""
    if len(scores) < 2:
        return None
    sums, counts = np.array([sum(one) for one in scores]), np.array([len(one) for one in scores])
    drawn = np.random.default_rng(seed).integers(0, len(scores), size=(RESAMPLES, len(scores)))
    low, high = np.percentile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), (2.5, 97.5))
    return round(float(low), 4), round(float(high), 4)
