"""Table 1: its cases, its metrics, its record and its claims; the methods here are small ones that really paint."""

import argparse
import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks import record, table1
from benchmarks.cases import PAPER_TYPES, Case, dataset_cases, world_cases
from benchmarks.datasets import Sample
from benchmarks.harness import Keeper
from benchmarks.measures import Measures, captions_of
from benchmarks.methods import Made, Planner, joined_captions, method_names, try_method
from benchmarks.scenes import scenes_from
from instructedit_models.errors import BadParameterError, ModelUnavailableError, NothingFoundError


class Clip:
    """Embeds a picture as its mean colour and a text as the colour that it ends with."""

    def embed_images(self, images: list[Image.Image]) -> np.ndarray:
        return _unit(np.stack([np.asarray(image).reshape(-1, 3).mean(axis=0) for image in images]))

    def embed_texts(self, texts: list[str]) -> np.ndarray:
        return _unit(np.array([[len(text), 3, 1] for text in texts], float))


def _unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return world_cases(scenes_from(9_800_000, 30), limit=6)


@pytest.fixture
def models() -> Any:
    return SimpleNamespace(
        editor=SimpleNamespace(forget=lambda: None), grounded=None, scorer=Clip(), name="tiny", describer=None
    )


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    return Keeper(tmp_path / "r.json", {"schema": 1, "settings": {}, "commit": "x"}, pictures=tmp_path / "pictures")


def perfect(cases: list[Case]) -> Any:
    """The true edit, as a method."""
    by_instruction = {case.instruction: case for case in cases}

    def method(image: Image.Image, instruction: str) -> Made:
        case = by_instruction[instruction]
        return Made(case.target or image, case.mask, 75)

    return method


def spoiled(image: Image.Image, instruction: str) -> Made:
    """A grey picture and a mask of everything."""
    return Made(Image.new("RGB", image.size, (90, 90, 90)), np.ones((image.height, image.width), bool), 200)


def test_the_types_share_the_cases(cases: list[Case]):
    counts = {kind: sum(case.edit_type == kind for case in cases) for kind in PAPER_TYPES}
    assert len(cases) == 6 and min(counts.values()) >= 1
    assert len({case.group for case in cases}) == 6
    both = next(case for case in cases if case.edit_type == "several kinds")
    assert " and " in both.instruction and len(both.parts) == 2
    assert both.mask is not None and both.target is not None
    assert [case.id for case in world_cases(scenes_from(9_800_000, 30), limit=6)] == [case.id for case in cases]
    with pytest.raises(BadParameterError, match="no edit type"):
        world_cases([], ("whole",))


def test_the_true_edit_is_perfect_and_a_spoiled_picture_is_not(cases: list[Case]):
    measures = Measures(Clip())
    for case in cases[:3]:
        good = measures(case, try_method(perfect(cases), case.image, case.instruction, _tiny()), None)
        bad = measures(case, try_method(spoiled, case.image, case.instruction, _tiny()), ("a red", "a blue"))
        assert good["success"] == 1 and good["mask_iou"] == 1 and good["background_psnr"] == 100
        assert bad["background_psnr"] < 30 and bad["mask_iou"] < 0.7 and bad["background_ssim"] < 0.95
        assert good["clip_score"] is not None and good["clip_score"] != bad["clip_score"]
        assert good["clip_score_edited"] is None and bad["clip_score_edited"] is not None
        assert bad["unet_evaluations"] == 200 and bad["seconds"] >= 0


def test_whole_pictures_are_described_in_full_and_in_the_same_words_but_for_the_edit(cases: list[Case]):
    for case in cases:
        assert case.described is not None
        before, after = (text.split() for text in case.described)
        scene = case.parts[0].drawn.scene
        assert {item.noun for item in scene.items} <= {word.strip(",") for word in before} | {"buses", "boxes"} | {
            word.strip(",").removesuffix("s") for word in before
        }
        changed = [(a, b) for a, b in zip(before, after, strict=False) if a != b]
        assert changed and (
            len(before) != len(after) or len(changed) <= 2 * sum(len(p.edit.objects) for p in case.parts)
        )
    (own,) = dataset_cases([Sample("a", Path("a.png"), "x", "a seat", "a cat on a seat")])
    assert own.described is None


def _tiny() -> Any:
    return SimpleNamespace(editor=SimpleNamespace(forget=lambda: None))


