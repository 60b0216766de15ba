"""Of what answers one phrase, each thing once."""

import numpy as np
import pytest

from instructedit_models.found import Found, each_once
from instructedit_models.types import Box


def found(box: Box, score: float, *others: Box) -> Found:
    """Something that fills its box, and some others."""
    mask = np.zeros((40, 100), bool)
    for x0, y0, x1, y1 in (box, *others):
        mask[int(y0) : int(y1), int(x0) : int(x1)] = True
    return Found("dog", score, box, mask)


LEFT, RIGHT = found((0, 0, 20, 20), 0.8), found((22, 0, 42, 20), 0.7)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([LEFT, RIGHT], [0, 1]),
        ([found((2, 2, 10, 18), 0.4), LEFT], [1]),  # a piece of it
        ([found((0, 0, 40, 20), 0.6), LEFT], [1]),  # it and what is beside it
        ([found((0, 0, 42, 20), 0.75), LEFT, RIGHT], [1, 2]),
        ([found((0, 0, 42, 20), 0.9), LEFT, RIGHT], [1, 2]),  # a group, though found the most surely
        ([found((0, 0, 42, 20), 0.9), found((0, 0, 20, 20), 0.4), found((22, 0, 42, 20), 0.4)], [0]),  # its pieces
        ([found((0, 0, 42, 40), 0.9), LEFT, RIGHT], [0, 1, 2]),  # more than these two; they may be things by themselves
        ([LEFT, found((0, 0, 20, 20), 0.79, (0, 20, 20, 22))], [0]),
        ([LEFT, found((2, 2, 18, 20), 0.7)], [0, 1]),  # a mask that spills over a neighbour that is found surely
        ([], []),
    ],
)
def test_what_others_show_better_is_dropped(given: list[Found], kept: list[int]) -> None:
    assert [id(each) for each in each_once(given)] == [id(given[i]) for i in kept]
