"""A process that edits until it is killed; `benchmarks.workspace` starts it, and kills it.

It works through the real tools on a real workspace; only the models are the tests' tiny ones, so that what takes time
is the writing. After each call that came back it tells what must be there from now on.
"""

from multiprocessing.connection import Connection

from tests.tools.tiny_models import TinyModels, boxes
from tools.context import ToolContext
from tools.registry import call
from tools.workspace import Workspace

__all__ = ["work"]

_COLOURS = ("green", "yellow", "purple", "red")


def work(directory: str, conversation_id: str, told: Connection) -> None:
    """Edits, undoes, redoes and keeps turns for ever.

    Args:
        directory: the workspace.
        conversation_id: a conversation about `tiny_models.boxes("red", "blue", "red")`; empty to begin one.
        told: gets ("conversation", id) first, (image id, SHA-256) after each edit, and ("turn", number) after each
            turn that was kept.
    """
    with Workspace(directory) as workspace:
        if conversation_id:
            conversation = workspace.conversation(conversation_id)
        else:
            conversation = workspace.start(boxes("red", "blue", "red"))
        context = ToolContext(TinyModels(), conversation)
        told.send(("conversation", conversation.id))
        number = 0
        while True:
            number += 1
            mask_id = call(context, "segment", image_id="image_1", segmentation_prompt="blue box").mask_id
            made = call(
                context,
                "edit_image",
                image_id=conversation.current_id,
                mask_id=mask_id,
                segmentation_prompt="blue box",
                input_caption="photo of a blue box",
                edited_caption=f"photo of a {_COLOURS[number % 4]} box",
                change="appearance",
                base="source" if number % 2 else "current",
            ).image_id
            told.send((made, conversation.version(str(made)).sha256))
            turn = conversation.add_turn("edit", {"image_id": made}, [{"content": f"{made} is current"}])
            told.send(("turn", turn))
            if number % 5 == 0:
                call(context, "undo")
                call(context, "redo")
            if number % 8 == 0:
                call(context, "go_back", version="original")
