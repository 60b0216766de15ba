"""What goes wrong with a workspace is said in one sentence, and nothing is lost by it."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from instructedit_models import errors
from instructedit_models.errors import BadParameterError, UserError
from tests.tools.test_workspace import add_edit, box_mask
from tests.tools.tiny_models import boxes
from tools import workspace as workspace_module
from tools.graph import NewEdit
from tools.layers import canvas
from tools.maintenance import collect, verify
from tools.migrations import MIGRATIONS
from tools.workspace import Workspace, WorkspaceError


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """One conversation: image_1, image_2 with mask_1."""
    with Workspace(tmp_path / "ws", durable=False) as opened:
        add_edit(opened.start(boxes("red"), "in.png"), "image_1")
        yield opened


def sentence(caught: pytest.ExceptionInfo[BaseException]) -> str:
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".")
    return text


# --- the database


def test_the_error_belongs_to_the_tree():
    assert WorkspaceError is errors.WorkspaceError and issubclass(WorkspaceError, UserError)
    assert (WorkspaceError.kind, WorkspaceError.exit_code, WorkspaceError.retryable) == ("workspace", 2, False)


def test_a_locked_database(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workspace_module, "BUSY_SECONDS", 0.2)
    other = sqlite3.connect(workspace.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with Workspace(workspace.directory) as second:  # reading goes on
        conversation = second.conversation(second.conversation_ids()[0])
        before = conversation.current_id
        with pytest.raises(WorkspaceError, match="is locked: another program") as caught:
            add_edit(conversation, before)
        assert sentence(caught)
        other.execute("ROLLBACK")
        other.close()
        assert (conversation.current_id, len(conversation.versions())) == (before, 2)
        assert add_edit(conversation, before) == "image_3"


def test_a_damaged_database_is_left_as_it_is(workspace: Workspace):
    workspace.close()
    data = bytearray(workspace.database.read_bytes())
    data[4096:12288] = b"\xff" * 8192
    workspace.database.write_bytes(data)
    objects = sorted(path.name for path in workspace.objects.directory.iterdir())
    with pytest.raises(WorkspaceError, match="damaged") as caught, Workspace(workspace.directory) as again:
        again.conversation(again.conversation_ids()[0]).versions()
    assert "objects/ are untouched" in sentence(caught)
    assert workspace.database.read_bytes() == bytes(data)
    assert sorted(path.name for path in workspace.objects.directory.iterdir()) == objects


def test_a_database_cut_short(workspace: Workspace):
    workspace.close()
    workspace.database.write_bytes(workspace.database.read_bytes()[:5000])
    with pytest.raises(WorkspaceError, match="damaged"), Workspace(workspace.directory) as again:
        again.overview()


def test_a_newer_workspace_is_not_touched(workspace: Workspace):
    workspace.close()
    connection = sqlite3.connect(workspace.database)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = workspace.database.read_bytes()
    with pytest.raises(WorkspaceError, match=rf"version 99, but this program knows only up to {len(MIGRATIONS)}"):
        Workspace(workspace.directory)
    assert workspace.database.read_bytes() == before


def test_the_database_of_another_program(tmp_path: Path):
    connection = sqlite3.connect(tmp_path / "workspace.sqlite")
    connection.execute("CREATE TABLE notes (text)")
    connection.close()
    before = (tmp_path / "workspace.sqlite").read_bytes()
    with pytest.raises(WorkspaceError, match="database of another program"):
        Workspace(tmp_path)
    assert (tmp_path / "workspace.sqlite").read_bytes() == before


def test_a_workspace_of_the_first_schema_is_brought_up_to_date(tmp_path: Path):
    """Made by the first step alone, with an edit in it, and without the mark of the application."""
    with Workspace(tmp_path / "ws", durable=False) as made:
        conversation = made.start(boxes("red"))
        add_edit(conversation, "image_1")
        picture = np.asarray(conversation.image("image_2"))
    old = sqlite3.connect(tmp_path / "ws" / "workspace.sqlite", isolation_level=None)
    for column in ("base", "replaces", "supersedes", "reapplies", "painted_sha256", "under_sha256", "kept_parts"):
        old.execute(f"ALTER TABLE nodes DROP COLUMN {column}")
    old.execute("DELETE FROM migrations WHERE number > 1")
    old.execute("PRAGMA application_id = 0")
    old.execute("PRAGMA user_version = 1")
    old.close()
    with Workspace(tmp_path / "ws") as again:
        assert again.version == len(MIGRATIONS)
        kept = again.conversation(conversation.id)
        edit = kept.version("image_2").edit
        assert edit is not None and (edit.base, edit.supersedes, edit.kept_parts) == ("current", (), ())
        assert np.array_equal(np.asarray(kept.image("image_2")), picture)
        assert np.array_equal(kept.painted(edit), kept.region(edit))
        assert verify(again).faults == ()


def test_an_unknown_conversation_and_one_by_its_first_digits(workspace: Workspace):
    only = workspace.conversation_ids()[0]
    assert workspace.conversation(only[:4]).id == only
    for wrong in ("nobody", only[:3], "", "'; DROP TABLE images; --"):
        with pytest.raises(BadParameterError, match="has no conversation") as caught:
            workspace.conversation(wrong)
        assert "`instructedit workspace list`" in sentence(caught)
    with workspace.transaction() as connection:
        connection.execute("INSERT INTO conversations VALUES (?, '2026', 'image_1')", (only[:6] + "zzzzzz",))
    with pytest.raises(BadParameterError, match="2 conversations that begin with"):
        workspace.conversation(only[:5])


def test_none_is_made_where_one_was_expected(tmp_path: Path):
    with pytest.raises(WorkspaceError, match="There is no workspace in"):
        Workspace(tmp_path / "nowhere", create=False)
    assert not (tmp_path / "nowhere").exists()


# --- the disk


@pytest.mark.parametrize("call", ["write", "replace", "fsync"])
def test_a_full_disk_loses_nothing(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, call: str):
    conversation = workspace.conversation(workspace.conversation_ids()[0])
    workspace.objects.durable = True
    before = sorted(path.name for path in workspace.objects.directory.iterdir())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    if call == "write":
        monkeypatch.setattr("builtins.open", lambda *_, **__: full())
    else:
        monkeypatch.setattr(os, call, full)
    with pytest.raises(WorkspaceError, match="is full .*nothing was lost") as caught:
        add_edit(conversation, "image_2", "blue")
    monkeypatch.undo()
    assert sentence(caught)
    assert sorted(path.name for path in workspace.objects.directory.iterdir()) == before
    assert (conversation.current_id, len(conversation.versions())) == ("image_2", 2)
    assert add_edit(conversation, "image_2", "blue") == "image_3"


def test_a_database_that_cannot_grow(workspace: Workspace):
    conversation = workspace.conversation(workspace.conversation_ids()[0])
    pages = workspace.query("PRAGMA page_count")[0][0]
    workspace.query(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(WorkspaceError, match="is full; nothing was lost"):
        conversation.add_turn("edit", {"text": "a word " * 15_000}, [])
    workspace.query("PRAGMA max_page_count = 1000000")
    assert conversation.turns() == []
    assert conversation.add_turn("edit", {"text": "a word " * 15_000}, []) == 1


def test_a_full_file_system(tmp_path: Path):
    """A real one: a size limit on the files that a process may write stands in for the disk's end."""
    program = """
import resource, sys
from tests.tools.test_workspace import add_edit
from tests.tools.tiny_models import boxes
from tools.workspace import Workspace, WorkspaceError
import numpy as np, signal
from PIL import Image
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
workspace = Workspace(sys.argv[1])
conversation = workspace.start(boxes("red"))
add_edit(conversation, "image_1")
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8)
try:
    conversation.add_image(Image.fromarray(noise))
except WorkspaceError as error:
    print(error)
print(len(conversation.versions()), conversation.current_id)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    said, state = done.stdout.splitlines()
    assert said.startswith(f"Cannot write to the workspace {tmp_path}: File too large") and state == "2 image_2"
    with Workspace(tmp_path) as again:
        found = verify(again)
        assert found.faults == () and found.unused == 0


# --- verify and gc


def test_verify_finds_nothing_in_a_sound_workspace(workspace: Workspace):
    found = verify(workspace)
    assert (found.faults, found.unused) == ((), 0)
    assert found.objects == len(list(workspace.objects.directory.iterdir()))


def test_verify_names_missing_and_altered_files(workspace: Workspace):
    conversation = workspace.conversation(workspace.conversation_ids()[0])
    edit = conversation.version("image_2").edit
    assert edit is not None
    gone = workspace.objects.path(conversation.mask_entry("mask_1").sha256)
    altered = workspace.objects.path(conversation.version("image_2").sha256)
    gone.unlink()
    altered.write_bytes(altered.read_bytes() + b"\0")
    faults = {fault.kind: fault for fault in verify(workspace).faults}
    assert set(faults) == {"missing", "altered"}
    assert (faults["missing"].what, faults["altered"].what) == (str(gone), str(altered))
    assert faults["missing"].used_by == (f"{conversation.id} mask_1",)
    assert faults["altered"].used_by == (f"{conversation.id} image_2",)


def test_verify_sees_past_what_is_in_memory(workspace: Workspace):
    conversation = workspace.conversation(workspace.conversation_ids()[0])
    conversation.image("image_2")
    workspace.objects.path(conversation.version("image_2").sha256).unlink()
    assert [fault.kind for fault in verify(workspace).faults] == ["missing"]


def test_verify_names_rows_that_lead_nowhere(workspace: Workspace):
    with workspace.transaction() as connection:
        connection.execute("UPDATE nodes SET parent = 'image_9'")
        connection.execute("UPDATE conversations SET current_image = 'image_7'")
    faults = verify(workspace).faults
    assert {fault.kind for fault in faults} == {"reference"}
    assert any("image_2: its parent image_9 is not there" in fault.what for fault in faults)
    assert any("its current picture image_7 is not there" in fault.what for fault in faults)


def test_a_name_that_leads_out_of_the_workspace_is_refused(workspace: Workspace, tmp_path: Path):
    outside = tmp_path / "secret.png"
    boxes("blue").save(outside)
    with workspace.transaction() as connection:
        connection.execute("UPDATE images SET sha256 = '../../secret' WHERE number = 1")
    conversation = workspace.conversation(workspace.conversation_ids()[0])
    with pytest.raises(WorkspaceError, match=r"names an object '\.\./\.\./secret', which is no SHA-256"):
        conversation.image("image_1")
    assert any(fault.kind == "reference" for fault in verify(workspace).faults)
    assert outside.exists()


def test_verify_reports_a_damaged_database(workspace: Workspace):
    conversation = workspace.conversation(workspace.conversation_ids()[0])
    for number in range(40):
        conversation.add_turn("edit", {"n": number, "text": "y" * 3000}, [])
    workspace.query("PRAGMA wal_checkpoint(TRUNCATE)")
    workspace.close()
    data = bytearray(workspace.database.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 8192] = os.urandom(8192)
    workspace.database.write_bytes(data)
    with Workspace(workspace.directory) as again:
        assert "database" in {fault.kind for fault in verify(again).faults}
        (again.objects.directory / "left.1-2.tmp").write_bytes(b"half")
        with pytest.raises(WorkspaceError, match="is damaged .*so nothing was removed"):
            collect(again)
        assert (again.objects.directory / "left.1-2.tmp").exists()


def test_gc_removes_what_nothing_names_and_only_that(workspace: Workspace):
    kept = {path.name for path in workspace.objects.directory.iterdir()}
    stray = workspace.objects.encode_mask(box_mask(3, 50))
    workspace.objects.keep(stray)
    (workspace.objects.directory / f"{'a' * 64}.77-abc.tmp").write_bytes(b"half a picture")
    assert verify(workspace).unused == 2
    foreseen = collect(workspace, dry_run=True)
    assert len(foreseen.files) == 2 and verify(workspace).unused == 2
    assert collect(workspace) == foreseen
    assert {path.name for path in workspace.objects.directory.iterdir()} == kept
    assert verify(workspace).faults == () and collect(workspace).files == ()


def test_gc_keeps_the_files_of_layers(workspace: Workspace):
    conversation = workspace.conversation(workspace.conversation_ids()[0])
    add_edit(conversation, "image_2", "blue")
    mask = box_mask()
    started = canvas(conversation, "image_3", mask, "source", "image_2")
    layer = started.finish(boxes("yellow"), mask)
    values = {**vars(conversation.version("image_3").edit), "replaces": "image_2", "supersedes": started.supersedes}
    new = NewEdit(**{name: values[name] for name in NewEdit.__dataclass_fields__})
    node = conversation.add_edit(layer.image, layer.region, new, layer)
    assert node.under_sha256 is not None
    assert collect(workspace).files == ()
    assert np.array_equal(np.asarray(conversation.layer_image(node)), np.asarray(boxes("yellow")))


# --- several processes


OPENER = """
import sys
from tests.tools.test_workspace import add_edit
from tests.tools.tiny_models import boxes
from tools.workspace import Workspace
with Workspace(sys.argv[1]) as workspace:
    conversation = workspace.start(boxes("red"))
    for _ in range(5):
        add_edit(conversation, conversation.current_id, sys.argv[2])
