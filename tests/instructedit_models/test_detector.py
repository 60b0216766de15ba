"""Grounding DINO in both builds: real classes, tiny and untrained, and hand-made token scores for the arithmetic."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import BertConfig, BertModel, GroundingDinoConfig, GroundingDinoForObjectDetection
from transformers.models.grounding_dino import GroundingDinoImageProcessor

from instructedit_models.detections import DetectionOptions
from instructedit_models.detector import GroundingDinoPyDetector, TransformersDetector, _GroundingDino
from instructedit_models.errors import (
    BadInstructionError,
    BadParameterError,
    ModelUnavailableError,
    UnknownWordError,
)
from instructedit_models.groundingdino_model import build_groundingdino
from instructedit_models.miniature.tokenizers import grounding_dino_tokenizer
from instructedit_models.remembering import RememberingDetector
from instructedit_models.types import Detection

SIDE = {"shortest_edge": 64, "longest_edge": 64}


def tiny_model() -> GroundingDinoForObjectDetection:
    torch.manual_seed(0)
    config = GroundingDinoConfig(
        backbone_config={
            "model_type": "convnext",
            "num_stages": 2,
            "hidden_sizes": [8, 16],
            "depths": [1, 1],
            "out_features": ["stage1", "stage2"],
        },
        text_config={
            "model_type": "bert",
            "vocab_size": 1040,
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 16,
            "max_position_embeddings": 64,
        },
        d_model=32,
        num_queries=12,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        num_feature_levels=2,
        max_text_len=24,
    )
    return GroundingDinoForObjectDetection(config)


def tiny_detector(**options) -> TransformersDetector:
    processor = SimpleNamespace(
        image_processor=GroundingDinoImageProcessor(size=SIDE, image_mean=[0.5] * 3, image_std=[0.5] * 3),
        tokenizer=grounding_dino_tokenizer(),
    )
    return TransformersDetector(tiny_model(), processor, **options)


def picture(width: int = 90, height: int = 60) -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8))


class HandMade(_GroundingDino):
    """Token scores and boxes as given, after the real tokenizer and before the real post-processing."""

    def __init__(self, tokens: dict[int, dict[str, float]], boxes: list[list[float]], **options) -> None:
        self.tokenizer = grounding_dino_tokenizer()
        self.options = DetectionOptions(**options)
        self.max_tokens = 24
        self.tokens, self.boxes = tokens, boxes
        self.texts: list[str] = []

    def _forward(self, image: Image.Image, text: str) -> tuple[torch.Tensor, torch.Tensor]:
        self.texts.append(text)
        words = self.tokenizer.convert_ids_to_tokens(self.tokenizer(text)["input_ids"])
        scores = [[self.tokens[query].get(word, 0.0) for word in words] for query in range(len(self.boxes))]
        return torch.tensor(scores), torch.tensor(self.boxes)


def test_boxes_are_clipped_scored_and_sorted():
    found = tiny_detector(box_threshold=0.0, nms_iou=1.0).detect(picture(), "red car")
    assert found
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    for each in found:
        x0, y0, x1, y1 = each.box
        assert 0 <= x0 < x1 <= 90 and 0 <= y0 < y1 <= 60
        assert 0 <= each.score <= 1
        assert each.phrase == "red car"


def test_a_high_threshold_finds_nothing():
    assert tiny_detector(box_threshold=1.0).detect(picture(), "red car") == []


def test_the_same_picture_gives_the_same_boxes():
    detector = tiny_detector(box_threshold=0.0)
    assert detector.detect(picture(), "cat . dog") == detector.detect(picture(), "cat . dog")


def test_the_features_of_a_picture_serve_all_phrases():
    detector, fresh = tiny_detector(box_threshold=0.0), tiny_detector(box_threshold=0.0)
    looked: list[tuple[int, ...]] = []
    encoder = detector.model.model.backbone.conv_encoder
    encoder.register_forward_pre_hook(lambda _, given: looked.append(given[0].shape))
    for image, phrase in ((picture(), "cat"), (picture(), "red dog"), (picture(60, 60), "cat"), (picture(), "cat")):
        fresh.forget()
        assert detector.detect(image, phrase) == fresh.detect(image, phrase)
    assert len(looked) == 2  # small pictures before the last are kept too
    detector.forget()
    detector.detect(picture(), "cat")
    assert len(looked) == 3
    assert set(detector.model.state_dict()) == set(tiny_model().state_dict())


def test_several_phrases_are_found_together_as_one_by_one():
    detector = tiny_detector(box_threshold=0.0, text_threshold=0.0)
    looked = []
    backbone = detector.model.model.backbone.conv_encoder
    backbone.register_forward_hook(lambda _module, _given, _made: looked.append(1))
    phrases = ["cat", "red car . dog", "the house"]
    together = detector.detect_each(picture(), phrases)
    assert len(looked) == 1
    for phrase, found in zip(phrases, together, strict=True):
        alone = detector.detect(picture(), phrase)
        assert [one.phrase for one in found] == [one.phrase for one in alone] and len(found) > 0
        assert np.allclose([one.box for one in found], [one.box for one in alone], atol=1e-3)
        assert np.allclose([one.score for one in found], [one.score for one in alone], atol=1e-5)
    assert len(looked) == 1
    assert detector.detect_each(picture(), []) == []


def test_saved_weights_load_to_the_same_detector(tmp_path):
    detector = tiny_detector(box_threshold=0.0)
    detector.model.save_pretrained(tmp_path)
    detector.tokenizer.save_pretrained(tmp_path)
    config = {"image_processor_type": "GroundingDinoImageProcessor", "size": SIDE}
    config |= {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(config))
    loaded = TransformersDetector.from_folder(tmp_path, options=DetectionOptions(box_threshold=0.0))
    before, after = (each.detect(picture(), "striped red car") for each in (detector, loaded))
    assert before and len(before) == len(after)
    for one, other in zip(before, after, strict=True):
        assert one.box == pytest.approx(other.box, abs=1e-3)
        assert one.score == pytest.approx(other.score, abs=1e-5)


def test_boxes_are_in_pixels_of_the_picture():
    detector = HandMade({0: {"car": 0.9}}, [[0.5, 0.25, 0.5, 0.5]])
    (found,) = detector.detect(picture(200, 80), "car")
    assert found.box == pytest.approx((50, 0, 150, 40))
    assert found.score == pytest.approx(0.9)


@pytest.mark.parametrize("size", [(3000, 8), (8, 3000)])
def test_pictures_of_any_shape_are_looked_at(size):
    for each in tiny_detector(box_threshold=0.0).detect(picture(*size), "car"):
        x0, y0, x1, y1 = each.box
        assert 0 <= x0 < x1 <= size[0] and 0 <= y0 < y1 <= size[1]
    half = HandMade({0: {"car": 0.9}}, [[0.25, 0.01, 0.5, 0.02]])  # shares of 3200 x 400, as which it is seen
    assert half.detect(picture(3200, 8), "car")[0].box == pytest.approx((0, 0, 1600, 8))


def test_every_word_counts_or_only_the_best():
    tokens = {0: {"red": 0.8, "car": 0.8}, 1: {"red": 0.05, "car": 0.9}}
    boxes = [[0.2, 0.5, 0.2, 0.2], [0.8, 0.5, 0.2, 0.2]]
    words = HandMade(tokens, boxes, score="all_words").detect(picture(), "the red car")
    assert [each.score for each in words] == pytest.approx([0.8])
    best = HandMade(tokens, boxes, score="max").detect(picture(), "the red car")
    assert [each.score for each in best] == pytest.approx([0.9, 0.8])
    # As in the original, the label lists the words above the text threshold.
    assert [each.phrase for each in best] == ["car", "red car"]


def test_duplicates_are_dropped_and_neighbours_kept():
    boxes = [[0.3, 0.5, 0.2, 0.2], [0.31, 0.5, 0.2, 0.2], [0.4, 0.5, 0.2, 0.2]]
    tokens = {0: {"car": 0.7}, 1: {"car": 0.9}, 2: {"car": 0.6}}
    assert [each.score for each in HandMade(tokens, boxes).detect(picture(), "car")] == pytest.approx([0.9, 0.6])


def test_each_box_answers_its_own_phrase():
    tokens = {0: {"cat": 0.9, "dog": 0.1}, 1: {"cat": 0.2, "dog": 0.7}}
    boxes = [[0.2, 0.5, 0.2, 0.2], [0.8, 0.5, 0.2, 0.2]]
    found = HandMade(tokens, boxes).detect(picture(), "Red Cat . dog.".replace("Red ", ""))
    assert [each.phrase for each in found] == ["cat", "dog"]


def test_prompts_are_lower_case_and_end_with_a_stop():
    detector = HandMade({0: {}}, [[0.5, 0.5, 0.2, 0.2]])
    detector.detect(picture(), "  Red   Car. Dog ")
    assert detector.texts == ["red car . dog ."]


def test_long_lists_are_asked_for_in_several_prompts():
    tokens = {0: {"cat": 0.9}, 1: {"orange": 0.8}}
    detector = HandMade(tokens, [[0.2, 0.5, 0.2, 0.2], [0.8, 0.5, 0.2, 0.2]])
    nouns = "ball . box . star . heart . house . tree . car . bus . flower . cat . dog . fish . boat . orange"
    found = detector.detect(picture(), nouns)
    assert [each.phrase for each in found] == ["cat", "orange"]
    assert len(detector.texts) == 2


def test_unknown_words_are_reported():
    with pytest.raises(UnknownWordError, match="'tiger'") as error:
        tiny_detector().detect(picture(), "red tiger")
    assert error.value.words == ("tiger",)


@pytest.mark.parametrize("phrase", ["", "  ", " . . "])
def test_empty_phrases_are_refused(phrase):
    with pytest.raises(BadInstructionError, match="empty"):
        tiny_detector().detect(picture(), phrase)


def test_endless_phrases_are_refused():
    with pytest.raises(BadInstructionError, match="too long"):
        tiny_detector().detect(picture(), "red " * 40 + "car")


@pytest.mark.parametrize(
    "options", [{"box_threshold": 1.5}, {"text_threshold": -0.1}, {"nms_iou": 2}, {"score": "min"}]
)
def test_options_are_checked(options):
    with pytest.raises(BadParameterError):
        DetectionOptions(**options)


@pytest.fixture(scope="module")
def text_encoder(tmp_path_factory):
    """A BERT small enough for a test; its tokenizer has BERT's special ids."""
    folder = tmp_path_factory.mktemp("bert")
    config = BertConfig(
        vocab_size=1040,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=256,
    )
    BertModel(config).save_pretrained(folder)
    grounding_dino_tokenizer().save_pretrained(folder)
    return folder


