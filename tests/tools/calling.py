"""A tool context on the smallest real parts, and short ways to call the tools on it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.tools.tiny_models import TinyModels, boxes
from tools.context import ToolContext
from tools.events import Event
from tools.registry import call
from tools.workspace import Workspace


@pytest.fixture
def context(tmp_path: Path) -> Iterator[ToolContext]:
    with Workspace(tmp_path, durable=False) as workspace:
        events: list[Event] = []
        made = ToolContext(TinyModels(), workspace.start(boxes("red", "blue", "red")), emit=events.append)
        made.events = events  # type: ignore[attr-defined]
        yield made


def kinds(context: ToolContext) -> list[str]:
    return [event.kind for event in context.events if event.kind != "progress"]  # type: ignore[attr-defined]


def segment(context: ToolContext, prompt: str, image_id: str = "image_1") -> str:
    mask_id = call(context, "segment", image_id=image_id, segmentation_prompt=prompt).mask_id
    assert mask_id
    return mask_id


def edit(context: ToolContext, prompt: str, to: str, image_id: str = "image_1", **more: object) -> str:
    mask_id = segment(context, prompt, image_id)
    arguments = {
        "image_id": image_id,
        "mask_id": mask_id,
        "segmentation_prompt": prompt,
        "input_caption": "photo of a blue box",
        "edited_caption": f"photo of a {to} box",
        "change": "appearance",
    }
    return call(context, "edit_image", **arguments | more).image_id or ""


def pixels(context: ToolContext, image_id: str) -> np.ndarray:
    return np.asarray(context.conversation.image(image_id))
