"""Turns said in a roundabout way mean what the plain words mean."""

import pytest

from agent.grammar import understand
from agent.grammar.dialogue import Talk, topic, understand_turn
from agent.grammar.restating import restated
from agent.grammar.understanding import Understanding
from agent.plans import EditPlan


def edit(instruction: str) -> EditPlan:
    (plan,) = understand(instruction).edits
    return plan


def turn(text: str, last: str) -> Understanding:
    plan = edit(last)
    return understand_turn(Talk(text, before=plan, last=plan, whole=plan))


def planned(found: Understanding) -> list[tuple[str, str]]:
    assert found.kind == "edit", found
    return [(plan.segmentation_prompt, plan.edited_caption.split(" of ", 1)[1]) for plan in found.edits]


@pytest.mark.parametrize(
    "text",
    [
        "I liked it better before",
        "it looked nicer before",
        "the previous one was better",
        "actually no, leave that one alone",
        "scratch that",
        "get rid of the last change",
        "throw away that last edit",
        "no wait, undo that",
        "I don't like it, undo",
        "nah, undo that",
        "never mind, undo that one",
        "oops, go back",
        "that looks worse, take it back",
        "take that back",
    ],
)
def test_one_back(text: str) -> None:
    found = turn(text, "make the fish blue")
    assert (found.kind, found.steps) == ("undo", 1)


@pytest.mark.parametrize(
    ("text", "kind", "about"),
    [
        ("remove the last two changes", "undo", 2),
        ("undo it all", "go_back", "original"),
        ("forget the heart", "take_out", "heart"),
        ("leave the boat as it was", "take_out", "boat"),
        ("the boat is wrong, undo that", "take_out", "boat"),
        ("bring back the car", "go_back", "car"),
        ("I want the dog back", "go_back", "dog"),
        ("let me see 3 other versions of that", "variations", 3),
        ("compare it to the original", "versions", None),
        ("take it down a notch", "feedback", "weaker"),
        ("that is over the top", "feedback", "weaker"),
        ("tone it back a bit", "feedback", "weaker"),
        ("crank it up", "feedback", "stronger"),
        ("it's still washed out", "feedback", "stronger"),
        ("slightly more than that", "feedback", "stronger"),
        ("even bluer", "feedback", "stronger"),
        ("too blue, tone it down", "feedback", "weaker"),
        ("I like the old background more", "take_out", "background"),
        ("let me compare with the start", "versions", None),
        ("I'm happy with that", "cancelled", None),
        ("I preferred the purple fish", "go_back", "purple fish"),
        ("we liked the striped one better", "go_back", "striped one"),
        ("the first one looked better", "go_back", "first one"),
        ("the car was fine before, revert it", "take_out", "car"),
        ("the dog looked nicer originally", "take_out", "dog"),
        ("hmm, not quite, a bit more please", "feedback", "stronger"),
        ("make the change less obvious", "feedback", "weaker"),
        ("could you possibly undo that?", "undo", 1),
    ],
)
def test_history_and_feedback(text: str, kind: str, about: object) -> None:
    found = turn(text, "make the fish blue")
    assert found.kind == kind
    said = {"undo": found.steps, "variations": found.steps, "feedback": found.feedback}
    assert said.get(kind, (found.version or "").removeprefix("the ") or None) == about


