"""`chat` on a real pty: prompt, completion, history, pictures in the terminal, Ctrl-C once and twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.faces.chat_commands import COMMANDS
from agent.faces.chat_input import completions
from agent.faces.chat_preview import protocol_of
from tests.faces.terminal import SLOWLY, Terminal
from tests.tools.tiny_models import boxes
from tools.workspace import Workspace

UP, TAB, CTRL_C, CTRL_D = "\x1b[A", "\t", "\x03", "\x04"
KITTY = "\x1b_Gi=31;OK\x1b\\\x1bP>|kitty(0.40.0)\x1b\\\x1b[?62;c"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    boxes("red", "blue").save(tmp_path / "in.png")
    return tmp_path


def chat(home: Path, *more: str, **how: str) -> Terminal:
    return Terminal(["chat", str(home / "in.png"), "--llm", "offline", *more], home, **how)


@pytest.fixture
def talk(home: Path) -> Iterator[Terminal]:
    with chat(home) as terminal:
        terminal.read_until("> ")
        yield terminal


def kept(home: Path) -> Workspace:
    return Workspace(home / ".instructedit" / "workspace", create=False)


def test_a_person_edits_completes_recalls_and_leaves(talk: Terminal, home: Path) -> None:
    talk.type("make the blue box green\r")
    talk.read_until("image_2.png")
    talk.read_until("> ")
    talk.type("/ver")
    talk.read_until("list all versions")  # the menu
    talk.type(TAB)
    talk.read_until("/versions")
    talk.type("\r")
    talk.read_until("from")
    talk.read_until("the original, ")
    talk.read_until("* ")
    talk.read_until("> ")
    talk.type(UP + UP + "\r")  # the edit again, from the history: there is no blue box any more
    talk.read_until("No 'blue box' was found")
    talk.type("/quit\r")
    talk.read_until("--resume ")
    assert talk.ended() == 0
    with kept(home) as workspace:
        conversation = workspace.conversation(workspace.conversation_ids()[0])
        assert [turn["kind"] for turn in conversation.turns()] == ["edit", "error"]
        assert conversation.current_id == "image_2"
    history = (home / ".instructedit/workspace/chat_history").read_text()
    assert "+make the blue box green" in history and "+/versions" in history


def test_pictures_are_drawn_where_the_terminal_can(home: Path) -> None:
    with chat(home, answers=KITTY) as terminal:
        terminal.read_until("\x1b_Ga=T,f=100,q=2,")
        terminal.read_until("> ")
        terminal.type("make the blue box green\r")
        drawn = terminal.read_until("\x1b_Ga=T,f=100,q=2,")
        assert ".png" not in drawn
        terminal.read_until("> ")
        terminal.type(CTRL_D)
        assert terminal.ended() == 0


def test_ctrl_c_stops_the_turn_and_the_chat_goes_on(home: Path) -> None:
    with chat(home, before=SLOWLY) as terminal:
        terminal.read_until("> ")
        terminal.type("make the blue box green\r")
        terminal.read_until("Editing: ")
        terminal.interrupt()
        terminal.read_until("Stopped; the picture is as it was.")
        terminal.read_until("> ")
        terminal.type("/versions\r")
        assert "image_2" not in terminal.read_until("the original, ")
        terminal.read_until("> ")
        terminal.type(CTRL_D)
        terminal.read_until("--resume ")
        assert terminal.ended() == 0
    with kept(home) as workspace:
        conversation = workspace.conversation(workspace.conversation_ids()[0])
        assert [turn["error"]["kind"] for turn in conversation.turns()] == ["cancelled"]


HANG = """
from tests.tools import tiny_models
import time
tiny_models.Painter.edit = lambda *_, **__: time.sleep(600)
"""


def test_a_second_ctrl_c_leaves_at_once_and_nothing_is_lost(home: Path) -> None:
    with chat(home, before=HANG) as terminal:
        terminal.read_until("> ")
        terminal.type("make the blue box green\r")
        terminal.read_until("Editing: ")
        terminal.interrupt()
        terminal.read_until("Ctrl-C again leaves")
        terminal.interrupt()
        assert terminal.ended() == 130
    with kept(home) as workspace:
        conversation = workspace.conversation(workspace.conversation_ids()[0])
        assert conversation.current_id == "image_1" and conversation.image("image_1").size == (96, 64)
    with Terminal(["chat", "--resume", "last", "--llm", "offline"], home) as again:
        again.read_until("> ")
        again.type("make the blue box green\r")
        again.read_until("image_2.png")
        again.type("/quit\r")
        assert again.ended() == 0


def test_ctrl_c_at_the_prompt_leaves_when_repeated(talk: Terminal) -> None:
    talk.type("half a sen" + CTRL_C)
    talk.read_until("Ctrl-C once more leaves")
    talk.type("/versions\r")
    talk.read_until("the original, ")
    talk.read_until("> ")
    talk.type(CTRL_C)
    talk.read_until("Ctrl-C once more leaves")
    talk.read_until("> ")
    talk.type(CTRL_C)
    talk.read_until("--resume ")
    assert talk.ended() == 130


def test_approval_is_asked_on_the_terminal(home: Path) -> None:
    with chat(home, "--approve") as terminal:
        terminal.read_until("> ")
        terminal.type("make the blue box green\r")
        terminal.read_until("image_1_mask_")
        terminal.read_until("do instead:")
        terminal.type("no\r")
        terminal.read_until("Refused; the picture is as it was.")
        terminal.read_until("> ")
        terminal.type("make the blue box green\r")
        terminal.read_until("do instead:")
        terminal.type("yes\r")
        terminal.read_until("image_2.png")
        terminal.read_until("> ")
        terminal.type(CTRL_D)
        assert terminal.ended() == 0


@pytest.mark.parametrize(
    ("answer", "protocol"),
    [
        (KITTY, "kitty"),
        ("\x1bP>|iTerm2 3.5.0\x1b\\\x1b[?62;4c", "iterm2"),
        ("\x1bP>|WezTerm 2024\x1b\\\x1b[?65;4;6c", "iterm2"),
        ("\x1bP>|XTerm(390)\x1b\\\x1b[?64;1;2;4;6c", "sixel"),
        ("\x1bP>|XTerm(390)\x1b\\\x1b[?64;1;2;6c", None),
        ("\x1b[?4;6c", None),  # the first number is the terminal's class, not a feature
        ("", None),
        ("typed ahead", None),
    ],
)
def test_what_the_terminal_can_show(answer: str, protocol: str | None) -> None:
    assert protocol_of(answer) == protocol


def test_completion_knows_commands_and_versions() -> None:
    versions = [("1", "the original"), ("2", "a"), ("12", "b")]

    def words(text: str) -> list[str]:
        return [word for word, _ in completions(text, COMMANDS, versions)]

    assert words("/u") == ["/undo"] and words("/") == [f"/{name}" for name in COMMANDS]
    assert words("/mask ") == ["1", "2", "12"] and words("/compare 2 1") == ["1", "12"]
    assert words("/save ") == [] and words("/save out.png ") == ["1", "2", "12"]
    assert words("make it ") == words("/why ") == words("/nothing ") == []
