"""The cases of the paper's figures, and what is made of their results; no large model runs here."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from agent.plans import EditPlan
from benchmarks import attribution, decay, describing, failures, phrasings
from benchmarks.cases import world_cases
from benchmarks.judge import Judge
from benchmarks.methods import Made
from benchmarks.scenes import scenes_from
from instructedit_models.editor import MaskedDDIMEditor
from instructedit_models.miniature.words import VOCABULARY
from instructedit_models.types import EditOptions
from tests.instructedit_models.tiny_diffusion import SCHEDULER_CONFIG, tiny_components


@pytest.fixture(scope="module")
def scenes() -> list:
    return scenes_from(9_820_000, 40)


def test_one_edit_in_every_wording(scenes: list):
    cases = next(found for drawn in scenes if (found := phrasings._cases(drawn)))
    assert [case.edit_type for case in cases] == list(phrasings.WORDINGS)
    assert len({case.instruction for case in cases}) == len({case.id for case in cases}) == len(phrasings.WORDINGS)
    assert len({str(case.parts[0].edit.to) for case in cases}) == 1
    for case in cases[:2]:
        assert case.succeeded(np.asarray(case.target), Judge()) and not case.succeeded(np.asarray(case.image), Judge())


def test_clear_and_unclear(scenes: list):
    clear, unclear = next(found for drawn in scenes if (found := describing._cases(drawn)))
    noun = clear.parts[0].drawn.scene.items[0].noun
    assert noun in clear.instruction and unclear.instruction.startswith("make it ")
    blind = describing.Undescribed(_Set())  # type: ignore[arg-type]
    assert noun not in blind.describer.describe(clear.image).text and blind.scorer == "clip"


class _Set:
    scorer = "clip"


def test_the_three_failures_are_what_they_say(scenes: list):
    made = {kind: [case for drawn in scenes if (case := make(drawn))] for kind, make in failures._MAKERS.items()}
    assert all(made[kind] for kind in failures.KINDS)
    assert all(len(case.parts[0].drawn.scene.items) > 1 for case in made["description"])
    assert all("noun" in case.parts[0].edit.to for case in made["deformation"])
    for case in made["position"]:
        nouns = [item.noun for item in case.parts[0].drawn.scene.items]
        (meant,) = case.parts[0].edit.objects
        assert nouns.count(nouns[meant]) > 1


def test_the_bars_of_the_failures():
    def entry(method: str, kind: str, overlap: float | None, success: float) -> dict[str, Any]:
        return {"method": method, "type": kind, "metrics": {"mask_iou": overlap, "success": success}}

    cases = [entry("instructedit", "position", 0.9, 1), entry("instructedit", "position", 0.1, 0)]
    cases += [entry("instructedit", "deformation", 0.9, 1), entry("instructedit_plain", "deformation", 0.9, 0)]
    found = failures._bars(cases)
    assert found["bars"] == {"chosen": 0.5, "gained": 1.0}
    assert [claim["holds"] for claim in found["claims"]] == [False, True]
    assert failures._bars([])["bars"] == {"chosen": None, "gained": None}


def test_true_captions_say_what_changes(scenes: list):
    for case in world_cases(scenes, ("object", "part", "one kind"), 12):
        plan = attribution.true_plan(case.parts[0])
        assert plan.input_caption != plan.edited_caption
        words = f"{plan.input_caption} {plan.edited_caption}".lower().split()
        assert set(words) <= set(VOCABULARY)
        for wanted in case.parts[0].edit.to.values():
            if wanted != "plain":
                assert wanted.split()[0][:3] in plan.edited_caption


def test_several_things_are_edited_one_by_one_as_by_the_product(scenes: list):
    editor = MaskedDDIMEditor(*tiny_components(), SCHEDULER_CONFIG)
    models: Any = SimpleNamespace(editor=editor, defaults=lambda change, aspect=None: EditOptions(steps=2, context=1.2))
    captions = {"input_caption": "photo of a cat", "edited_caption": "photo of a dog"}
    plan = EditPlan(segmentation_prompt="cat", change="appearance", **captions)
    spent: dict[str, list[int]] = {}
    for case in world_cases(scenes, ("object", "one kind"), 24):
        method = attribution._Staged(models, lambda *_: [plan], {case.instruction: case}, False, True)  # type: ignore[arg-type]
        spent.setdefault(case.edit_type, []).append(method(case.image, case.instruction).unet_evaluations)
    (once,) = set(spent["object"])
    assert max(spent["one kind"]) >= 2 * once


def test_a_chain_of_edits_decays_and_the_background_says_so(scenes: list):
    drawn, said = next((drawn, said) for drawn in scenes if (said := decay.turns_of(drawn, 4)))
    assert len(said) == 4 and said[0][0] != said[1][0]

    def blur(image: Image.Image, instruction: str) -> Made:
        return Made(image.resize((64, 64)).resize(image.size), None, 0)

    words = [one for one, _ in said]
    entries = list(decay._judged(drawn, "blur", said, decay.chained(drawn.image, words, blur)))
    rows = decay._rows(entries, ["blur"])
    assert [row["turn"] for row in rows] == [1, 2, 3, 4]
    assert rows[0]["background_psnr"] > rows[-1]["background_psnr"]
    still = list(decay._judged(drawn, "still", said, iter([drawn.image] * 4)))
    assert {entry["metrics"]["background_psnr"] for entry in still} == {100}
    assert [row["made"] for row in rows] == [1] * 4 and {row["made"] for row in decay._rows(still, ["still"])} == {0}
