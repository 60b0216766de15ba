"""What "the other one" and "the rest" leave out where several things were edited already."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.tools.calling import edit, segment
from tests.tools.tiny_models import TinyModels, boxes
from tools.context import ToolContext
from tools.registry import call
from tools.workspace import Workspace


@pytest.fixture
def four(tmp_path: Path) -> Iterator[ToolContext]:
    with Workspace(tmp_path, durable=False) as workspace:
        yield ToolContext(TinyModels(), workspace.start(boxes("red", "red", "red", "red", size=(160, 64))))


def places(context: ToolContext, prompt: str, image_id: str) -> set[int]:
    """Which of the boxes, from 0 on, a prompt means."""
    mask = context.conversation.mask(segment(context, prompt, image_id))
    return {int(column // 40) for column in np.flatnonzero(mask.any(axis=0))}


def test_the_other_one_is_the_one_that_no_edit_made(four: ToolContext) -> None:
    first = edit(four, "first box from the left", "red")
    second = edit(four, "second box from the left", "red", first)
    third = edit(four, "last box", "red", second)
    assert places(four, "other box", third) == {2}


def test_several_that_are_left_tie(four: ToolContext) -> None:
    first = edit(four, "first box from the left", "red")
    second = edit(four, "second box from the left", "red", first)
    result = call(four, "segment", image_id=second, segmentation_prompt="other box")
    assert result.text.startswith("ambiguous: 'other box' fits 2 things equally well: r3 (")


def test_what_was_undone_counts_again(four: ToolContext) -> None:
    first = edit(four, "all boxes", "red")
    four.conversation.undo()
    second = edit(four, "first box from the left", "red")
    third = edit(four, "second box from the left", "red", second)
    fourth = edit(four, "third box from the left", "red", third)
    assert first != fourth and places(four, "other box", fourth) == {3}


def test_the_rest_leaves_out_what_looks_the_same_already(four: ToolContext) -> None:
    first = edit(four, "first box from the left", "blue")
    second = edit(four, "second box from the left", "red", first)
    third = edit(four, "third box from the left", "red", second)
    assert places(four, "all the other boxes", third) == {0, 3}
    assert places(four, "all the other boxes", first) == {1, 2, 3}
