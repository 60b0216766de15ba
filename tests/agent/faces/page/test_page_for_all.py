"""The page for everybody: assistive technology, small screens, dark rooms; and what it says when something is wrong."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.agent.faces.page.helpers import begin, say, versions

TOKEN = "a-token-for-the-tests-only"  # noqa: S105


def serious(page: Any) -> list[str]:
    """What axe-core finds to be serious or critical, as one line each."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:120]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def still(page: Any) -> None:
    """Waits until nothing moves, since text that is fading in has no contrast yet."""
    page.wait_for_function("document.getAnimations().every((one) => one.playState === 'finished')")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(serve: Callable, open_page: Callable, picture: Path, scheme: str) -> None:
    page = open_page(serve().url, color_scheme=scheme, reduced_motion="reduce")
    page.wait_for_selector("#start", state="visible")
    assert serious(page) == []
    begin(page, picture)
    say(page, "Make the blue box yellow")
    versions(page, 2)
    say(page, "Make the red box green")
    page.wait_for_selector(".choices button")
    assert serious(page) == []
    page.click("#paint")
    page.click("#save summary")
    assert serious(page) == []
    page.set_viewport_size({"width": 360, "height": 740})
    page.click("#delete")
    assert serious(page) == []


@pytest.mark.slow
def test_a_phone_shows_everything_in_its_width(serve: Callable, open_page: Callable, picture: Path) -> None:
    page = open_page(serve().url, viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True)
    page.wait_for_selector("#start", state="visible")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    begin(page, picture)
    say(page, "Make the red box green")
    page.wait_for_selector(".choices button")
    page.locator("#candidates button").first.tap()
    versions(page, 2)
    page.tap("#paint")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, summary, select")]
          .filter((one) => one.checkVisibility() && !one.closest(".steps") && one.getBoundingClientRect().height < 24)
          .map((one) => one.outerHTML.slice(0, 80))"""
    )
    assert small == []


@pytest.mark.slow
def test_all_of_it_works_from_the_keyboard(serve: Callable, open_page: Callable, picture: Path) -> None:
    page = open_page(serve().url)
    begin(page, picture)
    page.focus("#say")
    page.keyboard.type("Make the red box green")
    page.keyboard.press("Enter")
    page.wait_for_selector(".choices button")
    assert "Which red box" in page.text_content("#status")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.textContent") == "2: red box, top right"
    page.keyboard.press("Enter")
    versions(page, 2)
    assert "green box" in page.text_content("#status")


@pytest.mark.slow
def test_a_token_is_asked_for_once(serve: Callable, open_page: Callable, picture: Path) -> None:
    from agent.faces.door import Token

    page = open_page(serve(tokens=(Token(hashlib.sha256(TOKEN.encode()).digest()),)).url)
    page.wait_for_selector("#token-dialog[open]")
    page.fill("#token", "a-token-that-is-no-good")
    page.press("#token", "Enter")
    page.wait_for_selector("text=/not valid/")
    page.fill("#token", TOKEN)
    page.press("#token", "Enter")
    page.wait_for_selector("#token-dialog", state="hidden")
    begin(page, picture)
    say(page, "Make the blue box yellow")
    versions(page, 2)
    page.reload()
    versions(page, 2)
    assert page.is_hidden("#token-dialog")
    assert TOKEN not in page.evaluate("JSON.stringify(localStorage) + JSON.stringify(sessionStorage)")


@pytest.mark.slow
def test_what_cannot_be_taken_is_said_in_one_sentence(
    serve: Callable, open_page: Callable, picture: Path, tmp_path: Path
) -> None:
    from agent.service.limits import ServiceLimits
    from agent.service.rates import RateLimiter

    served = serve(limits=ServiceLimits(picture_bytes=30_000))
    page = open_page(served.url)
    page.wait_for_selector("#start", state="visible")
    broken, large = tmp_path / "broken.png", tmp_path / "large.png"
    broken.write_bytes(b"no picture")
    Image.effect_noise((300, 300), 80).save(large)
    for file, words in ((broken, "picture"), (large, "MB")):
        page.set_input_files("#file", file)
        page.wait_for_selector(f"#banner:has-text('{words}')")
        assert re.fullmatch(r"[^.!?\n]+[^\n]*[.!?]", page.inner_text("#banner"))
    begin(page, picture)
    assert page.is_hidden("#banner")
    served.service.rates = RateLimiter(1)
    page.evaluate("Promise.all([1, 2, 3].map(() => fetch('/v1/server')))")
    say(page, "Make the blue box yellow")
    page.wait_for_selector("text=/again in [0-9]+ s/")
    assert page.input_value("#say") == "Make the blue box yellow"


@pytest.mark.slow
def test_a_server_that_is_gone_is_waited_for(serve: Callable, open_page: Callable, picture: Path) -> None:
    served = serve()
    served.models.editor.pause = 0.2
    page = open_page(served.url)
    begin(page, picture)
    say(page, "Make the blue box yellow")
    page.wait_for_selector("text=/, [0-9]+ of [0-9]+/")
    served.stop()
    page.wait_for_selector("text=/does not answer/")
    served.models.editor.pause = 0.0
    served.start()
    versions(page, 2)  # the restart began the job again, and the page followed
    page.wait_for_selector("#banner", state="hidden")
