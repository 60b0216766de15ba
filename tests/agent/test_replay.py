"""Bundles: what a run leaves is enough to make its bytes again without a language model, and to say what differs."""

import json
import shutil
from pathlib import Path

import pytest

from agent.batch import BatchOptions, run_batch
from agent.bundle import read_bundle
from agent.difference import difference
from agent.replay import replay
from agent.script import load_script
from instructedit_models.errors import BadParameterError
from tests.agent.test_batch import Here
from tests.tools.tiny_models import Painter, TinyModels, boxes

JOBS = """\
defaults: {llm: offline, seed: 0}
jobs:
  - name: talk
    image: a.jpg
    turns: [make the blue box green, make the star green, undo, make the left red box purple, how many boxes are there?]
  - {name: one, image: a.jpg, instruction: make the blue box green}
"""


def run(folder: Path, text: str, out: str) -> Path:
    (folder / "jobs.yaml").write_text(text)
    run_batch(load_script(folder / "jobs.yaml"), folder / out, Here(), BatchOptions())
    return folder / out


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    boxes("red", "blue", "red").save(folder / "a.jpg", quality=100, subsampling=0)
    boxes("red", "blue", "red").save(folder / "a.png")
    run(folder, JOBS.replace("a.jpg", "a.png"), "out")
    return folder


@pytest.fixture
def no_llm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for a chat model in a replay fails the test."""

    def asked(*arguments: object, **more: object) -> None:
        raise AssertionError("a replay asked for a language model")

    monkeypatch.setattr("agent.llm.build_chat_model", asked)
    monkeypatch.setattr("agent.session.Session.turn", asked)


def test_a_replay_gives_the_same_bytes(done: Path, tmp_path: Path, no_llm: None) -> None:
    result = replay(done / "out" / "talk", TinyModels(), tmp_path)
    assert result.same and result.warnings == () and [turn.differences for turn in result.turns] == [()] * 5
    for number in range(1, 6):
        name = f"turn_{number:02}.png"
        assert (tmp_path / name).read_bytes() == (done / "out" / "talk" / name).read_bytes()


def test_the_bundle_says_what_was_done(done: Path) -> None:
    bundle, folder = read_bundle(done / "out" / "talk")
    assert [turn.kind for turn in bundle.turns] == ["edit", "error", "undo", "edit", "answer"]
    assert [call.tool for call in bundle.turns[0].calls] == ["segment", "edit_image"]
    assert [call.ok for call in bundle.turns[1].calls] == [False]
    assert bundle.revisions["editor"] == "painter-1" and bundle.settings == {"seed": 0, "yes": False, "retries": 2}
    assert bundle.turns[0].versions[0].seed == 0 and bundle.llm == "offline"
    assert (folder / bundle.input).read_bytes() == (done / "a.png").read_bytes()
    assert len((folder / "bundle.json").read_bytes()) < 20_000


class Other(Painter):
    revision = "painter-2"

    def edit(self, image, mask, input_caption, edited_caption, options, progress=None):  # type: ignore[no-untyped-def]
        return super().edit(image, mask, input_caption, edited_caption.replace("purple", "yellow"), options, progress)


def test_other_models_are_told_and_so_is_what_they_change(done: Path) -> None:
    result = replay(done / "out" / "talk", TinyModels(editor=Other()))
    assert not result.same and "(editor)" in result.warnings[0]
    assert [turn.same for turn in result.turns] == [True, True, True, False, False]
    assert any("pixels" in sentence for sentence in result.turns[3].differences)


def test_what_bytes_depend_on_beside_the_weights_is_recorded_and_used(
    done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, dict]] = []

    def load(name: str, **options: object) -> TinyModels:
        asked.append((name, options))
        return TinyModels()

    monkeypatch.setattr("agent.replay.load_models", load)
    target = changed(done, tmp_path, model_options={"dtype": "float16", "solver": "lcm"})
    assert replay(target).same
    assert replay(target, model_options={"dtype": "float32", "device": "cpu"}).same
    assert asked[0] == ("miniature", {"dtype": "float16", "solver": "lcm"})
    assert asked[1] == ("miniature", {"dtype": "float32", "solver": "lcm", "device": "cpu"})


def changed(done: Path, tmp_path: Path, **changes: object) -> Path:
    target = tmp_path / "bundle"
    shutil.copytree(done / "out" / "talk" / "bundle", target)
    data = json.loads((target / "bundle.json").read_text())
    (target / "bundle.json").write_text(json.dumps(data | changes))
    return target


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"schema": 2}, "is no bundle that can be read: schema"),
        ({"input": "../../etc/passwd"}, "is no bundle that can be read: input"),
        ({"settings": {"seed": -1}}, "seed must be between"),
        ({"settings": {"speed": 1}}, "settings cannot be used"),
        ({"turns": "none"}, "is no bundle that can be read: turns"),
        ({"input_sha256": "0"}, "is not the one that was recorded"),
    ],
)
def test_bundles_that_are_not_right(done: Path, tmp_path: Path, changes: dict, sentence: str) -> None:
    with pytest.raises(BadParameterError, match=sentence):
        replay(changed(done, tmp_path, **changes), TinyModels())


def test_a_tool_of_another_version(done: Path, tmp_path: Path) -> None:
    turns = json.loads((done / "out" / "talk" / "bundle" / "bundle.json").read_text())["turns"]
    turns[0]["calls"][0]["tool"] = "conjure"
    with pytest.raises(BadParameterError, match="the tool 'conjure', which this version does not have"):
        replay(changed(done, tmp_path, turns=turns), TinyModels())


def test_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BadParameterError, match="holds no bundle"):
        replay(tmp_path, TinyModels())


def test_runs_that_are_the_same_do_not_differ(done: Path) -> None:
    run(done, JOBS.replace("a.jpg", "a.png"), "again")
    assert difference(done / "out", done / "again") == []


def test_what_differs_is_named(done: Path) -> None:
    text = JOBS.replace("a.jpg", "a.png").replace("seed: 0", "seed: 4").replace("purple", "yellow")
    run(done, text.replace("name: one", "name: other"), "changed")
    found = {one.where: one for one in difference(done / "out", done / "changed")}
    assert (found["talk: settings.seed"].a, found["talk: settings.seed"].b) == (0, 4)
    assert "yellow" in found["talk: turn 4: instruction"].b
    assert "yellow" in found["talk: turn 4: call 2 (edit_image).edited_caption"].b
    assert "pixels differ" in found["talk: turn 4: picture"].note
    assert (found["one"].a, found["one"].b) == ("job", None) and (found["other"].a, found["other"].b) == (None, "job")
    assert not any("turn 1: picture" in where for where in found)
    with pytest.raises(BadParameterError, match="whole run"):
        difference(done / "out", done / "changed" / "talk")
