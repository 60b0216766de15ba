"""Scripted runs on the tiny models in real worker processes: contract, resumption, failures, sameness of bytes."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.batch import BatchOptions, Summary, run_batch
from agent.batch_worker import JobResult, JobWorker, Task
from agent.local_workers import LocalWorkers
from agent.script import load_script
from instructedit_models.errors import BadOutputError
from tests.agent.records import CONTRACT
from tests.agent.tiny_worker import make
from tests.tools.tiny_models import boxes

JOBS = """\
defaults: {llm: offline, seed: 0}
jobs:
  - {name: one, image: a.png, instruction: make the blue box green}
  - name: talk
    image: a.png
    turns: [make the blue box green, undo, make the blue box yellow, how many boxes are there?]
  - {name: tie, image: a.png, instruction: make the red box green}
  - {name: none, image: a.png, instruction: make the star green}
  - {name: gone, image: gone.png, instruction: make the blue box green}
  - {name: broken, image: broken.png, instruction: make the blue box green}
  - {name: sure, image: a.png, instruction: make the red box green, yes: true}
"""


class Here:
    """Workers in this very process, which is quick."""

    def __init__(self) -> None:
        self.given: list[str] = []
        self.worker: JobWorker = make()

    def run(self, tasks, stopped):  # type: ignore[no-untyped-def]
        for task in tasks:
            if stopped():
                return
            self.given.append(task.job.name)
            yield self.worker.run(task)


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    boxes("red", "blue", "red").save(tmp_path / "a.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "jobs.yaml").write_text(JOBS)
    return tmp_path / "jobs.yaml"


PLAIN = BatchOptions()


def run(jobs: Path, out: Path, workers: object = None, options: BatchOptions = PLAIN, **more) -> Summary:  # type: ignore[no-untyped-def]
    return run_batch(load_script(jobs), out, workers or Here(), options, **more)  # type: ignore[arg-type]


def pictures(out: Path) -> dict[str, str]:
    return {
        str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(out.rglob("turn_*.png"))
    }


def records(out: Path, name: str) -> list[dict]:
    return json.loads((out / name / "record.json").read_text())


def test_a_run_leaves_what_the_contract_says(jobs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary = run(jobs, out)
    assert {job["name"]: job["status"] for job in summary.jobs} == {
        "one": "done", "talk": "done", "tie": "failed", "none": "failed", "gone": "failed", "broken": "failed",
        "sure": "done",
    }  # fmt: skip
    assert summary.exit_code == 2
    talk = records(out, "talk")
    assert [record["kind"] for record in talk] == ["edit", "undo", "edit", "answer"]
    assert all(set(CONTRACT) <= set(record) and isinstance(record["reply"], str) for record in talk)
    assert [record["output"] for record in talk] == [f"turn_0{n}.png" for n in (1, 2, 3, 4)]
    assert {path.name for path in (out / "talk").iterdir()} == {
        "turn_01.png", "turn_02.png", "turn_03.png", "turn_04.png", "turn_01_mask.png", "turn_03_mask.png",
        "record.json", "status.json", "bundle",
    }  # fmt: skip
    assert (out / "talk" / "turn_03.png").read_bytes() == (out / "talk" / "turn_04.png").read_bytes()
    assert records(out, "tie")[0]["kind"] == "question" and records(out, "gone") == []
    data = json.loads((out / "summary.json").read_text())
    assert (data["schema"], data["done"], data["failed"], data["resumed"]) == (1, 3, 4, 0)
    errors = {job["name"]: job["error"] and job["error"]["kind"] for job in data["jobs"]}
    assert errors["tie"] == "ambiguous" and errors["none"] == "nothing_found" and errors["gone"] == "bad_image"
    assert errors["broken"] == "bad_image" and "broken.png" in next(
        job["error"]["message"] for job in data["jobs"] if job["name"] == "broken"
    )
    assert not list(out.glob(".*.partial"))


def test_a_second_run_repeats_only_what_may_go_another_way(jobs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(jobs, out)
    again = Here()
    summary = run(jobs, out, again)
    assert again.given == []
    assert {job["name"] for job in summary.jobs if job.get("resumed")} >= {"one", "talk", "tie", "none", "sure"}
    jobs.write_text(JOBS.replace("blue box green}", "blue box yellow}", 1))
    changed = Here()
    run(jobs, out, changed)
    assert "one" in changed.given and "talk" not in changed.given
    boxes("red", "blue", "red", "blue").save(tmp_path / "a.png")
    all_again = Here()
    run(jobs, out, all_again)
    assert {"one", "talk", "tie", "none", "sure"} <= set(all_again.given)
    fresh = Here()
    run(jobs, out, fresh, BatchOptions(fresh=True))
    assert "talk" in fresh.given


def test_what_failed_outside_the_job_is_tried_again(jobs: Path, tmp_path: Path) -> None:
    def unloadable(name: str):  # type: ignore[no-untyped-def]
        from instructedit_models.errors import ModelUnavailableError

        raise ModelUnavailableError("The weights are not here.")

    out, here = tmp_path / "out", Here()
    here.worker = JobWorker(unloadable)
    summary = run(jobs, out, here)
    assert summary.count("failed") == 7 and summary.exit_code == 1
    assert run(jobs, out).count("done") == 3


def test_a_killed_run_goes_on_where_it_was(jobs: Path, tmp_path: Path) -> None:
    class Killed(Here):
        def run(self, tasks, stopped):  # type: ignore[no-untyped-def]
            for number, result in enumerate(super().run(tasks, stopped)):
                if number == 2:
                    raise KeyboardInterrupt
                yield result

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run(jobs, out, Killed())
    (out / ".half.1234.partial").mkdir()
    assert sorted(path.name for path in out.iterdir() if not path.name.startswith(".")) == ["one", "talk"]
    rest = Here()
    assert run(jobs, out, rest).count("done") == 3
    assert "one" not in rest.given and "talk" not in rest.given and not (out / ".half.1234.partial").exists()


def test_the_bytes_do_not_depend_on_the_workers(jobs: Path, tmp_path: Path) -> None:
    run(jobs, tmp_path / "here")
    run(jobs, tmp_path / "two", LocalWorkers(2, make))
    assert pictures(tmp_path / "here") == pictures(tmp_path / "two") != {}
    one, two = ([{**r, "seconds": None} for r in records(tmp_path / place, "talk")] for place in ("here", "two"))
    assert one == two


def test_a_worker_that_dies_takes_one_job_with_it(jobs: Path, tmp_path: Path) -> None:
    jobs.write_text(JOBS.replace("name: one,", "name: one, models: deadly,"))
    summary = run(jobs, tmp_path / "out", LocalWorkers(1, make))
    status = {job["name"]: job["status"] for job in summary.jobs}
    assert (status["one"], status["talk"], status["sure"]) == ("failed", "done", "done")
    assert "killed by signal 9" in summary.jobs[0]["error"]["message"] and summary.exit_code == 1


def test_a_stop_ends_what_is_running_at_its_next_step(jobs: Path, tmp_path: Path) -> None:
    jobs.write_text(JOBS.replace("llm: offline,", "llm: offline, models: slow,"))
    ended: list[dict] = []
    summary = run(
        jobs,
        tmp_path / "out",
        LocalWorkers(1, make),
        on_result=ended.append,
        stopped=lambda: any(job["status"] == "done" for job in ended),
    )
    assert summary.cancelled and summary.exit_code == 130
    assert summary.count("cancelled") >= 1
    for job in summary.jobs:
        assert (tmp_path / "out" / job["name"]).exists() == (job["status"] != "cancelled")


def test_folders_that_are_not_a_runs_are_left_alone(jobs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "talk").mkdir(parents=True)
    (out / "talk" / "mine.txt").write_text("precious")
    with pytest.raises(BadOutputError, match="talk exists and was not written by a run"):
        run(jobs, out)
    assert (out / "talk" / "mine.txt").read_text() == "precious"
    (tmp_path / "file").write_text("")
    with pytest.raises(BadOutputError, match="Cannot make the folder"):
        run(jobs, tmp_path / "file" / "out")


def test_two_runs_do_not_write_into_one_folder(jobs: Path, tmp_path: Path) -> None:
    class Meanwhile(Here):
        def run(self, tasks, stopped):  # type: ignore[no-untyped-def]
            with pytest.raises(BadOutputError, match="Another run is writing"):
                run(jobs, tmp_path / "out")
            yield from super().run(tasks, stopped)

    assert run(jobs, tmp_path / "out", Meanwhile()).count("done") == 3


def test_a_disk_that_is_full_is_one_sentence(jobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    worker = Here()
    results = [worker.worker.run(_task(jobs))]
    monkeypatch.setattr(Path, "write_bytes", full)
    from agent.batch import _write_folder

    with pytest.raises(BadOutputError, match="No space left on device"):
        _write_folder(tmp_path / "out" / "one", results[0].files)
    assert not (tmp_path / "out" / "one").exists()


def _task(jobs: Path) -> Task:
    job = load_script(jobs).jobs[0]
    return Task(job, Path(job.image).read_bytes(), "d")


def test_ctrl_c_twice_leaves_at_once(jobs: Path, tmp_path: Path) -> None:
    """In a real process: the first Ctrl-C asks, the second ends, and no half-written folder stays in a job's place."""
    code = (
        "import sys, agent.faces.commands.run as command, agent.local_workers as local\n"
        "from tests.agent.tiny_worker import make\n"
        "command._workers = lambda args, jobs: local.LocalWorkers(1, make)\n"
        "from agent.faces.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    (tmp_path / "go.py").write_text(f"if __name__ == '__main__':\n    {code.replace(chr(10), chr(10) + '    ')}\n")
    jobs.write_text(JOBS.replace("llm: offline,", "llm: offline, models: slow,"))
    command = [sys.executable, str(tmp_path / "go.py"), "run", str(jobs), "-o", str(tmp_path / "out"), "--json"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.getcwd()}
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "out" / ".lock").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130 and b"Traceback" not in stderr
    for folder in (tmp_path / "out").iterdir():
        if folder.is_dir() and not folder.name.startswith("."):
            assert (folder / "status.json").is_file()


def test_results_travel(jobs: Path) -> None:
    import pickle

    result = make().run(_task(jobs))
    assert isinstance(pickle.loads(pickle.dumps(result)), JobResult) and result.status == "done"
