"""Plans take what LLMs write and hold what the editor needs."""

import pytest
from pydantic import ValidationError

from agent.plans import MAX_INSTRUCTION, EditPlan, Plan, check_instruction
from instructedit_models.errors import BadInstructionError

RIGHT = {
    "segmentation_prompt": "cat",
    "input_caption": "Photo of a cat",
    "edited_caption": "Photo of a fox",
    "change": "shape",
}


def test_quotes_full_stops_and_articles_are_taken_off():
    plan = EditPlan(
        segmentation_prompt=' "The cat  on the right." ',
        input_caption="'Photo of a cat.'",
        edited_caption="`Photo of a tiger`\n",
        change="shape",
    )
    assert plan.segmentation_prompt == "cat on the right"
    assert (plan.input_caption, plan.edited_caption) == ("Photo of a cat", "Photo of a tiger")


@pytest.mark.parametrize(
    "wrong",
    [
        {"change": "total"},
        {"input_caption": ""},
        {"input_caption": '"."'},
        {"edited_caption": None},
        {"extra": 1},
        {"segmentation_prompt": "x" * 201},
    ],
)
def test_what_is_no_plan_is_refused(wrong: dict):
    EditPlan.model_validate(RIGHT)
    with pytest.raises(ValidationError):
        EditPlan.model_validate(RIGHT | wrong)


def test_an_empty_plan_is_a_plan():
    assert Plan().edits == [] and Plan().needs_description is False


def test_instructions_are_checked():
    assert check_instruction("  make it red \n") == "make it red"
    assert len(check_instruction("x" * MAX_INSTRUCTION)) == MAX_INSTRUCTION
    with pytest.raises(BadInstructionError, match="empty"):
        check_instruction(" \n\t ")
    with pytest.raises(BadInstructionError, match="102,400 characters, at most 2,000"):
        check_instruction("x" * 102_400)
