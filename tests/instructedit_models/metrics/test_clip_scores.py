"""CLIP scores of embeddings that are known, and of a real tiny CLIP."""

import numpy as np
import pytest
import torch
from PIL import Image
from transformers.models.clip.configuration_clip import CLIPConfig
from transformers.models.clip.modeling_clip import CLIPModel

from instructedit_models.metrics.clip_scores import clip_directional, clip_score
from instructedit_models.metrics.masks import iou
from instructedit_models.pixels import SquarePixels
from instructedit_models.scorer import ClipScorer
from tests.instructedit_models.tiny_diffusion import WORDS, tiny_tokenizer


class Plane:
    """A CLIP of two dimensions: a red picture or text points right, a blue one up."""

    def embed_images(self, images: list[Image.Image]) -> np.ndarray:
        return np.array([[1.0, 0.0] if image.getpixel((0, 0))[0] > 128 else [0.0, 1.0] for image in images], np.float32)

    def embed_texts(self, texts: list[str]) -> np.ndarray:
        return np.array([[1.0, 0.0] if "red" in text else [0.0, 1.0] for text in texts], np.float32)


RED, BLUE = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")


def test_the_score_is_a_cosine_in_percent():
    assert clip_score(Plane(), RED, "photo of a red car") == pytest.approx(100)
    assert clip_score(Plane(), RED, "photo of a blue car") == 0


def test_the_direction_is_that_of_the_captions():
    captions = ("photo of a red car", "photo of a blue car")
    assert clip_directional(Plane(), (RED, BLUE), captions) == pytest.approx(1)
    assert clip_directional(Plane(), (BLUE, RED), captions) == pytest.approx(-1)
    assert clip_directional(Plane(), (RED, RED), captions) == 0
    assert clip_directional(Plane(), (RED, BLUE), (captions[0], captions[0])) == 0


def test_a_real_clip_fits():
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config={**small, "vocab_size": 4 + len(WORDS), "max_position_embeddings": 12, "eos_token_id": 3},
        vision_config={**small, "image_size": 16, "patch_size": 8},
        projection_dim=8,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        clip = ClipScorer(CLIPModel(config), SquarePixels(16), tiny_tokenizer())
    caption = "photo of a red car"
    cosine = float(clip.similarity([RED], [caption])[0, 0])
    assert clip_score(clip, RED, caption) == pytest.approx(100 * max(cosine, 0), abs=1e-4)
    assert -1 <= clip_directional(clip, (RED, BLUE), (caption, "photo of a blue car")) <= 1


def test_masks_of_one_picture_only():
    mask = np.ones((2, 3), bool)
    assert iou(mask, mask) == 1
    from instructedit_models.errors import BadMaskError

    with pytest.raises(BadMaskError):
        iou(mask, mask.T)
