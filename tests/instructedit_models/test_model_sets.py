"""Model sets: TOML files read, weights found or missed in one sentence, and a whole tiny set loaded and used."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from instructedit_models.errors import BadParameterError, ModelUnavailableError
from instructedit_models.miniature.tokenizers import clip_tokenizer, grounding_dino_tokenizer, t5_tokenizer
from instructedit_models.miniature.words import NOUNS, PARTS
from instructedit_models.model_files import parse_component
from instructedit_models.model_sets import ROLES, ModelSet, load_model_set, model_set_names
from instructedit_models.sam_model import build_sam
from instructedit_models.types import EditOptions
from tests.instructedit_models import test_describer, test_detector, test_scorer, test_segmenter
from tests.instructedit_models.tiny_diffusion import SCHEDULER_CONFIG, tiny_components

CLASSES = {
    "vae": "AutoencoderKL",
    "text_encoder": "CLIPTextModel",
    "tokenizer": "AutoTokenizer",
    "unet": "UNet2DConditionModel",
    "scheduler": "DDIM",
    "detector": "GroundingDinoForObjectDetection",
    "segmenter": "Sam",
    "describer": "Blip2ForConditionalGeneration",
    "scorer": "CLIPModel",
}
SET = (
    (
        'schema = 1\nname = "tiny"\n'
        + "".join(f'[components.{role}]\nclass = "{kind}"\npath = "w/{role}"\n' for role, kind in CLASSES.items())
        + "[grounding]\nclosed_world = true\nphrases_per_prompt = 2\n"
        "[defaults]\nsteps = 6\nguidance_scale = 3\n[defaults.shape]\nencoding_ratio = 0.9\ngrow = 2\n"
    )
    .replace('path = "w/tokenizer"\n', 'path = "w/tokenizer"\nfiles = ["tokenizer.json"]\n')
    .replace('path = "w/scheduler"\n', 'path = "w/scheduler"\nfiles = ["scheduler_config.json"]\n')
)


@pytest.fixture(scope="module")
def tiny_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of all nine components with random weights."""
    folder = tmp_path_factory.mktemp("set")
    weights = folder / "w"
    vae, text_encoder, tokenizer, unet = tiny_components()
    vae.save_pretrained(weights / "vae")
    unet.save_pretrained(weights / "unet")
    text_encoder.save_pretrained(weights / "text_encoder")
    tokenizer.save_pretrained(weights / "tokenizer")
    (weights / "scheduler").mkdir()
    (weights / "scheduler" / "scheduler_config.json").write_text(json.dumps(SCHEDULER_CONFIG))
    test_detector.tiny_model().save_pretrained(weights / "detector")
    test_detector.tiny_detector().image_processor.save_pretrained(weights / "detector")
    grounding_dino_tokenizer().save_pretrained(weights / "detector")
    (weights / "segmenter").mkdir()
    (weights / "segmenter" / "config.json").write_text(json.dumps(test_segmenter.TINY.to_dict()))
    save_file(build_sam(test_segmenter.TINY).state_dict(), weights / "segmenter" / "model.safetensors")
    test_describer.tiny_model().save_pretrained(weights / "describer")
    t5_tokenizer().save_pretrained(weights / "describer")
    test_scorer.tiny_scorer().model.save_pretrained(weights / "scorer")
    clip_tokenizer().save_pretrained(weights / "scorer")
    (folder / "tiny.toml").write_text(SET)
    return folder / "tiny.toml"


def _changed(tiny_set: Path, tmp_path: Path, *replacements: tuple[str, str]) -> Path:
    text = tiny_set.read_text().replace('path = "', f'path = "{tiny_set.parent}/')
    for before, after in replacements:
        assert before in text
        text = text.replace(before, after)
    (tmp_path / "changed.toml").write_text(text)
    return tmp_path / "changed.toml"


def test_a_whole_set_is_loaded_when_it_is_used(tiny_set: Path) -> None:
    models = load_model_set(tiny_set, device="cpu")
    assert (models.name, models.device, models.dtype) == ("tiny", "cpu", "float32")
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    mask = np.zeros((48, 64), bool)
    mask[10:30, 20:40] = True
    result = models.editor.edit(image, mask, "photo of a red car", "photo of a blue car", models.defaults("shape"))
    assert result.unet_evaluations == 5 * 3 and models.editor is models.editor
    assert models.segmenter.masks(image, [(5, 5, 30, 30)])[0].shape == (48, 64)
    assert models.scorer.similarity([image], ["a red car"]).shape == (1, 1)
    assert models.describer.describe(image).text
    assert isinstance(models.detector.detect(image, "red car"), list)
    assert models.grounded.object_phrases == NOUNS and models.grounded.options.phrases_per_prompt == 2
    assert models.grounded.detector.detector is models.detector


