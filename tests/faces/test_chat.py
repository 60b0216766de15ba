"""`chat` through a pipe: commands, turns, answers, approvals, resuming, bad input; the smallest real models."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agent.faces.cli import main
from tests.tools.tiny_models import COLOURS, TinyModels, boxes

Talk = Callable[..., str]
"""Says these lines to a chat with these arguments; returns what it wrote."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("instructedit_models.model_sets.load_model_set", lambda *_, **__: TinyModels())
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    boxes("red", "blue", "red").save(tmp_path / "in.png")
    return tmp_path


@pytest.fixture
def talk(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Talk:
    def say(*lines: str, arguments: tuple[str, ...] = (), image: bool = True, code: int = 0) -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        given = ["chat", *([str(home / "in.png")] if image else []), "--llm", "offline", *arguments]
        assert main(given) == code
        shown = capsys.readouterr()
        assert "Traceback" not in shown.out + shown.err
        return shown.out + shown.err

    return say


def pixel(path: Path, x: int, y: int = 30) -> tuple[int, ...]:
    with Image.open(path) as picture:
        return picture.convert("RGB").getpixel((x, y))  # type: ignore[return-value]


def kept_id(shown: str) -> str:
    return shown.split("--resume ")[1].split()[0]


def test_a_conversation_edits_goes_back_and_saves(talk: Talk, home: Path) -> None:
    shown = talk(
        "make the blue box green",
        f"/save {home}/green.png",
        "/undo",
        f"/save {home}/undone.png",
        "/redo",
        f"/save {home}/redone.png",
        "/versions",
        f"/save {home}/first.png 1",
    )
    assert "> make the blue box green" in shown and "photo of a blue box" in shown.lower()
    assert pixel(home / "green.png", 48) == COLOURS["green"] == pixel(home / "redone.png", 48)
    assert pixel(home / "undone.png", 48) == COLOURS["blue"] == pixel(home / "first.png", 48)
    assert "* image_2" in shown.replace("*  ", "* ") and "the original, 96 x 64 pixels" in shown


def test_pictures_are_named_where_they_cannot_be_shown(talk: Talk) -> None:
    shown = talk("make the blue box green", "/mask", "/compare", "/show 1")
    paths = [Path(line.split(": ", 1)[1]) for line in shown.splitlines() if line.endswith(".png") and ": " in line]
    assert [path.name for path in paths] == ["image_2.png", "image_1_mask_2.png", "image_1_image_2.png", "image_1.png"]
    assert pixel(paths[0], 48) == COLOURS["green"] and pixel(paths[3], 48) == COLOURS["blue"]
    assert len({path.read_bytes() for path in paths}) == 4
    assert 'The mask of image_2: "blue box" (r1 of 1 found)' in shown


def test_a_question_lists_the_candidates_and_takes_a_number(talk: Talk, home: Path) -> None:
    shown = talk("make the red box green", "2", f"/save {home}/out.png")
    assert "1: red box, left (r1)" in shown and "2: red box, right (r2)" in shown
    assert shown.count("(r1)") == 1, "listed once, by the reply or by the chat"
    assert "candidates.png" in shown and "Answer with a number or in words." in shown
    assert pixel(home / "out.png", 80) == COLOURS["green"] and pixel(home / "out.png", 16) == COLOURS["red"]


def test_yes_takes_the_best(talk: Talk, home: Path) -> None:
    shown = talk("make the red box green", f"/save {home}/out.png", arguments=("--yes",))
    assert pixel(home / "out.png", 16) == COLOURS["green"] and "was taken" in shown


def test_why_tells_of_the_last_turn(talk: Talk) -> None:
    shown = talk("/why", "make the blue box green", "/why", "make the zebra green", "/why")
    assert "Nothing was done yet." in shown
    why = shown.split("> /why")[2]
    assert 'looked for "blue box" and found 1' in why and "taken r1 blue box" in why
    assert "encoding ratio" in why and "verified" in why and "offline" in why
    assert "It ended so: " in shown.split("> /why")[3]


def test_approval_is_asked_before_each_edit(talk: Talk, home: Path) -> None:
    lines = ("make the blue box green", "no", f"/save {home}/refused.png", "make the blue box green", "yes")
    shown = talk(*lines, f"/save {home}/approved.png", arguments=("--approve",))
    assert 'Select: "blue box" in image_1' in shown and "Refused; the picture is as it was." in shown
    assert pixel(home / "refused.png", 48) == COLOURS["blue"]
    assert pixel(home / "approved.png", 48) == COLOURS["green"]


def test_a_plan_may_be_changed_instead(talk: Talk, home: Path) -> None:
    lines = ("make the blue box green", "make the blue box yellow", "y", f"/save {home}/out.png")
    talk(*lines, arguments=("--approve",))
    assert pixel(home / "out.png", 48) == COLOURS["yellow"]


def test_the_end_of_input_is_no_approval(talk: Talk, home: Path) -> None:
    assert "Refused" in talk("make the blue box green", arguments=("--approve",))
    assert "image_2" not in talk("/versions", arguments=("--resume", "last"), image=False)


@pytest.mark.parametrize("by", ["id", "prefix", "last"])
def test_a_conversation_is_taken_up_again(talk: Talk, home: Path, by: str) -> None:
    first = talk("make the blue box green")
    name = {"id": kept_id(first), "prefix": kept_id(first)[:6], "last": "last"}[by]
    shown = talk("/why", "/undo", f"/save {home}/out.png", arguments=("--resume", name), image=False)
    assert "after 1 turn" in shown and "blue box" in shown
    assert pixel(home / "out.png", 48) == COLOURS["blue"]


def test_json_is_one_object_at_the_end(talk: Talk) -> None:
    record = json.loads(talk("make the blue box green", "/undo", "what is this?", arguments=("--json",)))
    assert record["schema"] == 1 and record["image_id"] == "image_1"
    assert [turn["kind"] for turn in record["turns"]] == ["edit", "answer"]
    assert record["turns"][0]["segmentation_prompt"] == "blue box"


def test_save_keeps_what_the_original_held(talk: Talk, home: Path) -> None:
    picture = boxes("red", "blue")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    picture.save(home / "in.png")
    talk("make the blue box green", f"/save {home}/out.png")
    with Image.open(home / "out.png") as out:
        assert out.mode == "RGBA" and np.array_equal(np.asarray(out)[..., 3], np.asarray(picture)[..., 3])
    boxes("red", "green").save(home / "in.png")
    shown = talk(f"/save {home}/later.png", arguments=("--resume", "last"), image=False)
    assert "was changed" in shown and pixel(home / "later.png", 72) == COLOURS["green"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/svae out.png", "did you mean /save?"),
        ("/s", "There is no command"),
        ("/versio", "the original"),
        ("/frobnicate", "/help lists them"),
        ("/undo", "Cannot undo 1 edit"),
        ("/undo two", "takes a number"),
        ("/undo 0", "takes a number"),
        ("/redo", "redo"),
        ("/go", "takes a version"),
        ("/go 99", "99"),
        ("/mask", "original"),
        ("/compare", "nothing to compare"),
        ("/compare 1 1", "nothing to compare"),
        ("/save", "takes a file"),
        ("/save a.png 1 2", "no more"),
        ("/save nowhere/at/all.png", "nowhere"),
        ("/save out.xyz", "xyz"),
        ("/why not", "no more"),
        ("/", "/help lists them"),
        ("frobnicate the quux", "do not understand"),
        ("make the \x1b[2Jstar red", "star"),
    ],
)
def test_bad_lines_get_one_sentence_and_the_chat_goes_on(talk: Talk, line: str, words: str) -> None:
    shown = talk(line, "/help")
    assert words in shown and "/versions" in shown and "\x1b" not in shown


