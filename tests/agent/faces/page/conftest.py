"""A real server with the tests' tiny models, and a headless Chromium to look at its page."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from instructedit_models.grounding import GroundedSegmenter
from tests.tools.tiny_models import BlobDetector, BoxSegmenter, Painter, TinyModels, boxes

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


class ClickSegmenter(BoxSegmenter):
    """For clicks the connected pixels of the colour clicked on, added to the mask or taken from it."""

    def mask_at(self, image: Image.Image, clicks: Any = (), *, box: Any = None, mask: Any = None) -> np.ndarray:
        pixels = np.asarray(image.convert("RGB"))
        made = np.zeros(pixels.shape[:2], bool) if mask is None else mask.copy()
        for click in clicks:
            same = (pixels == pixels[int(click.y), int(click.x)]).all(axis=2)
            labels, _ = ndimage.label(same)
            blob = labels == labels[int(click.y), int(click.x)]
            made = made | blob if click.inside else made & ~blob
        return made


class SlowPainter(Painter):
    """Paints so slowly, where told to, that a person sees it at work and can stop it."""

    pause = 0.0

    def edit(self, image: Any, mask: Any, before: str, after: str, options: Any, progress: Any = None) -> Any:
        def slowly(step: Any) -> None:
            time.sleep(self.pause)
            if progress:
                progress(step)

        return super().edit(image, mask, before, after, options, slowly)


@dataclass
class PageModels(TinyModels):
    editor: SlowPainter = field(default_factory=SlowPainter)

    @cached_property
    def grounded(self) -> GroundedSegmenter:
        return GroundedSegmenter(BlobDetector(), ClickSegmenter())


@dataclass
class Served:
    """A server that runs: where, with what models; `start` and `stop` begin it again over the same workspace."""

    folder: Path
    door: Any
    models: PageModels = field(default_factory=PageModels)
    limits: Any = None
    port: int = 0
    _server: Any = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        import uvicorn

        from agent.config import load_settings
        from agent.faces.door import Door, listen
        from agent.faces.server.app import build_app
        from agent.llm import build_chat_model
        from agent.service.service import Service
        from agent.session import Session
        from tools.workspace import Workspace

        chat_model = build_chat_model("offline", load_settings())
        self._listening = listen(Door(port=self.port, tokens=self.door.tokens))
        self.port = self._listening.getsockname()[1]
        self._workspace = Workspace(self.folder)
        self.service = Service(
            self._workspace,
            lambda conversation: Session(self.models, chat_model, conversation),
            self.limits,
            names=("tiny", "offline"),
        )
        config = uvicorn.Config(build_app(self.service, self.door), log_config=None, timeout_graceful_shutdown=2)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listening]}, daemon=True)
        self._thread.start()
        until = time.monotonic() + 30
        while not self._server.started and time.monotonic() < until:
            time.sleep(0.02)
        assert self._server.started

    def stop(self) -> None:
        if self._server is None:
            return
        self.service.stopping.set()
        self._server.should_exit = True
        self._thread.join(20)
        self._listening.close()
        self.service.close(5)
        self._workspace.close()
        self._server = None


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Starts servers; they stop after the test."""
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    from agent.faces.door import Door

    running: list[Served] = []

    def start(tokens: tuple[Any, ...] = (), limits: Any = None) -> Served:
        served = Served(tmp_path / f"workspace{len(running)}", Door(tokens=tokens), limits=limits)
        running.append(served)
        served.start()
        return served

    yield start
    for served in running:
        served.stop()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page in a browser of its own; what it complains of fails the test."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_one(url: str, **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Security Policy" in said.text else None)
        page.goto(url)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Two red boxes with a blue one between them."""
    path = tmp_path / "boxes.png"
    boxes("red", "blue", "red", size=(192, 128)).save(path)
    return path
