"""`Output`: what reaches stdout and stderr, and what must not."""

import io
import json
import logging
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path

import pytest

from agent.faces.output import Output, one_sentence
from instructedit_models.errors import BadImageError, NothingFoundError
from instructedit_models.types import Progress

ROOT = Path(__file__).resolve().parents[2]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def captured(**options: bool) -> tuple[Output, io.StringIO, io.StringIO]:
    stdout, stderr = io.StringIO(), io.StringIO()
    return Output(stdout=stdout, stderr=stderr, **options), stdout, stderr


def test_json_result_is_one_object_with_the_schema() -> None:
    output, stdout, stderr = captured(as_json=True)
    output.result({"mask": "m.png"}, "Wrote m.png.")
    assert json.loads(stdout.getvalue()) == {"schema": 1, "mask": "m.png"}
    assert stderr.getvalue() == ""


def test_text_result_and_quiet() -> None:
    output, stdout, _ = captured()
    output.result({"mask": "m.png"}, "Wrote m.png.")
    assert stdout.getvalue() == "Wrote m.png.\n"
    output, stdout, _ = captured(quiet=True)
    output.result({"mask": "m.png"}, "Wrote m.png.")
    assert stdout.getvalue() == ""


def test_json_refuses_numbers_that_json_does_not_have() -> None:
    output, stdout, _ = captured(as_json=True)
    with pytest.raises(ValueError):
        output.result({"score": float("nan")}, "")
    assert stdout.getvalue() == ""


def test_error_goes_to_stderr_or_as_json_to_stdout() -> None:
    output, stdout, stderr = captured()
    output.error(BadImageError("It is\nno picture."))
    assert (stdout.getvalue(), stderr.getvalue()) == ("", "instructedit: It is no picture.\n")
    output, stdout, stderr = captured(as_json=True)
    output.error(NothingFoundError("There is no dog."))
    assert json.loads(stdout.getvalue()) == {
        "schema": 1,
        "error": {"kind": "nothing_found", "message": "There is no dog."},
    }
    assert stderr.getvalue() == ""


@pytest.mark.parametrize(
    "text", ["two\nlines", "red \x1b[31m alert", "a\tb", "zero\u200bwidth \u202e turned", "\ud800 alone"]
)
def test_one_sentence_is_printable(text: str) -> None:
    line = one_sentence(text)
    assert line.isprintable()
    line.encode("utf-8")


def test_one_sentence_is_cut() -> None:
    assert len(one_sentence("x" * 100_000)) <= 600
    assert one_sentence("Short.") == "Short."


def test_a_stream_that_cannot_show_a_letter_gets_an_escape() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Output(stdout=stream, stderr=io.StringIO()).result({}, "Wrote café.png.")
    stream.seek(0)
    assert stream.read() == "Wrote caf\\xe9.png.\n"


def test_libraries_are_silent_unless_asked_for() -> None:
    for debug in (False, True):
        stdout, stderr = io.StringIO(), io.StringIO()
        before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = stdout, stderr
        try:
            output = Output(debug=debug)
            with output.silenced():
                print("printed by a library")
                print("written to stderr", file=sys.stderr)
                logging.getLogger("a.library").warning("logged")
                warnings.warn("warned", UserWarning, stacklevel=1) if not debug else None
            output.result({}, "Done.")
        finally:
            sys.stdout, sys.stderr = before
        assert stdout.getvalue() == "Done.\n"
        assert ("printed by a library" in stderr.getvalue()) is debug
        assert ("written to stderr" in stderr.getvalue()) is debug


def test_no_progress_without_a_terminal() -> None:
    output, stdout, stderr = captured()
    with output.progress() as show:
        show(Progress("denoise", 1, 2))
    assert stdout.getvalue() == stderr.getvalue() == ""


def test_progress_on_a_terminal_names_the_stage_on_stderr_only() -> None:
    stdout, stderr = io.StringIO(), Terminal()
    with Output(as_json=True, stdout=stdout, stderr=stderr).progress() as show:
        show(Progress("denoise", 2, 50))
        show(Progress("denoise", 50, 50))
    assert "Editing" in stderr.getvalue()
    assert stdout.getvalue() == ""


def test_native_code_is_silent_too_while_the_progress_stays() -> None:
    code = """
import os, sys
from agent.faces.output import Output
output = Output(debug="--debug" in sys.argv)
with output.silenced():
    os.write(1, b"native stdout\\n")
    os.write(2, b"native stderr\\n")
    output.note("A note.")
os.write(2, b"after\\n")
output.result({}, "Done.")
"""
    run = partial(subprocess.run, cwd=ROOT, capture_output=True, text=True, timeout=60)
    quiet = run([sys.executable, "-c", code])
    assert (quiet.stdout, quiet.stderr) == ("Done.\n", "A note.\nafter\n")
    loud = run([sys.executable, "-c", code, "--debug"])
    assert "native stderr" in loud.stderr
