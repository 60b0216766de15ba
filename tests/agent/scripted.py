"""Sessions over the tiny models and the scripted LLM server, for the tests of loop, session and api."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from langchain_openai import ChatOpenAI
from PIL import Image

from agent.events import Event
from agent.guard import LoopLimits
from agent.session import Session
from tests.agent.fake_openai import FakeOpenAI, Reply, Scripted, tool_call
from tests.tools.tiny_models import TinyModels, boxes
from tools.context import ToolSettings
from tools.workspace import Workspace


def chat_model(fake: FakeOpenAI, timeout: float = 20.0) -> ChatOpenAI:
    return ChatOpenAI(base_url=fake.base_url, api_key="test", model="scripted", max_retries=0, timeout=timeout)  # type: ignore[arg-type]


def segment(prompt: str, image_id: str = "image_1") -> Reply:
    return tool_call("segment", {"image_id": image_id, "segmentation_prompt": prompt})


def edit_arguments(prompt: str, before: str, after: str, mask_id: str, image_id: str = "image_1") -> dict[str, Any]:
    return {
        "image_id": image_id,
        "mask_id": mask_id,
        "segmentation_prompt": prompt,
        "input_caption": f"photo of a {before} box",
        "edited_caption": f"photo of a {after} box",
        "change": "appearance",
    }


def edit(prompt: str, before: str, after: str, mask_id: str, image_id: str = "image_1") -> Reply:
    return tool_call("edit_image", edit_arguments(prompt, before, after, mask_id, image_id))


@dataclass
class Talk:
    """A session, what it was told by the server, and what it emitted."""

    session: Session
    fake: FakeOpenAI
    events: list[Event] = field(default_factory=list)

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events if event.kind != "progress"]

    def told(self, call: int = -1) -> str:
        """The last message of a request to the LLM."""
        return str(self.fake.calls[call]["messages"][-1]["content"])


@contextmanager
def talk(
    replies: Sequence[Scripted],
    image: Image.Image | None = None,
    limits: LoopLimits | None = None,
    timeout: float = 20.0,
    yes: bool = False,
) -> Iterator[Talk]:
    """A conversation about a picture of a red, a blue and a red box."""
    with FakeOpenAI(replies) as fake, Workspace.temporary() as workspace:
        events: list[Event] = []
        session = Session(
            TinyModels(),
            chat_model(fake, timeout),
            workspace.start(image or boxes("red", "blue", "red")),
            llm="openai:scripted",
            settings=ToolSettings(assume_yes=yes),
            limits=limits,
            on_event=events.append,
        )
        yield Talk(session, fake, events)
