"""An edit's captions are put in the picture's own medium before anything is painted, and the version keeps them so."""

from instructedit_models.medium import Media
from tests.tools.calling import edit
from tools.context import ToolContext
from tools.events import Planned


def test_the_version_keeps_the_captions_that_were_used(context: ToolContext) -> None:
    context.models.media = Media(("photo", "red painting"))  # the tiny scorer sees colours, and there are red boxes
    edit(context, "blue box", "green")
    made = context.conversation.version("image_2").edit
    assert made is not None
    assert made.input_caption == "Red painting of a blue box"
    assert made.edited_caption == "Red painting of a green box"
    planned = [event for event in context.events if isinstance(event, Planned)]
    assert planned[0].edited_caption == made.edited_caption
    edit(context, "red boxes", "blue", image_id="image_2")
    again = context.conversation.version("image_3").edit
    assert again is not None and again.edited_caption.count("ainting") == 1


def test_a_set_that_names_no_media_leaves_captions_alone(context: ToolContext) -> None:
    edit(context, "blue box", "green")
    made = context.conversation.version("image_2").edit
    assert made is not None and made.input_caption == "photo of a blue box"
