"""Whole edits with the offline LLM: sentence in, pixels out, no network."""

import numpy as np
import pytest

from agent.api import EditOutcome, edit_image
from agent.session import Session
from instructedit_models.errors import (
    AmbiguousError,
    BadInstructionError,
    BadParameterError,
    InstructEditError,
    NothingFoundError,
    UnknownWordError,
)
from tests.tools.tiny_models import COLOURS, TinyModels, boxes
from tools.workspace import Workspace


def run(instruction: str, *colours: str, yes: bool = False) -> EditOutcome:
    return edit_image(boxes(*colours), instruction, models=TinyModels(), llm="offline", yes=yes)


def colours_of(outcome: EditOutcome) -> list[str]:
    """The boxes' colours from left to right."""
    row = np.asarray(outcome.image)[25]
    seen = [next((name for name, rgb in COLOURS.items() if tuple(pixel) == rgb), "") for pixel in row]
    return [name for i, name in enumerate(seen) if name and (i == 0 or seen[i - 1] != name)]


@pytest.mark.parametrize(
    ("instruction", "before", "after"),
    [
        ("make the blue box green", ["red", "blue"], ["red", "green"]),
        ("Paint the red box on the left yellow.", ["red", "blue", "red"], ["yellow", "blue", "red"]),
        ("paint all the boxes purple", ["red", "blue", "red"], ["purple", "purple", "purple"]),
        ("make the blue box green and the red box yellow", ["red", "blue"], ["yellow", "green"]),
    ],
)
def test_edits(instruction: str, before: list[str], after: list[str]):
    outcome = run(instruction, *before)
    assert colours_of(outcome) == after
    assert outcome.record["verified"] and outcome.record["llm"] == "offline" and not outcome.record["described"]
    original, edited = np.asarray(boxes(*before)), np.asarray(outcome.image)
    assert np.array_equal(original[~outcome.region], edited[~outcome.region])


def test_it_looks_at_the_picture_only_when_it_must():
    record = run("make it green", "blue").record
    assert record["described"] and record["description"] == "photo of a blue box" and record["why_described"]
    assert record["edited_caption"].lower() == "photo of a green box"


def test_some_fail():
    outcome = run("make the star green and the blue box yellow", "red", "blue")
    assert colours_of(outcome) == ["red", "yellow"]
    assert outcome.record["warnings"][0].startswith("Not done: No 'star' was found")


def test_yes():
    assert colours_of(run("make the red box green", "red", "red", yes=True)) == ["green", "red"]


@pytest.mark.parametrize(
    ("instruction", "kind"),
    [
        ("make the star green", NothingFoundError),
        ("make the red box green", AmbiguousError),
        ("turn the blue box into a zebra", UnknownWordError),
        ("how many boxes are there?", BadInstructionError),
        ("frobnicate", BadInstructionError),
        ("Mach das Quadrat blau", BadInstructionError),
        ("undo", BadParameterError),
        ("stronger", BadParameterError),
    ],
)
def test_errors(instruction: str, kind: type[InstructEditError]):
    with pytest.raises(kind) as caught:
        run(instruction, "red", "blue", "red")
    assert caught.value.exit_code == 2 and type(caught.value) is kind
    assert "\n" not in str(caught.value) and str(caught.value).endswith((".", "?", ")"))


def test_a_conversation():
    from agent.offline_llm import OfflineChatModel

    with Workspace.temporary() as workspace:
        session = Session(TinyModels(), OfflineChatModel(), workspace.start(boxes("red", "blue")))
        turns = [
            session.turn(text)
            for text in ("make the blue box green", "stronger", "undo", "how many boxes?", "start over")
        ]
        assert [turn.kind for turn in turns] == ["edit", "edit", "undo", "answer", "undo"]
        assert [turn.image_id for turn in turns] == ["image_2", "image_3", "image_2", "image_2", "image_1"]
    assert turns[1].edits[0].encoding_ratio > turns[0].edits[0].encoding_ratio
    assert turns[1].unet_evaluations < turns[0].unet_evaluations + 50
