"""What happens while tools run, as typed events; `agent.events` adds the conversation's own.

Events hold ids and words, never pixels: a face that wants to show a picture asks the conversation for it.
"""

from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from instructedit_models.types import Change, Preview
from tools.regions import RegionRecord

__all__ = ["Called", "Described", "Edited", "Event", "Moved", "Planned", "Progressed", "Segmented", "Warned"]


class Event(BaseModel):
    """Base of all events; `kind` tells them apart in JSON."""

    model_config = ConfigDict(frozen=True)

    kind: str


class Called(Event):
    """The LLM called a tool, which is about to run."""

    kind: Literal["called"] = "called"
    tool: str
    arguments: dict[str, str | int | float | bool | None]


class Described(Event):
    """BLIP-2 described the picture, or answered a question about it (`question` is set)."""

    kind: Literal["described"] = "described"
    image_id: str
    text: str
    reason: str | None = None
    question: str | None = None


class Segmented(Event):
    """Candidates were found; `mask_id` is the union of the chosen, None where they tie."""

    kind: Literal["segmented"] = "segmented"
    image_id: str
    prompt: str
    mask_id: str | None
    regions: tuple[RegionRecord, ...]
    ambiguous: tuple[str, ...] = ()
    note: str | None = None


class Planned(Event):
    """An edit is about to be made."""

    kind: Literal["planned"] = "planned"
    image_id: str
    mask_id: str
    segmentation_prompt: str
    input_caption: str
    edited_caption: str
    change: Change
    encoding_ratio: float


class Progressed(Event):
    """Step `step` of `total` of one stage of long work is done.

    Attributes:
        preview: as in `Progress`, for a face that wants to look; no part of the event as data.
    """

    kind: Literal["progress"] = "progress"
    stage: str
    step: int
    total: int
    preview: Callable[[], Preview] | None = Field(default=None, exclude=True, repr=False)


class Edited(Event):
    """A new version exists and is current."""

    kind: Literal["edited"] = "edited"
    image_id: str
    parent_id: str
    mask_id: str
    verified: bool
    unet_evaluations: int
    encoding_ratio: float


class Moved(Event):
    """Another version became current."""

    kind: Literal["moved"] = "moved"
    image_id: str


class Warned(Event):
    """Something that the person should know."""

    kind: Literal["warning"] = "warning"
    text: str