@pytest.mark.filterwarnings("ignore")  # the package and timm warn about their own imports
def test_groundingdino_py_builds_and_detects(text_encoder):
    torch.manual_seed(0)
    small = {"enc_layers": 1, "dec_layers": 1, "num_queries": 20, "dim_feedforward": 32}
    model = build_groundingdino(None, text_encoder, overrides=small)
    detector = GroundingDinoPyDetector(model, box_threshold=0.0, nms_iou=1.0)
    detector.image_processor.size = SIDE
    found = detector.detect(picture(), "red car . dog")
    assert found
    for each in found:
        x0, y0, x1, y1 = each.box
        assert 0 <= x0 < x1 <= 90 and 0 <= y0 < y1 <= 60
    # Phrases do not see each other: the words of one keep their features whatever the other is.
    alone = model.bert(**phrase_inputs(model, "red car .")).last_hidden_state
    beside = model.bert(**phrase_inputs(model, "red car . dog .")).last_hidden_state
    assert torch.allclose(alone[0, 1:4], beside[0, 1:4], atol=1e-5)


def phrase_inputs(model, text: str) -> dict[str, torch.Tensor]:
    from groundingdino.models.GroundingDINO.bertwarper import generate_masks_with_special_tokens_and_transfer_map

    tokens = model.tokenizer([text], return_tensors="pt")
    mask, positions, _ = generate_masks_with_special_tokens_and_transfer_map(
        tokens, model.specical_tokens, model.tokenizer
    )
    return {"input_ids": tokens["input_ids"], "attention_mask": mask, "position_ids": positions}


