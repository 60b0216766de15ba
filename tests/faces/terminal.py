"""A terminal for tests: a child process on a pty, what it drew as a person would read it, and keys for it."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
CHAT = """
import sys
from tests.tools.tiny_models import TinyModels
import instructedit_models.model_sets
{before}
instructedit_models.model_sets.load_model_set = lambda *_, **__: TinyModels()
from agent.faces.cli import main
sys.exit(main(sys.argv[1:]))
"""
SLOWLY = """
import time
from tests.tools import tiny_models
paint = tiny_models.Painter.edit
def slowly(self, image, mask, before, after, options, progress=None):
    def step(done):
        time.sleep(0.05)
        if progress:
            progress(done)
    return paint(self, image, mask, before, after, options, step)
tiny_models.Painter.edit = slowly
"""


class Terminal:
    """A child on a pty; a context manager. `screen` is all that it wrote so far."""

    def __init__(self, arguments: list[str], home: Path, *, before: str = "", answers: str = "\x1b[?62;22c") -> None:
        """Starts the chat.

        Args:
            arguments: of `instructedit`.
            home: the person's home.
            before: code that the child runs first.
            answers: what this terminal answers when it is asked what it can do.
        """
        self.screen = ""
        self._answers = answers
        self._asked = False
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        hidden = ("INSTRUCTEDIT_", "OPENAI_", "COLUMNS", "LINES")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        environment |= {
            "HOME": str(home),
            "TERM": "xterm-256color",
            "PROMPT_TOOLKIT_NO_CPR": "1",
            "PYTHONPATH": str(ROOT),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHAT.format(before=before), *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
            cwd=ROOT,
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)

    def read_until(self, text: str, seconds: float = 60.0) -> str:
        """What was written up to and with `text`, since it was last asked; fails where it does not come."""
        end = time.monotonic() + seconds
        while text not in self.screen:
            left = end - time.monotonic()
            assert left > 0, f"{text!r} did not come; the screen shows:\n{self.screen}"
            if not select.select([self._master], [], [], min(left, 0.2))[0]:
                continue
            try:
                self.screen += os.read(self._master, 65536).decode(errors="replace")
            except OSError:  # the child has gone
                assert text in self.screen, f"{text!r} did not come before the end; the screen shows:\n{self.screen}"
            if not self._asked and "\x1b[c" in self.screen:
                self._asked = True
                self.type(self._answers)
        seen, _, self.screen = self.screen.partition(text)
        return seen + text

    def type(self, keys: str) -> None:
        """Presses keys; "\\r" is Enter."""
        os.write(self._master, keys.encode())

    def interrupt(self) -> None:
        """Ctrl-C while the child works, when the terminal is not in its prompt."""
        os.kill(self.process.pid, signal.SIGINT)

    def ended(self, seconds: float = 30.0) -> int:
        """The exit code; what is still written is read meanwhile, so that the child is not held up."""
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            if select.select([self._master], [], [], 0.1)[0]:
                try:
                    self.screen += os.read(self._master, 65536).decode(errors="replace")
                except OSError:
                    break
        return self.process.wait(timeout=max(0.1, end - time.monotonic()))
