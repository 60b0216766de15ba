"""What turns of a conversation mean beside what came before: references, feedback, corrections, history, answers."""

from dataclasses import replace

import pytest

from agent.grammar import understand
from agent.grammar.answers import answer, numbered, several
from agent.grammar.dialogue import Asked, Talk, topic, understand_turn
from agent.grammar.history import adjustment, asks_for_history, move, variations
from agent.plans import EditPlan


def edit(instruction: str) -> EditPlan:
    (plan,) = understand(instruction).edits
    return plan


def turn(text: str, last: str | None = None, current: bool = True, **more: object) -> tuple[str, str, bool]:
    """The single edit that a text comes to after another one: prompt, edited caption, whether it replaces that one."""
    plan = edit(last) if last else None
    talk = Talk(text, before=plan if current else None, last=plan, whole=plan)
    found = understand_turn(replace(talk, **more))  # type: ignore[arg-type]
    assert found.kind == "edit" and len(found.edits) == 1, found
    return found.edits[0].segmentation_prompt, found.edits[0].edited_caption.split(" of ", 1)[1], found.replaces


@pytest.mark.parametrize(
    ("last", "text", "prompt", "becomes"),
    [
        ("turn the bigger fish orange", "and the other one too", "other fish", "an orange fish"),
        ("make the left cup black", "now do the right one", "right cup", "a black cup"),
        ("make the dog black", "the same for the cat", "cat", "a black cat"),
        ("make the dog black", "do that to the orange as well", "orange", "a black orange"),
        ("turn the dog into a white cat", "same for the orange", "orange", "a white cat"),
        ("turn both dogs into cats", "the horse too", "horse", "a cat"),
        ("make the small star red", "now the rest", "other stars", "red stars"),
        ("make the wooden fish red", "the other ones should be blue", "all the other fish", "blue fish"),
        ("make the left bus green", "both", "both buses", "green buses"),
        ("make the door of the red bus white", "you missed the windows", "windows of the red bus", "white windows"),
        ("make the door of the house white", "the roof too", "roof of the house", "a white roof"),
        ("make the car blue", "you forgot a wheel", "wheels of the blue car", "blue wheels"),
        ("make the left box yellow", "make the red one white", "red box", "a white box"),
        ("make the box yellow", "and the petals of the flower red", "petals of the flower", "red petals"),
        ("make the second red box from the left blue", "the other one too", "other red box", "a blue box"),
    ],
)  # fmt: skip
def test_the_same_change_for_something_else(last: str, text: str, prompt: str, becomes: str):
    said, shown, replaces = turn(text, last)
    assert (said, replaces) == (prompt, False)
    assert shown == becomes


@pytest.mark.parametrize(
    ("last", "text", "prompt", "becomes"),
    [
        ("make the boat on the right blue", "no, the left one", "left boat", "a blue boat"),
        ("make the small bus yellow", "sorry, I meant the big one", "big bus", "a big yellow bus"),
        ("make both hearts green", "only the left one", "left heart", "a green heart"),
        ("make the house green", "only the roof", "roof of the house", "a green roof"),
        ("make the dog's ears purple", "no, green", "dog's ears", "green ears"),
        ("make the ball red", "actually, make it green", "ball", "a green ball"),
        ("make the ball red", "make it purple instead", "ball", "a purple ball"),
        ("make the ball red", "make it purple", "ball", "a purple ball"),
        ("turn the fish into a dog", "not a dog but a cat", "fish", "a cat"),
        ("turn the fish into a dog", "no, a cat", "fish", "a cat"),
        ("make the cat blue", "not the cat, the dog", "dog", "a blue dog"),
    ],
)
def test_corrections_take_the_place_of_the_last_edit(last: str, text: str, prompt: str, becomes: str):
    assert turn(text, last) == (prompt, becomes, True)


@pytest.mark.parametrize(
    ("last", "text", "prompt", "becomes"),
    [
        ("turn the cat into a dog", "make it white", "dog", "a white dog"),
        ("turn the bus into a house", "try green", "house", "a green house"),
        ("make the ball striped", "make it red", "striped ball", "a striped red ball"),
    ],
)
def test_what_builds_on_the_last_edit_goes_on_top_and_in_its_place(last: str, text: str, prompt: str, becomes: str):
    plan = edit(last)
    found = understand_turn(Talk(text, before=plan, last=plan))
    assert (found.replaces, found.same_place) == (False, True)
    assert found.edits[0].segmentation_prompt == prompt
    assert set(found.edits[0].edited_caption.split(" of ", 1)[1].split()) == set(becomes.split())


