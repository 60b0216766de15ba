"""Sets of one's own, where models are placed, and what is released when memory is short."""

import gc
import weakref
from pathlib import Path

import pytest

from instructedit_models import hardware
from instructedit_models.errors import BadParameterError, ModelUnavailableError
from instructedit_models.fitting import role_bytes
from instructedit_models.model_sets import ModelSet, load_model_set
from instructedit_models.types import EditOptions
from tests.instructedit_models.test_model_sets import tiny_set  # noqa: F401  (a fixture)


def _written(folder: Path, text: str, name: str = "mine.toml") -> Path:
    (folder / name).write_text("schema = 1\n" + text)
    return folder / name


def test_a_set_that_extends_another(tmp_path: Path) -> None:
    file = _written(
        tmp_path,
        'extends = "paper"\n[components.unet]\nclass = "UNet2DConditionModel"\npath = "my.safetensors"\n'
        '[components.unet.parts.config]\npath = "config"\n[defaults]\nencoding_ratio = 0.4\n'
        "[defaults.shape]\ngrow = 20\n"
        '[speed]\noffload = "model"\nsolver = "dpm++"\n[solvers."dpm++"]\nsteps = 15\n',
    )
    models, paper = load_model_set(file, device="cpu"), load_model_set("paper")
    unet = models.recipe.components["unet"]
    assert unet.path == tmp_path / "my.safetensors" and unet.parts["config"].path == tmp_path / "config"
    assert models.recipe.components["vae"] == paper.recipe.components["vae"]
    assert (models.name, models.offload, models.solver) == ("mine", "model", "dpm++")
    shape = EditOptions(steps=15, encoding_ratio=0.7, grow=20, feather=4, solver="dpm++")
    assert models.defaults("shape") == shape
    assert models.defaults("appearance").encoding_ratio == 0.4
    assert load_model_set(file, solver="ddim", offload="none").defaults("shape").steps == 50
    missing = {each.role: each.missing for each in models.status()}
    assert missing["unet"] == ("my.safetensors",) and missing["unet.config"] == ("config.json",)


def test_the_look_of_a_part_may_have_defaults_of_its_own(tmp_path: Path) -> None:
    file = _written(tmp_path, 'extends = "paper"\n[defaults]\nnegative = "both"\n[defaults.part]\nnegative = "input"\n')
    models = load_model_set(file, device="cpu")
    assert [models.defaults("appearance", aspect).negative for aspect in (None, "part", "pattern")] == [
        "both", "input", "both",
    ]  # fmt: skip
    assert models.defaults("shape", "part") == models.defaults("shape")
    miniature = load_model_set("miniature")
    assert miniature.defaults("appearance", "part").guidance_scale < miniature.defaults("appearance").guidance_scale
    assert miniature.defaults("appearance", "pattern").seed != miniature.defaults("appearance").seed


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('extends = "nonesuch"\n', "nonesuch"),
        ('extends = "mine.toml"\n', "extends itself"),
        ('extends = "paper"\n[speed]\ncolour = 1\n', "colour"),
        ('extends = "paper"\n[defaults.part]\ncolour = 1\n', "colour"),
        ('extends = "paper"\n[defaults.part]\nguidance_scale = 0\n', "guidance scale"),
        ('extends = "paper"\n[defaults.pattern]\nseed = -1\n', "seed"),
        ('extends = "paper"\n[speed]\noffload = "all"\n', "offload"),
        ('extends = "paper"\n[speed]\nsolver = "euler"\n', "euler"),
        ('extends = "paper"\n[solvers.euler]\nsteps = 3\n', "euler"),
        ('extends = "paper"\n[solvers.lcm]\nsteps = 0\n', "steps"),
        ('extends = "paper"\n[solvers.lcm]\nstep = 3\n', "step"),
        (
            'extends = "paper"\n[components.unet]\nclass = "A"\npath = "w"\nparts = { config = { files = ["a"] } }\n',
            "config",
        ),
    ],
)
def test_sets_of_ones_own_that_are_not_right(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadParameterError, match=says) as error:
        load_model_set(_written(tmp_path, text))
    assert "mine.toml" in str(error.value)


