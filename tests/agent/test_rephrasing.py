"""Instructions that mean a plainer one, that lean on what other things look like, or that cannot be done and say so."""

import pytest

from agent.grammar import understand
from agent.grammar.dialogue import Talk, understand_turn
from agent.grammar.history import asks_for_history, move, taken_out
from agent.plans import EditPlan

ROOF = EditPlan(
    segmentation_prompt="roof of the house",
    input_caption="Photo of a roof",
    edited_caption="Photo of a red roof",
    change="appearance",
)


def planned(text: str, description: str | None = None) -> list[tuple[str, str]]:
    found = understand(text, description)
    assert found.kind == "edit", found
    return [(edit.segmentation_prompt, edit.edited_caption.split(" of ", 1)[1]) for edit in found.edits]


@pytest.mark.parametrize(
    ("text", "edits"),
    [
        ("give the house a blue roof instead of the red one", [("roof of the house", "a blue roof")]),
        ("could we have it at night instead?", [("background", "a night sky")]),
        ("both trees should be yellow, but not the house", [("both trees", "yellow trees")]),
        ("make it look like the box is made of wood", [("box", "a wooden box")]),
        ("change only the colour of the car, to purple", [("car", "a purple car")]),
        ("make the cup twice as big", [("cup", "a big cup")]),
        ("make the left cup as red as the right one", [("left cup", "a red cup")]),
        ("make the left cup the same colour as the blue ball", [("left cup", "a blue cup")]),
        (
            "swap the colours of the red cup and the blue ball",
            [("red cup", "a blue cup"), ("blue ball", "a red ball")],
        ),
        # of a lamp the shade is a part, of a car a colour
        ("the lamp's shade should be pink", [("lamp's shade", "a pink shade")]),
        ("turn the shade of the pink lamp yellow", [("shade of the pink lamp", "a yellow shade")]),
        ("change the colour of the shade to brown", [("shade", "a brown shade")]),
        ("paint the shade of the two lamps white", [("shade of the two lamps", "a white shade")]),
        ("give the lamp a red shade", [("shade of the lamp", "a red shade")]),
        ("the lamp should have a white shade", [("shade of the lamp", "a white shade")]),
        # in one word it is the same part
        ("make the lampshade red", [("lamp shade", "a red shade")]),
        ("turn the lampshades of both lamps green", [("lamp shades of both lamps", "green lamp shades")]),
        ("Paint the rooftop blue", [("roof", "a blue roof")]),
        ("change the shade of the car to blue", [("car", "a blue car")]),
        ("give the car a red shade", [("car", "a red car")]),
        ("make the lamp's colour red", [("lamp", "a red lamp")]),
        # what a thing should have may be its part
        ("the dog should have red ears", [("ears of the dog", "red ears")]),
        ("the car has to have white wheels", [("wheels of the car", "white wheels")]),
    ],
)
def test_plainer_words(text: str, edits: list[tuple[str, str]]) -> None:
    assert planned(text) == edits


def test_what_was_left_out_is_told() -> None:
    found = understand("the sky should be orange, like at sunset")
    assert [edit.edited_caption for edit in found.edits] == ["Photo of an orange sky"]
    assert found.message == 'I left out "like at sunset", which I did not understand.'


@pytest.mark.parametrize(
    ("text", "description", "edits"),
    [
        (
            "swap the colours of the cup and the ball",
            "photo of a red cup and a blue ball",
            [("cup", "a blue cup"), ("ball", "a red ball")],
        ),
        ("give the tree the colour of the house", "photo of a tree and a white house", [("tree", "a white tree")]),
        ("make the door match the roof", "photo of a house with a green roof", [("door", "a green door")]),
        ("colour the door like the roof", "photo of a green roof", [("door", "a green door")]),
    ],
)
def test_a_colour_that_only_the_picture_knows(text: str, description: str, edits: list[tuple[str, str]]) -> None:
    before = understand(text)
    assert before.needs_description and not before.edits and "does not say which colour" in (before.why or "")
    assert planned(text, description) == edits


@pytest.mark.parametrize(
    ("text", "description", "words"),
    [
        ("swap the two cups", None, "cannot move things"),
        ("switch both cups around", None, "cannot move things"),
        ("please exchange the balls", None, "cannot move things"),
        ("swap the colours of the cup and the ball", "photo of a cup", "I do not know their colours"),
        ("swap the colours of the red cup and the red ball", None, "Both are red already"),
        ("make the left cup the same colour as the right one", None, "I do not know which colour"),
        ("make the car a little less red", None, "does not say which colour"),
    ],
)
def test_what_cannot_be_done_is_said(text: str, description: str | None, words: str) -> None:
    found = understand(text, description)
    assert found.kind == "cannot_parse" and not found.edits
    assert words in (found.message or "")


@pytest.mark.parametrize(
    ("text", "edits"),
    [
        ("swap the dog with a cat", [("dog", "a cat")]),
        ("swap the cups for vases", [("cups", "vases")]),
        ("swap the cup and the ball", [("cup", "a ball"), ("ball", "a cup")]),
        ("make the car red instead of blue", [("car", "a red car")]),
        ("paint the ball like a melon", [("ball", "a melon")]),
    ],
)
def test_what_is_read_as_before(text: str, edits: list[tuple[str, str]]) -> None:
    assert planned(text) == edits


def test_everything_else_is_all_but_the_last_edit() -> None:
    found = understand_turn(Talk("make everything else black and white", before=ROOF, last=ROOF))
    assert [(one.segmentation_prompt, one.change) for one in found.edits] == [
        ("everything except the roof of the house", "background")
    ]
    kept = understand_turn(Talk("make the car red but keep everything else the same", before=ROOF, last=ROOF))
    assert [one.edited_caption for one in kept.edits] == ["Photo of a red car"]
    alone = understand_turn(Talk("make everything else black and white"))
    assert alone.kind == "cannot_parse" and "Nothing was edited yet" in (alone.message or "")


def test_the_same_again_in_another_colour() -> None:
    found = understand_turn(Talk("same again but green", before=ROOF, last=ROOF))
    assert found.replaces and found.edits[0].edited_caption == "Photo of a green roof"


@pytest.mark.parametrize(
    ("text", "thing"),
    [
        ("undo only the roof", "roof"),
        ("undo the roof", "roof"),
        ("please undo just the change to the left box", "left box"),
        ("put the roof back to how it was", "roof"),
        ("change the sky back", "sky"),
        ("turn the cat back into a dog", None),
        ("undo the last one", None),
        ("undo the whole thing", None),
        ("put the hat on the dog", None),
        ("change the background to snow", None),
        ("make the roof red", None),
    ],
)
def test_one_edit_is_taken_out(text: str, thing: str | None) -> None:
    assert taken_out(text) == thing
    found = understand_turn(Talk(text))
    assert (found.kind == "take_out") == (thing is not None) and (thing is None or found.version == thing)


@pytest.mark.parametrize(
    "text",
    [
        "what have I asked for so far?",
        "can you list what changed",
        "tell me what we did",
        "what are the versions?",
        "which versions do we have?",
        "what did we change?",
    ],
)
def test_more_ways_to_ask_for_the_history(text: str) -> None:
    assert asks_for_history(text) and understand_turn(Talk(text)).kind == "versions"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go to the first picture", "the first picture"),
        ("bring the first version back", "the first version"),
        ("go back to the very first version", "the first version"),
        ("show me the second image", "the second image"),
        ("let me see the original", "original"),
    ],
)
def test_more_ways_to_go_back(text: str, version: str) -> None:
    found = move(text)
    assert found is not None and (found.kind, found.version) == ("go_back", version)
