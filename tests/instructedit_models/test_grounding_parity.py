"""Both builds of Grounding DINO with the same random weights: the same boxes and scores."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import BertConfig, BertModel

from instructedit_models.detections import DetectionOptions
from instructedit_models.detector import GroundingDinoPyDetector, TransformersDetector
from instructedit_models.errors import ModelUnavailableError
from instructedit_models.groundingdino_model import build_groundingdino
from instructedit_models.groundingdino_weights import load_port, port_config, port_weights
from tests.hub.tokenizers import write_bert

PARITY = 1e-4
SMALL = {"enc_layers": 2, "dec_layers": 2, "num_queries": 30, "dim_feedforward": 32}
SAME_IN_PORT = {
    "encoder_layers": 2,
    "decoder_layers": 2,
    "num_queries": 30,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
}
SIDES = {"shortest_edge": 96, "longest_edge": 160}

pytestmark = pytest.mark.filterwarnings("ignore")  # groundingdino and timm warn about their own imports


@pytest.fixture(scope="module")
def text_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    size = write_bert(folder)
    config = BertConfig(
        vocab_size=size, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16
    )
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def checkpoint(text_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .pth as the authors publish it, in which no weight is left at zero or one."""
    model = build_groundingdino(None, text_encoder, overrides=SMALL)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.03)
    file = tmp_path_factory.mktemp("weights") / "groundingdino_swint_ogc.pth"
    torch.save({"model": {f"module.{name}": tensor for name, tensor in model.state_dict().items()}}, file)
    return file


def picture(width: int, height: int) -> Image.Image:
    coarse = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def detectors(checkpoint: Path, text_encoder: Path, **options: Any) -> tuple[Any, Any]:
    model = build_groundingdino(checkpoint, text_encoder, overrides=SMALL)
    own = GroundingDinoPyDetector(model, **options)
    port = TransformersDetector.from_checkpoint(
        checkpoint, text_encoder, options=DetectionOptions(**options), changes=SAME_IN_PORT
    )
    for each in (own, port):
        each.image_processor.size = SIDES
    return own, port


@pytest.mark.parametrize(("size", "phrase"), [((200, 120), "red car . dog"), ((90, 130), "the box")])
def test_the_same_boxes_and_scores(checkpoint: Path, text_encoder: Path, size: tuple[int, int], phrase: str) -> None:
    own, port = detectors(checkpoint, text_encoder, box_threshold=0.0, nms_iou=1.0, score="max")
    text = f"{phrase} ."
    ours, theirs = own._forward(picture(*size), text), port._forward(picture(*size), text)
    assert ours[1].std() > 0.05 and ours[0].max() > 0.01, "the random network must say something"
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape
        assert (one - other).abs().max() <= PARITY
    first, second = own.detect(picture(*size), phrase), port.detect(picture(*size), phrase)
    assert first and len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        assert abs(a.score - b.score) <= PARITY and a.phrase == b.phrase
        assert np.allclose(np.array(a.box) / max(size), np.array(b.box) / max(size), atol=PARITY)


def test_a_checkpoint_needs_no_weights_of_its_text_encoder(
    checkpoint: Path, text_encoder: Path, tmp_path: Path
) -> None:
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        (tmp_path / name).write_bytes((text_encoder / name).read_bytes())
    model = build_groundingdino(checkpoint, tmp_path, overrides=SMALL)
    saved = torch.load(checkpoint, weights_only=True)["model"]
    name = "bert.encoder.layer.1.attention.self.query.weight"
    assert torch.equal(model.state_dict()[name], saved[f"module.{name}"])


def test_every_weight_of_the_port_is_filled(checkpoint: Path) -> None:
    state = {
        name.removeprefix("module."): each for name, each in torch.load(checkpoint, weights_only=True)["model"].items()
    }
    converted = port_weights(state)
    used = [name for name in state if "relative_position_index" not in name and "bert.pooler" not in name]
    assert len(set(converted)) == len(converted)
    split = sum(".in_proj_" in name or ".attn.qkv." in name for name in used)
    assert len(converted) == len(used) + 2 * split
    assert sum(each.numel() for each in converted.values()) == sum(state[name].numel() for name in used)


@pytest.mark.parametrize("spoil", ["drop", "shape"])
def test_weights_that_do_not_fit_are_one_sentence(
    checkpoint: Path, text_encoder: Path, tmp_path: Path, spoil: str
) -> None:
    state = torch.load(checkpoint, weights_only=True)["model"]
    name = "module.transformer.decoder.norm.weight"
    if spoil == "drop":
        del state[name]
    else:
        state[name] = torch.zeros(3)
    torch.save({"model": state}, tmp_path / "spoilt.pth")
    plain = {each.removeprefix("module."): tensor for each, tensor in state.items()}
    with pytest.raises(ModelUnavailableError, match="Grounding DINO checkpoint"):
        load_port(port_config(text_encoder, **SAME_IN_PORT), plain)
    with pytest.raises(ModelUnavailableError, match="Grounding DINO checkpoint"):
        build_groundingdino(tmp_path / "spoilt.pth", text_encoder, overrides=SMALL)