def test_the_other_one_is_never_where_the_last_edit_was():
    found = understand_turn(Talk("make the other one red", before=edit("make the other cup red"), last=None))
    assert not found.same_place and found.edits[0].segmentation_prompt == "other cup"


def test_an_instruction_in_full_means_itself():
    for text in ("turn the ball into an apple", "make the dog's ears black", "make the apple green too"):
        talk = Talk(text, before=edit("make the car blue"), last=edit("make the car blue"))
        assert understand_turn(talk).edits == understand(text.removesuffix(" too")).edits
        assert not understand_turn(talk).replaces


def test_it_is_what_was_asked_about():
    talk = Talk("make it green", before=edit("make the dog white"), question="What color is the fish?")
    assert understand_turn(talk).edits[0].segmentation_prompt == "fish"
    assert topic("what is on the left?") is None and topic("is the dog bigger than the cat?") is None


def test_a_slip_of_the_tongue_within_one_sentence():
    assert turn("make the ball red, no, the star")[:2] == ("star", "a red star")
    assert turn("make the car red, then blue")[:2] == ("car", "a blue car")
    assert turn("turn the fish into not a dog but a cat")[:2] == ("fish", "a cat")
    assert turn("the flower: make it white")[:2] == ("flower", "a white flower")


def test_everything_except_is_the_surroundings():
    (plan,) = understand("make everything except the boat green").edits
    assert (plan.segmentation_prompt, plan.change) == ("everything except the boat", "background")
    assert plan.edited_caption == "Photo of a green background"


@pytest.mark.parametrize(
    ("text", "kind", "steps", "version", "then"),
    [
        ("undo", "undo", 1, "", ""),
        ("undo the last two", "undo", 2, "", ""),
        ("take back the last two changes please", "undo", 2, "", ""),
        ("undo twice", "undo", 2, "", ""),
        ("step back", "undo", 1, "", ""),
        ("previous version", "undo", 1, "", ""),
        ("redo", "redo", 1, "", ""),
        ("redo the last two", "redo", 2, "", ""),
        ("start over", "go_back", 1, "original", ""),
        ("undo everything", "go_back", 1, "original", ""),
        ("take me back to the beginning", "go_back", 1, "original", ""),
        ("go back to version 2", "go_back", 1, "version 2", ""),
        ("go back to the tiger", "go_back", 1, "the tiger", ""),
        ("go back to before the heart", "go_back", 1, "before the heart", ""),
        ("back to the second version and try green", "go_back", 1, "the second version", "try green"),
    ],
)
def test_moves(text: str, kind: str, steps: int, version: str, then: str):
    found = move(text)
    assert found is not None
    assert (found.kind, found.steps, found.version, found.then) == (kind, steps, version, then)


@pytest.mark.parametrize(
    "text",
    ["make the car red", "turn the back of the bus blue", "put the cat back on the sofa", "restore", "more", "2"],
)
def test_what_is_no_move(text: str):
    assert move(text) is None


@pytest.mark.parametrize(
    ("text", "feedback", "amount", "grow"),
    [
        ("stronger", "stronger", 0.15, None),
        ("a touch stronger", "stronger", 0.1, None),
        ("much stronger", "stronger", 0.25, None),
        ("nice, but a bit less", "weaker", 0.1, None),
        ("that is too strong", "weaker", 0.15, None),
        ("oh no, too dark, less please", "weaker", 0.15, None),
        ("keep more of the original shape", "weaker", 0.15, 0),
        ("not bad but keep its shape", "weaker", 0.15, 0),
        ("try something else", "again", 0.15, None),
    ],
)
def test_feedback(text: str, feedback: str, amount: float, grow: int | None):
    found = adjustment(text)
    assert found is not None and (found.feedback, found.amount, found.grow) == (feedback, amount, grow)


def test_what_is_no_feedback():
    for text in ("make the cat bigger", "keep the dog and make the cat red", "make it dark", "the one on the left"):
        assert adjustment(text) is None, text


