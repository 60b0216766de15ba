"""A desk on the tiny models, pictures as base64, and a painter that waits until it is let go on."""

import base64
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from agent.faces.mcp.desk import Desk
from agent.faces.mcp.jobs import JobLimits, Jobs
from agent.faces.mcp.pictures import Intake
from agent.offline_llm import OfflineChatModel
from agent.session import Session
from tests.tools.tiny_models import COLOURS, Painter, TinyModels, boxes
from tools.conversation import Conversation
from tools.workspace import Workspace


class Gate(Painter):
    """A painter that stands still before its first step until `open` is set, and keeps what it was doing meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()
        self.open.set()
        self.reached = threading.Event()
        self.at_once = 0
        self.most_at_once = 0

    def edit(self, image: Any, mask: Any, *rest: Any) -> Any:
        *captions, options, progress = rest
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)

        def gated(step: Any) -> None:
            self.reached.set()
            while not self.open.wait(0.02):
                if progress:
                    progress(step)
            if progress:
                progress(step)

        try:
            return super().edit(image, mask, *captions, options, gated)
        finally:
            self.at_once -= 1


@dataclass
class Place:
    """What a test works on."""

    desk: Desk
    jobs: Jobs
    gate: Gate
    models: TinyModels = field(repr=False)


@contextmanager
def place(folder: Path, root: Path | None = None, limits: JobLimits | None = None) -> Iterator[Place]:
    gate = Gate()
    models = TinyModels(editor=gate)

    def new_session(conversation: Conversation) -> Session:
        return Session(models, OfflineChatModel(), conversation)

    jobs = Jobs(limits)
    with Workspace(folder / "workspace", durable=False) as workspace:
        try:
            yield Place(Desk(workspace, new_session, Intake(root)), jobs, gate, models)
        finally:
            gate.open.set()
            jobs.close()


def encoded(picture: Image.Image, form: str = "PNG") -> str:
    buffer = io.BytesIO()
    picture.save(buffer, form)
    return base64.b64encode(buffer.getvalue()).decode()


def two_boxes() -> str:
    return encoded(boxes("red", "blue"))


def decoded(data: str) -> Image.Image:
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    picture.load()
    return picture


def has(picture: Image.Image, colour: str) -> bool:
    return bool((np.asarray(picture.convert("RGB")) == COLOURS[colour]).all(axis=2).any())
