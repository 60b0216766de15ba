"""BLIP-2 with a decoder-only language model, as the set `light` has it, whole and in 8 and 4 bits."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import Blip2Config, Blip2ForConditionalGeneration

from instructedit_models.describer import Blip2Describer, DescriberOptions, quantization
from instructedit_models.errors import BadParameterError, ModelUnavailableError
from tests.hub.tokenizers import t5_like

OPTIONS = DescriberOptions(question_template="Question: {question} Answer:", lower_case=False, max_new_tokens=5)
PICTURE = Image.new("RGB", (40, 30), "red")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("blip2")
    tokenizer = t5_like()
    small = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64, "hidden_size": 64}
    opt = {"model_type": "opt", "hidden_size": 64, "ffn_dim": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 1}
    torch.manual_seed(0)
    config = Blip2Config(
        vision_config=small | {"image_size": 28, "patch_size": 14},
        qformer_config=small | {"vocab_size": len(tokenizer), "encoder_hidden_size": 64},
        text_config=opt
        | ids
        | {"vocab_size": len(tokenizer), "max_position_embeddings": 128, "word_embed_proj_dim": 64},
        num_query_tokens=4,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    Blip2ForConditionalGeneration(config).save_pretrained(place)
    tokenizer.save_pretrained(place)
    return place


def test_the_prompt_is_not_repeated(folder: Path) -> None:
    describer = Blip2Describer.from_folder(folder, options=OPTIONS)
    said = describer.describe(PICTURE)
    assert said.medium and "question" not in said.medium
    assert len(describer.tokenizer(said.medium, add_special_tokens=False).input_ids) <= OPTIONS.max_new_tokens + 1


@pytest.mark.filterwarnings("ignore")  # bitsandbytes tells of casts
@pytest.mark.parametrize(("bits", "kind"), [("8bit", "Linear8bitLt"), ("4bit", "Linear4bit")])
def test_quantized_weights(folder: Path, bits: str, kind: str) -> None:
    pytest.importorskip("bitsandbytes")
    describer = Blip2Describer.from_folder(folder, options=OPTIONS, quantize=bits)
    assert kind in {type(module).__name__ for module in describer.model.modules()}
    assert describer.describe(PICTURE).text


def test_other_bits_and_no_bitsandbytes(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadParameterError, match="3bit"):
        quantization("3bit", "cpu", torch.float32)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ModelUnavailableError, match=r"instructedit\[quantized\]"):
        quantization("4bit", "cpu", torch.float32)
