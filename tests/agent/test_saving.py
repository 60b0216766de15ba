"""A saved version says how it was made, whoever saves it: the chat, an export, a scripted run, or `edit`."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agent.api import edit_image
from agent.offline_llm import OfflineChatModel
from agent.saving import origin_of, save_conversation, save_version
from agent.session import Session
from instructedit_models.errors import BadOutputError
from instructedit_models.imaging import load_image
from tests.tools.test_workspace import add_edit
from tests.tools.tiny_models import TinyModels, boxes
from tools.context import EditOverrides, ToolSettings
from tools.conversation import Conversation
from tools.workspace import Workspace


@pytest.fixture
def kept(tmp_path: Path):  # type: ignore[no-untyped-def]
    """A session about a picture with transparency that lies in a file."""
    picture = boxes("red", "blue", "red").convert("RGBA")
    picture.putalpha(128)
    picture.save(tmp_path / "in.png")
    with Workspace(tmp_path / "ws", durable=False) as workspace:
        conversation = workspace.start(picture.convert("RGB"), str(tmp_path / "in.png"))
        settings = ToolSettings(EditOverrides(seed=0))
        yield Session(TinyModels(), OfflineChatModel(), conversation, settings=settings)


def record_of(path: Path) -> dict:
    found = load_image(path).metadata.provenance
    assert found is not None
    return dict(found)


def test_a_version_is_saved_with_all_that_led_to_it(kept: Session, tmp_path: Path) -> None:
    conversation = kept.conversation
    kept.turn("make the blue box green")
    kept.turn("make the red box purple")  # which one? nothing is edited
    last = kept.turn("2")
    assert save_version(conversation, last.image_id, tmp_path / "out.png") == ()
    record = record_of(tmp_path / "out.png")
    assert record["instruction"] == "make the blue box green; make the red box purple; 2"
    assert [edit["edited_caption"].lower() for edit in record["edits"]] == [
        "photo of a green box",
        "photo of a purple box",
    ]
    assert (record["llm"], record["models"]["set"], record["models"]["revisions"]["editor"]) == (
        "offline",
        "tiny",
        "painter-1",
    )
    with Image.open(tmp_path / "out.png") as out:
        assert out.mode == "RGBA" and out.getchannel("A").getextrema() == (128, 128)
        after = np.asarray(out.convert("RGB"))
    changed = np.argwhere((after != np.asarray(conversation.image("image_1"))).any(axis=2))
    x0, y0, x1, y1 = record["region"]["box"]
    assert len(changed) and (changed >= (y0, x0)).all() and (changed < (y1, x1)).all()


def test_what_was_undone_is_not_told_of_and_an_original_says_nothing(kept: Session, tmp_path: Path) -> None:
    kept.turn("make the blue box green")
    kept.turn("undo")
    last = kept.turn("make the blue box yellow")
    save_version(kept.conversation, last.image_id, tmp_path / "out.png")
    assert record_of(tmp_path / "out.png")["instruction"] == "make the blue box yellow"
    save_version(kept.conversation, "image_1", tmp_path / "first.png")
    assert load_image(tmp_path / "first.png").metadata.provenance is None


def test_an_edit_made_again_is_told_with_what_was_said_first(kept: Session) -> None:
    kept.turn("make the blue box green")
    last = kept.turn("a bit weaker")
    assert last.kind == "edit"
    origin = origin_of(kept.conversation, last.image_id)
    assert origin is not None and origin.instruction == "make the blue box green; a bit weaker"
    assert len(origin.edits) == 1


def test_an_edit_and_a_saved_version_say_the_same(kept: Session, tmp_path: Path) -> None:
    once = edit_image(
        tmp_path / "in.png",
        "make the blue box green",
        models=TinyModels(),
        llm="offline",
        options=EditOverrides(seed=0),
    )
    assert once.provenance is not None
    again = origin_of(kept.conversation, kept.turn("make the blue box green").image_id)
    assert again == once.provenance


def test_a_folder_holds_the_same_records(kept: Session, tmp_path: Path) -> None:
    kept.turn("make the blue box green")
    files, notes = save_conversation(kept.conversation, tmp_path / "all")
    assert {"image_1.png", "image_2.png", "history.json"} <= set(files) and notes == ()
    save_version(kept.conversation, "image_2", tmp_path / "one.png")
    assert (tmp_path / "all" / "image_2.png").read_bytes() == (tmp_path / "one.png").read_bytes()


def test_a_conversation_without_turns_and_without_its_file(tmp_path: Path) -> None:
    with Workspace(tmp_path / "ws", durable=False) as workspace:
        conversation = workspace.start(boxes("red"), "gone.png")
        add_edit(conversation, "image_1")
        (note,) = save_version(conversation, "image_2", tmp_path / "out.png")
        assert "is gone or was changed" in note
        record = record_of(tmp_path / "out.png")
        assert record["instruction"] is None and record["llm"] is None and len(record["edits"]) == 1


def test_the_original_and_the_workspace_are_never_written_over(kept: Session, tmp_path: Path) -> None:
    conversation: Conversation = kept.conversation
    kept.turn("make the blue box green")
    before = (tmp_path / "in.png").read_bytes()
    with pytest.raises(BadOutputError, match="that the conversation began with"):
        save_version(conversation, "image_2", tmp_path / "ws" / ".." / "in.png")
    with pytest.raises(BadOutputError, match="lies inside the workspace"):
        save_version(conversation, "image_2", conversation.workspace.directory / "objects" / "out.png")
    assert (tmp_path / "in.png").read_bytes() == before


@pytest.mark.parametrize("much", ["off", "minimal"])
def test_the_operator_decides_how_much_is_told(
    much: str, kept: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTRUCTEDIT_PROVENANCE", much)
    kept.turn("make the blue box green")
    save_version(kept.conversation, "image_2", tmp_path / "out.png")
    assert b"make the blue box" not in (tmp_path / "out.png").read_bytes()
    assert (load_image(tmp_path / "out.png").metadata.provenance is None) == (much == "off")
