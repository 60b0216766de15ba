"""`instructedit run`, `replay` and `diff` as a person calls them, on the tiny models in this process."""

import json
from pathlib import Path

import pytest
from PIL import Image

from agent.faces.cli import main
from agent.faces.commands import run as command
from tests.agent.test_batch import JOBS, Here
from tests.tools.tiny_models import TinyModels, boxes


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(command, "_workers", lambda args, count: Here())
    boxes("red", "blue", "red").save(tmp_path / "a.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "jobs.yaml").write_text(JOBS)
    return tmp_path / "jobs.yaml"


def test_a_run_prints_a_table_and_draws_a_sheet(jobs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["run", str(jobs), "-o", str(out)]) == 2
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert lines[0].split() == ["job", "status", "edits", "verified", "evaluations", "seconds"]
    assert lines[2].split()[:4] == ["talk", "done", "2", "2"]
    assert lines[-1].startswith("3 done, 0 partly, 4 failed, 0 cancelled;") and shown.err == ""
    with Image.open(out / "contact_sheet.png") as sheet:
        assert sheet.width > 4 * 160 and sheet.height > 4 * 160
    assert main(["run", str(jobs), "-o", str(out), "--no-sheet", "--json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["resumed"] >= 5 and answer["contact_sheet"] is None and answer["output"] == str(out)


def test_everything_done_exits_with_0(jobs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs.write_text("jobs:\n  - {name: a, llm: offline, image: a.png, instruction: make the blue box green}\n")
    assert main(["run", str(jobs), "-o", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["done"] == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.yaml", "-o", "out"], "No such file"),
        (["jobs.yaml", "-o", "out", "--workers", "0"], "whole number from 1 to 256"),
        (["jobs.yaml", "-o", "out", "--root", "elsewhere"], "lies outside"),
        (["jobs.yaml", "-o", "a.png"], "Cannot make the folder"),
        (["jobs.yaml"], "-o/--output"),
    ],
)
def test_bad_input_exits_with_2_and_runs_nothing(
    jobs: Path,
    tmp_path: Path,
    arguments: list[str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", *arguments]) == 2
    shown = capsys.readouterr()
    assert sentence in shown.err and shown.out == "" and shown.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_replay_and_diff(
    jobs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    main(["run", str(jobs), "-o", str(out), "--quiet"])
    monkeypatch.setattr("agent.replay.load_models", lambda name, **_: TinyModels())
    assert main(["replay", str(out / "talk"), "-o", str(tmp_path / "again"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["same"] is True and len(answer["turns"]) == 4
    assert (tmp_path / "again" / "turn_03.png").read_bytes() == (out / "talk" / "turn_03.png").read_bytes()
    assert main(["diff", str(out / "talk"), str(out / "talk")]) == 0
    assert capsys.readouterr().out == "No difference.\n"
    assert main(["diff", str(out / "one"), str(out / "talk"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["same"] is False and any(one["where"] == "turn 2" for one in answer["differences"])
    assert main(["replay", str(tmp_path)]) == 2
    assert "holds no bundle" in capsys.readouterr().err


def test_an_edit_leaves_a_bundle_that_replays(
    jobs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.faces.request.model_set_of", lambda args: TinyModels())
    monkeypatch.setattr("agent.replay.load_models", lambda name, **_: TinyModels())
    source, out, bundle = tmp_path / "a.png", tmp_path / "out.png", tmp_path / "bundle"
    arguments = ["edit", str(source), "make the blue box green", "--llm", "offline", "--bundle", str(bundle)]
    assert main([*arguments, "-o", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bundle"] == str(bundle)
    assert main(["replay", str(bundle), "-o", str(tmp_path / "again"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["same"] is True
    assert (tmp_path / "again" / "out.png").read_bytes() == out.read_bytes()
    assert main([*arguments, "-o", str(source), "--force"]) == 2
    assert "must be another file" in capsys.readouterr().err
