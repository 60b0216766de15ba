"""Undo, redo, and going to any version by number, id or what it was."""

from pathlib import Path

import pytest

from instructedit_models.errors import BadParameterError
from tests.tools.calling import edit, kinds
from tests.tools.test_workspace import add_edit
from tests.tools.tiny_models import boxes
from tools.context import ToolContext
from tools.conversation import Conversation
from tools.finding import find_version, matching_versions
from tools.registry import call
from tools.workspace import Workspace


@pytest.fixture
def conversation(tmp_path: Path):
    """image_1 the original, 2 tiger, 3 pink sky on it, 4 blue car on the original, 5 a green car instead of 4."""
    with Workspace(tmp_path, durable=False) as workspace:
        made = workspace.start(boxes("red"))
        add_edit(made, "image_1", "green", input_caption="Photo of a cat", edited_caption="Photo of a tiger")
        add_edit(made, "image_2", "blue", input_caption="Photo of a sky", edited_caption="Photo of a pink sky")
        add_edit(made, "image_1", "blue", input_caption="Photo of a car", edited_caption="Photo of a blue car")
        add_edit(
            made, "image_1", "green", input_caption="Photo of a car", edited_caption="Photo of a green car",
            adjusts="image_4",
        )  # fmt: skip
        yield made


# --- undo and redo


def test_redo_takes_one_undo_up_at_a_time(conversation: Conversation):
    conversation.go_to("image_3")
    assert conversation.undo(2) == "image_1"
    assert [conversation.redo(), conversation.redo()] == ["image_2", "image_3"]
    assert [conversation.undo(), conversation.undo()] == ["image_2", "image_1"]
    assert conversation.redo(2) == "image_3" == conversation.current_id
    with pytest.raises(BadParameterError, match="Cannot redo 1 edit: nothing was undone"):
        conversation.redo()


@pytest.mark.parametrize("steps", [0, -1, 3])
def test_redo_says_how_far_it_can_go(conversation: Conversation, steps: int):
    conversation.go_to("image_3")
    conversation.undo(2)
    with pytest.raises(BadParameterError, match="only 2 can be redone"):
        conversation.redo(steps)
    assert conversation.current_id == "image_1"


def test_an_edit_ends_what_can_be_redone(conversation: Conversation):
    conversation.undo()
    add_edit(conversation, conversation.current_id)
    with pytest.raises(BadParameterError, match="nothing was undone"):
        conversation.redo()


def test_a_turn_that_failed_does_not(conversation: Conversation):
    conversation.go_to("image_3")
    conversation.undo()
    add_edit(conversation, "image_2")
    conversation.go_to("image_2", "turn failed")
    assert conversation.redo() == "image_3"


def test_redo_after_going_back_to_an_earlier_version(conversation: Conversation):
    conversation.go_to("image_3")
    conversation.go_to("image_1")
    assert [conversation.redo(), conversation.redo()] == ["image_2", "image_3"]
    conversation.go_to("image_4")  # another branch: nothing was undone there
    with pytest.raises(BadParameterError, match="nothing was undone"):
        conversation.redo()


def test_redo_of_an_edit_made_again(conversation: Conversation):
    assert [conversation.undo(), conversation.undo()] == ["image_4", "image_1"]
    assert [conversation.redo(), conversation.redo()] == ["image_4", "image_5"]


def test_undo_and_redo_outlive_the_process(conversation: Conversation):
    conversation.go_to("image_3")
    conversation.undo(2)
    with Workspace(conversation.workspace.directory) as again:
        assert again.conversation(conversation.id).redo() == "image_2"


def test_the_tool_redo(context: ToolContext):
    first = edit(context, "blue box", "green")
    call(context, "undo")
    context.turn.moved = False
    result = call(context, "redo")
    assert (result.text, result.image_id) == (f"{first} is current again.", first)
    assert context.turn.moved and kinds(context)[-1] == "moved"
    with pytest.raises(BadParameterError, match="Cannot redo 1 edit"):
        call(context, "redo")


