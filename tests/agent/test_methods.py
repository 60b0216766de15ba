"""Edits by a baseline, from the command line to the files, on tiny real components and with the offline grammar."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agent.faces.cli import main
from agent.methods import task_of
from agent.plans import EditPlan
from instructedit_models.types import Description
from tests.instructedit_models.baselines.tiny import TinyMethodModels, picture


class SeesACar:
    def describe(self, image: Image.Image) -> Description:
        return Description("photo", "photo of a red car on grass")


@dataclass
class Tiny(TinyMethodModels):
    describer: SeesACar = SeesACar()


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "INSTRUCTEDIT_LLM", "INSTRUCTEDIT_MODELS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    models = Tiny()
    monkeypatch.setattr("instructedit_models.model_sets.load_model_set", lambda *_, **__: models)
    path = tmp_path / "car.png"
    picture().save(path)
    return path


def _record(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict]:
    code = main(["edit", *arguments, "--llm", "offline", "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_baseline_writes_the_files_and_says_which_it_was(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, mask = tmp_path / "out.png", tmp_path / "mask.png"
    given = (str(source), "make the car blue", "-o", str(out), "--save-mask", str(mask), "--steps", "4")
    code, record = _record(capsys, *given, "--method", "diffedit", "--method-option", "maps=2")
    assert code == 0, record
    assert (record["method"], record["verified"], record["models"], record["llm"]) == (
        "diffedit",
        False,
        "tiny",
        "offline",
    )
    assert record["input_caption"].lower() == "photo of a car" and record["segmentation_prompt"] == "car"
    assert record["unet_evaluations"] == 2 * 2 + 2 + 2 * 2 and record["steps"] == 4
    assert {"total", "mask", "invert", "denoise"} <= set(record["seconds"])
    with Image.open(out) as made, Image.open(mask) as found:
        assert made.size == found.size == (48, 40) and found.mode == "1"
        assert not np.asarray(found).all() and "instructedit" in made.info
        assert json.loads(made.info["instructedit"])["region"]
    assert {file.name for file in tmp_path.iterdir()} == {"car.png", "out.png", "mask.png"}


def test_instruct_pix2pix_needs_no_plan(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = (str(source), "dog cat grass on", "-o", str(tmp_path / "out.png"), "--steps", "2")
    code, record = _record(capsys, *given, "--method", "instruct-pix2pix")
    assert (code, record["unet_evaluations"], record["edited_caption"]) == (0, 6, "")


def test_the_picture_is_described_where_the_instruction_says_it(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = (str(source), "turn it into a dog", "-o", str(tmp_path / "out.png"), "--steps", "2")
    code, record = _record(capsys, *given, "--method", "sdedit")
    assert code == 0, record
    assert record["described"] and record["description"] == "photo of a red car on grass" and record["why_described"]
    assert "dog" in record["edited_caption"]


def test_a_mask_of_ones_own(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own, saved = tmp_path / "own.png", tmp_path / "mask.png"
    painted = np.zeros((40, 48), np.uint8)
    painted[5:20, 5:20] = 255
    Image.fromarray(painted).save(own)
    given = (str(source), "make the car blue", "-o", str(tmp_path / "out.png"), "--steps", "2", "--mask", str(own))
    code, _ = _record(capsys, *given, "--method", "inpainting", "--save-mask", str(saved))
    assert code == 0 and (np.asarray(Image.open(saved)) == (painted > 0)).all()
    for more, says in (
        (("--method", "sdedit"), "without a mask"),
        (("--method", "inpainting", "--mask-mode", "add"), "in place of"),
    ):
        code, failed = _record(capsys, *given, *more)
        assert code == 2 and says in failed["error"]["message"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--method", "nonesuch"), "instructedit_plain"),
        (("--method", "diffedit", "--method-option", "theta=1"), "threshold"),
        (("--method", "diffedit", "--method-option", "maps"), "KEY=VALUE"),
        (("--method-option", "maps=3"), "--method-option"),
        (("--method", "mdp", "--retries", "1"), "--retries"),
        (("--method", "mdp", "--bundle", "b"), "--bundle"),
    ],
)
def test_what_does_not_go_together(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], says: str
) -> None:
    code, failed = _record(capsys, str(source), "make the car blue", "-o", str(tmp_path / "out.png"), *more)
    assert code == 2 and says in failed["error"]["message"]
    assert not (tmp_path / "out.png").exists()


def test_several_edits_become_one_task() -> None:
    plans = [
        EditPlan(
            segmentation_prompt=noun,
            input_caption=f"Photo of a {noun}",
            edited_caption=f"Photo of a {new}",
            change="shape",
        )
        for noun, new in (("car", "bus"), ("red dog", "cat"))
    ]
    task = task_of("do it", plans)
    assert (task.input_caption, task.edited_caption) == ("Photo of a car and a red dog", "Photo of a bus and a cat")
    assert task.segmentation_prompt == "car . red dog" and task.given_mask is None
    assert task_of("do it", ()).edited_caption == ""