@pytest.mark.parametrize(
    ("last", "text", "edits"),
    [
        ("make the fish yellow", "looks good. now make the cat white", [("cat", "a white cat")]),
        ("make the fish yellow", "fine, make the heart red then", [("heart", "a red heart")]),
        ("make the fish yellow", "oh and the star too", [("star", "a yellow star")]),
        ("make the fish yellow", "same color on the cat please", [("cat", "a yellow cat")]),
        ("make the fish yellow", "and paint the bus in the same colour", [("bus", "a yellow bus")]),
        ("make the ball blue", "and the cup in the same blue", [("cup", "a blue cup")]),
        (
            "make the fish yellow",
            "do the cat and the boat in the same way",
            [("cat", "a yellow cat"), ("boat", "a yellow boat")],
        ),
        ("make the fish yellow", "hmm, maybe try green", [("fish", "a green fish")]),
        ("make the fish yellow", "can you try it in green?", [("fish", "a green fish")]),
        ("make the fish yellow", "that's the wrong colour, I said green", [("fish", "a green fish")]),
        ("make the fish yellow", "that fish should be green, not yellow", [("fish", "a green fish")]),
        ("make the fish yellow", "no, I meant the star, not the fish", [("star", "a yellow star")]),
        ("make the fish yellow", "the tree needs a black trunk", [("trunk of the tree", "a black trunk")]),
        ("make the fish yellow", "can I get a different colour for the dog, say green?", [("dog", "a green dog")]),
        (
            "make the fish yellow",
            "make everything blue except the cat",
            [("everything except the cat", "a blue background")],
        ),
        (
            "make the fish yellow",
            "make everything of wood except the cat",
            [("everything except the cat", "a wooden background")],
        ),
        ("make the fish yellow", "paint all red but the cat", [("everything except the cat", "a red background")]),
        (
            "make the fish yellow",
            "turn all the trees except the purple one into birds",
            [("all the trees except the purple one", "birds")],
        ),
        (
            "make the fish yellow",
            "make all orange boxes other than the left one blue",
            [("all orange boxes other than the left one", "blue boxes")],
        ),
        ("make the fish yellow", "try snow instead", [("background", "snow")]),
        ("make the fish yellow", "put everything in the snow", [("background", "snow")]),
        ("make both flowers white", "I only wanted the left one", [("left flower", "a white flower")]),
        ("make the left bus red", "and the last remaining one", [("other bus", "a red bus")]),
        ("make the left bus red", "now the one that is left", [("other bus", "a red bus")]),
        ("make the first bus from the left red", "and number 2 as well", [("second bus from the left", "a red bus")]),
        (
            "make the stem of the left flower black",
            "the other stem too",
            [("stem of the other flower", "a black stem")],
        ),
        ("make the wheel of the bus black", "the other wheel too", [("other wheel of the bus", "a black wheel")]),
        ("make the sail of the boat red", "and a black hull", [("hull of the boat", "a black hull")]),
        ("turn the tree into a house", "with a red roof", [("roof of the house", "a red roof")]),
        ("make the boat green", "the flower needs yellow petals", [("petals of the flower", "yellow petals")]),
        ("make the flower red", "recolour the cat, make it white", [("cat", "a white cat")]),
        ("make the flower red", "ditto for the cat", [("cat", "a red cat")]),
        ("make the flower red", "so should the bus", [("bus", "a red bus")]),
        ("make the flower red", "the car next please", [("car", "a red car")]),
        ("turn the cat into a dog", "I don't want a dog, make it a fish", [("cat", "a fish")]),
        ("make the cup red", "red roof for the small house please", [("roof of the small house", "a red roof")]),
        (
            "make the roof of the small house red",
            "and a blue one for the big house",
            [("roof of the big house", "a blue roof")],
        ),
        ("make the ball yellow", "yellow for the cat too", [("cat", "a yellow cat")]),
        ("make the ball yellow", "no not the ball, the fish", [("fish", "a yellow fish")]),
        (
            "make the crown of the left tree red",
            "and the right one a blue crown",
            [("crown of the right tree", "a blue crown")],
        ),
        ("make the fish yellow", "it should have been green", [("fish", "a green fish")]),
        ("make the fish yellow", "you got the wrong one", [("other fish", "a yellow fish")]),
        ("make the fish yellow", "that's not the one I meant, I meant the left one", [("left fish", "a yellow fish")]),
        ("make the fish yellow", "not that cat, the other", [("other cat", "a yellow cat")]),
        ("make the fish yellow", "the fish but striped", [("fish", "a striped fish")]),
        ("make the fish yellow", "the house but with a red roof", [("roof of the house", "a red roof")]),
        ("make the fish yellow", "I like the cat better in blue", [("cat", "a blue cat")]),
        ("make the fish yellow", "I prefer the cat to be blue", [("cat", "a blue cat")]),
        ("make the fish yellow", "could you perhaps tint the cat green?", [("cat", "a green cat")]),
        ("make the cups blue", "wait I only meant the top one", [("top cup", "a blue cup")]),
    ],
)
def test_edits(last: str, text: str, edits: list[tuple[str, str]]) -> None:
    assert planned(turn(text, last)) == edits


@pytest.mark.parametrize(
    "text",
    [
        "make the cup green",
        "no, the left one",
        "what colour is the fish?",
        "can you see a cat?",
        "can you perhaps see a cat?",
        "leave it as it is",
        "the left one, not the right one",
        "go back to the cat and make it green",
        "drop the hat",
        "same for the dog",
    ],
)
def test_plain_words_stay(text: str) -> None:
    assert restated(text, edit("make the fish yellow"), True) == text


def test_an_answer_about_a_thing_makes_it_the_topic() -> None:
    assert topic("is there a car in this picture?") == "the car"
    assert topic("do you see any striped cup") == "the striped cup"
    assert topic("are there two cups?") is None
    talk = Talk("change the color of it to red", question="is there a car in this picture?")
    assert planned(understand_turn(talk)) == [("car", "a red car")]


def test_without_what_was_just_asked_for_is_one_back() -> None:
    assert turn("hmm, without the dots", "make the heart dotted").kind == "undo"
