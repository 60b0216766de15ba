"""Where a chat's lines come from: a person at a terminal, with history and completion, or a pipe.

Both raise EOFError at the end and KeyboardInterrupt on Ctrl-C.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from agent.faces.chat_view import View

if TYPE_CHECKING:
    from prompt_toolkit.completion import Completer

__all__ = ["PipeReader", "Reader", "TerminalReader", "completions"]

PROMPT = "> "


class Reader(Protocol):
    """Hands out what the person says, a line at a time."""

    def read(self, prompt: str = PROMPT, status: str = "") -> str:
        """The next line, without its end; `status` is shown beside the prompt where there is room."""
        ...


class PipeReader:
    """Lines of a stream; each is repeated in the view, so that what comes out reads as a transcript."""

    def __init__(self, stream: TextIO, view: View) -> None:
        self._stream = stream
        self._view = view

    def read(self, prompt: str = PROMPT, status: str = "") -> str:
        """The next line.

        Raises:
            EOFError: there is none.
        """
        line = self._stream.readline()
        if not line:
            raise EOFError
        line = line.rstrip("\r\n")
        self._view.say(prompt + line)
        return line


class TerminalReader:
    """A prompt with a history that outlives the chat, and completion of commands, versions and files."""

    def __init__(self, view: View, history: Path | None, words: Callable[[str], Sequence[tuple[str, str]]]) -> None:
        """Prepares the prompt.

        Args:
            view: whose stream the prompt is drawn on.
            history: file that remembers what was said; None to forget it.
            words: from the text before the cursor to what may stand for its last word, each with its meaning.
        """
        from prompt_toolkit import PromptSession
        from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
        from prompt_toolkit.history import FileHistory, InMemoryHistory
        from prompt_toolkit.output import create_output

        self._session: PromptSession[str] = PromptSession(
            history=FileHistory(str(history)) if history else InMemoryHistory(),
            auto_suggest=AutoSuggestFromHistory(),
            completer=_completer(words),
            complete_while_typing=True,
            output=create_output(stdout=view.stream),
        )
        self._plain: PromptSession[str] = PromptSession(output=create_output(stdout=view.stream))

    def read(self, prompt: str = PROMPT, status: str = "") -> str:
        """The next line.

        Raises:
            EOFError: Ctrl-D on an empty line.
            KeyboardInterrupt: Ctrl-C.
        """
        if prompt != PROMPT:
            return self._plain.prompt(prompt)
        return self._session.prompt(prompt, rprompt=status or None)


def completions(
    text: str, commands: Mapping[str, Any], versions: Iterable[tuple[str, str]]
) -> Sequence[tuple[str, str]]:
    """What may stand for the last word of a line that begins with "/".

    Args:
        text: the line up to the cursor.
        commands: each command's name with what has `takes_version` and `summary`.
        versions: number and description of each.

    Returns:
        Pairs of a word and its meaning.
    """
    if not text.startswith("/"):
        return ()
    name, space, rest = text[1:].partition(" ")
    if not space:
        return [(f"/{one}", command.summary) for one, command in commands.items() if one.startswith(name)]
    command = commands.get(name)
    if command is None or not command.takes_version or (name == "save" and not rest.partition(" ")[1]):
        return ()
    begun = rest.rpartition(" ")[2]
    return [(number, meaning) for number, meaning in versions if number.startswith(begun)]


def _completer(words: Callable[[str], Sequence[tuple[str, str]]]) -> "Completer":
    from prompt_toolkit.completion import Completer, Completion

    class Words(Completer):
        def get_completions(self, document: Any, complete_event: Any) -> Iterable[Completion]:
            text = document.text_before_cursor
            begun = text.rpartition(" ")[2]
            for word, meaning in words(text):
                yield Completion(word, start_position=-len(begun), display_meta=meaning)

    return Words()


def at_a_terminal() -> bool:
    """Whether a person types here and sees what is written."""
    return sys.stdin.isatty() and sys.stdout.isatty()