def test_the_editor_loaded_from_files_is_the_one_that_was_saved(tiny_set: Path) -> None:
    from instructedit_models.editor import MaskedDDIMEditor

    loaded = load_model_set(tiny_set).editor
    assert loaded.native_size == 32
    saved = MaskedDDIMEditor(*tiny_components(), SCHEDULER_CONFIG)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    arguments = (image, np.ones((48, 64), bool), "photo of a car", "photo of a cat", EditOptions(steps=4))
    assert loaded.edit(*arguments).image.tobytes() == saved.edit(*arguments).image.tobytes()


def test_status_of_a_set(tiny_set: Path, tmp_path: Path) -> None:
    status = load_model_set(tiny_set).status()
    assert [each.role for each in status] == list(ROLES)
    assert all(each.present and each.bytes > 0 and not each.missing for each in status)
    file = _changed(tiny_set, tmp_path, ("w/unet", "w/nowhere"), ("w/scorer", "w/describer"))
    absent = [each for each in load_model_set(file).status() if not each.present]
    assert [(each.role, each.missing, each.bytes) for each in absent] == [("unet", ("config.json",), 0)]


def test_missing_and_broken_weights_are_one_sentence(tiny_set: Path, tmp_path: Path) -> None:
    models = load_model_set(_changed(tiny_set, tmp_path, ("w/unet", "w/nowhere"), ("w/scorer", "w/broken")))
    with pytest.raises(ModelUnavailableError, match=r"UNet \(UNet2DConditionModel\) are missing: .*config.json"):
        _ = models.editor
    broken = tiny_set.parent / "w" / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("{")
    with pytest.raises(ModelUnavailableError, match="scorer") as error:
        _ = models.scorer
    (broken / "config.json").write_text((broken.parent / "scorer" / "config.json").read_text())
    (broken / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelUnavailableError) as second:
        _ = models.scorer
    for each in (error, second):
        assert "\n" not in str(each.value) and str(each.value).endswith(".")


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("schema = 1", "schema = 2", "schema"),
        ("schema = 1", "schema = 1\ncolour = 1", "colour"),
        ("schema = 1", "schema = ", "cannot be read"),
        ("[components.unet]", "[components.u_net]", "exactly these"),
        ('class = "Sam"', 'class = "Sam"\ncolour = 1', "colour"),
        ('class = "Sam"', 'class = "Sam"\nrepo = "a/b"', "one of path, repo and url"),
        ("guidance_scale = 3", "guidance = 3", "guidance"),
        ("guidance_scale = 3", "guidance_scale = 0", "guidance scale"),
        ("encoding_ratio = 0.9", 'encoding_ratio = "0.9"', "encoding ratio"),
        ("encoding_ratio = 0.9", "encoding_ratio = 1.9", "encoding ratio"),
    ],
)
def test_sets_that_are_not_right(tiny_set: Path, tmp_path: Path, before: str, after: str, says: str) -> None:
    with pytest.raises(BadParameterError, match=says) as error:
        load_model_set(_changed(tiny_set, tmp_path, (before, after)))
    assert "changed.toml" in str(error.value)


def test_options_that_fit_no_class(tiny_set: Path, tmp_path: Path) -> None:
    models = load_model_set(
        _changed(tiny_set, tmp_path, ("phrases_per_prompt", "phrases"), ('"UNet2DConditionModel"', '"UNet"'))
    )
    for part in ("grounded", "editor"):
        with pytest.raises(BadParameterError):
            getattr(models, part)


def test_a_set_may_name_the_parts_of_things(tiny_set: Path, tmp_path: Path) -> None:
    named = '[grounding.parts]\nbicycle = ["wheels", "saddle"]\nhouse = []\n[defaults]'
    models = load_model_set(_changed(tiny_set, tmp_path, ("[defaults]", named)), device="cpu")
    assert models.grounded.parts == {**PARTS, "bicycle": ("wheels", "saddle"), "house": ()}
    wrong = load_model_set(
        _changed(tiny_set, tmp_path, ("[defaults]", '[grounding.parts]\ncar = "wheels"\n[defaults]'))
    )
    with pytest.raises(BadParameterError, match="must be lists of words by noun"):
        _ = wrong.grounded


