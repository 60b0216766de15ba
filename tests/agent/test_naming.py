"""Names for places: which turns give one, what the names stand for later, and a conversation that uses them."""

import pytest

from agent.grammar.naming import Named, Naming, naming, without_names
from agent.offline_llm import OfflineChatModel
from agent.session import Session
from tests.agent.test_offline_llm import EDITED, FOUND, asked, calls, play, turn_of
from tests.tools.tiny_models import TinyModels, boxes
from tools.context import ToolSettings
from tools.workspace import Workspace


@pytest.mark.parametrize(
    ("text", "name", "thing"),
    [
        ("Call this the skyline", "skyline", ""),
        ("name it Bertha", "bertha", ""),
        ("call the fish the swimmer", "swimmer", "fish"),
        ("please call the red car on the left 'my car'", "car", "red car on the left"),
        ("Call the cat on the left the boss.", "boss", "cat on the left"),
        ("save the mask of the dog as hero", "hero", "dog"),
        ("remember this as the old sky", "old sky", ""),
        ("the dog is called Rex", "rex", "dog"),
    ],
)
def test_turns_that_give_a_name(text: str, name: str, thing: str) -> None:
    assert naming(text) == Naming(name, thing)


@pytest.mark.parametrize(
    "text",
    [
        "save it as cat.png", "save it as png", "call the cat on the left", "name all the cats in the picture",
        "make the roof red", "call it a day", "what is it called?", "call the fish red", "can you name the objects?",
    ],
)  # fmt: skip
def test_turns_that_give_none(text: str) -> None:
    assert naming(text) is None


def test_what_names_stand_for() -> None:
    names = (Named("swimmer", "red fish"), Named("left cat", "cat on the left"))
    assert without_names("Make the Swimmer's tail blue", names) == "Make the red fish's tail blue"
    assert without_names("turn left cat into a swimmer", names) == "turn the cat on the left into a swimmer"


def test_the_place_of_the_last_edit_is_named_without_a_look() -> None:
    first = turn_of([asked("make the cat blue")], FOUND, EDITED)
    said = play([*first, asked("call it Tom", "image_2")], "mask_2 is saved as 'tom' (mask_3).")
    assert calls(said) == [("name_mask", {"mask_id": "mask_2", "label": "tom"})]
    assert "the tom" in said[-1].text


def test_nothing_to_name() -> None:
    said = play([asked("call it Tom")])
    assert not calls(said) and "Nothing was edited yet" in said[-1].text


def test_a_conversation_with_names() -> None:
    with Workspace.temporary() as workspace:
        start = workspace.start(boxes("red", "blue", "red"))
        it = Session(TinyModels(), OfflineChatModel(), start, settings=ToolSettings(), on_event=[].append)
        given = it.turn("call the blue box the hero")
        assert given.kind == "answer" and not given.edits
        assert [entry.prompt for entry in it.conversation.masks() if entry.origin == "given"] == ["hero"]
        first, again = it.turn("make the hero green"), it.turn("now make the hero yellow")
        assert [part.segmentation_prompt for turn in (first, again) for part in turn.edits] == ["hero", "hero"]
        assert first.edits[0].edited_caption == "Photo of a green box"
        assert again.edits[0].edited_caption == "Photo of a yellow box"
        assert again.edits[0].parent_id == "image_1"  # in place of the first colour
        which = it.turn("call the red box Ann")
        assert which.kind == "question" and "Which red box" in which.reply
        assert it.turn("the second").kind == "answer"
        right = it.turn("make Ann purple")
        assert right.kind == "edit" and right.edits[0].segmentation_prompt == "ann"
        mask = it.conversation.mask(right.edits[0].mask_id)
        assert not mask[:, : mask.shape[1] // 2].any()
