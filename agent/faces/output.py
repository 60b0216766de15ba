"""What a command shows: one result, one error sentence, a progress bar; stdout stays clean for `--json`.

Every command writes through an `Output`. What libraries print or warn about while a command works is dropped, unless
the person asked for it with `--debug`.
"""

import contextlib
import json
import logging
import os
import sys
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TextIO

from instructedit_models.errors import InstructEditError

if TYPE_CHECKING:
    from instructedit_models.types import Progress, ProgressCallback

__all__ = ["SCHEMA", "STAGES", "Output", "one_sentence"]

SCHEMA = 1
"""The version of every JSON object that a command prints; it grows when a field changes its meaning."""

_LONGEST = 600
STAGES = {
    "load": "Loading the models",
    "describe": "Looking at the picture",
    "segment": "Finding the object",
    "encode": "Encoding",
    "invert": "Inverting",
    "denoise": "Editing",
    "decode": "Decoding",
    "verify": "Checking the edit",
    "export": "Drawing scenes",
    "check": "Checking",
}
_QUIET_ENVIRONMENT = {
    "DIFFUSERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}


def one_sentence(text: str) -> str:
    """The text on one printable line of bearable length, so that no file name or model can garble a terminal."""
    line = _printable(" ".join(text.split()))
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


class Output:
    """Where the words of one command go.

    Attributes:
        as_json: one JSON object on stdout, for the result and for an error alike.
        quiet: no progress bar and no words on success.
        debug: libraries may speak on stderr.
    """

    def __init__(
        self,
        *,
        as_json: bool = False,
        quiet: bool = False,
        debug: bool = False,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.debug = debug
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr

    def result(self, payload: Mapping[str, Any], text: str) -> None:
        """Prints what a command found: the payload under `--json`, the text otherwise."""
        if self.as_json:
            _write(self._stdout, json.dumps({"schema": SCHEMA, **payload}, allow_nan=False))
        elif text and not self.quiet:
            _write(self._stdout, "\n".join(_printable(line) for line in text.split("\n")))

    def error(self, error: InstructEditError) -> None:
        """Prints an error: a JSON object on stdout under `--json`, one sentence on stderr otherwise."""
        message = one_sentence(str(error))
        if self.as_json:
            _write(self._stdout, json.dumps({"schema": SCHEMA, "error": {"kind": error.kind, "message": message}}))
        else:
            _write(self._stderr, f"instructedit: {message}")

    def note(self, text: str) -> None:
        """Prints a remark for people on stderr; under `--json` it belongs into the payload instead."""
        if not self.quiet and not self.as_json:
            _write(self._stderr, one_sentence(text))

    def ask(self, text: str) -> None:
        """Shows a question on stderr and stays on its line; whoever calls reads the answer."""
        shown = "\n".join(_printable(line) for line in text.split("\n"))
        _write(self._stderr, shown, end="")

    @staticmethod
    def quiet_libraries() -> None:
        """Asks libraries to say little, and leaves the streams alone; for servers whose stdout is the protocol's."""
        for name, value in _QUIET_ENVIRONMENT.items():
            os.environ.setdefault(name, value)

    @contextlib.contextmanager
    def silenced(self) -> Iterator[None]:
        """Keeps what libraries print, log or warn away from the person while a command works."""
        self.quiet_libraries()
        if self.debug:
            with contextlib.redirect_stdout(self._stderr):
                yield
            return
        with (
            open(os.devnull, "w", encoding="utf-8") as sink,
            self._native_code_silenced(sink),
            contextlib.redirect_stdout(sink),
            contextlib.redirect_stderr(sink),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            last_resort, logging.lastResort = logging.lastResort, None
            try:
                yield
            finally:
                logging.lastResort = last_resort

    @contextlib.contextmanager
    def _native_code_silenced(self, sink: TextIO) -> Iterator[None]:
        """Points the process's descriptors 1 and 2 at the sink, for what C++ prints past Python's streams.

        `self._stderr`, and with it the progress bar, stays on the terminal. Where the streams are not the process's
        own (in tests, inside another program), nothing is done.
        """
        process_streams = self._stdout is sys.__stdout__ and self._stderr is sys.__stderr__
        if not process_streams:
            yield
            return
        kept_stdout, kept_stderr = os.dup(1), os.dup(2)
        own = self._stderr
        try:
            own.flush()
            os.dup2(sink.fileno(), 1)
            os.dup2(sink.fileno(), 2)
            with open(
                kept_stderr, "w", encoding=own.encoding, errors=own.errors, buffering=1, closefd=False
            ) as terminal:
                self._stderr = terminal
                yield
        finally:
            self._stderr = own
            os.dup2(kept_stdout, 1)
            os.dup2(kept_stderr, 2)
            os.close(kept_stdout)
            os.close(kept_stderr)

    @contextlib.contextmanager
    def counting(self, words: str, total: int) -> Iterator[Callable[[str], None]]:
        """A bar of `total` things on stderr; the callback is told the name of each that is done."""
        with self.progress() as show:
            from instructedit_models.types import Progress

            done = 0

            def count(name: str) -> None:
                nonlocal done
                done += 1
                show(Progress(f"{words} ({name})", done, total))

            show(Progress(words, 0, total))
            yield count

    @contextlib.contextmanager
    def progress(self) -> Iterator["ProgressCallback"]:
        """A progress bar on stderr where that is a terminal; otherwise a callback that shows nothing."""
        if self.quiet or not self._stderr.isatty():
            yield lambda _: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(file=self._stderr),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        with bars:
            task = bars.add_task("Starting", total=None)

            def show(step: "Progress") -> None:
                words = STAGES.get(step.stage, step.stage.replace("_", " ").capitalize())
                bars.update(task, description=words, completed=step.step, total=step.total)

            yield show


def _printable(line: str) -> str:
    """The line with a space for every control, format and surrogate character."""
    return "".join(" " if unicodedata.category(character) in ("Cc", "Cf", "Cs") else character for character in line)


def _write(stream: TextIO, text: str, end: str = "\n") -> None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + end)
    stream.flush()