def test_a_whole_run_and_its_claims(cases: list[Case], models: Any, keeper: Keeper, capsys: pytest.CaptureFixture):
    def missing(image: Image.Image, instruction: str) -> Made:
        raise ModelUnavailableError("This set has no such UNet.")

    def blind(image: Image.Image, instruction: str) -> Made:
        raise NothingFoundError("Nothing was found.")

    methods = {"instructedit": perfect(cases), "spoiled": spoiled, "blind": blind, "absent": missing}
    left_out = table1.run_methods(cases, methods, Planner(models), models, keeper)
    assert left_out == {"absent": "This set has no such UNet."}
    found = table1.summary(keeper.cases, list(methods))
    ours, theirs, none = found["rows"]
    assert (ours["method"], ours["n"], ours["success"], ours["failed"]) == ("instructedit", 6, 1.0, 0)
    assert none["failed"] == 6 and none["mask_iou"] == 0 and none["success"] < 1
    assert ours["intervals"]["background_psnr"] == [100, 100] > theirs["intervals"]["background_psnr"]
    verdicts = {(each["metric"], each["other"]): each["verdict"] for each in found["differences"]}
    assert verdicts["mask_iou", "spoiled"] == verdicts["background_psnr", "spoiled"] == "better"
    claims = {each["claim"]: each for each in found["claims"]}
    assert claims["best in background_psnr"]["holds"], "who changes nothing spoils nothing, which says nothing"
    assert verdicts["background_psnr", "blind"] == "unknown" and none["lpips"] is None
    assert claims["best in mask_iou"]["holds"]
    assert {row["type"] for row in found["by_type"]} <= set(PAPER_TYPES)
    assert "best in mask_iou: yes" in table1.text_of(found, left_out, keeper.path)
    written = json.loads(keeper.path.read_text())
    assert len(written["cases"]) == 18
    assert (keeper.pictures / written["cases"][0]["pictures"]["output"]).is_file()
    before = len(keeper.cases)
    table1.run_methods(cases, {"spoiled": spoiled}, Planner(models), models, keeper)
    assert len(keeper.cases) == before, "what the record holds is not run again"


def test_a_method_without_masks_has_no_overlap_even_where_it_fails():
    cases = [
        {"case": "1", "group": 1, "type": "part", "method": name, "error": "no plan", "metrics": {"mask_iou": 0.0}}
        for name in ("instructedit", "diffedit", "mdp")
    ]
    rows = {row["method"]: row for row in table1.rows_of(cases, ("instructedit", "diffedit", "mdp"))}
    assert rows["instructedit"]["mask_iou"] == rows["diffedit"]["mask_iou"] == 0 and rows["mdp"]["mask_iou"] is None
    differences = table1.differences_of(cases, ("instructedit", "mdp"))
    (verdict,) = [each["verdict"] for each in differences if each["metric"] == "mask_iou"]
    assert verdict == "unknown"


def test_a_record_of_other_settings_is_not_gone_on_from(tmp_path: Path):
    path, record = tmp_path / "r.json", {"commit": "a", "settings": {"seed": 1, "types": ("part",)}}
    assert table1._resumed(path, record) == []
    path.write_text(json.dumps({**record, "cases": [{"case": "x", "method": "y"}]}))
    assert table1._resumed(path, record) == [{"case": "x", "method": "y"}]
    with pytest.raises(BadParameterError, match="another commit"):
        table1._resumed(path, {**record, "commit": "b"})
    path.write_text("{}")
    with pytest.raises(BadParameterError, match="no record"):
        table1._resumed(path, record)


def test_files_that_were_added_since_leave_a_record_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def git(*arguments: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        return subprocess.run(["git", "-C", str(tmp_path), *who, *arguments], capture_output=True, text=True).stdout

    monkeypatch.setattr(record, "ROOT", tmp_path)
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "a.py").write_text("1")
    git("init"), git("add", "."), git("commit", "-m", "a")
    first = git("rev-parse", "HEAD").strip()
    (tmp_path / "tools" / "weights").write_text("w")
    (tmp_path / "README.md").write_text("r")
    git("add", "."), git("commit", "-m", "b")
    assert record.only_added_since(first)
    assert not record.only_added_since("0" * 40) and not record.only_added_since(None)
    (tmp_path / "tools" / "a.py").write_text("2")
    assert not record.only_added_since(first)


def test_captions_are_joined_as_one_sentence(models: Any):
    plans = Planner(models)(Image.new("RGB", (8, 8)), "make the red car blue and turn the dog into a cat")
    assert joined_captions(plans) == ("Photo of a red car and a dog", "Photo of a blue car and a cat")
    sample = Sample("a", Path("a.png"), "x", "a seat", "a cat on a seat")
    (case,) = dataset_cases([sample])
    assert captions_of(case, plans) == ("a seat", "a cat on a seat")
    assert captions_of(world_cases(scenes_from(9_800_000, 5), limit=1)[0], ()) is None


def test_a_users_own_pictures_are_measured_without_a_judge(tmp_path: Path):
    Image.new("RGB", (48, 40), "red").save(tmp_path / "a.png")
    (case,) = dataset_cases([Sample("a", tmp_path / "a.png", "x", "a red", "a blue", "part")])
    found = Measures(Clip(), world=False)(case, spoiled(case.image, "x"), captions_of(case, ()))
    assert found["success"] is None and found["mask_iou"] is None and found["background_psnr"] is None
    assert found["clip_directional"] is not None


def test_the_options(tmp_path: Path):
    parser = argparse.ArgumentParser()
    table1.configure(parser)
    args = parser.parse_args(["--methods", "instructedit,diffedit", "--limit", "3"])
    assert args.methods == ("instructedit", "diffedit") and args.limit == 3
    assert "instructedit" in method_names() and "diffedit" in method_names()
    with pytest.raises(SystemExit):
        parser.parse_args(["--limit", "0"])
