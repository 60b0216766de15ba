"""SAM asked by clicks, boxes and masks, and from a .pth as the authors publish it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from instructedit_models.errors import BadMaskError, BadParameterError, ModelUnavailableError
from instructedit_models.model_sets import load_model_set
from instructedit_models.sam_model import SamConfig, build_sam, load_checkpoint
from instructedit_models.segmenter import Click, SamSegmenter
from tests.instructedit_models.test_segmenter import TINY, noise, tiny_sam

BOX = (10.0, 5.0, 40.0, 30.0)


def rough(image: Image.Image) -> np.ndarray:
    mask = np.zeros((image.height, image.width), bool)
    mask[8:28, 12:38] = True
    return mask


def test_every_kind_of_prompt_gives_a_mask_and_they_differ() -> None:
    segmenter, image = tiny_sam(), noise()
    asked = {
        "click": segmenter.mask_at(image, [Click(25, 18)]),
        "clicks": segmenter.mask_at(image, [Click(25, 18), Click(2, 2, inside=False)]),
        "box": segmenter.mask_at(image, box=BOX),
        "mask": segmenter.mask_at(image, mask=rough(image)),
        "all": segmenter.mask_at(image, [Click(25, 18)], box=BOX, mask=rough(image)),
    }
    assert all(mask.shape == (36, 50) and mask.dtype == bool for mask in asked.values())
    assert len({mask.tobytes() for mask in asked.values()}) >= 4


def test_a_sam_that_knows_boxes_alone_refuses_clicks_and_rough_masks() -> None:
    image = noise()
    segmenter = SamSegmenter(tiny_sam().predictor.model, clicks=False)
    assert segmenter.mask_at(image, box=BOX).shape == (36, 50)
    for given in ({"clicks": [Click(25, 18)]}, {"clicks": [Click(25, 18)], "box": BOX}, {"mask": rough(image)}):
        with pytest.raises(BadParameterError, match="boxes alone"):
            segmenter.mask_at(image, **given)


def test_a_set_says_whether_its_sam_takes_clicks() -> None:
    models = load_model_set("miniature", device="cpu")
    assert models.takes_clicks is models.segmenter.takes_clicks
    assert load_model_set("paper", device="cpu").takes_clicks


def test_a_box_means_the_same_to_both_questions() -> None:
    segmenter, image = tiny_sam(), noise()
    assert np.array_equal(segmenter.mask_at(image, box=BOX), segmenter.masks(image, [BOX])[0])


def test_all_prompts_share_one_embedding(monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter, image, embedded = tiny_sam(), noise(), []
    original = segmenter.predictor.set_image
    monkeypatch.setattr(segmenter.predictor, "set_image", lambda pixels: (embedded.append(1), original(pixels)))
    segmenter.masks(image, [BOX])
    refiner = segmenter.refiner(image, box=BOX)
    refiner.click(25, 18)
    refiner.click(3, 3, inside=False)
    assert len(embedded) == 1


def test_refinement_builds_on_the_mask_before_and_can_be_undone() -> None:
    segmenter, image = tiny_sam(), noise()
    refiner = segmenter.refiner(image, box=BOX)
    start = refiner.mask
    assert np.array_equal(start, segmenter.mask_at(image, box=BOX))
    first = refiner.click(25, 18)
    second = refiner.click(45, 30, inside=False)
    fresh = segmenter.mask_at(image, [Click(25, 18), Click(45, 30, inside=False)], box=BOX)
    assert not np.array_equal(second, fresh), "the mask before must matter, not the clicks alone"
    assert np.array_equal(refiner.undo(), first) and np.array_equal(refiner.undo(), start)
    assert np.array_equal(refiner.undo(), start)


def test_refinement_of_a_given_mask() -> None:
    segmenter, image = tiny_sam(), noise()
    refiner = segmenter.refiner(image, mask=rough(image))
    assert np.array_equal(refiner.mask, rough(image))
    assert refiner.click(25, 18).shape == (36, 50)
    assert not segmenter.refiner(image).mask.any()


@pytest.mark.parametrize("size", [(50, 36), (36, 50), (32, 32)])
def test_a_mask_prompt_lies_where_the_picture_lies(size: tuple[int, int]) -> None:
    segmenter, image = tiny_sam(), noise(*size)
    mask = np.zeros(size[::-1], bool)
    mask[: size[1] // 2, : size[0] // 2] = True
    logits = segmenter._as_logits(image, mask)
    side = 4 * TINY.image_size // TINY.patch_size
    assert logits.shape == (1, side, side)
    wide, high = round(size[0] * side / max(size)), round(size[1] * side / max(size))
    inside = logits[0] > 0
    assert inside[: high // 2 - 1, : wide // 2 - 1].all()
    assert not inside[high // 2 + 1 :].any() and not inside[:, wide // 2 + 1 :].any()


def test_bad_prompts_are_one_sentence() -> None:
    segmenter, image = tiny_sam(), noise()
    with pytest.raises(BadParameterError, match="at least one click"):
        segmenter.mask_at(image)
    with pytest.raises(BadParameterError, match="50 x 36"):
        segmenter.mask_at(image, [Click(50, 3)])
    with pytest.raises(BadMaskError, match="50 x 36"):
        segmenter.mask_at(image, mask=np.ones((3, 3), bool))


@pytest.mark.parametrize("legacy", [False, True])
def test_a_published_checkpoint(tmp_path: Path, legacy: bool) -> None:
    sam = tiny_sam().predictor.model
    file = tmp_path / "sam.pth"
    torch.save(sam.state_dict(), file, _use_new_zipfile_serialization=not legacy)
    loaded = load_checkpoint(file, TINY.to_dict())
    assert torch.equal(loaded.pixel_mean.flatten(), torch.tensor(TINY.pixel_mean))
    image = noise()
    assert np.array_equal(SamSegmenter(loaded).masks(image, [BOX])[0], SamSegmenter(sam).masks(image, [BOX])[0])
    with pytest.raises(ModelUnavailableError, match="registry"):
        load_checkpoint(file, SamConfig())


def test_the_sizes_of_a_config_survive_json() -> None:
    assert build_sam(TINY.to_dict()).image_encoder.img_size == TINY.image_size
