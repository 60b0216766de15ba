"""`edit`, `segment` and `describe` from the command line to the files, with the smallest real models.

The LLM is a scripted server; everything else is the product's own.
"""

import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agent.faces.cli import main
from tests.agent.fake_openai import FakeOpenAI, Reply, Scripted, error, forever, text, tool_call
from tests.agent.scripted import edit, segment
from tests.tools.tiny_models import COLOURS, Painter, TinyModels, boxes

ScriptedLLM = Callable[[Sequence[Scripted]], AbstractContextManager[FakeOpenAI]]
"""Starts a server that gives these replies, and points the environment at it."""

CONTRACT = {
    "schema", "output", "mask", "image_size", "instruction", "segmentation_prompt", "input_caption", "edited_caption",
    "described", "description", "why_described", "regions", "encoding_ratio", "steps", "guidance_scale", "seed",
    "unet_evaluations", "verified", "models", "llm", "seconds", "warnings",
}  # fmt: skip


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> TinyModels:
    tiny = TinyModels()
    monkeypatch.setattr("instructedit_models.model_sets.load_model_set", lambda *_, **__: tiny)
    return tiny


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "input.png"
    boxes("red", "green").save(path)
    return path


@pytest.fixture
def llm(monkeypatch: pytest.MonkeyPatch) -> ScriptedLLM:
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setenv("INSTRUCTEDIT_LLM_MAX_RETRIES", "0")
    monkeypatch.setenv("INSTRUCTEDIT_LLM_TIMEOUT", "5")

    @contextmanager
    def scripted(replies: Sequence[Scripted]) -> Iterator[FakeOpenAI]:
        with FakeOpenAI(replies) as fake:
            monkeypatch.setenv("OPENAI_BASE_URL", fake.base_url)
            yield fake

    return scripted


