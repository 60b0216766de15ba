"""The overhead of the step loop is measured on the very same UNet calls."""

from typing import Any

import pytest
import torch

from benchmarks.overhead import overhead_row
from tests.instructedit_models.tiny_diffusion import SCHEDULER_CONFIG, tiny_unet


def test_both_sides_call_the_unet_as_often_and_alike() -> None:
    unet, calls = tiny_unet(), []
    unet.register_forward_pre_hook(
        lambda _, args, kwargs: calls.append((args[0].clone(), int(args[1]), kwargs["encoder_hidden_states"].shape)),
        with_kwargs=True,
    )
    row: dict[str, Any] = overhead_row(unet, SCHEDULER_CONFIG, 3, 1, 7.5)
    assert len(calls) == 5 * 3
    bare, loop = calls[6:9], calls[9:12]
    assert [call[1:] for call in bare] == [call[1:] for call in loop]
    assert torch.equal(bare[0][0], loop[0][0])
    assert row["steps"] == 3 and row["guided"] and row["bare"] > 0 and row["loop"] > 0
    assert 0 < row["inside"] < row["whole"]
    assert row["overhead"] == pytest.approx(row["whole"] / row["inside"] - 1)


def test_unguided_calls_are_single() -> None:
    row = overhead_row(tiny_unet(), SCHEDULER_CONFIG, 2, 1, 1.0)
    assert not row["guided"]
