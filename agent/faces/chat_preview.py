"""Pictures inside the terminal, where it can show them: kitty's protocol, iTerm2's, or sixel.

`chat_view` shows versions, masks and comparisons by it. What the terminal can do is asked of the terminal itself, in
one exchange that every terminal ends.
"""

import base64
import contextlib
import io
import os
import re
import select
import time
from collections.abc import Iterator
from typing import Literal, TextIO

from PIL import Image

__all__ = ["PROTOCOLS", "Protocol", "ask_terminal", "draw", "protocol_of"]

Protocol = Literal["kitty", "iterm2", "sixel"]
PROTOCOLS: tuple[Protocol, ...] = ("kitty", "iterm2", "sixel")

# Kitty's "can you draw this pixel?", then "who are you?", then the device attributes, which all terminals answer: so
# the last answer says that no other one will come.
_QUESTION = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[>0q\x1b[c"
_ATTRIBUTES = re.compile(r"\x1b\[\?([\d;]*)c")
_NAME = re.compile(r"\x1bP>\|(.*?)\x1b\\", re.DOTALL)
_KITTY_YES = "\x1b_Gi=31;OK"
_ITERM2_NAMES = ("iterm2", "wezterm", "mintty")
_SIXEL = "4"
_CHUNK = 4096
_COLUMNS = 48


def protocol_of(answer: str) -> Protocol | None:
    """The best protocol that a terminal's answer to our question admits; None where it shows no pictures."""
    if _KITTY_YES in answer:
        return "kitty"
    name = _NAME.search(answer)
    if name and name.group(1).lower().startswith(_ITERM2_NAMES):
        return "iterm2"
    attributes = _ATTRIBUTES.search(answer)
    return "sixel" if attributes and _SIXEL in attributes.group(1).split(";")[1:] else None


def ask_terminal(keyboard: TextIO, screen: TextIO, seconds: float = 0.3) -> Protocol | None:
    """Asks the terminal what it can show; None where it does not answer in time or is no terminal.

    Args:
        keyboard: where the terminal's answers come from.
        screen: where the terminal is written to.
        seconds: how long to wait for the answer.
    """
    if not (keyboard.isatty() and screen.isatty()):
        return None
    answer = ""
    with _unbuffered(keyboard.fileno()):
        screen.write(_QUESTION)
        screen.flush()
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not _ATTRIBUTES.search(answer):
            if select.select([keyboard], [], [], left)[0]:
                answer += os.read(keyboard.fileno(), 1024).decode("latin-1")
    return protocol_of(answer)


def draw(picture: Image.Image, screen: TextIO, protocol: Protocol, columns: int) -> None:
    """Draws a picture at the cursor and ends the line.

    Args:
        picture: RGB, of the size it is to be looked at.
        screen: the terminal.
        protocol: what it understands.
        columns: its width in characters.
    """
    width = max(8, min(_COLUMNS, columns - 2))
    if protocol == "sixel":
        _draw_sixel(picture, screen, width)
        return
    data = io.BytesIO()
    picture.save(data, "PNG")
    encoded = base64.standard_b64encode(data.getvalue()).decode("ascii")
    if protocol == "kitty":
        pieces = [encoded[at : at + _CHUNK] for at in range(0, len(encoded), _CHUNK)]
        for number, piece in enumerate(pieces, start=1):
            first = f"a=T,f=100,q=2,c={width}," if number == 1 else ""
            screen.write(f"\x1b_G{first}m={int(number < len(pieces))};{piece}\x1b\\")
    else:
        screen.write(f"\x1b]1337;File=inline=1;width={width};preserveAspectRatio=1:{encoded}\x07")
    screen.write("\n")
    screen.flush()


def _draw_sixel(picture: Image.Image, screen: TextIO, width: int) -> None:
    from rich.console import Console
    from textual_image.renderable.sixel import Image as SixelImage

    Console(file=screen, force_terminal=True).print(SixelImage(picture, width=width))


@contextlib.contextmanager
def _unbuffered(descriptor: int) -> Iterator[None]:
    """Keys arrive one by one and unseen, as the terminal's answer must not be shown on it."""
    import termios
    import tty

    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor, termios.TCSANOW)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)