RECOLOUR: list[Reply] = [
    segment("red box"),
    edit("red box", "red", "blue", "mask_1"),
    text("The red box is blue now."),
]


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def truth(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.mode == "1"
        return np.asarray(picture)


def test_edit_writes_everything_it_was_asked_for(
    models: TinyModels, llm: ScriptedLLM, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"output": "out.png", "mask": "mask.png", "region": "region.png", "comparison": "side_by_side.png"}
    files = {key: str(tmp_path / name) for key, name in names.items()}
    with llm(RECOLOUR):
        arguments = ["edit", str(source), "make the red box blue", "-o", files["output"], "--json"]
        arguments += ["--save-mask", files["mask"], "--save-region", files["region"]]
        arguments += ["--comparison", files["comparison"], "--seed", "7", "--steps", "20", "--encoding-ratio", "0.6"]
        assert main(arguments) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    record = json.loads(shown.out)
    assert set(record) >= CONTRACT and "edits" not in record
    assert {key: record[key] for key in files} == files
    assert (record["seed"], record["steps"], record["encoding_ratio"]) == (7, 20, 0.6)
    assert record["segmentation_prompt"] == "red box" and record["verified"] is True
    assert record["llm"].startswith("openai:") and record["models"] == "tiny"
    assert record["image_size"] == [96, 64] and record["warnings"] == []
    assert set(record["regions"][0]) == {"id", "phrase", "score", "box", "area", "chosen"}

    before, after = pixels(source), pixels(tmp_path / "out.png")
    mask, region = truth(tmp_path / "mask.png"), truth(tmp_path / "region.png")
    assert (after[mask] == COLOURS["blue"]).all()
    assert (after[~region] == before[~region]).all()
    assert mask.sum() < region.sum() and not (mask & ~region).any()
    assert {path.name for path in tmp_path.iterdir()} == {"input.png", *names.values()}


def test_edit_with_the_offline_llm(
    models: TinyModels, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["edit", str(source), "make the red box blue", "-o", str(tmp_path / "out.png"), "--json"]
    assert main(arguments) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["llm"] == "offline" and record["described"] is False and record["verified"] is True
    assert record["segmentation_prompt"] == "red box"
    assert tuple(pixels(tmp_path / "out.png")[30, 24]) == COLOURS["blue"]


def test_edit_looks_at_the_picture_where_the_instruction_says_it(
    models: TinyModels, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "input.png"
    boxes("red").save(source)
    assert main(["edit", str(source), "make it blue", "-o", str(tmp_path / "out.png"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["described"] is True and record["why_described"] and "red box" in record["description"]
    assert main(["edit", str(source), "make it blue", "-o", str(tmp_path / "out.png")]) == 0
    assert "Looked at the picture" in capsys.readouterr().out


def test_edit_speaks_to_people(
    models: TinyModels, llm: ScriptedLLM, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["edit", str(source), "make the red box blue", "-o", str(tmp_path / "out.png")]
    with llm(RECOLOUR):
        assert main(arguments) == 0
    shown = capsys.readouterr()
    assert "red box" in shown.out and "photo of a blue box" in shown.out
    assert str(tmp_path / "out.png") in shown.out and "verified" in shown.out
    assert shown.err == ""
    with llm(RECOLOUR):
        assert main([*arguments, "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_edit_may_overwrite_the_input_only_by_force(
    models: TinyModels, llm: ScriptedLLM, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = pixels(source)
    arguments = ["edit", str(source), "make the red box blue", "-o", str(source)]
    assert main(arguments) == 2
    assert (pixels(source) == before).all()
    with llm(RECOLOUR):
        assert main([*arguments, "--force"]) == 0
    assert (pixels(source) != before).any()


def test_edit_keeps_transparency_and_says_what_a_format_cannot_hold(
    models: TinyModels, llm: ScriptedLLM, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = boxes("red", "green")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    source = tmp_path / "input.png"
    picture.save(source)
    with llm(RECOLOUR):
        assert main(["edit", str(source), "make the red box blue", "-o", str(tmp_path / "out.png")]) == 0
    with Image.open(source) as before, Image.open(tmp_path / "out.png") as after:
        assert before.getchannel("A").tobytes() == after.getchannel("A").tobytes()
    capsys.readouterr()
    with llm(RECOLOUR):
        assert main(["edit", str(source), "make the red box blue", "-o", str(tmp_path / "out.jpg")]) == 0
    assert "transparency" in capsys.readouterr().err


def test_two_edits_are_listed(
    models: TinyModels, llm: ScriptedLLM, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = segment("green box", "image_2")
    script = [
        *RECOLOUR[:2],
        second,
        lambda request: edit("green box", "green", "yellow", newest(request), "image_2"),
        text("Both are done."),
    ]
    with llm(script):
        instruction = "make the red box blue and the green one yellow"
        assert main(["edit", str(source), instruction, "-o", str(tmp_path / "out.png"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [one["segmentation_prompt"] for one in record["edits"]] == ["red box", "green box"]
    colours = {tuple(colour) for colour in pixels(tmp_path / "out.png").reshape(-1, 3).tolist()}
    assert {COLOURS["blue"], COLOURS["yellow"]} <= colours


def newest(request: dict) -> str:
    """The mask id that the last tool answer begins with."""
    return str(request["messages"][-1]["content"]).split(" ")[0]


def fails(arguments: list[str], kind: str, code: int, capsys: pytest.CaptureFixture[str], folder: Path) -> str:
    before = sorted(folder.iterdir())
    assert main([*arguments, "--json"]) == code
    shown = capsys.readouterr()
    assert shown.err == ""
    answer = json.loads(shown.out)
    assert answer["error"]["kind"] == kind
    assert sorted(folder.iterdir()) == before
    return str(answer["error"]["message"])


def test_nothing_found_and_ambiguity(
    models: TinyModels, llm: ScriptedLLM, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "input.png"
    boxes("red", "red").save(source)
    arguments = ["edit", str(source), "make the box blue", "-o", str(tmp_path / "out.png")]
    with llm([segment("star"), text("There is no star.")]):
        fails(arguments, "nothing_found", 2, capsys, tmp_path)
    with llm([segment("red box"), text("Which one?")]):
        assert "--yes" in fails(arguments, "ambiguous", 2, capsys, tmp_path)
    with llm(RECOLOUR):
        assert main([*arguments, "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["warnings"]


@pytest.mark.parametrize(
    "reply",
    [
        error(401),
        error(429),
        error(500),
        text("I would rather talk about the weather."),
        forever(tool_call("segment", "{broken")),
        forever(tool_call("no_such_tool", {})),
        forever(tool_call("segment", {"image_id": 3, "segmentation_prompt": ["red"]})),
        forever(segment("red box")),
    ],
    ids=["401", "429", "500", "prose", "broken JSON", "unknown tool", "wrong types", "the same call for ever"],
)
def test_llm_failures_exit_1_with_one_sentence(
    reply: Reply,
    models: TinyModels,
    llm: ScriptedLLM,
    source: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with llm([reply]):
        arguments = ["edit", str(source), "make the red box blue", "-o", str(tmp_path / "out.png")]
        message = fails(arguments, "llm_failed", 1, capsys, tmp_path)
    assert message.endswith((".", "!")) and len(message) < 400


def test_an_llm_that_hangs(
    models: TinyModels,
    llm: ScriptedLLM,
    source: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("INSTRUCTEDIT_LLM_TIMEOUT", "0.3")
    with llm([Reply({"role": "assistant", "content": "too late"}, seconds=30)]):
        arguments = ["edit", str(source), "make the red box blue", "-o", str(tmp_path / "out.png")]
        assert "time" in fails(arguments, "llm_failed", 1, capsys, tmp_path)


class Interrupted(Painter):
    """Ctrl-C arrives in the middle of the edit."""

    def edit(self, *args: object, **kwargs: object) -> object:
        os.kill(os.getpid(), signal.SIGINT)
        return super().edit(*args, **kwargs)


def test_ctrl_c_in_the_middle_of_an_edit(
    models: TinyModels, llm: ScriptedLLM, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models.editor = Interrupted()
    with llm(RECOLOUR[:2]):
        arguments = ["edit", str(source), "make the red box blue", "-o", str(tmp_path / "out.png")]
        fails(arguments, "cancelled", 130, capsys, tmp_path)


def test_segment_lists_candidates_and_writes_the_mask(
    models: TinyModels, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, mask, drawn = tmp_path / "input.png", tmp_path / "mask.png", tmp_path / "overlay.png"
    boxes("red", "red", "green").save(source)
    arguments = ["segment", str(source), "red box on the right", "-o", str(mask), "--overlay", str(drawn)]
    assert main([*arguments, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [one["chosen"] for one in answer["regions"]] == [False, True]
    assert set(answer["regions"][0]) == {"id", "phrase", "score", "box", "area", "chosen"}
    assert answer["mask"] == str(mask) and answer["overlay"] == str(drawn)
    x0, y0, x1, y1 = (int(side) for side in answer["regions"][1]["box"])
    expected = np.zeros((64, 96), dtype=bool)
    expected[y0:y1, x0:x1] = True
    assert (truth(mask) == expected).all()
    assert main(arguments) == 0
    assert "* r2" in capsys.readouterr().out


def test_segment_asks_where_several_tie(models: TinyModels, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "input.png"
    boxes("red", "red").save(source)
    arguments = ["segment", str(source), "red box", "-o", str(tmp_path / "mask.png")]
    message = fails(arguments, "ambiguous", 2, capsys, tmp_path)
    assert "r1" in message and "r2" in message and "--yes" in message
    assert main([*arguments, "--yes", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert sum(one["chosen"] for one in answer["regions"]) == 1 and answer["warnings"]


def test_segment_says_what_it_did_not_find(
    models: TinyModels, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = ["-o", str(tmp_path / "mask.png")]
    fails(["segment", str(source), "star", *mask], "nothing_found", 2, capsys, tmp_path)
    fails(["segment", str(source), "zeppelin", *mask], "unknown_word", 2, capsys, tmp_path)


def test_describe_and_ask(models: TinyModels, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", str(source), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["medium"] == "photo" and answer["description"].startswith("photo of a red box")
    assert main(["describe", str(source), "--ask", "How many boxes?", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["answer"] == "2" and "description" not in answer
    assert main(["describe", str(source)]) == 0
    assert capsys.readouterr().out.startswith("photo of a red box")
