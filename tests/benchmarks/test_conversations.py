"""The conversations' data, the oracle that sees what is there, and the judging of turns, on a real scene."""

import argparse
import json

import numpy as np
import pytest
from PIL import Image

from benchmarks.conversations import Judged, Script, clarify_section, conversations_section, rows_of
from benchmarks.oracle import OracleModels
from benchmarks.scenes import Drawn
from instructedit_models.miniature.words import PARTS
from instructedit_models.miniature.world import TEST_SEEDS
from instructedit_models.types import EditOptions, EditResult, Progress, ProgressCallback
from tests.tools.tiny_models import TinyModels
from tools.context import ToolSettings
from tools.workspace import Workspace

ARGUMENTS = argparse.Namespace(oracle_grounding=True, steps=2, retries=0)


class Noise:
    """An editor that draws other pixels inside the mask: only objects and versions are judged."""

    revision = "noise"
    native_size = 128

    def __init__(self) -> None:
        self.calls = 0

    def unknown_words(self, text: str) -> tuple[str, ...]:
        return ()

    def edit(
        self, image, mask, input_caption: str, edited_caption: str, options: EditOptions,
        progress: ProgressCallback | None = None,
    ) -> EditResult:  # fmt: skip
        self.calls += 1
        pixels = np.asarray(image).copy()
        pixels[mask] = np.random.default_rng(self.calls).integers(0, 255, size=(int(mask.sum()), 3), dtype=np.uint8)
        if progress:
            progress(Progress("denoise", 1, 1))
        return EditResult(Image.fromarray(pixels), mask, mask, 3, False, {"total": 0.001})


def models() -> TinyModels:
    return TinyModels(editor=Noise())  # type: ignore[arg-type]


def test_the_scripts_are_as_many_and_as_long_as_they_should_be():
    scripts = rows_of("conversations") + rows_of("conversations_held_out")
    assert len(scripts) >= 60 and all(4 <= len(script["turns"]) <= 8 for script in scripts)
    assert len({script["id"] for script in scripts}) == len(scripts)
    kinds = {turn["kind"] for script in scripts for turn in script["turns"]}
    assert kinds == {"edit", "adjust", "variations", "undo", "redo", "go_back", "answer", "question", "error"}
    clarify = rows_of("clarify") + rows_of("clarify_held_out")
    assert [sum(case["ask"] is ask for case in clarify) for ask in (True, False)] == [60, 60]
    assert all(case["seed"] in TEST_SEEDS for case in (*scripts, *clarify))


def test_the_scripts_name_objects_that_are_there():
    for script in rows_of("conversations") + rows_of("conversations_held_out"):
        items = Drawn(script["seed"]).scene.items
        for number, turn in enumerate(script["turns"], start=1):
            assert all(label <= number for label in turn["to"])
            for edit in turn.get("edits", ()):
                assert all(index < len(items) for index in edit["objects"])


def test_a_whole_script_is_right_with_the_oracle_and_wrong_once_it_is_altered():
    (script,) = [script for script in rows_of("conversations") if script["id"] == "c06"]
    section = conversations_section([script], models(), ARGUMENTS)
    assert section.rows[0].figure == 1.0
    altered = json.loads(json.dumps(script))
    altered["turns"][1]["edits"][0]["objects"] = [1]  # "no, the right one" must not mean the left one again
    altered["turns"][4]["to"] = [0]
    wrong = conversations_section([altered], models(), ARGUMENTS)
    turns = wrong.cases[0]["turns"]
    assert [turn["objects"] for turn in turns] == [True, False, True, True, True]
    assert [turn["version"] for turn in turns] == [True, True, True, True, False]


def test_the_oracle_follows_what_the_edits_made_of_the_scene():
    drawn = Drawn(9_000_107)
    with Workspace.temporary() as workspace:
        oracle = OracleModels(models(), drawn)
        run = Script(drawn, oracle, ToolSettings(), workspace)
        expected = {"kind": "edit", "edits": [{"objects": [3], "part": None, "becomes": ["dog"]}], "holds": [1]}
        judged = run.turn(1, {"say": "turn the cat into a dog", **expected})
        assert judged.right and judged.becomes
        image = run.conversation.image(run.conversation.current_id)
        assert [thing.noun for thing in oracle.things(image)] == ["star", "star", "fish", "dog"]
        assert len(oracle.grounded.segment(image, "dog").regions) == 1
        run.turn(2, {"say": "make it white", **expected, "holds": [1, 2]})
        image = run.conversation.image(run.conversation.current_id)
        assert oracle.things(image)[3].colour == "white"
        assert "white dog" in oracle.describer.describe(image).text


def test_the_oracle_finds_parts():
    drawn = next(Drawn(seed) for seed in (9_000_103,) if "house" in {item.noun for item in Drawn(seed).scene.items})
    oracle = OracleModels(models(), drawn)
    house = next(index for index, item in enumerate(drawn.scene.items) if item.noun == "house")
    for part in PARTS["house"]:
        found = oracle.grounded.segment(drawn.image, f"{part} of the house")
        assert np.array_equal(found.mask, drawn.picture.part_mask(house, part))


@pytest.mark.parametrize(("say", "ask"), [("make the star yellow", True), ("make the white star yellow", False)])
def test_questions_are_counted(say: str, ask: bool):
    section = clarify_section([{"seed": 9_000_106, "say": say, "ask": ask}], models(), ARGUMENTS)
    assert section.rows[0 if ask else 1].figure == 1.0
    other = clarify_section([{"seed": 9_000_106, "say": say, "ask": not ask}], models(), ARGUMENTS)
    assert other.rows[1 if ask else 0].figure == 0.0


def test_a_turn_is_right_only_if_both_are():
    assert Judged("", "edit", "edit").right and not Judged("", "edit", "edit", version=False).right
