"""The five ways of one edit, on a tiny model of the real classes: what they cost, and how they are compared."""

import mmap
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from benchmarks.contenders import WAYS, Contenders, Parts, counted
from benchmarks.costs import cost_rows
from benchmarks.memory import peak_memory
from benchmarks.methods import Made, measured
from benchmarks.speed import BARS, ratios_of
from benchmarks.true_size import Alone
from instructedit_models.baselines.types import EditTask
from instructedit_models.editor import MaskedDDIMEditor
from instructedit_models.errors import NothingFoundError
from instructedit_models.types import EditOptions
from tests.instructedit_models.tiny_diffusion import SCHEDULER_CONFIG, tiny_components


@pytest.fixture(scope="module")
def contenders() -> Contenders:
    vae, text, tokenizer, unet = tiny_components()
    editor = MaskedDDIMEditor(vae, text, tokenizer, unet, SCHEDULER_CONFIG)
    parts = Parts(vae, text, tokenizer, editor.unet, SCHEDULER_CONFIG)
    ours = EditOptions(0.5, 10, 7.5, guidance_floor=0.3, inversion_stride=2)
    fast = EditOptions(0.5, 4, 7.5, solver="dpm++")
    return Contenders(Alone(editor, "tiny"), parts, EditOptions(0.5, 10, 7.5), ours, fast)


@pytest.fixture(scope="module")
def job() -> tuple[Image.Image, EditTask]:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    mask = np.zeros((32, 32), bool)
    mask[8:24, 8:24] = True
    return Image.fromarray(pixels), EditTask("x", "photo of a red car", "photo of a blue car", "car", mask=mask)


def test_each_way_costs_what_it_should(contenders: Contenders, job: tuple[Image.Image, EditTask]):
    """At 10 steps and r = 0.5; diffusers' DiffEdit: 10 maps of 4 for the mask, then 8 guided steps twice."""
    expected = {"original": 10 + 10, "diffusers_diffedit": 40 + 16 + 16, "cold": 3 + 8, "feedback": 8, "fast": 2 + 4}
    for way in WAYS:
        call = contenders.ready(way, *job)
        with counted(contenders.parts.unet) as spent:
            made = measured(call, job[0])
        assert made.error is None
        assert made.unet_evaluations == spent[0] == expected[way], way
        assert made.image.size == job[0].size
    again = contenders.ready("cold", *job)()
    assert again.unet_evaluations == 11, "a cold edit must not know of the edits before it"


def test_ours_keeps_the_background_and_the_original_does_not(contenders: Contenders, job: tuple[Image.Image, EditTask]):
    corner = np.s_[:4, :4]
    before = np.asarray(job[0])[corner]
    for way in ("cold", "feedback", "fast"):
        np.testing.assert_array_equal(np.asarray(contenders.ready(way, *job)().image)[corner], before)
    assert (np.asarray(contenders.ready("original", *job)().image)[corner] != before).any()


def test_ratios_are_taken_case_by_case():
    def entry(case: str, way: str, seconds: float, error: str | None = None) -> dict:
        return {"case": case, "method": way, "error": error, "metrics": {"seconds": seconds}}

    cases = [entry("a", "original", 10), entry("a", "cold", 7), entry("b", "original", 1), entry("b", "cold", 0.7)]
    cases += [entry("c", "original", 5), entry("c", "cold", 0.01, "nothing_found: no"), entry("c", "fast", 2)]
    ratios = {(one["what"], one["against"]): one for one in ratios_of(cases)}
    assert ratios["cold", "original"]["ratio"] == pytest.approx(0.7) and ratios["cold", "original"]["n"] == 2
    assert ratios["cold", "original"]["passed"] and not ratios["fast", "original"]["passed"]
    assert ratios["feedback", "original"]["ratio"] is None and not ratios["feedback", "original"]["passed"]
    assert set(ratios) == set(BARS)


def test_costs_have_all_axes_and_grow_with_steps_and_edits(contenders: Contenders, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("benchmarks.costs.CAPTIONS", ("photo of a red car", "photo of a blue car"))
    monkeypatch.setattr("benchmarks.costs.PICTURES", (32, 64))
    monkeypatch.setattr("benchmarks.costs.STEPS", (2, 8))
    rows = cost_rows(contenders.models.editor, EditOptions(0.5, 4, 7.5), rounds=1)
    assert set(Counter(row["axis"] for row in rows)) == {"mask", "picture", "steps", "edits"}
    spent = {(row["axis"], row["value"]): row["unet_evaluations"] for row in rows}
    assert spent["steps", 8] == 4 * spent["steps", 2]
    assert spent["edits", 4] == 4 * spent["edits", 1]
    assert spent["picture", 32] == spent["picture", 64] == spent["mask", 0.5] == 6


def test_a_failing_way_is_timed_and_said():
    image = Image.new("RGB", (8, 8))

    def fails() -> Made:
        raise NothingFoundError("There is no car.")

    made = measured(fails, image)
    assert made.image is image and made.error == "nothing_found: There is no car." and made.unet_evaluations == 0


def test_the_peak_is_of_what_ran_inside():
    with peak_memory() as small:
        pass
    with peak_memory() as large:
        with mmap.mmap(-1, 64_000_000) as block:  # what an allocator kept from earlier tests would not count anew
            block.write(bytes(64_000_000))
    if small.bytes is None or large.bytes is None:
        pytest.skip("this system does not tell")
    assert large.bytes - small.bytes > 30_000_000
