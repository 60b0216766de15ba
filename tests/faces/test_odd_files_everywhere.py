"""Malformed and odd files through every command that takes a file: an answer or one sentence, and never a traceback."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from agent.faces.cli import main
from instructedit_models.errors import BadImageError
from instructedit_models.imaging import load_image
from tests.instructedit_models.odd_files import NOISE, malformed, odd
from tests.tools.tiny_models import TinyModels, boxes

MAKE = "make the red box blue"
OFFLINE = ["--llm", "offline"]
CORPUS = {**dict(malformed()), **dict(odd())}
SAMPLE = list(CORPUS)[::12]


def as_picture(file: Path) -> list[str]:
    return ["edit", str(file), MAKE, "-o", str(file.with_name("out.png")), "--mask", str(_white(file)), *OFFLINE]


def without_a_name_for_the_result(file: Path) -> list[str]:
    return ["edit", str(file), MAKE, "--mask", str(_white(file)), "--mask-shrink", "1", *OFFLINE]


def without_a_mask(file: Path) -> list[str]:
    return ["edit", str(file), MAKE, "-o", str(file.with_name("out.jpg")), *OFFLINE]


def as_mask(file: Path) -> list[str]:
    picture = file.with_name("picture.png")
    boxes("red", "green").resize(NOISE.shape[1::-1]).save(picture)
    return ["edit", str(picture), MAKE, "-o", str(file.with_name("out.png")), "--mask", str(file), *OFFLINE]


def as_script(file: Path) -> list[str]:
    return ["run", str(_copied(file, "jobs.yaml")), "-o", str(file.with_name("runs"))]


def as_set(file: Path) -> list[str]:
    return ["models", "check", str(_copied(file, "set.toml"))]


def as_bundle(file: Path) -> list[str]:
    folder = file.with_name("bundle")
    folder.mkdir(exist_ok=True)
    (folder / "bundle.json").write_bytes(file.read_bytes())
    return ["replay", str(folder), "-o", str(file.with_name("again"))]


def in_a_chat(file: Path) -> list[str]:
    return ["chat", str(file), "--workspace", str(file.with_name("workspace")), "--yes", *OFFLINE]


FACES: dict[str, Callable[[Path], list[str]]] = {
    "edit": as_picture,
    "edit to beside the input": without_a_name_for_the_result,
    "edit without a mask": without_a_mask,
    "edit --mask": as_mask,
    "segment": lambda file: ["segment", str(file), "red box", "-o", str(file.with_name("mask.png"))],
    "segment --overlay": lambda file: [
        "segment", str(file), "box", "-o", str(file.with_name("m.tif")), "--overlay", str(file.with_name("all.webp")),
    ],
    "describe": lambda file: ["describe", str(file)],
    "inspect": lambda file: ["inspect", str(file)],
    "chat": in_a_chat,
    "run: the script itself": as_script,
    "models: the set itself": as_set,
    "replay": as_bundle,
    "diff": lambda file: ["diff", str(file), str(_picture(file))],
    "workspace: the folder itself": lambda file: ["workspace", "list", "--workspace", str(file)],
}  # fmt: skip


def _picture(file: Path) -> Path:
    path = file.with_name("picture.png")
    boxes("red", "green").save(path)
    return path


def _white(file: Path) -> Path:
    """A mask of the picture's own size, where it can be read."""
    path = file.with_name("white.png")
    try:
        size = load_image(file).image.size
    except BadImageError:
        size = (64, 64)
    Image.new("1", size, 1).save(path)
    return path


def _copied(file: Path, name: str) -> Path:
    path = file.with_name(name)
    path.write_bytes(file.read_bytes())
    return path


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    face = getattr(request.node, "callspec", None) and request.node.callspec.params["face"]
    if face and "models" not in face:
        monkeypatch.setattr("instructedit_models.model_sets.load_model_set", lambda *_, **__: TinyModels())
    monkeypatch.setenv("INSTRUCTEDIT_SAFETY", "off")


def _through(
    face: str, names: list[str], folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> int:
    """Runs a command with each file; how many it took."""
    taken = 0
    for number, name in enumerate(names):
        place = folder / str(number)
        place.mkdir()
        (place / "in.img").write_bytes(CORPUS[name])
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{MAKE}\n/save {place / 'saved.png'}\n"))
        code = main([*FACES[face](place / "in.img"), "--json"])
        shown = capsys.readouterr()
        answer = json.loads(shown.out)
        assert "Traceback" not in shown.out + shown.err and code in (0, 1, 2), name
        error = answer.get("error")
        assert error is None or (error["message"].endswith(".") and error["kind"] != "internal"), (name, error)
        assert "\n" not in (error or {"message": ""})["message"], name
        taken += code == 0
    return taken


@pytest.mark.parametrize("face", FACES)
def test_a_sample(
    face: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _through(face, SAMPLE, tmp_path, capsys, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("face", FACES)
def test_all_of_them(
    face: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(CORPUS) >= 60
    taken = _through(face, list(CORPUS), tmp_path, capsys, monkeypatch)
    with capsys.disabled():
        print(f"\n{face}: {len(CORPUS)} files, {taken} taken, no traceback")


@pytest.mark.slow
def test_all_of_them_in_one_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the miniature models themselves, since the worker is another process."""
    jobs = []
    for number, data in enumerate(CORPUS.values()):
        (tmp_path / f"{number}.img").write_bytes(data)
        jobs.append({"name": f"job{number}", "image": f"{number}.img", "instruction": "make the red cup blue"})
    (tmp_path / "jobs.json").write_text(json.dumps({"jobs": jobs, "defaults": {"llm": "offline", "retries": 0}}))
    main(["run", str(tmp_path / "jobs.json"), "-o", str(tmp_path / "out"), "--json"])
    shown = capsys.readouterr()
    answer = json.loads(shown.out)
    assert "Traceback" not in shown.out + shown.err and len(answer["jobs"]) == len(CORPUS)
    assert [job for job in answer["jobs"] if job["error"] and job["error"]["kind"] == "internal"] == []
