"""Makes the pictures of docs/web.md: `python docs/pictures/web.py`, with Chromium and playwright installed."""

import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
PORT = 8018
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 396, "height": 814}
WIDEST = 1040
SECONDS = 240


@contextmanager
def served() -> Iterator[str]:
    """The address of a server with the miniature models and the offline language model."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "agent.faces.cli", "serve", "--port", str(PORT), "--workspace", folder]
        server = subprocess.Popen([*command, "--llm", "offline"], stderr=subprocess.DEVNULL)
        url = f"http://127.0.0.1:{PORT}/"
        try:
            for _ in range(SECONDS):
                try:
                    urllib.request.urlopen(url).close()
                    break
                except urllib.error.URLError:
                    time.sleep(0.5)
            yield url
        finally:
            server.terminate()
            server.wait()


def opened(browser: Browser, url: str, example: str | None, **options: Any) -> Page:
    """The page, with an example chosen."""
    page = browser.new_context(**{"viewport": DESK, **options}).new_page()
    page.set_default_timeout(1000 * SECONDS)
    page.goto(url)
    page.wait_for_selector("#examples li")
    if example:
        page.locator("#examples button", has_text=example).click()
        page.wait_for_selector("#say:visible")
    page.wait_for_timeout(1000)
    return page


def say(page: Page, text: str, until: str) -> None:
    """Sends an instruction and waits for something to appear."""
    page.fill("#say", text)
    page.press("#say", "Enter")
    page.wait_for_selector(until)
    page.wait_for_timeout(1000)


def kept(page: Page, name: str) -> None:
    """Takes the picture, 1040 pixels wide at most, in 256 colours."""
    path = HERE / f"web-{name}.png"
    page.screenshot(path=path)
    taken = Image.open(path).convert("RGB")
    taken.thumbnail((WIDEST, WIDEST), Image.Resampling.LANCZOS)
    taken.quantize(256, kmeans=2).save(path, optimize=True)


def main() -> None:
    """All five."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with served() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        kept(opened(browser, url, None), "start")

        page = opened(browser, url, "cup")
        say(page, "Make the cup green", "#versions li:nth-child(2)")
        page.click("#compare")
        page.evaluate(
            "const cut = document.querySelector('#cut'); cut.value = 16; cut.dispatchEvent(new Event('input'))"
        )
        page.wait_for_timeout(500)
        kept(page, "edit")

        page = opened(browser, url, "balls")
        say(page, "Make the ball blue", ".choices button")
        page.locator("#candidates button").nth(1).hover()
        page.wait_for_timeout(500)
        kept(page, "question")

        page = opened(browser, url, "balls", color_scheme="dark")
        say(page, "Make the ball blue", ".choices button")
        page.click("#paint")
        page.fill("#brush-size", "85")
        box = page.locator("#canvas").bounding_box()
        assert box is not None
        x, y = box["x"] + 0.22 * box["width"], box["y"] + 0.41 * box["height"]
        page.mouse.move(x - 15, y)
        page.mouse.down()
        page.mouse.move(x + 15, y + 10, steps=6)
        page.mouse.up()
        page.fill("#say", "Make the ball blue")
        page.wait_for_timeout(500)
        kept(page, "mask")

        page = opened(browser, url, "balls", viewport=PHONE, has_touch=True, is_mobile=True)
        say(page, "Make the ball blue", ".choices button")
        kept(page, "phone")
        browser.close()


if __name__ == "__main__":
    main()