def test_save_never_overwrites_the_original(talk: Talk, home: Path) -> None:
    before = (home / "in.png").read_bytes()
    shown = talk("make the blue box green", f"/save {home}/in.png")
    assert "overwrite" in shown or "names the input" in shown
    assert (home / "in.png").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "image", "words"),
    [
        ((), False, "--resume ID"),
        (("--resume", "last"), True, "--resume ID"),
        (("--resume", "feedbeef"), False, "workspace"),
        (("--preview", "hologram"), True, "hologram"),
    ],
)
def test_what_the_person_can_mend_exits_with_2(talk: Talk, arguments: tuple[str, ...], image: bool, words: str) -> None:
    assert words in talk(arguments=arguments, image=image, code=2)


def test_a_picture_that_is_none_is_refused_before_anything_is_kept(talk: Talk, home: Path) -> None:
    (home / "in.png").write_text("no picture")
    talk(code=2)
    assert "holds no conversation" in talk(arguments=("--resume", "last"), image=False, code=2)


def test_the_workspace_is_where_it_was_asked_for(talk: Talk, home: Path) -> None:
    shown = talk("/versions", arguments=("--workspace", str(home / "mine")))
    assert (home / "mine" / "workspace.sqlite").is_file() and f"--workspace {home / 'mine'}" in shown
    assert not (home / "home").exists()
