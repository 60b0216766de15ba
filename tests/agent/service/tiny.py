"""A service on the smallest real parts: tiny models, the offline language model, a workspace in a folder."""

import io
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from agent.config import Settings
from agent.llm import build_chat_model
from agent.service.limits import ServiceLimits
from agent.service.service import Service
from agent.session import Session
from instructedit_models.errors import BadParameterError
from instructedit_models.grounding import GroundedSegmenter
from instructedit_models.types import EditOptions, EditResult, ProgressCallback
from tests.tools.tiny_models import BlobDetector, BoxSegmenter, Painter, TinyModels, boxes
from tools.context import ToolSettings
from tools.conversation import Conversation
from tools.workspace import Workspace

UNLIMITED = ServiceLimits(requests_a_minute=0)


class ClickSegmenter(BoxSegmenter):
    """Also answers clicks: all connected pixels of the colour that was clicked."""

    def mask_at(
        self, image: Image.Image, clicks: Sequence[Any] = (), *, mask: np.ndarray | None = None, box: Any = None
    ) -> np.ndarray:
        pixels = np.asarray(image)
        made = np.zeros(pixels.shape[:2], bool) if mask is None else mask.copy()
        for click in clicks:
            if not (0 <= click.x < image.width and 0 <= click.y < image.height):
                raise BadParameterError(f"The click ({click.x:g}, {click.y:g}) lies outside the picture.")
            same = (pixels == pixels[int(click.y), int(click.x)]).all(axis=2)
            made = made | same if click.inside else made & ~same
        return made


class WaitingPainter(Painter):
    """A painter that waits at its first step while it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.go.set()
        self.began = threading.Event()

    def edit(
        self,
        image: Image.Image,
        mask: np.ndarray,
        input_caption: str,
        edited_caption: str,
        options: EditOptions,
        progress: ProgressCallback | None = None,
    ) -> EditResult:
        self.began.set()
        while not self.go.wait(0.02):
            if progress:
                from instructedit_models.types import Progress

                progress(Progress("encode", 1, 2))
        return super().edit(image, mask, input_caption, edited_caption, options, progress)


def tiny_models() -> TinyModels:
    models = TinyModels(editor=WaitingPainter())
    models.grounded = GroundedSegmenter(BlobDetector(), ClickSegmenter())
    return models


def sessions(models: TinyModels) -> Callable[[Conversation], Session]:
    chat_model = build_chat_model("offline", Settings())

    def new_session(conversation: Conversation) -> Session:
        return Session(models, chat_model, conversation, settings=ToolSettings())

    return new_session


def open_service(
    folder: Path, models: TinyModels | None = None, limits: ServiceLimits = UNLIMITED, **more: Any
) -> Service:
    """Opens a service; close it, and then its workspace."""
    workspace = Workspace(folder, durable=False)
    return Service(workspace, sessions(models or tiny_models()), limits, names=("tiny", "offline"), **more)


def picture(*colours: str, size: tuple[int, int] = (96, 64), form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    boxes(*(colours or ("red", "blue", "red")), size=size).save(buffer, form)
    return buffer.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))