# --- finding a version


@pytest.mark.parametrize(
    ("words", "image_id"),
    [
        ("image_3", "image_3"),
        ("3", "image_3"),
        ("#3", "image_3"),
        ("version 3", "image_3"),
        ("Version 3.", "image_3"),
        ("the second version", "image_2"),
        ("the second one", "image_2"),
        ("4th", "image_4"),
        ("first", "image_1"),
        ("original", "image_1"),
        ("the original picture", "image_1"),
        ("back to the start", "image_1"),
        ("latest", "image_5"),
        ("the last version", "image_5"),
        ("previous", "image_4"),
        ("the tiger", "image_2"),
        ("back to the tiger", "image_2"),
        ("tigers", "image_2"),
        ("the one with the pink sky", "image_3"),
        ("when the sky was pink", "image_3"),
        ("before the pink sky", "image_2"),
        ("before the tiger", "image_1"),
        ("the version before the tiger", "image_1"),
        ("the car before it was blue", "image_1"),
        ("the blue car", "image_4"),
        ("the cat", "image_1"),
        ("the car that was green", "image_5"),
    ],
)
def test_a_version_is_found_by(conversation: Conversation, words: str, image_id: str):
    assert find_version(conversation, words).id == image_id


def test_the_newest_that_is_not_current_goes_first(conversation: Conversation):
    assert [version.id for version in matching_versions(conversation, "the car")] == ["image_4", "image_5"]
    conversation.go_to("image_1")
    assert [version.id for version in matching_versions(conversation, "the car")] == ["image_5", "image_4"]


def test_of_versions_that_fit_equally_well_those_that_lead_here_go_first(context: ToolContext):
    first = edit(context, "red box on the left", "green")
    second = edit(context, "red box on the right", "green", first)
    context.conversation.go_to(first)
    third = edit(context, "blue box", "purple", first)
    assert [each.id for each in matching_versions(context.conversation, "green box")] == [first, second]
    assert context.conversation.current_id == third


@pytest.mark.parametrize("words", ["the elephant", "the blue tiger", "", "the", "!?", "../../etc/passwd"])
def test_no_version_fits(conversation: Conversation, words: str):
    with pytest.raises(BadParameterError, match=r"^No version (is|was) .*\.$"):
        find_version(conversation, words)


@pytest.mark.parametrize("words", ["image_6", "0", "99", "version 999999999", "the twelfth version"])
def test_a_number_that_is_none(conversation: Conversation, words: str):
    with pytest.raises(BadParameterError, match="they are numbered 1 to 5"):
        find_version(conversation, words)


def test_previous_of_a_conversation_that_never_moved(tmp_path: Path):
    with Workspace(tmp_path, durable=False) as workspace:
        only = workspace.start(boxes("red"))
        with pytest.raises(BadParameterError, match="image_1 is the only one"):
            find_version(only, "previous")
        assert find_version(only, "original").id == "image_1"


def test_the_tool_go_back(context: ToolContext):
    first = edit(context, "blue box", "green")
    edit(context, "red box on the left", "yellow", image_id=first)
    result = call(context, "go_back", version="the green box")
    assert result.text == f"{first} is current again ('blue box' to 'photo of a green box')."
    assert context.conversation.current_id == first and context.turn.moved
    assert kinds(context)[-1] == "moved"
    assert "is current already" in call(context, "go_back", version=first).text
    moves = len(context.conversation.moves())
    with pytest.raises(BadParameterError, match="No version is 'the elephant'; there are image_1"):
        call(context, "go_back", version="the elephant")
    assert len(context.conversation.moves()) == moves


def test_go_back_names_what_else_the_words_fit(context: ToolContext):
    first = edit(context, "blue box", "green")
    again = call(context, "adjust_edit", image_id=first, encoding_ratio=0.8).image_id
    call(context, "go_back", version="original")
    text = call(context, "go_back", version="the green box").text
    assert text.startswith(f"{again} is current again") and text.endswith(f"The words fit {first} as well.")
