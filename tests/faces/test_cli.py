"""The command line as a person meets it: help, versions, usage errors, crashes, Ctrl-C."""

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.faces import cli
from agent.faces.cli import build_parser, main

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = (
    "edit", "chat", "segment", "describe", "plan", "inspect", "run", "replay", "diff", "world", "workspace", "models",
    "doctor", "bench", "serve", "mcp", "study",
)  # fmt: skip
USAGE_ERRORS = [
    ["edti", "a.png", "make it red", "-o", "b.png"],
    ["edit"],
    ["edit", "a.png", "make it red", "-o"],
    ["edit", "a.png", "make it red", "-o", "b.png", "surplus"],
    ["edit", "a.png", "make it red", "-o", "b.png", "--unknown"],
    ["edit", "a.png", "make it red", "-o", "b.png", "--see", "3"],
    ["edit", "a.png", "make it red", "-o", "b.png", "--seed", "-1"],
    ["edit", "a.png", "make it red", "-o", "b.png", "--seed", "1.5"],
    ["edit", "a.png", "make it red", "-o", "b.png", "--seed", "9" * 5000],
    ["edit", "a.png", "make it red", "-o", "b.png", "--steps", "0"],
    ["edit", "a.png", "make it red", "-o", "b.png", "--steps", "1001"],
    ["edit", "a.png", "make it red", "-o", "b.png", "--encoding-ratio", "0"],
    ["edit", "a.png", "make it red", "-o", "b.png", "--encoding-ratio", "1.01"],
    ["edit", "a.png", "make it red", "-o", "b.png", "--encoding-ratio", "nan"],
    ["edit", "a.png", "make it red", "-o", "b.png", "--guidance-scale", "inf"],
    ["edit", "a.png", "make it red", "-o", "b.png", "--guidance-scale", "-1"],
    ["edit", "a.png", "make it red", "-o", "b.png", "--guidance-scale", "strong"],
    ["segment", "a.png", "-o", "mask.png"],
    ["world"],
    ["world", "sample"],
    ["world", "sample", "--n", "0", "-o", "scenes"],
    ["models", "install"],
    ["--json"],
]


def instructedit(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agent.faces.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_help_answers_in_half_a_second() -> None:
    seconds = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        ended = instructedit("--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # Processor time, so that whatever else the machine is doing does not count.
        seconds.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
        assert ended.returncode == 0
        assert all(command in ended.stdout for command in COMMANDS)
    assert min(seconds) < 0.5


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr()
    assert f"instructedit {command}" in shown.out
    assert shown.err == ""


def test_no_arguments_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "usage: instructedit" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    name, number = capsys.readouterr().out.split()
    assert name == "instructedit" and number[0].isdigit()


@pytest.mark.parametrize("arguments", USAGE_ERRORS, ids=lambda arguments: " ".join(arguments)[:60])
def test_usage_errors_are_one_sentence_and_exit_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if "--json" not in arguments:
        assert main(arguments) == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.startswith("instructedit: ") and shown.err.count("\n") == 1 and len(shown.err) < 400
        arguments = [*arguments, "--json"]
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.err == ""
    answer = json.loads(shown.out)
    assert answer["schema"] == 1 and answer["error"]["kind"] == "bad_parameter" and answer["error"]["message"]
    assert list(tmp_path.iterdir()) == []


def test_usage_errors_name_the_option_and_the_bounds(capsys: pytest.CaptureFixture[str]) -> None:
    main(["edit", "a.png", "make it red", "-o", "b.png", "--encoding-ratio", "1.5"])
    message = capsys.readouterr().err
    assert "--encoding-ratio" in message and "1.5" in message and "up to 1" in message
    assert "instructedit edit --help" in message


def test_json_after_a_double_dash_is_no_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--unknown", "--", "--json"]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.startswith("instructedit: ")


def broken(*_: object) -> int:
    raise RuntimeError("a bug\nof two lines")


def test_a_crash_is_one_sentence(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.plan, "run", broken)
    assert main(["plan", "make the car red"]) == 1
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1
    assert "RuntimeError: a bug of two lines" in shown.err and "--debug" in shown.err
    assert main(["plan", "make the car red", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "internal"
    assert main(["plan", "make the car red", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_exits_130_and_leaves_whole_scenes(tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    command = [sys.executable, "-m", "agent.faces.cli", "world", "sample", "--n", "100000", "-o", str(folder), "--json"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(folder.glob("*/scene.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    assert json.loads(out)["error"]["kind"] == "cancelled"
    scenes = list(folder.iterdir())
    assert scenes and all((scene / "scene.json").is_file() and scene.name.isdigit() for scene in scenes)


def test_a_reader_that_goes_away_is_no_crash(tmp_path: Path) -> None:
    command = f"{sys.executable} -m agent.faces.cli --help | true; echo ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in ended.stderr and "BrokenPipe" not in ended.stderr


def test_the_parser_knows_all_commands() -> None:
    actions = [action for action in build_parser()._actions if action.dest == "command"]
    assert tuple(actions[0].choices or ()) == COMMANDS