def test_what_was_asked_for_goes_before_what_the_set_says() -> None:
    light = load_model_set("light", device="cpu")
    assert (light.offload, light._attention_slicing, light.solver) == ("model", True, "ddim")
    own = load_model_set("light", device="cpu", offload="none", attention_slicing=False, solver="lcm")
    assert (own.offload, own._attention_slicing, own.defaults("shape").steps) == ("none", False, 8)
    with pytest.raises(BadParameterError, match="no weights for the solver lcm"):
        load_model_set("miniature", solver="lcm")
    for wrong in ({"offload": "all"}, {"solver": "euler"}, {"device": "cuda:x"}, {"device": "cuda:"}):
        with pytest.raises(BadParameterError):
            load_model_set("miniature", **wrong)  # type: ignore[arg-type]


def test_devices_and_their_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    assert hardware.pick_device("auto") == "mps"
    assert load_model_set("paper").dtype == "float16" and load_model_set("miniature").dtype == "float32"
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    assert hardware.pick_device("auto") == "cpu" and load_model_set("paper").dtype == "float32"
    with pytest.raises(ModelUnavailableError, match="Apple"):
        hardware.pick_device("mps")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert hardware.pick_device("cuda:1") == "cuda:1" and load_model_set("paper", device="cuda:1").dtype == "float16"
    with pytest.raises(ModelUnavailableError, match="from 0 to 1"):
        hardware.pick_device("cuda:2")


def test_short_memory_releases_what_was_read_longest_ago(
    tiny_set: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = load_model_set(tiny_set, device="cpu")
    detector, segmenter = weakref.ref(models.detector), weakref.ref(models.segmenter)
    _ = models.grounded, models.detector
    needed = role_bytes(models.recipe, "float32")["describer"]
    free = iter([needed - 1, needed, needed])
    monkeypatch.setattr(hardware, "free_memory", lambda _: (next(free), 2**40))
    _ = models.describer
    gc.collect()
    assert segmenter() is None, "the segmenter was read before the detector"
    assert detector() is models.detector


def test_enough_memory_releases_nothing(tiny_set: Path) -> None:  # noqa: F811
    models = load_model_set(tiny_set, device="cpu")
    before = models.segmenter
    _ = models.describer, models.scorer
    assert models.segmenter is before


def test_models_are_released_by_hand_and_come_back(tiny_set: Path) -> None:  # noqa: F811
    models = load_model_set(tiny_set, device="cpu")
    assert models.release() == ()
    held, scorer = weakref.ref(models.detector), models.scorer
    assert models.grounded is models.grounded
    assert models.release("detector") == ("detector",)
    assert held() is None and models.scorer is scorer
    assert models.grounded.detector.detector is models.detector  # type: ignore[attr-defined]


@pytest.mark.parametrize("offload", ["model", "sequential"])
def test_offloaded_roles_answer_as_ever(tiny_set: Path, offload: str) -> None:  # noqa: F811
    import numpy as np
    from PIL import Image

    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))

    def answers(models: ModelSet) -> tuple[object, ...]:
        return (
            models.detector.detect(image, "red car"),
            models.segmenter.masks(image, [(5, 5, 30, 30)])[0].tobytes(),
            models.describer.describe(image),
            models.scorer.similarity([image], ["a red car"]).tobytes(),
            models.editor.edit(image, np.ones((48, 64), bool), "photo of a car", "photo of a cat").image.tobytes(),
        )

    assert answers(load_model_set(tiny_set, device="cpu", offload=offload)) == answers(load_model_set(tiny_set))


def test_attention_in_slices_is_the_same_attention(tiny_set: Path) -> None:  # noqa: F811
    import numpy as np
    from PIL import Image

    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    arguments = (image, np.ones((48, 64), bool), "photo of a car", "photo of a cat", EditOptions(steps=4))
    sliced = load_model_set(tiny_set, device="cpu", attention_slicing=True).editor.edit(*arguments)
    plain = load_model_set(tiny_set, device="cpu").editor.edit(*arguments)
    difference = np.asarray(sliced.image, int) - np.asarray(plain.image, int)
    assert np.abs(difference).max() <= 1
