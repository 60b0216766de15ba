"""The bytes that draw a picture in each kind of terminal."""

import base64
import io
import re

import pytest
from PIL import Image

from agent.faces.chat_preview import Protocol, ask_terminal, draw
from tests.tools.tiny_models import boxes


def drawn(protocol: Protocol, picture: Image.Image) -> str:
    screen = io.StringIO()
    draw(picture, screen, protocol, 100)
    return screen.getvalue()


def test_kitty_gets_the_whole_picture_in_pieces() -> None:
    picture = Image.effect_noise((300, 200), 80).convert("RGB")
    text = drawn("kitty", picture)
    pieces = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    assert len(pieces) > 2 and all(len(data) <= 4096 for _, data in pieces)
    assert [keys.rpartition("m=")[2] for keys, _ in pieces] == ["1"] * (len(pieces) - 1) + ["0"]
    with Image.open(io.BytesIO(base64.b64decode("".join(data for _, data in pieces)))) as got:
        assert got.convert("RGB").tobytes() == picture.tobytes()


def test_iterm2_gets_the_whole_picture() -> None:
    picture = boxes("red", "blue")
    found = re.fullmatch(
        r"\x1b\]1337;File=inline=1;width=48;preserveAspectRatio=1:(.*)\x07\n", drawn("iterm2", picture)
    )
    assert found
    with Image.open(io.BytesIO(base64.b64decode(found.group(1)))) as got:
        assert got.convert("RGB").tobytes() == picture.tobytes()


def test_sixel_is_drawn_by_its_package() -> None:
    pytest.importorskip("textual_image")
    text = drawn("sixel", boxes("red", "blue"))
    assert "\x1bP" in text and "\x1b\\" in text


def test_what_is_no_terminal_is_not_asked() -> None:
    keyboard, screen = io.StringIO("typed"), io.StringIO()
    assert ask_terminal(keyboard, screen) is None and screen.getvalue() == "" and keyboard.read() == "typed"
