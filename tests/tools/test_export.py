"""Pictures leave a workspace whole, with what their file held, and never into the workspace itself."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from instructedit_models.errors import BadOutputError
from tests.tools.test_workspace import add_edit
from tests.tools.tiny_models import boxes
from tools.export import export_conversation, original_of
from tools.maintenance import verify
from tools.workspace import Workspace, WorkspaceError


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """One conversation: image_1, image_2 with mask_1."""
    with Workspace(tmp_path / "ws", durable=False) as opened:
        add_edit(opened.start(boxes("red"), "in.png"), "image_1")
        yield opened


def test_export_refuses_the_workspace_itself_and_what_is_there(workspace: Workspace, tmp_path: Path):
    conversation = workspace.conversation(workspace.conversation_ids()[0])
    with pytest.raises(BadOutputError, match="lies inside the workspace"):
        export_conversation(conversation, workspace.directory / ".." / "ws" / "all")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep")
    with pytest.raises(BadOutputError, match="not an empty folder"):
        export_conversation(conversation, tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_export_of_a_damaged_conversation_writes_nothing(workspace: Workspace, tmp_path: Path):
    conversation = workspace.conversation(workspace.conversation_ids()[0])
    workspace.objects.path(conversation.version("image_2").sha256).unlink()
    with pytest.raises(WorkspaceError, match="is missing"):
        export_conversation(conversation, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["ws"]


def test_the_original_file_is_known_while_it_holds_the_same_pixels(tmp_path: Path):
    picture = boxes("red", "blue").convert("RGBA")
    picture.putalpha(128)
    picture.save(tmp_path / "in.png")
    with Workspace(tmp_path / "ws", durable=False) as workspace:
        conversation = workspace.start(picture.convert("RGB"), str(tmp_path / "in.png"))
        add_edit(conversation, "image_1")
        found = original_of(conversation, "image_2")
        assert found is not None and found.alpha is not None and (found.alpha == 128).all()
        boxes("green", "green").save(tmp_path / "in.png")  # no longer the picture that was edited
        assert original_of(conversation, "image_2") is None
        shutil.rmtree(tmp_path / "ws" / "objects")
    with Workspace(tmp_path / "ws") as again:
        assert {fault.kind for fault in verify(again).faults} == {"missing"}
