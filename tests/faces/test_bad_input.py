"""Bad input at the command line: one sentence, the right exit code, no file that is not whole."""

import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from agent.faces.cli import main
from instructedit_models.model_sets import SETS

EDIT = "make the car red"


def picture(path: Path) -> Path:
    Image.new("RGB", (64, 48), (200, 30, 30)).save(path)
    return path


def truncated(path: Path) -> None:
    Image.effect_noise((64, 64), 80).convert("RGB").save(path, format="PNG")
    path.write_bytes(path.read_bytes()[:900])


def bomb(path: Path) -> None:
    """A PNG whose header promises 50,000 x 50,000 pixels."""
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)))


BAD_PICTURES: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "a directory": lambda path: path.mkdir(),
    "zero bytes": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("I am a poem, not a picture.\n" * 20),
    "random bytes": lambda path: path.write_bytes(bytes(range(256)) * 8),
    "truncated": truncated,
    "a bomb": bomb,
    "1 x 1": lambda path: Image.new("RGB", (1, 1)).save(path),
    "20,000 px wide and too many": lambda path: Image.new("1", (20_000, 6_000)).save(path),
    "20,000 px wide and too low": lambda path: Image.new("RGB", (20_000, 4)).save(path),
    "a name too long": lambda path: None,
}


def failing(arguments: list[str], kind: str, capsys: pytest.CaptureFixture[str], code: int = 2) -> str:
    """Runs a command that must fail, as text and as JSON; returns the sentence."""
    assert main(arguments) == code
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1
    assert main([*arguments, "--json"]) == code
    shown_as_json = capsys.readouterr()
    assert shown_as_json.err == ""
    answer = json.loads(shown_as_json.out)
    assert set(answer) == {"schema", "error"} and answer["schema"] == 1
    assert answer["error"]["kind"] == kind
    assert shown.err == f"instructedit: {answer['error']['message']}\n"
    assert "Error" not in shown.err and "Traceback" not in shown.err
    return str(answer["error"]["message"])


@pytest.mark.parametrize("kind", BAD_PICTURES)
@pytest.mark.parametrize("command", ["edit", "segment", "describe"])
def test_bad_pictures(command: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / ("x" * 300 + ".png" if kind == "a name too long" else "input.png")
    BAD_PICTURES[kind](source)
    arguments = {
        "edit": ["edit", str(source), EDIT, "-o", str(tmp_path / "out.png")],
        "segment": ["segment", str(source), "car", "-o", str(tmp_path / "mask.png")],
        "describe": ["describe", str(source)],
    }[command]
    before = sorted(tmp_path.iterdir())
    message = failing(arguments, "bad_image", capsys)
    assert message.endswith(".")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="everything is readable to root")