def test_variations_and_history_questions():
    assert variations("give me four variations") == 4 and variations("show me some variations") == 4
    assert variations("show me 3 more options") == 3 and variations("make the cat red") is None
    assert all(map(asks_for_history, ("what did we change?", "what have we done?", "show me the history")))
    assert not any(map(asks_for_history, ("what colour did you make it?", "what is on the left?", "change it")))


@pytest.mark.parametrize(
    ("text", "chosen"),
    [("2", (1,)), ("the second", (1,)), ("r3", (1,)), ("number 1 please", (0,)), ("the last one", (2,)),
     ("both", (0, 1, 2)), ("1 and 3", (0, 2)), ("never mind", ())],
)  # fmt: skip
def test_answers_by_number(text: str, chosen: tuple[int, ...]):
    found = answer(text, "bus", ("r1", "r3", "r4"))
    assert found is not None and (found.chosen, found.narrowed) == (chosen, "")


def test_answers_in_words_and_what_is_no_answer():
    striped = answer("the striped one", "bus", ("r1", "r2"))
    assert striped is not None and striped.narrowed == "striped one"
    for text in ("make the car red instead", "undo", "5", "how many are there?"):
        assert answer(text, "bus", ("r1", "r2")) is None, text
    assert numbered("wheels of the bus", 1) == "wheels of the second bus from the left"
    assert several("striped cup", 2) == "both striped cups"


def asked(prompt: str, instruction: str, *phrases: str) -> Asked:
    ids = tuple(f"r{number}" for number in range(1, len(phrases) + 1))
    return Asked(prompt, instruction, ids, phrases, understand(instruction).edits)


@pytest.mark.parametrize(
    ("text", "prompt", "choice"),
    [
        ("2", "second bus from the left", (1,)),
        ("the striped one", "striped bus", ()),
        ("the one on the left", "bus on the left", ()),
        ("left", "left bus", ()),
        ("both", "both buses", (0, 1)),
    ],
)
def test_an_answer_goes_on_with_what_was_asked_for(text: str, prompt: str, choice: tuple[int, ...]):
    found = understand_turn(Talk(text, asked=asked("bus", "make the bus green", "bus", "bus")))
    assert (found.edits[0].segmentation_prompt, found.choice) == (prompt, choice)
    assert "green" in found.edits[0].edited_caption


def test_an_answer_names_what_was_not_named():
    question = asked("object", "make it red", "fish", "cup", "fish")
    assert understand_turn(Talk("2", asked=question)).edits[0].edited_caption == "Photo of a red cup"
    assert understand_turn(Talk("3", asked=question)).edits[0].segmentation_prompt == "second fish from the left"
    assert understand_turn(Talk("the cup", asked=question)).edits[0].segmentation_prompt == "cup"


def test_another_request_is_no_answer():
    found = understand_turn(Talk("make the dog blue", asked=asked("bus", "make the bus green", "bus", "bus")))
    assert [plan.segmentation_prompt for plan in found.edits] == ["dog"]
    left = understand_turn(Talk("never mind", asked=asked("bus", "make the bus green", "bus", "bus")))
    assert left.kind == "cancelled" and left.message


@pytest.mark.parametrize(
    ("text", "prompt", "becomes", "replaces"),
    [
        ("oops, wrong cup", "other cup", "a red cup", True),
        ("no not that one, the other one", "other cup", "a red cup", True),
        ("not red, blue", "cup on the left", "a blue cup", True),
        ("how about green?", "cup on the left", "a green cup", True),
        ("can it be blue instead?", "cup on the left", "a blue cup", True),
        ("both of them blue", "both cups", "blue cups", False),
        ("now make all of them green", "all cups", "green cups", False),
        ("make the ball behind it green", "ball behind the red cup on the left", "a green ball", False),
    ],
)
def test_phrasings_that_were_found_after_the_data_was_written(text: str, prompt: str, becomes: str, replaces: bool):
    assert turn(text, "make the cup on the left red") == (prompt, becomes, replaces)


def test_praise_blame_and_more_of_the_same():
    plan = edit("make the cup red")
    for text in ("perfect", "thanks, looks great", "hm, I don't like it", "stop"):
        assert understand_turn(Talk(text, before=plan)).kind == "cancelled", text
    assert understand_turn(Talk("a bit more red", before=plan)).feedback == "stronger"
    assert understand_turn(Talk("more blue", before=plan)).edits[0].edited_caption == "Photo of a blue cup"
