"""The set `paper` runs against a local hub cache: true layouts and classes, small random weights, no network."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file

from instructedit_models import model_files
from instructedit_models.errors import ModelUnavailableError
from instructedit_models.model_sets import ModelSet, load_model_set
from tests.hub.repositories import WIDTHS, copied, make_hub

ROOT = Path(__file__).parents[1]
QUICK = ("--steps", "2", "--retries", "0", "--yes", "--llm", "offline", "--json")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    make_hub(folder)
    picture = Image.new("RGB", (120, 90), (200, 220, 240))
    ImageDraw.Draw(picture).rectangle((40, 30, 80, 60), fill=(200, 30, 30))
    picture.save(folder / "car.png")
    return folder


@pytest.fixture
def models(home: Path) -> Iterator[ModelSet]:
    with pytest.MonkeyPatch.context() as patch:
        _use(patch, home)
        yield load_model_set(home / "set.toml", device="cpu")


def _use(patch: pytest.MonkeyPatch, home: Path) -> None:
    patch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home / "hf" / "hub"))
    patch.setattr(model_files, "DOWNLOADS", home / ".cache" / "instructedit")


def _command(home: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    environment = {"HOME": str(home), "HF_HOME": str(home / "hf"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "agent.faces.cli", *arguments],
        cwd=ROOT,
        env={**environment, "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def _outside_is_kept(home: Path, out: Path, region: Path) -> bool:
    before, after = (np.asarray(Image.open(file).convert("RGB")) for file in (home / "car.png", out))
    return bool((before == after)[~np.asarray(Image.open(region))].all())


def test_the_edit_command_runs_offline(home: Path, tmp_path: Path) -> None:
    out, region = tmp_path / "out.png", tmp_path / "region.png"
    files = (str(home / "car.png"), "Change the car to a box", "-o", str(out), "--save-region", str(region))
    code, record = _command(home, "edit", *files, "--models", str(home / "set.toml"), *QUICK)
    assert code == 0, record
    assert (record["models"], record["steps"], record["image_size"]) == ("set", 2, [120, 90])
    assert record["unet_evaluations"] == 3 and record["regions"]
    assert _outside_is_kept(home, out, region)


def test_every_role_works(models: ModelSet) -> None:
    assert all(each.present for each in models.status())
    image = Image.open(_home() / "car.png")
    assert models.describer.describe(image).text
    assert models.scorer.similarity([image], ["a red car"]).shape == (1, 1)
    found = models.detector.detect(image, "car . dog")
    assert found and all(0.3 <= each.score <= 1 for each in found)
    assert models.segmenter.masks(image, [found[0].box])[0].shape == (90, 120)


def _home() -> Path:
    return model_files.DOWNLOADS.parents[1]


def test_published_weight_names_reach_their_modules(models: ModelSet) -> None:
    """None of the modules that are called otherwise today than when the weights were published stays random."""
    folder = model_files.fetch(models.recipe.components["text_encoder"])
    saved = load_file(folder / "model.safetensors")
    encoder = models.editor._text_encoder
    assert torch.equal(encoder.embeddings.token_embedding.weight, saved["text_model.embeddings.token_embedding.weight"])
    vae = load_file(model_files.fetch(models.recipe.components["vae"]) / "diffusion_pytorch_model.safetensors")
    attention = models.editor._vae.decoder.mid_block.attentions[0]
    assert torch.equal(attention.to_q.weight, vae["decoder.mid_block.attentions.0.query.weight"])
    assert torch.equal(attention.to_out[0].bias, vae["decoder.mid_block.attentions.0.proj_attn.bias"])
    port = load_file(model_files.fetch(models.recipe.components["detector"]) / "model.safetensors")
    name = "encoder.layers.0.blocks.0.attention.self.query.weight"
    block = models.detector.model.model.backbone.conv_encoder.model.swin.encoder.layers[0].blocks[0]
    assert torch.equal(block.attention.q_proj.weight, port[f"model.backbone.conv_encoder.model.{name}"])


def test_flan_t5_keeps_an_output_layer_of_its_own(models: ModelSet) -> None:
    language = models.describer.model.language_model
    assert not torch.equal(language.lm_head.weight, language.shared.weight)
    assert not language.config.scale_decoder_outputs


def test_clips_slow_tokenizer_knows_every_word(models: ModelSet) -> None:
    assert models.editor.unknown_words("an axolotl") == ()
    assert models.editor.embed("photo of a red car").shape == (1, 77, 32)


def test_a_shard_that_is_missing_is_named(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt = copied(home, tmp_path / "home")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    _use(monkeypatch, spoilt)
    models = load_model_set(spoilt / "set.toml", device="cpu")
    (shard,) = (spoilt / "hf").rglob("model-00002-of-00002.safetensors")
    shard.unlink()
    status = {each.role: each for each in models.status()}
    assert status["describer"].missing == (shard.name,) and status["scorer"].present
    with pytest.raises(ModelUnavailableError, match="hf download Salesforce/blip2-flan-t5-xl --revision 0eb0d3b"):
        _ = models.describer


def test_the_lcm_lora_is_fused(models: ModelSet) -> None:
    pytest.importorskip("peft")
    name = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight"
    plain = models.editor._unet.state_dict()[name]
    fast = load_model_set(_home() / "set.toml", device="cpu", solver="lcm")
    lora = load_file(model_files.fetch(models.recipe.components["lcm_lora"]) / "pytorch_lora_weights.safetensors")
    stem = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    expected = plain + lora[f"{stem}.lora_up.weight"] @ lora[f"{stem}.lora_down.weight"]
    fused = fast.editor._unet.state_dict()
    assert set(fused) == set(models.editor._unet.state_dict())
    torch.testing.assert_close(fused[name], expected, atol=1e-5, rtol=0)
    assert fused[name].shape == (WIDTHS[0], WIDTHS[0])
    options = fast.defaults("appearance")
    assert (options.solver, options.steps, options.guidance_scale) == ("lcm", 8, 1.5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # groundingdino and timm warn about their own imports
def test_the_authors_own_grounding_dino_in_the_same_command(home: Path, tmp_path: Path) -> None:
    """groundingdino-py's Swin-T cannot be made smaller, so this takes a while."""
    from instructedit_models.groundingdino_model import build_groundingdino

    small = {"enc_layers": 1, "dec_layers": 1, "num_queries": 20, "dim_feedforward": 32}
    (folder,) = (home / "hf" / "hub" / "models--google-bert--bert-base-uncased" / "snapshots").iterdir()
    from transformers import BertConfig, BertModel

    with_weights = copied(folder, tmp_path / "bert")
    BertModel(BertConfig.from_pretrained(folder)).save_pretrained(with_weights)
    model = build_groundingdino(None, with_weights, overrides=small)
    file = home / ".cache" / "instructedit" / "groundingdino_swint_ogc.pth"
    torch.save({"model": {f"module.{name}": tensor for name, tensor in model.state_dict().items()}}, file)
    table = ", ".join(f"{key} = {value}" for key, value in small.items())
    paper = load_model_set("paper-pth").recipe.components["detector"]
    part = paper.parts["text_encoder"]
    changed = (
        (home / "set.toml").read_text()
        + f'[components.detector]\nclass = "GroundingDINO"\nurl = "{paper.url}"\nlicence = "Apache-2.0"\n'
        + f'options = {{ box_threshold = 0.3, score = "max", build = {{ overrides = {{ {table} }} }} }}\n'
        + f'[components.detector.parts.text_encoder]\nrepo = "{part.repo}"\nrevision = "{part.revision}"\n'
        + 'files = ["config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"]\n'
    )
    (home / "pth.toml").write_text(changed)
    out, region = tmp_path / "out.png", tmp_path / "region.png"
    files = (str(home / "car.png"), "Change the car to a box", "-o", str(out), "--save-region", str(region))
    code, record = _command(home, "edit", *files, "--models", str(home / "pth.toml"), *QUICK)
    assert code == 0, record
    assert record["regions"] and _outside_is_kept(home, out, region)
