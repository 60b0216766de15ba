"""The workspace: nothing is overwritten, nothing half-written, and any number of processes may share it."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from instructedit_models.errors import BadMaskError, BadParameterError
from instructedit_models.types import EditOptions
from tests.tools.tiny_models import boxes
from tools.conversation import Conversation
from tools.graph import NewEdit
from tools.migrations import MIGRATIONS, migrate
from tools.workspace import Workspace, WorkspaceError


@pytest.fixture
def workspace(tmp_path: Path):
    with Workspace(tmp_path / "ws", durable=False) as opened:
        yield opened


def box_mask(left: int = 0, right: int = 10) -> np.ndarray:
    mask = np.zeros((64, 96), bool)
    mask[10:20, left:right] = True
    return mask


def add_edit(conversation: Conversation, parent: str, colour: str = "green", **changes: object) -> str:
    mask_id = conversation.add_mask(box_mask(), parent, "segment", "box")
    values = {
        "parent_id": parent,
        "mask_id": mask_id,
        "segmentation_prompt": "box",
        "input_caption": "photo of a red box",
        "edited_caption": f"photo of a {colour} box",
        "change": "appearance",
        "options": EditOptions(seed=2**62),
        "unet_evaluations": 75,
        "inversion_cached": False,
        "seconds": {"total": 0.5},
        "models": {"set": "tiny"},
        "verification": {"passed": True, "note": "fits"},
    }
    return conversation.add_edit(boxes(colour), box_mask(0, 12), NewEdit(**values | changes)).image_id


def test_pictures_and_masks_come_back_as_they_were(workspace: Workspace):
    picture = boxes("red", "blue")
    conversation = workspace.start(picture, "in.png")
    mask_id = conversation.add_mask(box_mask(), "image_1", "given", "mine")
    with Workspace(workspace.directory) as again:
        same = again.conversation(conversation.id)
        assert np.array_equal(np.asarray(same.image("image_1")), np.asarray(picture))
        assert same.version("image_1").source == "in.png"
        assert np.array_equal(same.mask(mask_id), box_mask())
        assert same.mask_entry(mask_id).origin == "given"


def test_ids_count_within_a_conversation(workspace: Workspace):
    first, second = workspace.start(boxes("red")), workspace.start(boxes("blue"))
    assert first.add_mask(box_mask(), "image_1", "given", "a") == "mask_1"
    assert first.add_mask(box_mask(5, 9), "image_1", "given", "a") == "mask_2"
    assert second.add_mask(box_mask(5, 9), "image_1", "given", "a") == "mask_1"
    assert add_edit(first, "image_1") == "image_2"
    assert workspace.conversation_ids() == [first.id, second.id]


def test_the_same_mask_keeps_its_id(workspace: Workspace):
    conversation = workspace.start(boxes("red"))
    ids = [conversation.add_mask(box_mask(), "image_1", "given", "a") for _ in range(2)]
    assert ids == ["mask_1", "mask_1"]
    assert conversation.add_mask(box_mask(), "image_1", "given", "b") == "mask_2"


def test_the_same_content_is_stored_once(workspace: Workspace):
    workspace.start(boxes("red"))
    workspace.start(boxes("red"))
    assert len(list(workspace.objects.directory.iterdir())) == 1


def test_an_edit_keeps_everything_about_it(workspace: Workspace):
    conversation = workspace.start(boxes("red"))
    image_id = add_edit(conversation, "image_1", adjusts="image_1")
    with Workspace(workspace.directory) as again:
        edit = again.conversation(conversation.id).version(image_id).edit
        assert edit is not None
        assert edit.options == EditOptions(seed=2**62)
        assert (edit.parent_id, edit.mask_id, edit.adjusts) == ("image_1", "mask_1", "image_1")
        assert edit.edited_caption == "photo of a green box"
        assert edit.verified and edit.verification == {"passed": True, "note": "fits"}
        assert (edit.seconds, edit.models, edit.unet_evaluations) == ({"total": 0.5}, {"set": "tiny"}, 75)
        assert np.array_equal(again.conversation(conversation.id).region(edit), box_mask(0, 12))


def test_an_edit_without_a_check_is_not_verified(workspace: Workspace):
    conversation = workspace.start(boxes("red"))
    edit = conversation.version(add_edit(conversation, "image_1", verification=None)).edit
    assert edit is not None and edit.verification is None and not edit.verified


def test_undo_moves_the_pointer_and_branches_stay(workspace: Workspace):
    conversation = workspace.start(boxes("red"))
    add_edit(conversation, "image_1", "green")
    add_edit(conversation, "image_2", "blue")
    assert [edit.image_id for edit in conversation.path("image_3")] == ["image_2", "image_3"]
    assert [edit.image_id for edit in conversation.path("image_3", since="image_2")] == ["image_3"]
    assert conversation.undo(2) == "image_1" == conversation.current_id
    assert add_edit(conversation, "image_1", "yellow") == "image_4"
    assert [edit.image_id for edit in conversation.path("image_4")] == ["image_4"]
    assert np.array_equal(np.asarray(conversation.image("image_3")), np.asarray(boxes("blue")))
    conversation.go_to("image_3")
    assert conversation.current_id == "image_3"
    assert [version.id for version in conversation.versions()] == ["image_1", "image_2", "image_3", "image_4"]


def test_undo_of_an_edit_made_again_goes_back_to_the_first_attempt(workspace: Workspace):
    conversation = workspace.start(boxes("red"))
    add_edit(conversation, "image_1", "green")
    add_edit(conversation, "image_1", "blue", adjusts="image_2")
    assert [conversation.undo(), conversation.undo()] == ["image_2", "image_1"]


@pytest.mark.parametrize("steps", [0, -1, 2])
def test_undo_says_how_far_it_can_go(workspace: Workspace, steps: int):
    conversation = workspace.start(boxes("red"))
    add_edit(conversation, "image_1")
    with pytest.raises(BadParameterError, match="only 1 can be undone"):
        conversation.undo(steps)
    assert conversation.current_id == "image_2"


def test_undo_of_an_original(workspace: Workspace):
    with pytest.raises(BadParameterError, match="is the original"):
        workspace.start(boxes("red")).undo()


@pytest.mark.parametrize("image_id", ["image_2", "image_0", "image_01", "mask_1", "", "../image_1", "image_1; DROP"])
def test_unknown_pictures_are_named(workspace: Workspace, image_id: str):
    with pytest.raises(BadParameterError, match="the current one is image_1"):
        workspace.start(boxes("red")).image(image_id)


def test_unknown_masks_and_conversations(workspace: Workspace):
    with pytest.raises(BadParameterError, match="no mask 'mask_7'"):
        workspace.start(boxes("red")).mask("mask_7")
    with pytest.raises(BadParameterError, match="no conversation 'nobody'"):
        workspace.conversation("nobody")


def test_a_mask_must_fit_its_picture(workspace: Workspace):
    with pytest.raises(BadMaskError, match="5 x 4 pixels, but image_1 is 96 x 64"):
        workspace.start(boxes("red")).add_mask(np.ones((4, 5), bool), "image_1", "given", "")


def test_turns_and_messages_by_reference(workspace: Workspace):
    conversation = workspace.start(boxes("red"))
    assert conversation.add_turn("edit", {"n": 1}, [{"a": 1}, {"b": 2}]) == 1
    assert conversation.add_turn("error", {"n": 2}, []) == 2
    assert conversation.add_turn("edit", {"n": 3}, [{"c": 3}]) == 3
    assert conversation.turns() == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert conversation.messages() == [[{"a": 1}, {"b": 2}], [{"c": 3}]]


def test_a_damaged_file_is_named(workspace: Workspace):
    conversation = workspace.start(boxes("red"))
    path = workspace.objects.path(conversation.version("image_1").sha256)
    path.write_bytes(path.read_bytes()[:-20])
    with Workspace(workspace.directory) as again, pytest.raises(WorkspaceError, match=f"{path.name} is damaged"):
        again.conversation(conversation.id).image("image_1")
    path.unlink()
    with Workspace(workspace.directory) as again, pytest.raises(WorkspaceError, match="is missing"):
        again.conversation(conversation.id).image("image_1")


def test_a_write_that_fails_leaves_nothing(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    conversation = workspace.start(boxes("red"))

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(WorkspaceError, match="No space left on device"):
        add_edit(conversation, "image_1")
    monkeypatch.undo()
    assert len(list(workspace.objects.directory.iterdir())) == 1
    assert conversation.current_id == "image_1" and len(conversation.versions()) == 1


def test_a_transaction_is_all_or_nothing(workspace: Workspace):
    conversation = workspace.start(boxes("red"))
    with pytest.raises(KeyboardInterrupt), workspace.transaction() as connection:
        connection.execute("UPDATE conversations SET current_image = 'image_9'")
        raise KeyboardInterrupt
    assert conversation.current_id == "image_1"


def test_a_temporary_workspace_goes_away():
    with Workspace.temporary() as workspace:
        workspace.start(boxes("red"))
        directory = workspace.directory
        assert directory.exists()
    assert not directory.exists()


def test_a_directory_that_cannot_be(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="Cannot make a workspace"):
        Workspace(tmp_path / "file")


def test_a_database_that_is_none(tmp_path: Path):
    (tmp_path / "workspace.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(WorkspaceError, match="not a database"):
        Workspace(tmp_path)


def test_a_newer_database_is_refused(workspace: Workspace):
    connection = sqlite3.connect(workspace.directory / "workspace.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(WorkspaceError, match="schema version 99"):
        Workspace(workspace.directory)


def test_migrations_bring_an_old_database_up_to_date_once():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    assert migrate(connection) == len(MIGRATIONS) == connection.execute("PRAGMA user_version").fetchone()[0]
    connection.execute("INSERT INTO conversations VALUES ('c', 'now', NULL)")
    more = (*MIGRATIONS, ("titles", "ALTER TABLE conversations ADD COLUMN title TEXT"))
    assert migrate(connection, more) == migrate(connection, more) == len(MIGRATIONS) + 1
    assert connection.execute("SELECT id, title FROM conversations").fetchall() == [("c", None)]
    names = [row[0] for row in connection.execute("SELECT name FROM migrations ORDER BY number")]
    assert names == [name for name, _ in more]
    connection.close()


def test_a_migration_that_fails_changes_nothing():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    broken = (*MIGRATIONS, ("broken", "CREATE TABLE extra (x); INSERT INTO nowhere VALUES (1)"))
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, broken)
    assert connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
    assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'extra'").fetchall()
    connection.close()


def test_threads_share_one_workspace(workspace: Workspace):
    conversation = workspace.start(boxes("red"))
    threads = [threading.Thread(target=add_edit, args=(conversation, "image_1", "blue")) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(version.id for version in conversation.versions()) == [f"image_{i}" for i in range(1, 8)]


WRITER = """
import sys
from tests.tools.test_workspace import add_edit
from tools.workspace import Workspace
conversation = Workspace(sys.argv[1]).conversation(sys.argv[2])
print("ready", flush=True)
for _ in range(int(sys.argv[3])):
    add_edit(conversation, conversation.current_id, sys.argv[4])
"""


def writer(conversation: Conversation, count: int, colour: str) -> subprocess.Popen[bytes]:
    root = Path(__file__).parents[2]
    arguments = [str(conversation.workspace.directory), conversation.id, str(count), colour]
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
    )


def test_two_processes_and_a_kill(workspace: Workspace):
    conversation = workspace.start(boxes("red"))
    steady, killed = writer(conversation, 15, "blue"), writer(conversation, 10_000, "yellow")
    with steady, killed:
        assert killed.stdout and killed.stdout.readline() == b"ready\n"
        while len(conversation.versions()) < 4:
            time.sleep(0.01)
        killed.send_signal(signal.SIGKILL)
        assert steady.wait(timeout=60) == 0
    versions = conversation.versions()
    assert sum(version.sha256 == versions[-1].sha256 for version in versions) >= 15 or len(versions) > 16
    with Workspace(workspace.directory) as again:
        reopened = again.conversation(conversation.id)
        for version in reopened.versions():
            assert reopened.image(version.id).size
            if version.edit:
                assert reopened.mask(version.edit.mask_id).any() and reopened.region(version.edit).any()
        assert add_edit(reopened, reopened.current_id) == f"image_{len(versions) + 1}"
