"""What a thing is given and may have already: the part is looked for first."""

import pytest

from agent.grammar.dialogue import Talk, understand_turn
from agent.grammar.owning import part_it_may_have
from tests.agent.test_offline_llm import EDITED, FOUND, asked, calls, play, turn_of


def parts_of(say: str) -> list[tuple[str, str, str] | None]:
    parts = [part_it_may_have(plan) for plan in understand_turn(Talk(say)).edits]
    return [(one.segmentation_prompt, one.input_caption, one.edited_caption) if one else None for one in parts]


@pytest.mark.parametrize(
    ("say", "expected"),
    [
        ("Give the hat a pink ribbon", ("ribbon of the hat", "Photo of a ribbon", "Photo of a pink ribbon")),
        ("give the cake blue candles", ("candles of the cake", "Photo of candles", "Photo of blue candles")),
        (
            "the hat on the left should have a striped ribbon",
            ("ribbon of the hat on the left", "Photo of a ribbon", "Photo of a striped ribbon"),
        ),
        ("give both hats pink ribbons", ("ribbons of both hats", "Photo of ribbons", "Photo of pink ribbons")),
        ("dress the man in a red shirt", ("shirt of the man", "Photo of a shirt", "Photo of a red shirt")),
        ("put a dark red ribbon on the hat", ("ribbon of the hat", "Photo of a ribbon", "Photo of a dark red ribbon")),
    ],
)
def test_a_part_that_it_may_have(say: str, expected: tuple[str, str, str]) -> None:
    assert parts_of(say) == [expected]


@pytest.mark.parametrize(
    "say",
    [
        "give the hat a ribbon",  # of no look that one it has could be given
        "add a red candle to the cake",  # one more
        "give the cake three blue candles",
        "give the dog a red hat",  # dogs seldom have one
        "give the hat a pink ribbon and a feather",
        "make the hat red",
        "turn the cat into a dog with a red ribbon",
    ],
)
def test_other_edits_are_of_the_whole_thing(say: str) -> None:
    assert parts_of(say) == [None]


RIBBON = "mask_1 = r1 (chosen). Candidates: r1 = mask_1 ribbon 0.81 box (1, 2, 3, 4) area 1% left."
TWO = (
    "ambiguous: 'ribbon of the hat' fits 2 things equally well: r1 (ribbon, left), r2 (ribbon, right). Candidates: "
    "r1 = mask_1 ribbon 0.81 box (1, 2, 3, 4) area 1% left; r2 = mask_2 ribbon 0.80 box (5, 2, 9, 4) area 1% right."
)


def test_the_ribbon_that_the_hat_has_is_edited() -> None:
    said = play([asked("give the hat a pink ribbon")], RIBBON, EDITED)
    assert [name for name, _ in calls(said)] == ["segment", "edit_image"]
    made = calls(said)[1][1]
    assert (made["segmentation_prompt"], made["mask_id"]) == ("ribbon of the hat", "mask_1")
    assert (made["edited_caption"], made["change"]) == ("Photo of a pink ribbon", "appearance")
    assert said[-1].text.startswith("The ribbon of the hat: a ribbon is now a pink ribbon")


def test_a_hat_without_one_is_given_it() -> None:
    said = play([asked("give the hat a pink ribbon")], "error:No 'ribbon' was found on the hat.", FOUND, EDITED)
    looked = [arguments["segmentation_prompt"] for name, arguments in calls(said) if name == "segment"]
    assert looked == ["ribbon of the hat", "hat"]
    assert calls(said)[2][1]["edited_caption"] == "Photo of a hat with a pink ribbon"


def test_of_two_ribbons_the_one_that_is_chosen_is_edited() -> None:
    question = turn_of([asked("give the hat a pink ribbon")], TWO)
    assert question[-1].text.startswith("Which ribbon of the hat do you mean? 1: ribbon, left")
    (name, made), *others = calls(play([*question, asked("2")], EDITED))
    assert (name, others, made["mask_id"]) == ("edit_image", [], "mask_2")
    assert made["edited_caption"] == "Photo of a pink ribbon"