def test_names_devices_and_dtypes() -> None:
    assert {"miniature", "paper"} <= set(model_set_names())
    for wrong in (
        lambda: load_model_set("nonesuch"),
        lambda: load_model_set("/no/such/set.toml"),
        lambda: load_model_set("miniature", device="quantum"),
        lambda: load_model_set("miniature", dtype="int3"),
        lambda: load_model_set("miniature").defaults("colour"),
    ):
        with pytest.raises(BadParameterError):
            wrong()
    with pytest.raises(BadParameterError, match="miniature"):
        load_model_set("miniatur")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there() -> None:
    with pytest.raises(ModelUnavailableError, match="--device cpu"):
        _ = load_model_set("miniature", device="cuda").editor


@pytest.mark.parametrize("name", model_set_names())
def test_the_sets_of_the_package_are_well_formed(name: str) -> None:
    models = load_model_set(name)
    assert models.name == name and models.recipe.description
    assert all(component.licence != "unknown" for component in models.recipe.components.values())
    for change in ("shape", "appearance", "background"):
        assert 0 < models.defaults(change).encoding_ratio <= 1
    assert models.defaults("shape").grow >= models.defaults("appearance").grow
    half = ModelSet(models.recipe, dtype="float16")
    assert half.dtype == "float16"


def test_the_papers_settings() -> None:
    paper = load_model_set("paper")
    options = paper.defaults("appearance")
    assert (options.steps, options.guidance_scale, options.encoding_ratio) == (50, 7.5, 0.5)
    assert paper.recipe.components["detector"].options["box_threshold"] == 0.3
    assert paper.recipe.components["detector"].options["text_threshold"] == 0.25


def test_offline_a_repository_that_is_missing_is_one_sentence(tmp_path: Path) -> None:
    script = (
        "from instructedit_models.model_sets import load_model_set\n"
        "from instructedit_models.errors import ModelUnavailableError\n"
        "models = load_model_set('paper')\n"
        "assert not any(each.present for each in models.status())\n"
        "import sys; assert 'torch' not in sys.modules\n"
        "for part in ('editor', 'detector', 'describer', 'scorer'):\n"
        "    try: getattr(models, part)\n"
        "    except ModelUnavailableError as error: print(error)\n"
    )
    started = time.monotonic()
    environment: dict[str, Any] = {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 4 and time.monotonic() - started < 60
    for line, repo in zip(lines, ("stable-diffusion-v1-5", "grounding-dino", "blip2", "clip-vit"), strict=True):
        assert repo in line and "hf download" in line and line.endswith(".")


def test_where_a_component_comes_from(tmp_path: Path) -> None:
    component = parse_component("unet", {"class": "A", "path": "../w"}, tmp_path / "sets")
    assert component.path == tmp_path / "w" and component.where == str(tmp_path / "w")
    repo = parse_component("unet", {"class": "A", "repo": "a/b", "subfolder": "unet", "revision": "0" * 40}, tmp_path)
    assert repo.where == "a/b/unet@00000000"
    for table in ({"path": "w"}, {"class": "A"}, {"class": "A", "path": "w", "url": "u"}):
        with pytest.raises(BadParameterError, match="unet"):
            parse_component("unet", table, tmp_path)


def test_a_file_at_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from instructedit_models import model_files

    monkeypatch.setattr(model_files, "DOWNLOADS", tmp_path / "cache")
    source = tmp_path / "weights.pth"
    source.write_bytes(b"some weights")
    digest = "b1a1f3d8a9d8f1a0"
    component = parse_component("segmenter", {"class": "Sam", "url": source.as_uri(), "sha256": digest}, tmp_path)
    with pytest.raises(ModelUnavailableError, match="curl"):
        model_files.fetch(component)
    assert not model_files.component_status(component).present
    whole = parse_component("segmenter", {"class": "Sam", "url": source.as_uri()}, tmp_path)
    assert model_files.fetch(whole).read_bytes() == b"some weights"
    assert model_files.component_status(whole).bytes == 12
    assert [file.name for file in (tmp_path / "cache").iterdir()] == ["weights.pth"]
