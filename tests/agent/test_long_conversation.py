"""After forty turns the offline model reads only the last twelve; the history still comes whole from the edit graph."""

import numpy as np
import pytest

from agent.offline_llm import OfflineChatModel
from agent.session import REMEMBERED_TURNS, Session
from instructedit_models.numerals import CARDINALS, ORDINAL_WORDS, ORDINALS, nth
from tests.tools.tiny_models import COLOURS, TinyModels, boxes
from tools.context import EditOverrides, ToolSettings
from tools.list_versions import LISTED
from tools.workspace import Workspace

CYCLE = ("green", "yellow", "purple", "blue")


@pytest.fixture(scope="module")
def talked(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """A conversation of 44 turns: the left red box once, and then the box in the middle again and again."""
    with Workspace(tmp_path_factory.mktemp("long") / "ws", durable=False) as workspace:
        conversation = workspace.start(boxes("red", "blue", "red"))
        settings = ToolSettings(EditOverrides(seed=0, steps=2))
        session = Session(TinyModels(), OfflineChatModel(), conversation, settings=settings)
        assert session.turn("make the left red box purple").kind == "edit"
        for n in range(43):
            record = session.turn(f"make the middle box {CYCLE[n % 4]}")
            assert record.kind == "edit", record.reply
        assert len(conversation.turns()) == 44 > REMEMBERED_TURNS and len(conversation.versions()) == 45 > LISTED
        yield workspace, conversation.id


def session_of(talked) -> Session:  # type: ignore[no-untyped-def]
    workspace, name = talked
    return Session(TinyModels(), OfflineChatModel(), workspace.conversation(name))


def test_what_did_we_change_tells_of_the_first_edit_too(talked) -> None:  # type: ignore[no-untyped-def]
    reply = session_of(talked).turn("what did we change?")
    assert reply.kind == "answer" and reply.reply.startswith(
        "So far: image_2: left red box, a red box to a purple box;"
    )
    assert reply.reply.count("; image_") == 43 and "image_45" in reply.reply


def test_going_back_to_the_first_version_and_on_from_there(talked) -> None:  # type: ignore[no-untyped-def]
    session = session_of(talked)
    newest = session.conversation.current_id
    for text, wanted in (
        ("go back to the first version", "image_1"),
        ("go back to the second version", "image_2"),
        ("bring the very first picture back", "image_1"),
        ("go back to version 30", "image_30"),
    ):
        record = session.turn(text)
        assert (record.kind, record.image_id) == ("undo", wanted), record.reply
    told = session.turn("what did we change?").reply
    assert told.count("; image_") == 28 and "image_2:" in told and "image_31" not in told
    assert session.turn(f"go back to {newest}").image_id == newest


def test_an_edit_of_long_ago_is_taken_out_and_the_rest_stays(talked) -> None:  # type: ignore[no-untyped-def]
    session = session_of(talked)
    before = np.asarray(session.conversation.image(session.conversation.current_id))
    record = session.turn("put the left box back to how it was")
    after = np.asarray(session.conversation.image(record.image_id))
    assert record.kind == "undo" and tuple(after[30, 16]) == COLOURS["red"] != tuple(before[30, 16])
    assert np.array_equal(after[:, 36:], before[:, 36:])
    missing = session.turn("undo only the lighthouse")
    assert missing.kind == "error" and 'was about "lighthouse"' in missing.reply
    assert missing.image_id == record.image_id


def test_numbers_are_listed_once() -> None:
    assert len(CARDINALS) == len(ORDINALS) == len(ORDINAL_WORDS) == 12
    assert [nth(word) for word in ("first", "12th", "twelfth", "3rd", "three", "th", "0x1st")] == [
        1,
        12,
        12,
        3,
        None,
        None,
        None,
    ]
