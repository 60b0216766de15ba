"""Numbers out of range are refused in a sentence that names them."""

import math
from dataclasses import replace
from typing import Any

import pytest

from instructedit_models.edit_options import check_options
from instructedit_models.errors import BadParameterError
from instructedit_models.types import EditOptions


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("encoding_ratio", 0), ("encoding_ratio", 1.01), ("encoding_ratio", -0.5), ("encoding_ratio", math.nan),
        ("encoding_ratio", True), ("encoding_ratio", "0.5"), ("steps", 0), ("steps", 1001), ("steps", 2.5),
        ("steps", True), ("guidance_scale", 0.5), ("guidance_scale", math.inf), ("guidance_scale", 101),
        ("seed", -1), ("seed", 2**63), ("grow", -1), ("grow", 129), ("feather", 1.5), ("feather", 500),
        ("context", 0.9), ("context", math.nan), ("negative", "red"), ("negative", 1),
        ("guidance_floor", -0.1), ("guidance_floor", 1.1), ("inversion_stride", 0), ("inversion_stride", 1.5),
    ],
)  # fmt: skip
def test_out_of_range(name: str, value: Any) -> None:
    with pytest.raises(BadParameterError) as error:
        check_options(replace(EditOptions(), **{name: value}))
    assert repr(value) in str(error.value) and str(error.value).endswith(".")


def test_what_is_in_range() -> None:
    check_options(EditOptions())
    check_options(EditOptions(encoding_ratio=1, steps=1000, guidance_scale=1, seed=2**63 - 1, grow=128, feather=0))
    with pytest.raises(BadParameterError, match="between 1 and 40"):
        check_options(EditOptions(), train_steps=40)