"""


def test_processes_make_and_tidy_one_workspace_together(tmp_path: Path):
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    running = [
        subprocess.Popen([sys.executable, "-c", OPENER, str(tmp_path / "ws"), colour], cwd=root, env=environment)
        for colour in ("blue", "green", "yellow")
    ]
    with Workspace(tmp_path / "ws") as here:
        while any(process.poll() is None for process in running):
            collect(here)
        assert [process.returncode for process in running] == [0, 0, 0]
        assert sorted(one.versions for one in here.overview()) == [6, 6, 6]
        found = verify(here)
        assert (found.faults, found.unused) == ((), 0)


# --- messages


def test_a_picture_in_a_message_is_left_out(workspace: Workspace):
    conversation = workspace.conversation(workspace.conversation_ids()[0])
    data = "data:image/png;base64," + "A" * 500_000
    message = {"content": [{"type": "image_url", "image_url": {"url": data}}, {"type": "text", "text": "image_2"}]}
    message["content"].append({"type": "image", "source_type": "base64", "data": data.partition(",")[2] + "=="})
    conversation.add_turn("edit", {"reply": "done"}, [message])
    kept = conversation.messages()[0][0]
    assert kept["content"][0]["image_url"]["url"] == "(the picture is kept by its id alone)"
    assert kept["content"][1]["text"] == "image_2"
    assert kept["content"][2]["data"] == "(the picture is kept by its id alone)"
    assert workspace.query("SELECT MAX(LENGTH(body)) FROM messages")[0][0] < 500
    conversation.add_turn("answer", {}, [])
    conversation.add_turn("edit", {}, [{"n": 3}])
    assert conversation.messages(last=1) == [[{"n": 3}]] and len(conversation.messages()) == 2
