"""What the tests of the page do with it, in a person's words."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.tools.tiny_models import COLOURS

__all__ = [
    "BLUE",
    "GREEN",
    "LEFT",
    "MIDDLE",
    "RED",
    "RIGHT",
    "YELLOW",
    "at",
    "begin",
    "canvas_point",
    "current",
    "pixels",
    "saved",
    "say",
    "versions",
]


RED, BLUE, GREEN, YELLOW = (COLOURS[name] for name in ("red", "blue", "green", "yellow"))
LEFT, MIDDLE, RIGHT = (32, 44), (96, 44), (160, 44)
"""Pixels in the middle of the three boxes."""


def say(page: Any, words: str) -> None:
    page.fill("#say", words)
    page.press("#say", "Enter")


def begin(page: Any, picture: Path) -> None:
    page.set_input_files("#file", picture)
    page.wait_for_selector("#versions li:nth-child(1)")


def versions(page: Any, count: int) -> None:
    """Waits until there are so many versions and nothing is being worked on."""
    page.wait_for_selector(f"#versions li:nth-child({count})")
    page.wait_for_selector("#send", state="visible")
    assert page.locator("#versions li").count() == count


def current(page: Any) -> str:
    return page.get_attribute("#versions [aria-current=true]", "aria-label")


def saved(page: Any, button: str) -> bytes:
    page.click("#save summary")
    with page.expect_download() as waiting:
        page.click(button)
    return Path(waiting.value.path()).read_bytes()


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def at(picture: np.ndarray, place: tuple[int, int]) -> tuple[int, ...]:
    return tuple(int(value) for value in picture[place[1], place[0]])


def canvas_point(page: Any, place: tuple[int, int]) -> tuple[float, float]:
    """Where a pixel of the 192 x 128 picture lies on the screen."""
    box = page.locator("#canvas").bounding_box()
    return box["x"] + (place[0] + 0.5) / 192 * box["width"], box["y"] + (place[1] + 0.5) / 128 * box["height"]
