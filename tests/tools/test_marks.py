"""The way back to a mark: versions, masks and moves that no turn knows of, and nothing else."""

from pathlib import Path

import numpy as np
from PIL import Image

from instructedit_models.types import EditOptions
from tools.conversation import Conversation
from tools.graph import NewEdit
from tools.maintenance import verify
from tools.marks import mark, take_back
from tools.workspace import Workspace


def edited(conversation: Conversation, colour: str) -> str:
    mask = np.zeros((8, 8), bool)
    mask[2:5, 2 : 3 + len(colour) % 4] = True
    mask_id = conversation.add_mask(mask, conversation.current_id, "segment", colour)
    edit = NewEdit(
        parent_id=conversation.current_id,
        mask_id=mask_id,
        segmentation_prompt="box",
        input_caption="a box",
        edited_caption=f"a {colour} box",
        change="appearance",
        options=EditOptions(),
        unet_evaluations=1,
        inversion_cached=False,
        seconds={},
        models={},
    )
    return conversation.add_edit(Image.new("RGB", (8, 8), colour), mask, edit).image_id


def test_what_came_after_a_mark_is_gone_and_its_ids_are_free(tmp_path: Path) -> None:
    with Workspace(tmp_path, durable=False) as workspace:
        conversation = workspace.start(Image.new("RGB", (8, 8)))
        edited(conversation, "red")
        conversation.undo()
        before, moves = mark(conversation), conversation.moves()
        assert before.image_id == "image_1"
        edited(conversation, "green")
        assert edited(conversation, "blue") == "image_4"
        assert take_back(conversation, before)
        assert conversation.current_id == "image_1" and conversation.moves() == moves
        assert [one.id for one in conversation.versions()] == ["image_1", "image_2"]
        assert [one.id for one in conversation.masks()] == ["mask_1"]
        assert mark(conversation) == before
        assert edited(conversation, "purple") == "image_3"
        assert conversation.image("image_3").getpixel((0, 0)) == (128, 0, 128)
        assert verify(workspace).faults == ()


def test_nothing_is_taken_back_once_a_turn_has_ended(tmp_path: Path) -> None:
    with Workspace(tmp_path, durable=False) as workspace:
        conversation = workspace.start(Image.new("RGB", (8, 8)))
        before = mark(conversation)
        edited(conversation, "red")
        conversation.add_turn("edit", {}, [])
        assert not take_back(conversation, before)
        assert conversation.current_id == "image_2"


def test_a_conversation_is_not_touched_by_another_ones_mark(tmp_path: Path) -> None:
    with Workspace(tmp_path, durable=False) as workspace:
        one, other = (workspace.start(Image.new("RGB", (8, 8))) for _ in range(2))
        before = mark(one)
        edited(one, "red")
        edited(other, "red")
        assert take_back(one, before)
        assert other.current_id == "image_2" and len(other.masks()) == 1
