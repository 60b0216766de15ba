"""Ctrl-C: where it stops, and where it must wait."""

import io
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agent.faces.output import Output
from agent.faces.work import Work, working
from instructedit_models.errors import CancelledError
from instructedit_models.types import Progress

STEP = Progress("denoise", 1, 2)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_steps_reach_the_callback() -> None:
    shown: list[Progress] = []
    with Work(shown.append) as work:
        work.step(STEP)
    assert shown == [STEP]


def test_ctrl_c_stops_the_command_and_the_next_step_of_its_threads() -> None:
    shown: list[Progress] = []
    with pytest.raises(KeyboardInterrupt), Work(shown.append) as work:
        interrupt()
    with pytest.raises(CancelledError):
        work.step(STEP)
    assert shown == []


def test_ctrl_c_waits_while_files_are_written() -> None:
    done = False
    with Work(lambda _: None) as work:
        with work.writing():
            interrupt()
            done = True
    assert done


def test_nothing_is_written_after_a_stop_that_a_library_swallowed() -> None:
    with Work(lambda _: None) as work:
        try:
            interrupt()
        except KeyboardInterrupt:
            pass
        with pytest.raises(CancelledError), work.writing():
            pytest.fail("wrote after Ctrl-C")


def test_the_previous_handler_comes_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with working(Output(stdout=io.StringIO(), stderr=io.StringIO())):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_may_work_too() -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            with Work(lambda _: None) as work:
                work.step(STEP)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert not failures


def test_a_second_ctrl_c_ends_a_process_that_hangs() -> None:
    code = """
import os, signal, sys
from agent.faces.work import Work
with Work(lambda _: None):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        pass
    os.kill(os.getpid(), signal.SIGINT)
    print("still here")
"""
    root = Path(__file__).resolve().parents[2]
    ended = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (130, "")
