"""The queue of the MCP server: one at a time, in order, cancelled, failed, forgotten and closed."""

import threading
import time

import pytest

from agent.faces.mcp.jobs import BusyError, Job, JobLimits, Jobs
from instructedit_models.errors import BadParameterError, NothingFoundError


def test_one_at_a_time_in_the_order_of_arrival() -> None:
    jobs, done, working = Jobs(), [], threading.Lock()

    def work(number: int) -> int:
        assert working.acquire(blocking=False)
        time.sleep(0.005)
        done.append(number)
        working.release()
        return number

    made = [jobs.submit(f"c{i}", lambda job, i=i: work(i)) for i in range(8)]
    assert all(job.wait(5) for job in made)
    assert [job.result for job in made] == done == list(range(8))
    jobs.close()


def test_a_job_that_waits_is_cancelled_at_once_and_never_begins() -> None:
    jobs, go, begun = Jobs(), threading.Event(), []
    first = jobs.submit("a", lambda job: go.wait(5))
    second = jobs.submit("b", begun.append)
    jobs.cancel(second)
    assert second.over and second.state == "cancelled" and jobs.ahead(second) == 0
    go.set()
    assert first.wait(5) and first.state == "done" and not begun
    jobs.cancel(first)
    assert first.state == "done"
    jobs.close()


def test_failures_are_kept_and_the_worker_goes_on() -> None:
    jobs = Jobs()

    def nothing(job: Job) -> None:
        raise NothingFoundError("No 'star' was found.")

    def breaks(job: Job) -> None:
        raise KeyError("secret")

    failed, broken, fine = (jobs.submit(str(i), one) for i, one in enumerate((nothing, breaks, lambda job: 3)))
    assert fine.wait(5) and fine.result == 3
    assert isinstance(failed.error, NothingFoundError) and failed.state == "failed"
    assert broken.error is not None and "secret" not in str(broken.error)
    jobs.close()


def test_watchers_hear_every_step_and_the_end_until_they_leave() -> None:
    jobs, heard, go = Jobs(), [], threading.Event()

    def work(job: Job) -> None:
        go.wait(5)
        for step in range(3):
            job.step(f"step {step}")

    job = jobs.submit("a", work)
    leave = job.watch(lambda one: heard.append((one.steps, one.message, one.over)))
    go.set()
    assert job.wait(5)
    jobs.close()
    leave()
    leave()
    assert heard == [(1, "step 0", False), (2, "step 1", False), (3, "step 2", False), (3, "step 2", True)]


def test_results_are_forgotten_when_there_are_many_or_they_are_old() -> None:
    jobs = Jobs(JobLimits(kept=2))
    made = []
    for number in range(4):
        made.append(jobs.submit(str(number), lambda job: None))
        assert made[-1].wait(5)
    with pytest.raises(BadParameterError):
        jobs.get(made[0].id)
    assert jobs.get(made[3].id) is made[3]
    made[3].finished -= 4000
    with pytest.raises(BadParameterError):
        jobs.get(made[3].id)
    jobs.close()


def test_closing_stops_what_works_and_what_waits() -> None:
    jobs, begun = Jobs(), threading.Event()

    def endless(job: Job) -> None:
        begun.set()
        while True:
            job.step("on")
            time.sleep(0.002)

    first, second = jobs.submit("a", endless), jobs.submit("b", endless)
    assert begun.wait(5)
    jobs.close()
    assert (first.state, second.state) == ("cancelled", "cancelled")
    with pytest.raises(BusyError):
        jobs.submit("c", endless)
