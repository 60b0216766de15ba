"""The offline grammar against phrasings, and the mechanisms behind it.

`phrasings.jsonl` was written before any grammar existed; `phrasings_more.jsonl` was written after the grammar stood,
to find what it did not understand yet (239 of its 257 rows were right at first sight). Both are held at what they
have reached since.
"""

import json
import random
import subprocess
import sys
import time

import pytest

from agent.grammar import understand
from agent.grammar.description import parse_description
from agent.grammar.nouns import parse, parse_all
from agent.grammar.number import article, is_plural, plural, singular
from agent.grammar.tokens import edit_distance, mended_colour, tokenize
from agent.plans import EditPlan
from instructedit_models.errors import BadInstructionError
from tests.agent.phrasing_check import report, rows


@pytest.mark.parametrize("name", ["phrasings.jsonl", "phrasings_more.jsonl"])
def test_phrasings(name: str):
    share, wrong = report(name)
    assert share >= 0.99, wrong


def test_the_set_written_first_is_large_enough_to_measure_with():
    assert len(rows("phrasings.jsonl")) >= 150


def one(instruction: str, description: str | None = None) -> tuple[str, str, str, str]:
    understood = understand(instruction, description)
    assert len(understood.edits) == 1, understood
    edit = understood.edits[0]
    return edit.segmentation_prompt, edit.input_caption, edit.edited_caption, edit.change


@pytest.mark.parametrize(
    ("instruction", "plan"),
    [
        ("make the flarn blue-green", ("flarn", "Photo of a flarn", "Photo of a blue-green flarn", "appearance")),
        ("flarn the zorp", None),
        ("turn the flarn into a zorp", ("flarn", "Photo of a flarn", "Photo of a zorp", "shape")),
        ("make the flarn zorped", ("flarn", "Photo of a flarn", "Photo of a zorped flarn", "appearance")),
        ("replace the old flarn on the left with two zorps",
         ("old flarn on the left", "Photo of an old flarn", "Photo of two zorps", "shape")),
        ("make the smaller orange orange",
         ("smaller orange", "Photo of an orange", "Photo of an orange orange", "appearance")),
        ("paint the ball to the right of the orange red",
         ("ball to the right of the orange", "Photo of a ball", "Photo of a red ball", "appearance")),
        ("make the ball right of the orange orange",
         ("ball right of the orange", "Photo of a ball", "Photo of an orange ball", "appearance")),
        ("colour the cup in front of the orange orange golden",
         ("cup in front of the orange orange", "Photo of a cup", "Photo of a golden cup", "appearance")),
        ("make the box on the left of wood",
         ("box on the left", "Photo of a box", "Photo of a wooden box", "appearance")),
        ("make the orange orange purple",
         ("orange orange", "Photo of an orange orange", "Photo of a purple orange", "appearance")),
        ("turn the flower with the green stem orange",
         ("flower with the green stem", "Photo of a flower", "Photo of an orange flower", "appearance")),
        ("change the ball to the left of the tree to a star",
         ("ball to the left of the tree", "Photo of a ball", "Photo of a star", "shape")),
        ("Turn the leftmost of the three cats into a dog",
         ("leftmost of the three cats", "Photo of a cat", "Photo of a dog", "shape")),
    ],
)  # fmt: skip
def test_words_that_nobody_listed(instruction: str, plan: tuple[str, str, str, str] | None):
    if plan is None:
        assert not understand(instruction).edits
    else:
        assert one(instruction) == plan


@pytest.mark.parametrize(
    ("instruction", "seen"),
    [
        ("make it blue", "it"),
        ("turn him into a dog", "him"),
        ("make the one on the left green", "the one on the left"),
        ("change the second from the left to a star", "the second from the left"),
        ("paint it red", "it"),
    ],
)
def test_says_why_it_must_see_the_picture(instruction: str, seen: str):
    understood = understand(instruction)
    assert understood.needs_description and not understood.edits
    assert f'"{seen}"' in (understood.why or "")


def test_nothing_is_looked_up_when_the_thing_is_named():
    assert understand("make the red car blue") == understand("make the red car blue", None)
    assert not understand("make the red car blue", "photo of a red car on grass").needs_description


