"""What CLIP learns looks from: each thing in two looks, mixed, with a caption for every look."""

from pathlib import Path

import numpy as np
import pytest

from instructedit_models.miniature.training import looks
from instructedit_models.miniature.training.data import Pool
from instructedit_models.miniature.words import MATERIALS
from instructedit_models.miniature.world import TRAIN_SEEDS


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pool = Pool(tmp_path / "pool", TRAIN_SEEDS[:6], create=True)
    pool.draw()
    monkeypatch.setattr(looks, "training_pool", lambda _: pool)
    for share in ("MIXED", "BLOTTED", "PAINTED"):
        monkeypatch.setattr(looks, share, 0.0)
    return tmp_path


def test_every_crop_comes_with_a_caption_for_each_look_and_the_right_one_is_told(work: Path) -> None:
    crops, captions, right = next(looks.look_crops(work, 64, 10, seed=1))

    assert crops.shape == (10, 64, 64, 3)
    assert len(captions) == 10 * len(MATERIALS)
    for at in range(10):
        own = captions[at * len(MATERIALS) : (at + 1) * len(MATERIALS)]
        assert [next(look for look in MATERIALS if look in caption.split()) for caption in own] == list(MATERIALS)
        assert len({caption.split()[-1] for caption in own}) == 1
    assert set(right) <= set(range(len(MATERIALS)))


def test_a_thing_is_shown_in_two_looks_one_after_the_other(work: Path) -> None:
    crops, _, right = next(looks.look_crops(work, 64, 10, seed=1))

    for first in range(0, 10, 2):
        assert right[first] != right[first + 1]
        assert (crops[first] != crops[first + 1]).any()


def test_the_look_that_counts_has_the_larger_share(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pure, _, right = next(looks.look_crops(work, 64, 10, seed=1))
    monkeypatch.setattr(looks, "MIXED", 1.0)
    rng = np.random.default_rng(4)

    for first in range(0, 10, 2):
        own, other = pure[first], pure[first + 1]
        mask = np.ones((64, 64, 1), np.float32)
        mixed = np.mean([looks._half_made(own, other, mask, rng) for _ in range(30)], axis=0)
        assert np.abs(mixed - own).mean() < np.abs(mixed - other).mean()
