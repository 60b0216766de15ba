"""A deleted conversation is gone whole or not at all, and takes nothing with it that another one uses."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from instructedit_models.errors import BadParameterError
from tests.tools.test_workspace import add_edit
from tests.tools.tiny_models import boxes
from tools.conversation import Conversation
from tools.maintenance import SHOWN, collect, delete, verify
from tools.workspace import Workspace, WorkspaceError

SECRET = "the-lighthouse-of-alexandria"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(tmp_path / "ws", durable=False) as opened:
        yield opened


def begun(workspace: Workspace, *colours: str) -> Conversation:
    """A conversation about a red box with an edit for each colour, a turn and a message."""
    conversation = workspace.start(boxes("red"), "in.png")
    for colour in colours:
        add_edit(conversation, "image_1", colour)
    conversation.add_turn("edit", {"reply": SECRET}, [{"said": SECRET}])
    return conversation


def test_what_others_share_stays(workspace: Workspace) -> None:
    mine, other = begun(workspace, "green", "blue"), begun(workspace, "green")
    blue = mine.version("image_3").sha256
    shown = workspace.directory / SHOWN
    for one in (mine, other):
        (shown / one.id).mkdir(parents=True)
        (shown / one.id / "image_1.png").write_bytes(b"preview")
    gone = delete(workspace, mine.id[:8])
    assert (gone.id, gone.versions, gone.turns, gone.files) == (mine.id, 3, 1, 1)
    assert gone.bytes == workspace.objects.bytes_of(blue) > 0
    assert workspace.conversation_ids() == [other.id]
    assert np.array_equal(np.asarray(other.image("image_2")), np.asarray(boxes("green")))
    found = verify(workspace)
    assert not found.faults and found.unused == 1
    freed = collect(workspace)
    assert freed.files == (f"{blue}.png", f"{SHOWN}/{mine.id}/image_1.png")
    assert [path.name for path in shown.iterdir()] == [other.id] and verify(workspace).unused == 0
    assert other.turns() == [{"reply": SECRET}]


def test_no_word_of_it_is_left_in_the_files(workspace: Workspace) -> None:
    conversation = begun(workspace, "green")
    workspace.query("PRAGMA wal_checkpoint(TRUNCATE)")
    assert SECRET.encode() in workspace.database.read_bytes()
    delete(workspace, conversation.id)
    collect(workspace)
    left = b"".join(path.read_bytes() for path in workspace.directory.rglob("*") if path.is_file())
    assert SECRET.encode() not in left and not list(workspace.objects.stored())


def test_every_table_is_cleared(workspace: Workspace) -> None:
    delete(workspace, begun(workspace, "green").id)
    tables = [row[0] for row in workspace.query("SELECT name FROM sqlite_master WHERE type = 'table'")]
    full = {table for table in tables if workspace.query(f"SELECT 1 FROM {table} LIMIT 1")}
    assert full == {"migrations"}


_KILLED = """
import os, sqlite3, sys
from tools import maintenance
from tools.workspace import Workspace

rows = maintenance._belonging
def dying(connection):
    for table, column in rows(connection):
        connection.execute(f'DELETE FROM "{table}" WHERE "{column}" = ?', (sys.argv[2],))
    os._exit(9)

maintenance._belonging = dying
maintenance.delete(Workspace(sys.argv[1]), sys.argv[2])
"""


def test_killed_in_the_middle_nothing_is_deleted(workspace: Workspace) -> None:
    conversation = begun(workspace, "green", "blue")
    done = subprocess.run([sys.executable, "-c", _KILLED, str(workspace.directory), conversation.id], timeout=120)
    assert done.returncode == 9
    with Workspace(workspace.directory) as again:
        assert len(again.conversation(conversation.id).versions()) == 3 and not verify(again).faults
        assert again.conversation(conversation.id).turns() == [{"reply": SECRET}]
        assert collect(again).files == ()
        delete(again, conversation.id)
        assert again.conversation_ids() == [] and not verify(again).faults


def test_whoever_still_holds_it_is_told(workspace: Workspace) -> None:
    conversation = begun(workspace, "green")
    with Workspace(workspace.directory) as other:
        delete(other, conversation.id)
    with pytest.raises(BadParameterError, match="it was deleted meanwhile"):
        _ = conversation.current_id
    with pytest.raises(BadParameterError, match="it was deleted meanwhile"):
        conversation.go_to("image_1")
    with pytest.raises((WorkspaceError, BadParameterError), match="was deleted meanwhile"):
        add_edit(conversation, "image_1", "blue")
    with pytest.raises(WorkspaceError, match="was deleted meanwhile"):
        conversation.add_turn("edit", {}, [])
    assert not verify(workspace).faults


def test_what_is_not_there_cannot_be_deleted(workspace: Workspace) -> None:
    kept = begun(workspace)
    with pytest.raises(BadParameterError, match="has no conversation 'nobody'"):
        delete(workspace, "nobody")
    assert workspace.conversation_ids() == [kept.id]
