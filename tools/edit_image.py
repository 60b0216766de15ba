"""Tool `edit_image`: masked DDIM editing inside a mask, from one caption to another; makes a new version."""

from pydantic import Field

from instructedit_models.separate import aspect_of
from instructedit_models.types import Change
from tools.base import Arguments, Tool
from tools.context import EditOverrides, ToolContext, ToolResult
from tools.editing import EditRequest, edit_text, perform
from tools.graph import Base

__all__ = ["EditImage", "EditImageArguments"]


class EditImageArguments(Arguments):
    """Where to edit, and from what to what."""

    image_id: str = Field(description="The picture to edit, e.g. image_1; chain edits by giving the newest one.")
    mask_id: str = Field(description="Where to edit, an id that segment or combine_masks gave.")
    segmentation_prompt: str = Field(description="The phrase that the mask was asked for with.")
    input_caption: str = Field(description="What is inside the mask now, e.g. 'Photo of a cat'.")
    edited_caption: str = Field(description="What should be there, e.g. 'Photo of a tiger'.")
    change: Change = Field(
        description="'shape' where the silhouette may change, 'appearance' where only colour or material does, "
        "'background' where everything but the objects does."
    )
    encoding_ratio: float | None = Field(
        default=None, description="Strength above 0 and at most 1; leave out for the default."
    )
    base: Base = Field(
        default="current",
        description="'current' to build on the picture as it is; 'source' to start from the original pixels and take "
        "the place of earlier edits there ('no, make it green instead').",
    )


class EditImage(Tool[EditImageArguments]):
    """Edits a picture inside a mask."""

    name = "edit_image"
    description = "Edits the picture inside a mask and nowhere else; makes a new picture id and says whether it worked."
    arguments = EditImageArguments

    def run(self, context: ToolContext, arguments: EditImageArguments) -> ToolResult:
        """The new version; errors as in `tools.editing.perform`."""
        wanted = EditOverrides(encoding_ratio=arguments.encoding_ratio)
        suited = context.models.defaults(
            arguments.change, aspect_of((arguments.input_caption, arguments.edited_caption))
        )
        options = context.settings.overrides.applied(wanted.applied(suited))
        edit = perform(
            context,
            EditRequest(
                image_id=arguments.image_id,
                mask_id=arguments.mask_id,
                segmentation_prompt=arguments.segmentation_prompt.strip(),
                input_caption=arguments.input_caption,
                edited_caption=arguments.edited_caption,
                change=arguments.change,
                options=options,
                base=arguments.base,
            ),
        )
        return ToolResult(edit_text(edit), image_id=edit.image_id, mask_id=edit.mask_id)
