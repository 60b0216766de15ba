"""The fair order, the rate limit and idempotency keys."""

from pathlib import Path

import pytest

from agent.service.database import Database
from agent.service.fair import Waiting, fair_order
from agent.service.keys import Keys
from agent.service.limits import BusyError, KeyClashError, TooManyError
from agent.service.rates import RateLimiter


def test_clients_take_turns_whatever_they_asked_for() -> None:
    greedy = [Waiting(f"g{i}", "greedy", f"c{i}", float(i)) for i in range(3)]
    modest = [Waiting("m0", "modest", "d", 10.0)]
    assert fair_order([*greedy, *modest], {"client:greedy": 5.0}) == ["m0", "g0", "g1", "g2"]
    assert fair_order([*greedy, *modest], {}) == ["g0", "m0", "g1", "g2"]


def test_conversations_of_a_client_take_turns_and_what_is_worked_on_comes_last() -> None:
    waiting = [Waiting("a1", "x", "a", 1.0), Waiting("a2", "x", "a", 2.0), Waiting("b1", "x", "b", 3.0)]
    assert fair_order(waiting, {}) == ["a1", "b1", "a2"]
    assert fair_order(waiting, {}, frozenset({"a"})) == ["b1", "a1", "a2"]


def test_a_client_that_asks_too_often_waits_and_others_do_not() -> None:
    now = [0.0]
    rates = RateLimiter(6, lambda: now[0])
    rates.take("a")
    with pytest.raises(TooManyError) as caught:
        rates.take("a")
    assert 9.0 < caught.value.seconds <= 10.0
    rates.take("b")
    now[0] = 10.0
    rates.take("a")


def test_keys_make_one_thing_and_are_given_back_where_nothing_was_made(tmp_path: Path) -> None:
    database = Database(tmp_path)
    keys = Keys(database, 3600)
    assert keys.claim("a", "k", "print") is None
    with pytest.raises(BusyError):
        keys.claim("a", "k", "print")
    assert keys.claim("b", "k", "other") is None
    keys.settle("a", "k", 202, "{}")
    assert keys.claim("a", "k", "print") == (202, "{}")
    with pytest.raises(KeyClashError):
        keys.claim("a", "k", "another")
    keys.release("b", "k")
    assert keys.claim("b", "k", "new") is None
    keys.release_unsettled()
    assert keys.claim("b", "k", "newer") is None
    assert keys.claim("a", "k", "print") == (202, "{}")
    database.close()
