"""What a chat shows: the agent's steps as they come, progress, pictures, words. On a terminal, in a pipe, or nothing.

`chat` owns one; it may be called from any thread.
"""

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from PIL import Image

from agent.faces.chat_preview import Protocol, draw
from agent.faces.comparison import shown_large
from agent.faces.output import STAGES, one_sentence

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from agent.events import Event

__all__ = ["View", "terminal_stream", "worded"]

_TOOLS = {
    "describe_image": "describe",
    "ask_image": "describe",
    "segment": "segment",
    "edit_image": "encode",
    "adjust_edit": "encode",
    "reapply_edit": "encode",
    "variations": "encode",
}


def terminal_stream() -> TextIO:
    """Standard output, kept open while `Output.silenced` points the process's own at nothing."""
    if sys.__stdout__ is None or sys.stdout is not sys.__stdout__:
        return sys.stdout
    return open(os.dup(1), "w", encoding=sys.stdout.encoding, errors="backslashreplace", buffering=1)


def worded(event: "Event") -> str | None:
    """One line for a step of the agent; None for what is no step of its own."""
    from agent import events

    match event:
        case events.Described(question=None):
            return f"Looked at the picture: {event.text}"
        case events.Segmented():
            chosen = ", ".join(region.id for region in event.regions if region.chosen) if event.mask_id else "undecided"
            return f'Looked for "{event.prompt}": {len(event.regions)} found ({chosen or "all of it"})'
        case events.Planned():
            return f"Editing: {event.input_caption} -> {event.edited_caption} (r = {event.encoding_ratio:g})"
        case events.Edited():
            check = "verified" if event.verified else "not verified"
            return f"Made {event.image_id}: {check}, {event.unet_evaluations} UNet evaluations"
        case events.Moved():
            return f"Now at {event.image_id}"
        case events.Warned():
            return f"Note: {event.text}"
    return None


class View:
    """One stream of words and pictures.

    Attributes:
        stream: where they go.
        protocol: how pictures are drawn; None where only their paths are named.
        silent: nothing is shown.
    """

    def __init__(self, stream: TextIO, protocol: Protocol | None = None, *, silent: bool = False) -> None:
        from rich.console import Console

        self.stream = stream
        self.protocol = protocol
        self.silent = silent
        self._console = Console(file=stream, highlight=False, soft_wrap=True, quiet=silent)
        self._bars: Bars | None = None
        self._task: TaskID | None = None

    @property
    def rich(self) -> bool:
        """Whether the stream is a terminal."""
        return not self.silent and self._console.is_terminal

    def say(self, text: str, style: str = "") -> None:
        """Shows words, each line made printable."""
        for line in text.split("\n"):
            indent = line[: len(line) - len(line.lstrip(" "))]
            self._print(indent + one_sentence(line), style)

    def note(self, text: str) -> None:
        """Shows something beside the conversation."""
        self.say(text, "dim")

    def error(self, text: str) -> None:
        """Shows what went wrong."""
        self.say(text, "red")

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Shows rows of cells in columns; the last column is not padded."""
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
        for row in rows:
            cells = [f"{cell:<{width}}" for cell, width in zip(row[:-1], widths, strict=False)]
            self._print("  ".join([*cells, one_sentence(row[-1])]), "")

    def picture(self, picture: Image.Image, path: Path | None, label: str) -> None:
        """Draws a picture where the terminal can, and says where its file lies."""
        if self.silent:
            return
        if self.protocol is not None:
            draw(shown_large(picture), self.stream, self.protocol, self._console.width)
        self.note(f"{label}: {path}" if path is not None else label)

    def event(self, event: "Event") -> None:
        """Shows one event of a turn: a line for a step, the bar for progress."""
        from agent import events

        if isinstance(event, events.Progressed):
            self._advance(event.stage, event.step, event.total)
        elif isinstance(event, events.Called) and event.tool in _TOOLS:
            self._advance(_TOOLS[event.tool], 0, 0)
        elif (line := worded(event)) is not None:
            self.say(f"  {line}", "yellow" if line.startswith("Note: ") else "cyan")

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Shows a bar of progress while a turn runs, on a terminal."""
        if not self.rich:
            yield
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bars.add_task("Thinking", total=None)
        try:
            with self._bars:
                yield
        finally:
            self._bars = self._task = None

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Takes the bar away while the person is asked something."""
        if self._bars is None:
            yield
            return
        self._bars.stop()
        try:
            yield
        finally:
            self._bars.start()

    def leave(self) -> None:
        """Gives the terminal its cursor back, before the process ends without a farewell.

        A signal handler calls this, perhaps in the midst of other writing: no lock is taken and no buffer is used.
        """
        if self.rich:
            os.write(self.stream.fileno(), b"\r\x1b[K\x1b[?25h")

    def _advance(self, stage: str, step: int, total: int) -> None:
        if self._bars is not None and self._task is not None:
            words = STAGES.get(stage, stage.replace("_", " ").capitalize())
            self._bars.update(self._task, description=words, completed=step, total=total or None)

    def _print(self, line: str, style: str) -> None:
        from rich.text import Text

        self._console.print(Text(line, style=style))
