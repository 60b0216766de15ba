"""What the commands that need no trained models print and write."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from agent.faces.cli import main
from agent.faces.commands import doctor as doctor_command
from instructedit_models import doctor


def printed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict:
    assert main([*arguments, "--json"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    answer = json.loads(shown.out)
    assert answer["schema"] == 1
    return answer


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def test_world_sample_writes_pictures_with_their_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "scenes"
    answer = printed(["world", "sample", "--seed", "9000003", "--n", "2", "-o", str(folder)], capsys)
    assert answer["scenes"] == [str(folder / "9000003"), str(folder / "9000004")]
    for scene in answer["scenes"]:
        record = json.loads((Path(scene) / "scene.json").read_text())
        assert size_of(Path(scene) / "image.png") == (record["size"], record["size"])
        assert all((Path(scene) / one["mask"]).is_file() for one in record["objects"])


def test_world_sample_is_repeatable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        printed(["world", "sample", "--seed", "7", "-o", str(tmp_path / name)], capsys)
    one, two = (sorted((tmp_path / name / "7").iterdir()) for name in ("a", "b"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_world_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "sheet.png"
    answer = printed(["world", "sheet", "--n", "7", "-o", str(target)], capsys)
    assert list(size_of(target)) == answer["image_size"]
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]


def test_world_speaks_to_people_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["world", "sheet", "--n", "1", "-o", str(tmp_path / "sheet.png")]) == 0
    assert str(tmp_path / "sheet.png") in capsys.readouterr().out
    assert main(["world", "sheet", "--n", "1", "-o", str(tmp_path / "sheet.png"), "--quiet"]) == 0
    assert capsys.readouterr().out == ""


@pytest.fixture
def few_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", {"numpy": "numpy"})
    monkeypatch.setattr(doctor_command, "AGENT_PACKAGES", {"pydantic": "pydantic"})


def test_doctor_reports_every_check(few_packages: None, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor", "--llm", "offline", "--json"])
    answer = json.loads(capsys.readouterr().out)
    checks = {check["name"]: check for check in answer["checks"]}
    assert {"python", "numpy", "pydantic", "device", "memory", "models: miniature", "language model"} <= set(checks)
    assert answer["ok"] is all(check["ok"] for check in answer["checks"])
    assert code == (0 if answer["ok"] else 1)
    assert checks["language model"]["ok"] and checks["python"]["ok"]


def test_doctor_finds_what_is_missing(
    few_packages: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", {"no-such-package": "no_such_package"})
    assert main(["doctor", "--llm", "openai:gpt-4o-mini"]) == 1
    shown = capsys.readouterr().out
    assert "FAIL  no-such-package" in shown and "pip install no-such-package" in shown
    assert "FAIL  language model" in shown and "checks failed" in shown
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    main(["doctor", "--llm", "openai:gpt-4o-mini"])
    shown = capsys.readouterr().out
    assert "ok    language model" in shown and "secret" not in shown


def test_models_lists_the_sets(capsys: pytest.CaptureFixture[str]) -> None:
    sets = {one["name"]: one for one in printed(["models"], capsys)["sets"]}
    assert {"miniature", "paper"} <= set(sets)
    assert sets["miniature"]["default"] and not sets["paper"]["default"]
    for one in sets.values():
        assert {"vae", "unet", "detector", "segmenter", "describer", "scorer"} <= {
            component["role"] for component in one["components"]
        }
        assert one["present"] is all(component["present"] for component in one["components"])
        assert all(component["licence"] for component in one["components"])
    assert main(["models", "list"]) == 0
    assert "miniature (default)" in capsys.readouterr().out


def test_models_check_says_what_fits(capsys: pytest.CaptureFixture[str]) -> None:
    (one,) = printed(["models", "check", "miniature", "--device", "cpu", "--verify"], capsys)["sets"]
    assert one["fits"] and one["device"] == "cpu" and one["wrong_checksums"] == []
    assert 0 < one["memory"]["needed"] == sum(one["memory"]["weights"].values())
    assert main(["models", "check", "--device", "cpu"]) == 0
    shown = capsys.readouterr().out
    assert "miniature: fits cpu" in shown and "instructedit models pull paper" in shown


def test_models_check_exits_1_where_the_named_set_does_not_fit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("instructedit_models.hardware.free_memory", lambda _: (2**30, 2**31))
    assert main(["models", "check", "paper", "--device", "cpu"]) == 1
    assert "paper: does not fit cpu" in capsys.readouterr().out


def test_models_pull(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert printed(["models", "pull", "miniature"], capsys)["pulled"] == []
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.is_offline_mode", lambda: True)
    assert main(["models", "pull", "paper", "--json"]) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["kind"] == "model_unavailable" and "hf download stable-diffusion-v1-5" in error["message"]
    monkeypatch.setattr("instructedit_models.downloads.room_for", lambda *_: False)
    assert main(["models", "pull", "paper"]) == 1
    assert "has no room for 2" in capsys.readouterr().err
    assert main(["models", "pull", "paper", "--models", "light"]) == 2


def test_models_knows_a_set_of_ones_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    built_in = Path(doctor.__file__).parent / "sets" / "miniature.toml"
    own = tmp_path / "own.toml"
    own.write_text(built_in.read_text(encoding="utf-8").replace('name = "miniature"', 'name = "own"'), encoding="utf-8")
    monkeypatch.setenv("INSTRUCTEDIT_MODELS", str(own))
    sets = {one["name"]: one for one in printed(["models"], capsys)["sets"]}
    assert sets[str(own)]["default"] and not sets[str(own)]["present"]


@pytest.mark.parametrize(
    ("instruction", "fields"),
    [
        ("Change the dog to a cat", ("dog", "Photo of a dog", "Photo of a cat")),
        ("Change the cat on the right to a tiger", ("cat on the right", "Photo of a cat", "Photo of a tiger")),
    ],
)
def test_plan(instruction: str, fields: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    answer = printed(["plan", instruction, "--llm", "offline"], capsys)
    names = ("segmentation_prompt", "input_caption", "edited_caption")
    assert tuple(answer[name].lower() for name in names) == tuple(field.lower() for field in fields)
    assert answer["needs_description"] is False and answer["llm"] == "offline" and "edits" not in answer
    assert main(["plan", instruction, "--llm", "offline"]) == 0
    assert fields[0] in capsys.readouterr().out


def test_plan_offline_needs_no_langchain() -> None:
    script = "import sys; from agent.faces.cli import main; main(['plan', 'make the cat red', '--llm', 'offline']); "
    script += (
        "sys.exit(any(name.split('.')[0] in ('langchain', 'langchain_core', 'langgraph') for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_plan_of_two_edits(capsys: pytest.CaptureFixture[str]) -> None:
    answer = printed(["plan", "Make the car red and turn the tree into a lamp", "--llm", "offline"], capsys)
    assert [edit["segmentation_prompt"] for edit in answer["edits"]] == ["car", "tree"]
    assert answer["segmentation_prompt"] == "car"


def test_plan_that_needs_the_picture(capsys: pytest.CaptureFixture[str]) -> None:
    answer = printed(["plan", "Turn it into a star", "--llm", "offline"], capsys)
    assert answer["needs_description"] is True and answer["segmentation_prompt"] is None and answer["why"]
    described = ["plan", "Turn it into a star", "--description", "photo of a red ball on grass", "--llm", "offline"]
    answer = printed(described, capsys)
    assert "ball" in answer["segmentation_prompt"] and "star" in answer["edited_caption"].lower()


@pytest.mark.parametrize("instruction", ["good morning", "qwertz uiop", "mach das Auto rot", "把车变成红色"])
def test_plan_says_what_it_cannot_read(instruction: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", instruction, "--llm", "offline", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "bad_instruction"
