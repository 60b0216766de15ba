"""Words for a class of things, by what the picture holds of it."""

import pytest

from agent.grammar.classes import description_of, names_class, nouns_of_class
from agent.grammar.description import Scene
from agent.grammar.dialogue import Asked, Talk, understand_turn
from instructedit_models.hypernyms import hyponyms, is_hypernym

CAT_AND_DOG = "photo of a cat and a dog and a green car on grass"
TWO_CATS = "painting of two cats and a house on snow"


def planned(say: str, description: str | None) -> list[tuple[str, str, str]]:
    edits = understand_turn(Talk(say, description)).edits
    return [(one.segmentation_prompt, one.input_caption, one.edited_caption) for one in edits]


@pytest.mark.parametrize(
    ("say", "description", "expected"),
    [
        ("make the animal red", "photo of a dog", [("dog", "Photo of a dog", "Photo of a red dog")]),
        ("make the animal red", None, [("animal", "Photo of an animal", "Photo of a red animal")]),
        ("make the animal red", CAT_AND_DOG, [("animal", "Photo of an animal", "Photo of a red animal")]),
        ("make the vehicle red", TWO_CATS, [("vehicle", "Painting of a vehicle", "Painting of a red vehicle")]),
        (
            "both pets should be green",
            CAT_AND_DOG,
            [("cat", "Photo of a cat", "Photo of a green cat"), ("dog", "Photo of a dog", "Photo of a green dog")],
        ),
        ("turn all animals into cars", TWO_CATS, [("all cats", "Painting of cats", "Painting of cars")]),
        ("turn all animals into cars", "photo of a dog", [("dog", "Photo of a dog", "Photo of a car")]),
        (
            "turn the small animal on the left into a bus",
            TWO_CATS,
            [("small cat on the left", "Painting of a small cat", "Painting of a bus")],
        ),
        (
            "make the tail of each animal green",
            CAT_AND_DOG,
            [
                ("tail of the cat", "Photo of a tail", "Photo of a green tail"),
                ("tail of the dog", "Photo of a tail", "Photo of a green tail"),
            ],
        ),
    ],
)
def test_a_class_means_what_the_picture_holds_of_it(say, description, expected):
    assert planned(say, description) == expected


def test_the_answer_to_which_animal_names_it():
    question = Talk("make the animal red")
    plans = understand_turn(question).edits
    asked = Asked("animal", question.instruction, ("r1", "r2"), ("cat", "dog"), plans)
    answered = understand_turn(Talk("2", asked=asked))
    assert answered.choice == (1,)
    assert answered.edits[0].edited_caption == "Photo of a red dog"


def test_which_prompts_name_a_class():
    assert all(map(names_class, ("animals on the left", "every vehicle", "small fruit", "all animals")))
    assert not any(map(names_class, ("cat", "tail of the animal", "object", "everything")))
    assert nouns_of_class("all animals", ["red cat", "dog", "box"]) == ("cat", "dog")
    assert nouns_of_class("box", ["box"]) == ()


def test_what_was_found_reads_like_a_description():
    scene = Scene("pencil drawing", background="grass")
    assert description_of(["cat", "cat", "orange"], scene) == "pencil drawing of cats and an orange on grass"


def test_a_noun_that_is_known_stands_for_itself():
    assert is_hypernym("vehicles") and not is_hypernym("cars")
    assert hyponyms("ship", ("boat", "car")) == ("boat",)
    assert hyponyms("ships", ("boat", "ship")) == ()
    assert hyponyms("cat", ("cat", "dog")) == ()
