"""Short ways to call the tools on a context, for the tests of the tools."""

import numpy as np

from tools.context import ToolContext, ToolResult
from tools.registry import call


def kinds(context: ToolContext) -> list[str]:
    return [event.kind for event in context.events if event.kind != "progress"]  # type: ignore[attr-defined]


def segment(context: ToolContext, prompt: str, image_id: str = "image_1") -> str:
    mask_id = call(context, "segment", image_id=image_id, segmentation_prompt=prompt).mask_id
    assert mask_id
    return mask_id


def edit(context: ToolContext, prompt: str, to: str, image_id: str = "image_1", **more: object) -> str:
    found = segment(context, prompt, image_id)
    return edit_in(context, str(more.pop("mask_id", found)), prompt, to, image_id, **more).image_id or ""


def edit_in(
    context: ToolContext, mask_id: str, prompt: str, to: str, image_id: str = "image_1", **more: object
) -> ToolResult:
    """As `edit`, inside a mask that there is."""
    arguments = {
        "image_id": image_id,
        "mask_id": mask_id,
        "segmentation_prompt": prompt,
        "input_caption": "photo of a blue box",
        "edited_caption": f"photo of a {to} box",
        "change": "appearance",
    }
    return call(context, "edit_image", **arguments | more)


def pixels(context: ToolContext, image_id: str) -> np.ndarray:
    return np.asarray(context.conversation.image(image_id))
