"""What the offline model says of an edit, from what the tool told of it."""

import pytest

from agent.conversation_reading import Step
from agent.offline_words import result
from agent.plans import EditPlan

MADE = "image_2 made from image_1 inside mask_1 (encoding ratio 0.95, 135 UNet evaluations); it is current."


def said(prompt: str, before: str, after: str, told: str) -> str:
    plan = EditPlan(
        segmentation_prompt=prompt, input_caption=f"Photo of {before}", edited_caption=f"Photo of {after}",
        change="appearance",
    )  # fmt: skip
    return result(plan, Step("edit_image", {}, f"{MADE} {told}", True), "image_2")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("Verified: it is green.", ""),
        (
            "Verified: it is green. Left as they were: its handle.",
            ' Its handle stayed as it was; say "the whole cup" to change it too.',
        ),
        (
            "Verified: it is green. Left as they were: its roof and door.",
            ' Its roof and door stayed as they were; say "the whole cup" to change them too.',
        ),
        ("Not verified: it is not.", ' The check could not confirm it; say "stronger" to try harder.'),
    ],
)
def test_one_thing(told: str, expected: str) -> None:
    sentence = "The cup on the left: a black cup is now a green cup (image_2)."
    assert said("cup on the left", "a black cup", "a green cup", told) == sentence + expected


def test_several_things() -> None:
    told = "Verified: they are red. Left as they were: its wheels."
    sentence = "All the cars: cars are now red cars (image_2). Their wheels stayed as they were."
    assert said("all the cars", "cars", "red cars", told) == sentence
