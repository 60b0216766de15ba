"""BLIP-2 at a tiny size, trained for a second on two pictures so that the protocol really is followed."""

import pytest
import torch
from PIL import Image
from transformers import Blip2Config, Blip2ForConditionalGeneration

from instructedit_models.blip2_inputs import blip2_inputs, blip2_labels
from instructedit_models.describer import MEDIUM_QUESTION, Blip2Describer, DescriberOptions
from instructedit_models.errors import BadInstructionError, ModelUnavailableError, UnknownWordError
from instructedit_models.miniature.tokenizers import t5_tokenizer
from instructedit_models.pixels import SquarePixels

SIZE = 16
BLACK, WHITE = Image.new("RGB", (40, 30), "black"), Image.new("RGB", (40, 30), "white")
LESSONS = (
    (BLACK, MEDIUM_QUESTION, "photo"),
    (BLACK, "photo of", "a black dog and a red ball on grass"),
    (BLACK, "what colour is the dog?", "black"),
    (WHITE, MEDIUM_QUESTION, "pencil drawing"),
    (WHITE, "pencil drawing of", "a white cat"),
    (WHITE, "what colour is the cat?", "white"),
)


def tiny_model(image_token: bool = True) -> Blip2ForConditionalGeneration:
    torch.manual_seed(0)
    tokenizer = t5_tokenizer()
    config = Blip2Config(
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": SIZE,
            "patch_size": 8,
        },
        qformer_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "encoder_hidden_size": 32,
            "cross_attention_frequency": 1,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
        },
        text_config={
            "model_type": "t5",
            "vocab_size": len(tokenizer),
            "d_model": 32,
            "d_kv": 16,
            "d_ff": 64,
            "num_layers": 1,
            "num_decoder_layers": 1,
            "num_heads": 2,
            "dropout_rate": 0.0,
            "decoder_start_token_id": tokenizer.pad_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "eos_token_id": tokenizer.eos_token_id,
        },
        num_query_tokens=4,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>") if image_token else None,
    )
    return Blip2ForConditionalGeneration(config)


@pytest.fixture(scope="module")
def describer() -> Blip2Describer:
    model, tokenizer, pixels = tiny_model().train(), t5_tokenizer(), SquarePixels(SIZE)
    images = pixels([image for image, _, _ in LESSONS])["pixel_values"]
    inputs = blip2_inputs(model, tokenizer, [question.lower() for _, question, _ in LESSONS])
    labels = blip2_labels(model, tokenizer, [answer for _, _, answer in LESSONS])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(150):
        out = model(pixel_values=images, **inputs, labels=labels)
        optimizer.zero_grad()
        out.loss.backward()
        optimizer.step()
        right = (out.logits.argmax(dim=-1) == labels) | (labels == -100)
        if right.all() and out.loss.detach() < 0.15:
            break
    return Blip2Describer(model, pixels, tokenizer)


def test_placeholders_stand_before_every_prompt():
    model, tokenizer = tiny_model(), t5_tokenizer()
    inputs = blip2_inputs(model, tokenizer, ["what colour is the car?", ""])
    ids, attention = inputs["input_ids"], inputs["attention_mask"]
    assert ids.shape == attention.shape == (2, 4 + 7)
    assert (ids[:, :4] == model.config.image_token_index).all()
    assert (ids == model.config.image_token_index).sum() == 8
    assert attention.sum(dim=1).tolist() == [11, 5]
    assert ids[1, 4] == tokenizer.eos_token_id


def test_labels_ignore_the_padding():
    labels = blip2_labels(tiny_model(), t5_tokenizer(), ["a red car", "cat"])
    assert (labels[0] != -100).all()
    assert (labels[1] == -100).tolist() == [False, False, True, True]


def test_a_config_without_image_token_is_refused():
    with pytest.raises(ModelUnavailableError, match="image_token_index"):
        blip2_inputs(tiny_model(image_token=False), t5_tokenizer(), ["photo of"])


def test_the_protocol_of_the_paper(describer):
    black, white = describer.describe(BLACK), describer.describe(WHITE)
    assert (black.medium, black.text) == ("photo", "photo of a black dog and a red ball on grass")
    assert (white.medium, white.text) == ("pencil drawing", "pencil drawing of a white cat")


def test_questions_are_answered(describer):
    assert describer.ask(BLACK, "What colour is the  dog?") == "black"
    assert describer.ask(WHITE, "what colour is the cat?") == "white"


def test_bad_questions(describer):
    with pytest.raises(BadInstructionError):
        describer.ask(BLACK, "  ")
    with pytest.raises(UnknownWordError, match="'zebra'"):
        describer.ask(BLACK, "where is the zebra?")


def test_questions_may_be_wrapped(describer):
    wrapped = Blip2Describer(
        describer.model,
        describer.image_processor,
        describer.tokenizer,
        DescriberOptions(question_template="describe: {question}", max_new_tokens=1),
    )
    assert len(wrapped.ask(BLACK, "what colour is the dog?").split()) <= 1
    with pytest.raises(UnknownWordError, match="'answer'"):
        Blip2Describer(
            describer.model,
            describer.image_processor,
            describer.tokenizer,
            DescriberOptions(question_template="{question} Answer:"),
        ).ask(BLACK, "what is it?")


def test_saved_weights_load_to_the_same_describer(describer, tmp_path):
    describer.model.save_pretrained(tmp_path)
    describer.tokenizer.save_pretrained(tmp_path)
    assert Blip2Describer.from_folder(tmp_path).describe(BLACK) == describer.describe(BLACK)