def test_a_missing_checkpoint_is_one_sentence(tmp_path):
    with pytest.raises(ModelUnavailableError, match="missing"):
        build_groundingdino(tmp_path / "none.pth")


def test_views_looked_at_together_show_what_each_shows():
    detector = tiny_detector(box_threshold=0.0, nms_iou=1.0)
    pictures = [
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (48, 48, 3), dtype=np.uint8)) for seed in range(3)
    ]
    for others in (pictures, [*pictures[:2], pictures[2].crop((0, 0, 40, 48))]):  # of one size, and not
        detector.forget()
        alone = [detector.detect(picture, "red car") for picture in others]
        detector.forget()
        together = RememberingDetector(detector).detect_views(others, "red car")
        assert [len(found) for found in together] == [len(found) for found in alone]
        for one, other in zip(alone, together, strict=True):
            assert [each.score for each in other] == pytest.approx([each.score for each in one], abs=1e-4)
            for a, b in zip(one, other, strict=True):
                assert b.box == pytest.approx(a.box, abs=1e-2)


def test_views_that_are_known_are_not_looked_at_again():
    class Counting:
        def __init__(self) -> None:
            self.seen: list[int] = []

        def detect_views(self, images: list[Image.Image], phrase: str) -> list[list[Detection]]:
            self.seen.append(len(images))
            return [[] for _ in images]

    counting = Counting()
    remembering = RememberingDetector(counting)  # type: ignore[arg-type]
    pictures = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "red")]
    assert remembering.detect_views(pictures, "box") == [[], [], []]
    assert remembering.detect_views([*pictures, Image.new("RGB", (8, 8), "green")], "box") == [[]] * 4
    remembering.forget()
    remembering.detect_views(pictures[:1], "box")
    assert counting.seen == [2, 1, 1]
