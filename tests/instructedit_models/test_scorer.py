"""CLIP at a tiny size, and the verification of an edit by what it says."""

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

from instructedit_models.errors import BadMaskError, UnknownWordError
from instructedit_models.masks import crop_box
from instructedit_models.miniature.tokenizers import TEXT_LENGTH, clip_tokenizer
from instructedit_models.miniature.words import COLOURS
from instructedit_models.pixels import SquarePixels, load_image_processor
from instructedit_models.scorer import ClipScorer
from instructedit_models.tokens import unknown_words
from instructedit_models.verification import verify


def tiny_scorer(batch_size: int = 32) -> ClipScorer:
    torch.manual_seed(0)
    tokenizer = clip_tokenizer()
    size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {"vocab_size": len(tokenizer), "max_position_embeddings": TEXT_LENGTH, "projection_dim": 8}
    text |= {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    vision = {"image_size": 16, "patch_size": 8, "projection_dim": 8}
    model = CLIPModel(CLIPConfig(text_config=size | text, vision_config=size | vision, projection_dim=8))
    return ClipScorer(model, SquarePixels(16), tokenizer, batch_size=batch_size)


def pictures(n: int) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 255, (20, 30, 3), dtype=np.uint8)) for _ in range(n)]


CAPTIONS = ["photo of a red car", "photo of a cat", "painting of two blue balls on grass"]


def test_cosine_similarities():
    scores = tiny_scorer().similarity(pictures(4), CAPTIONS)
    assert scores.shape == (4, 3)
    assert scores.dtype == np.float32
    assert (np.abs(scores) <= 1 + 1e-5).all()
    assert np.unique(scores.round(6)).size > 3


def test_batches_do_not_matter():
    together = tiny_scorer().similarity(pictures(5), CAPTIONS)
    apart = tiny_scorer(batch_size=2).similarity(pictures(5), CAPTIONS)
    assert np.allclose(together, apart, atol=1e-5)
    assert np.allclose(together[3:4, 1:2], tiny_scorer().similarity(pictures(5)[3:4], CAPTIONS[1:2]), atol=1e-5)


def test_nothing_to_compare():
    assert tiny_scorer().similarity([], CAPTIONS).shape == (0, 3)
    assert tiny_scorer().similarity(pictures(2), []).shape == (2, 0)


def test_unknown_words_are_reported():
    with pytest.raises(UnknownWordError) as error:
        tiny_scorer().similarity(pictures(1), ["photo of a Zebra, a zebra and a gnu"])
    assert error.value.words == ("zebra", "gnu")
    assert unknown_words(clip_tokenizer(), "a red car's wheels; what?") == ()


def test_saved_weights_load_to_the_same_scorer(tmp_path):
    scorer = tiny_scorer()
    scorer.model.save_pretrained(tmp_path)
    scorer.tokenizer.save_pretrained(tmp_path)
    loaded = ClipScorer.from_folder(tmp_path)
    assert np.allclose(loaded.similarity(pictures(2), CAPTIONS), scorer.similarity(pictures(2), CAPTIONS), atol=1e-5)


def test_a_checkpoint_with_its_own_preprocessing_keeps_it(tmp_path):
    assert isinstance(load_image_processor(tmp_path, 16), SquarePixels)
    CLIPImageProcessor(size={"shortest_edge": 20}, crop_size={"height": 20, "width": 20}).save_pretrained(tmp_path)
    processor = load_image_processor(tmp_path, 16)
    assert processor(images=pictures(1), return_tensors="pt")["pixel_values"].shape == (1, 3, 20, 20)


def test_pixels_are_scaled_from_minus_one_to_one():
    pixels = SquarePixels(4)([Image.new("RGB", (9, 4), "white"), Image.new("RGB", (4, 4), (0, 255, 0))])["pixel_values"]
    assert pixels.shape == (2, 3, 4, 4)
    assert (pixels[0] == 1).all()
    assert pixels[1, :, 0, 0].tolist() == [-1, 1, -1]


class MeanColour:
    """A scorer that compares the mean colour of a picture with the colour that a caption names."""

    def similarity(self, images: list[Image.Image], texts: list[str]) -> np.ndarray:
        seen = np.array([np.asarray(image, dtype=float).mean(axis=(0, 1)) for image in images])
        named = [next((COLOURS[word] for word in text.split() if word in COLOURS), None) for text in texts]
        if None in named:
            raise UnknownWordError("The text encoder does not know the word 'mauve'.", ("mauve",))
        distance = np.linalg.norm(seen[:, None] - np.array(named, dtype=float)[None], axis=2)
        return (1 - distance / 255).astype(np.float32)


def painted(colour: str) -> Image.Image:
    image = Image.new("RGB", (100, 60), COLOURS["green"])
    image.paste(COLOURS[colour], (10, 10, 30, 30))
    return image


MASK = np.zeros((60, 100), dtype=bool)
MASK[10:30, 10:30] = True


def test_an_edit_that_worked_passes():
    found = verify(painted("red"), painted("blue"), MASK, "a red ball", "a blue ball", MeanColour())
    assert found.passed
    assert found.score_before < 0 < found.score_after
    assert "better" in found.note


def test_an_edit_that_did_nothing_fails():
    found = verify(painted("red"), painted("red"), MASK, "a red ball", "a blue ball", MeanColour())
    assert not found.passed
    assert found.score_before == found.score_after


def test_an_edit_that_went_half_way_fails():
    found = verify(painted("red"), painted("purple"), MASK, "a red ball", "a blue ball", MeanColour())
    assert found.score_after > found.score_before
    assert not found.passed and found.checks["caption"] and found.checks["colour"] is False
    assert found.note == "The result looks purple, not blue."


def test_captions_that_cannot_be_compared_do_not_pass():
    found = verify(painted("red"), painted("blue"), MASK, "a red ball", "a mauve ball", MeanColour())
    assert not found.passed
    assert found.note.startswith("Not verified")


@pytest.mark.parametrize("mask", [np.zeros((60, 100), dtype=bool), np.ones((10, 10), dtype=bool)])
def test_bad_masks(mask):
    with pytest.raises(BadMaskError):
        verify(painted("red"), painted("blue"), mask, "a red ball", "a blue ball", MeanColour())


@pytest.mark.parametrize(
    ("box", "expected"),
    [((40, 20, 60, 40), (35, 15, 65, 45)), ((0, 0, 20, 20), (0, 0, 30, 30)), ((0, 10, 100, 20), (0, 0, 100, 60))],
)
def test_the_crop_is_square_and_inside(box, expected):
    mask = np.zeros((60, 100), dtype=bool)
    mask[box[1] : box[3], box[0] : box[2]] = True
    assert crop_box(mask, 1.5) == expected
