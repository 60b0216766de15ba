"""`edit` with masks of the person's own and without a name for its result, and `inspect`, from the command line."""

import json
from pathlib import Path

import numpy as np
import pytest

from agent.api import EditOverrides, edit_image
from agent.faces.cli import main
from instructedit_models.imaging import load_image, save_mask
from instructedit_models.masks import MaskRules
from tests.instructedit_models.odd_files import malformed, odd
from tests.tools.tiny_models import COLOURS, TinyModels, boxes
from tools.registry import call
from tools.workspace import Workspace

MAKE = "make the red box blue"
OFFLINE = ["--llm", "offline", "--json"]


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch) -> TinyModels:
    tiny = TinyModels()
    monkeypatch.setattr("instructedit_models.model_sets.load_model_set", lambda *_, **__: tiny)
    monkeypatch.setenv("INSTRUCTEDIT_SAFETY", "off")
    return tiny


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "input.png"
    boxes("red", "green").save(path)
    return path


def half(tmp_path: Path, name: str = "own.png") -> Path:
    mask = np.zeros((64, 96), bool)
    mask[:, :20] = True
    save_mask(mask, tmp_path / name)
    return tmp_path / name


def edited(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict:
    assert main(["edit", *arguments, *OFFLINE]) == 0
    return json.loads(capsys.readouterr().out)


def pixels(path: Path | str) -> np.ndarray:
    return np.asarray(load_image(path).image)


def test_a_mask_of_ones_own_in_every_mode(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own, out, saved = half(tmp_path), str(tmp_path / "out.png"), str(tmp_path / "saved.png")
    given = load_image(own)
    mask = np.asarray(given.image)[..., 0] > 127
    common = [str(source), MAKE, "-o", out, "--save-mask", saved]
    edited(common, capsys)
    found = pixels(saved)[..., 0] > 127
    expected = {"replace": mask, "add": mask | found, "subtract": found & ~mask, "intersect": found & mask}
    for mode, wanted in expected.items():
        edited([*common, "--mask", str(own), "--mask-mode", mode], capsys)
        np.testing.assert_array_equal(pixels(saved)[..., 0] > 127, wanted)
        assert (pixels(out)[wanted] == COLOURS["blue"]).all()
    edited([*common, "--mask", str(own), "--invert-mask"], capsys)
    np.testing.assert_array_equal(pixels(saved)[..., 0] > 127, ~mask)


def test_refinements_and_feather(
    source: Path, tmp_path: Path, models: TinyModels, capsys: pytest.CaptureFixture[str]
) -> None:
    out, saved = str(tmp_path / "out.png"), str(tmp_path / "saved.png")
    edited([str(source), MAKE, "-o", out, "--save-mask", saved], capsys)
    before = (pixels(saved)[..., 0] > 127).sum()
    options = ["--mask-grow", "3", "--fill-holes", "--keep-largest", "--mask-feather", "5"]
    edited([str(source), MAKE, "-o", out, "--save-mask", saved, *options], capsys)
    assert (pixels(saved)[..., 0] > 127).sum() > before and models.editor.calls[-1].feather == 5


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        (["--mask", "missing.png"], "bad_image", "no file"),
        (["--mask", "input.jpg"], "bad_image", "no file"),
        (["--mask", "skyline"], "bad_parameter", "none is saved there"),
        (["--mask", "small.png"], "bad_mask", "9 x 9"),
        (["--mask", "black.png"], "bad_mask", "all black"),
        (["--mask-mode", "add"], "bad_parameter", "--mask"),
        (["--mask", "own.png", "--mask-mode", "xor"], "bad_parameter", "xor"),
        (["--mask-grow", "999"], "bad_parameter", "128"),
        (["--mask-shrink", "100"], "bad_mask", "shrink"),
    ],
)
def test_masks_that_cannot_be_used(
    options: list[str], kind: str, words: str, source: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(source.parent)
    half(source.parent)
    save_mask(np.zeros((64, 96), bool), "black.png")
    save_mask(np.ones((9, 9), bool), "small.png")
    assert main(["edit", "input.png", MAKE, "-o", "out.png", *options, *OFFLINE]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["kind"] == kind and words in error["message"]
    assert not (source.parent / "out.png").exists()


def test_a_mask_saved_in_the_workspace_goes_by_its_name(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tools.context import ToolContext

    place = tmp_path / "workspace"
    monkeypatch.setenv("INSTRUCTEDIT_WORKSPACE", str(place))
    with Workspace(place) as workspace:
        context = ToolContext(TinyModels(), workspace.start(load_image(source).image))
        made = call(context, "segment", image_id="image_1", segmentation_prompt="green box").mask_id
        call(context, "name_mask", mask_id=made, label="shed")
        mask = context.conversation.mask(made or "")
    edited([str(source), MAKE, "-o", str(tmp_path / "out.png"), "--mask", "shed"], capsys)
    assert (pixels(tmp_path / "out.png")[mask] == COLOURS["blue"]).all()
    assert main(["edit", str(source), MAKE, "-o", str(tmp_path / "other.png"), "--mask", "barn", *OFFLINE]) == 2
    message = json.loads(capsys.readouterr().out)["error"]["message"]
    assert "no file 'barn'" in message and "'shed'" in message


@pytest.mark.parametrize(("name", "expected"), [("photo.jpg", "photo_edited.png"), ("scan.tif", "scan_edited.tif")])
def test_a_result_without_a_name(name: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / name
    boxes("red", "green").save(path, **({"quality": 100, "subsampling": 0} if name.endswith("jpg") else {}))
    record = edited([str(path), MAKE, "--mask", str(half(tmp_path))], capsys)
    assert record["output"] == str(tmp_path / expected) and Path(record["output"]).is_file()
    assert any("JPEG would change pixels" in note for note in record["warnings"]) == name.endswith("jpg")
    after, before = pixels(record["output"]), pixels(path)
    assert (after[:, 22:] == before[:, 22:]).all() and (after[:, :20] != before[:, :20]).any()


def test_inspect_reads_back_what_edit_wrote(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(source), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["provenance"] is None
    out = str(tmp_path / "out.png")
    edited([str(source), MAKE, "-o", out], capsys)
    assert main(["inspect", out, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    record = found["provenance"]
    assert (record["software"], record["instruction"], record["llm"]) == ("instructedit", MAKE, "offline")
    assert record["edits"][0]["edited_caption"] and record["models"]["revisions"]["editor"] == "painter-1"
    changed = np.argwhere((pixels(out) != pixels(source)).any(axis=-1))
    x0, y0, x1, y1 = record["region"]["box"]
    assert (changed >= (y0, x0)).all() and (changed < (y1, x1)).all()
    assert main(["inspect", out]) == 0
    shown = capsys.readouterr().out
    assert MAKE in shown and "box [" in shown
    edited([out, "make the green box yellow", "-o", str(tmp_path / "twice.png")], capsys)
    assert main(["inspect", str(tmp_path / "twice.png"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["provenance"]["history"][0]["instruction"] == MAKE


@pytest.mark.parametrize(("much", "words"), [("minimal", False), ("off", False), ("full", True)])
def test_how_much_is_told_is_the_operator_s_choice(
    much: str, words: bool, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("INSTRUCTEDIT_PROVENANCE", much)
    out = tmp_path / "out.png"
    edited([str(source), MAKE, "-o", str(out)], capsys)
    assert (MAKE.encode() in out.read_bytes()) is words
    assert (load_image(out).metadata.provenance is None) == (much == "off")


def test_a_replay_of_an_edit_with_its_mask_gives_the_same_file(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "bundle"
    arguments = [str(source), MAKE, "-o", str(tmp_path / "out.png"), "--bundle", str(bundle)]
    edited([*arguments, "--mask", str(half(tmp_path)), "--mask-grow", "2"], capsys)
    assert main(["replay", str(bundle), "-o", str(tmp_path / "again"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["same"] is True
    assert (tmp_path / "again" / "out.png").read_bytes() == (tmp_path / "out.png").read_bytes()


def test_signing_needs_both_files(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTRUCTEDIT_C2PA_KEY", str(tmp_path / "key.pem"))
    assert main(["edit", str(source), MAKE, "-o", str(tmp_path / "out.png"), *OFFLINE]) == 2
    assert "CERTIFICATE" in json.loads(capsys.readouterr().out)["error"]["message"]


@pytest.mark.parametrize("name", list(dict(malformed()))[::4])
def test_malformed_files_at_the_command_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "in.img", tmp_path / "out.png"
    path.write_bytes(dict(malformed())[name])
    for command in (["inspect", str(path)], ["edit", str(path), MAKE, "-o", str(out), "--llm", "offline"]):
        code = main([*command, "--json"])
        shown = capsys.readouterr()
        answer = json.loads(shown.out)
        assert shown.err == "" and code in (0, 2)
        assert code == 0 or (answer["error"]["message"].endswith(".") and answer["error"]["kind"] != "internal")


@pytest.mark.parametrize("name", list(dict(odd()))[::6])
def test_odd_files_through_an_edit(name: str, tmp_path: Path) -> None:
    path = tmp_path / "in.img"
    path.write_bytes(dict(odd())[name])
    loaded = load_image(path)
    own = np.zeros(loaded.image.size[::-1], bool)
    own[1:4, 2:5] = True
    outcome = edit_image(
        loaded, MAKE, models=TinyModels(), llm="offline", options=EditOverrides(masking=MaskRules(own), retries=0)
    )
    outside = ~outcome.region
    np.testing.assert_array_equal(np.asarray(outcome.image)[outside], np.asarray(loaded.image)[outside])


def test_a_refused_picture_at_the_command_line(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from instructedit_models.safety import SafetyGuard
    from tests.instructedit_models.test_safety import Redness

    monkeypatch.setattr("instructedit_models.safety.build_guard", lambda *_, **__: SafetyGuard(Redness(), 0.05))
    assert main(["edit", str(source), MAKE, "-o", str(tmp_path / "out.png"), *OFFLINE]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "refused"
    assert not (tmp_path / "out.png").exists()