def test_an_unreadable_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = picture(tmp_path / "input.png")
    source.chmod(0)
    assert "permission" in failing(["edit", str(source), EDIT, "-o", str(tmp_path / "out.png")], "bad_image", capsys)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "{folder}"], "directory"),
        (["-o", "{folder}/missing/out.png"], "does not exist"),
        (["-o", "{folder}/out"], "suffix"),
        (["-o", "{folder}/out.txt"], "suffix"),
        (["-o", ""], "empty"),
        (["-o", "{folder}/" + "x" * 300 + ".png"], "too long"),
        (["-o", "{folder}/input.png"], "--force"),
        (["-o", "{folder}/./input.png"], "--force"),
        (["-o", "{folder}/link.png"], "--force"),
        (["-o", "{folder}/out.png", "--save-mask", "{folder}/out.png"], "--save-mask and --output"),
        (["-o", "{folder}/out.png", "--save-mask", "{folder}/mask.jpg"], ".png"),
        (["-o", "{folder}/out.png", "--save-region", "{folder}/missing/region.png"], "does not exist"),
        (["-o", "{folder}/out.png", "--comparison", "{folder}/comparison.xyz"], "suffix"),
        (["-o", "{folder}/out.png", "--comparison", "{folder}/input.png"], "--force"),
    ],
)
def test_bad_outputs(options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = picture(tmp_path / "input.png")
    (tmp_path / "link.png").symlink_to(source)
    content, before = source.read_bytes(), sorted(tmp_path.iterdir())
    filled = [option.format(folder=tmp_path) for option in options]
    assert words in failing(["edit", str(source), EDIT, *filled], "bad_output", capsys)
    assert sorted(tmp_path.iterdir()) == before
    assert source.read_bytes() == content


@pytest.mark.parametrize("instruction", ["", "   \n", "x" * 100_000, "make the car red " * 6_000])
def test_bad_instructions(instruction: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = picture(tmp_path / "input.png")
    arguments = ["edit", str(source), instruction, "-o", str(tmp_path / "out.png"), "--llm", "offline"]
    assert len(failing(arguments, "bad_instruction", capsys)) < 300
    failing(["plan", instruction, "--llm", "offline"], "bad_instruction", capsys)
    assert sorted(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("instruction", ["mach das Auto rot", "把车变成红色", "qwertz uiop", "\x1b[31m\x07", "?"])
def test_instructions_that_the_grammar_does_not_know(
    instruction: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = picture(tmp_path / "input.png")
    arguments = ["edit", str(source), instruction, "-o", str(tmp_path / "out.png"), "--llm", "offline"]
    failing(arguments, "bad_instruction", capsys)
    assert sorted(tmp_path.iterdir()) == [source]


def test_weights_that_are_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.toml"
    own.write_text((SETS / "miniature.toml").read_text(encoding="utf-8"), encoding="utf-8")
    source = picture(tmp_path / "input.png")
    before = sorted(tmp_path.iterdir())
    for command in (["edit", str(source), EDIT, "--llm", "offline", "-o"], ["segment", str(source), "car", "-o"]):
        arguments = [*command, str(tmp_path / "out.png"), "--models", str(own)]
        assert "missing" in failing(arguments, "model_unavailable", capsys, 1)
    failing(["describe", str(source), "--models", str(own)], "model_unavailable", capsys, 1)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("phrase", ["", "  ", "x" * 10_000])
def test_bad_phrases(phrase: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = picture(tmp_path / "input.png")
    failing(["segment", str(source), phrase, "-o", str(tmp_path / "mask.png")], "bad_parameter", capsys)
    failing(["describe", str(source), "--ask", phrase], "bad_parameter", capsys)
    assert sorted(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize(
    ("options", "kind", "code"),
    [
        (["--models", "no-such-set"], "bad_parameter", 2),
        (["--models", "/no/such/set.toml"], "bad_parameter", 2),
        (["--llm", "no-such-llm"], "bad_parameter", 2),
        (["--llm", "openai:"], "bad_parameter", 2),
        (["--llm", "openai:gpt-4o-mini"], "llm_failed", 1),
        (["--device", "abacus"], "bad_parameter", 2),
    ],
)
def test_bad_choices(
    options: list[str],
    kind: str,
    code: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    source = picture(tmp_path / "input.png")
    failing(["edit", str(source), EDIT, "-o", str(tmp_path / "out.png"), *options], kind, capsys, code)
    assert sorted(tmp_path.iterdir()) == [source]


def test_a_bad_variable_of_the_environment(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTRUCTEDIT_LLM_TIMEOUT", "soon")
    assert "INSTRUCTEDIT_LLM_TIMEOUT" in failing(["plan", EDIT], "bad_parameter", capsys)


def test_world_refuses_a_folder_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    failing(["world", "sample", "-o", str(tmp_path / "file")], "bad_output", capsys)
    failing(["world", "sheet", "-o", str(tmp_path / "missing" / "sheet.png")], "bad_output", capsys)
    failing(["world", "sheet", "-o", str(tmp_path)], "bad_output", capsys)
    assert (tmp_path / "file").read_text() == "in the way"