@pytest.mark.parametrize(
    ("description", "prompt", "caption"),
    [
        ("photo of a red car on grass", "red car", "Photo of a red car"),
        ("a painting of an old house near a lake", "old house", "Painting of an old house"),
        ("pencil drawing of a house with a red roof on snow", "house", "Pencil drawing of a house"),
        ("photo of a beach with a yellow boat", "yellow boat", "Photo of a yellow boat"),
        ("a dog laying on a couch", "dog", "Photo of a dog"),
        ("photo of a cup of coffee on a table", "cup of coffee", "Photo of a cup of coffee"),
    ],
)
def test_it_is_what_the_description_names_first(description: str, prompt: str, caption: str):
    assert one("turn it into a star", description)[:2] == (prompt, caption)


def test_several_candidates_for_it_are_told():
    understood = understand("make it blue", "photo of a red car, a white dog and a box on grass")
    assert understood.edits[0].segmentation_prompt == "red car"
    assert understood.ambiguous == ("white dog", "box")
    assert understand("make it blue", "photo of a red car on grass").ambiguous == ()


def test_them_without_a_plural_is_everything():
    edits = understand("make them blue", "photo of a cat and a dog on grass").edits
    assert [edit.segmentation_prompt for edit in edits] == ["cat", "dog"]


def test_a_description_that_names_nothing_fitting_is_said():
    understood = understand("make the left one blue", "photo of nothing")
    assert understood.kind == "edit"
    assert understood.edits or understood.message


def test_the_background_of_the_description_is_named_in_captions():
    assert one("put it in the snow", "photo of a red car on grass")[1:] == (
        "Photo of grass",
        "Photo of snow",
        "background",
    )
    assert one("remove the dog", "painting of a dog in front of a wall")[2] == "Painting of a wall"
    assert one("remove the dog")[2] == "Photo of a background"


def test_it_within_an_instruction_needs_no_look():
    understood = understand("turn the cat on the left into a dog and make it white")
    assert not understood.needs_description
    assert [edit.edited_caption for edit in understood.edits] == ["Photo of a white dog"]
    parts = understand("turn the cat on the left into a dog and give it blue ears").edits
    assert [edit.segmentation_prompt for edit in parts] == ["cat on the left", "ears of the dog on the left"]


def test_it_may_be_what_was_edited_before():
    before = EditPlan(
        segmentation_prompt="cat on the right",
        input_caption="Painting of a cat",
        edited_caption="Painting of a tiger",
        change="shape",
    )
    understood = understand("now make it white", edited_before=before, medium="painting")
    assert not understood.needs_description
    assert understood.edits[0].segmentation_prompt == "tiger on the right"
    assert understood.edits[0].edited_caption == "Painting of a white tiger"
    assert understand("make the dog white", edited_before=before).edits[0].segmentation_prompt == "dog"


def test_what_is_left_out_is_told():
    understood = understand("Make the car red. Frobnicate it, then blur the blue gizmo.")
    assert [edit.segmentation_prompt for edit in understood.edits] == ["car"]
    assert "which I did not understand" in (understood.message or "")
    assert understand("I love this picture. Make the car red.").message is None


@pytest.mark.parametrize(
    ("instruction", "words"),
    [
        ("hello", "Hello!"),
        ("Mach das Auto blau", "English only"),
        ("把狗变成猫", "English only"),
        ("Change la couleur de la voiture en bleu", "English only"),
        ("paint the house", '"the house" should become'),
        ("rotate the picture", '"rotate"'),
        ("make it nicer", "should look like"),
        ("make it more colourful", "names no thing"),
        ("turn the photo into a painting", "as a whole"),
        ("remove the background", "without a background"),
        ("blub " * 20, "I do not understand"),
        ("blub " * 100, "too long a sentence"),
    ],
)
def test_says_plainly_what_it_cannot_parse(instruction: str, words: str):
    understood = understand(instruction)
    assert (understood.kind, understood.edits) == ("cannot_parse", ())
    assert words in (understood.message or "") and "\n" not in (understood.message or "")
    assert len(understood.message or "") < 400


@pytest.mark.parametrize(
    ("said", "steps"), [("undo", 1), ("Undo the last two edits, please", 2), ("go back", 1), ("start over", 0)]
)
def test_undo(said: str, steps: int):
    assert (understand(said).kind, understand(said).steps) == ("undo", steps)


@pytest.mark.parametrize(
    ("said", "direction"),
    [
        ("a bit stronger", "stronger"),
        ("that's too much", "weaker"),
        ("not enough!", "stronger"),
        ("try again", "again"),
    ],
)
def test_feedback(said: str, direction: str):
    assert (understand(said).kind, understand(said).feedback) == ("feedback", direction)


