"""How the recipe of SAM clicks: inside what is meant, where a rough mask is wrong, never on nothing."""

import numpy as np
import pytest
import torch

from instructedit_models.miniature.training.clicks import as_logits, clicked, corrected, roughened
from instructedit_models.miniature.training.data import validation_samples
from instructedit_models.miniature.training.sam import MOST_CLICKS, Prompted, mask_loss, predict, prompted
from instructedit_models.sam_model import SamConfig, build_sam


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.fixture
def target() -> np.ndarray:
    mask = np.zeros((128, 128), bool)
    mask[30:70, 40:60] = True
    return mask


def test_clicks_say_truly_whether_they_are_inside(target: np.ndarray, rng: np.random.Generator) -> None:
    for _ in range(50):
        clicks = clicked(target, 3, rng)
        x, y = clicks.points.astype(int).T
        assert clicks.inside[0] == 1
        assert (target[y, x] == clicks.inside.astype(bool)).all()


def test_the_first_correction_lies_in_the_largest_mistake(target: np.ndarray, rng: np.random.Generator) -> None:
    rough = target.copy()
    rough[30:50] = False
    rough[100:103, 5:8] = True
    clicks = corrected(target, rough, 2, rng)
    (x, y), (other_x, other_y) = clicks.points.astype(int)
    assert target[y, x] and not rough[y, x] and clicks.inside[0] == 1
    assert rough[other_y, other_x] and not target[other_y, other_x] and clicks.inside[1] == 0


def test_a_right_mask_is_clicked_too(target: np.ndarray, rng: np.random.Generator) -> None:
    assert corrected(target, target, 2, rng).inside[0] == 1


def test_a_rough_mask_is_wrong_somewhere_and_right_somewhere(target: np.ndarray, rng: np.random.Generator) -> None:
    rough = [roughened(target, None, rng) for _ in range(60)]
    overlaps = np.array([(one & target).sum() / (one | target).sum() for one in rough])
    assert (overlaps < 1).mean() > 0.9
    assert overlaps.mean() > 0.5


def test_logits_of_a_mask_have_its_sign(target: np.ndarray, rng: np.random.Generator) -> None:
    logits = as_logits(target, 64, rng)
    assert logits.shape == (1, 64, 64) and logits.dtype == np.float32
    assert ((logits[0] > 0) == target[::2, ::2]).all()


@pytest.mark.parametrize("asked", ["box", "clicks", "correction"])
def test_sam_answers_every_way_of_asking(asked: str, rng: np.random.Generator) -> None:
    views = [view for sample in validation_samples(4) if (view := prompted(sample, rng, asked=asked))]
    sam = build_sam(SamConfig())
    logits, scores = predict(sam, views)
    targets = torch.from_numpy(np.stack([mask for view in views for mask in view.targets]))[:, None]
    assert logits.shape == (len(targets), 3, 128, 128) and scores.shape == (len(targets), 3)
    loss, iou = mask_loss(logits, scores, targets)
    loss.backward()
    assert iou.shape == (len(targets),)
    assert all(len(clicks.inside) <= MOST_CLICKS for view in views for clicks in view.clicks)


def test_one_click_alone_gets_three_proposals(target: np.ndarray, rng: np.random.Generator) -> None:
    image = np.zeros((128, 128, 3), np.uint8)
    assert Prompted(image, [target], clicks=[clicked(target, 1, rng)]).several
    assert not Prompted(image, [target], clicks=[clicked(target, 2, rng)]).several
    assert not Prompted(image, [target], clicks=[clicked(target, 1, rng)], rough=[as_logits(target, 64, rng)]).several