@pytest.mark.parametrize("text", ["", "   \n", "x" * 2001, "make the car red " * 6000])
def test_empty_and_endless_instructions_are_refused(text: str):
    with pytest.raises(BadInstructionError):
        understand(text)


def test_any_words_at_all_are_survived_quickly():
    rng = random.Random(0)
    words = sorted({word for row in rows("phrasings.jsonl") for word in row["instruction"].split()})
    words += [",", "and", "and", "the", "a", "of", "to", "with", "make", "it", "'s", ".", "?", "not"]
    texts = [" ".join(rng.choice(words) for _ in range(rng.choice([3, 8, 20, 60, 150])))[:2000] for _ in range(60)]
    texts += ["the cat and " * 160, "a, " * 600, "the roof of " * 150, "of " * 600, "make the dog and the " * 90]
    for text in texts:
        started = time.process_time()
        assert understand(text, text).kind
        assert time.process_time() - started < 10, text


def test_the_same_every_time():
    instructions = [row["instruction"] for row in rows("phrasings.jsonl")][:40]
    code = "import json,sys; from agent.grammar import understand; print([understand(i) for i in json.load(sys.stdin)])"
    runs = {
        subprocess.run([sys.executable, "-c", code], input=json.dumps(instructions), text=True, capture_output=True,
                       check=True, env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(runs) == 1


def test_the_grammar_imports_no_langchain_and_no_torch():
    code = "import sys, agent.grammar, agent.plans; print({m.split('.')[0] for m in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True).stdout
    assert not [
        name for name in ("langchain", "langchain_core", "openai", "torch", "transformers") if f"'{name}'" in loaded
    ]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Change the 'dog' to a “cat”!", ("change", "the", "dog", "to", "a", "cat", ".")),
        ("bus 2 a car", ("bus", "to", "a", "car")),
        ("the 2 dogs' ears", ("the", "two", "dogs", "'s", "ears")),
        ("cat => tiger", ("cat", "->", "tiger")),
        ("I'd like", ("i", "would", "like")),
        ("1. make it red", (".", "make", "it", "red")),
    ],
)
def test_tokens(text: str, tokens: tuple[str, ...]):
    assert tokenize(text) == tokens


def test_misspelt_colours():
    assert [mended_colour(word) for word in ("blu", "yelow", "bleu", "purpel", "organe")] == [
        "blue", "yellow", "blue", "purple", "orange",
    ]  # fmt: skip
    assert not any(map(mended_colour, ("bread", "back", "old", "greek", "river", "blue", "rod", "whale", "pine")))
    assert edit_distance("chnage", "change") == 1


def test_noun_phrases():
    phrase = parse(tokenize("the two bigger red wine glasses on the table"))
    assert phrase is not None
    assert (phrase.said, phrase.selectors, phrase.core, phrase.plural) == (
        "two bigger red wine glasses on the table", ("bigger",), ("red", "wine", "glasses"), True,
    )  # fmt: skip
    part = parse(tokenize("the petals of the flower on the left"))
    assert part is not None and part.owner is not None and part.owner.said == "flower on the left"
    joined = parse_all(tokenize("the cat, the dog and the ball between the tree and the house"))
    assert [one.said for one in joined] == [
        "cat", "dog", "ball between the tree and the house",
    ]  # fmt: skip
    assert parse(tokenize("the car red")) is None
    assert parse(tokenize("the ball between the tree")) is None


def test_number_and_articles():
    several = {"boxes": "box", "buses": "bus", "leaves": "leaf", "strawberries": "strawberry", "horses": "horse"}
    assert {word: singular(word) for word in several} == several
    assert {plural(one): one for one in several.values()} == several
    assert [singular(word) for word in ("glass", "bus", "fish")] == ["glass", "bus", "fish"]
    assert not any(map(is_plural, ("bus", "glass", "grass", "cactus", "octopus")))
    words = ("apple", "hour", "unicorn", "umbrella", "house")
    assert [article(word) for word in words] == ["an", "an", "a", "an", "a"]


def test_descriptions():
    scene = parse_description("pencil drawing of two red balls and a striped blue dog in front of a wall")
    assert scene.medium == "pencil drawing" and scene.background == "a wall"
    assert [thing.said for thing in scene.objects] == ["red balls", "striped blue dog"]
