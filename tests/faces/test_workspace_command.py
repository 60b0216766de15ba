"""`instructedit workspace`: what its commands print, write and refuse."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agent.faces.cli import main
from instructedit_models.imaging import load_image
from tests.tools.test_workspace import add_edit
from tests.tools.tiny_models import boxes
from tools.workspace import Workspace


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Path, str]:
    """A workspace with one conversation: a tiger, a pink sky on it, and a branch with a blue car."""
    with Workspace(tmp_path / "ws", durable=False) as workspace:
        conversation = workspace.start(boxes("red"), "in.png")
        add_edit(conversation, "image_1", "green", edited_caption="photo of a tiger")
        add_edit(conversation, "image_2", "blue", edited_caption="photo of a pink sky")
        add_edit(conversation, "image_1", "yellow", edited_caption="photo of a blue car")
        conversation.add_turn("edit", {"reply": "Done."}, [])
        return workspace.directory, conversation.id


def said(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> str:
    assert main(["workspace", *arguments]) == code
    return capsys.readouterr().out


def data(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> dict:
    answer = json.loads(said([*arguments, "--json"], capsys, code))
    assert answer.pop("schema") == 1
    return answer


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 2) -> str:
    assert main(["workspace", *arguments]) == code
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1 and "Traceback" not in shown.err
    return shown.err


def test_list(kept: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> None:
    folder, conversation_id = kept
    text = said(["list", "--workspace", str(folder)], capsys)
    assert conversation_id in text and "4 versions" in text and "1 turn " in text and "in.png" in text
    answer = data(["list", "--workspace", str(folder)], capsys)
    assert answer["workspace"] == str(folder) and answer["bytes"] > 1000
    (only,) = answer["conversations"]
    assert (only["id"], only["versions"], only["turns"], only["current"]) == (conversation_id, 4, 1, "image_4")
    assert only["size"] == [96, 64] and only["created"] <= only["updated"]


def test_list_takes_the_folder_from_the_environment(
    kept: tuple[Path, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No workspace was named" in refused(["list"], capsys)
    monkeypatch.setenv("INSTRUCTEDIT_WORKSPACE", str(kept[0]))
    assert kept[1] in said(["list"], capsys)


def test_show_draws_the_branches(kept: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> None:
    folder, conversation_id = kept
    lines = said(["show", conversation_id[:5], "--workspace", str(folder)], capsys).splitlines()
    assert lines == [
        f"{conversation_id}: 4 versions, 1 turn",
        "  image_1  the original, 96 x 64, in.png",
        "  image_2  'box' to 'photo of a tiger'",
        "  image_3  'box' to 'photo of a pink sky'",
        "*   image_4 (from image_1)  'box' to 'photo of a blue car'",
    ]
    answer = data(["show", conversation_id, "--workspace", str(folder)], capsys)
    assert [version["id"] for version in answer["versions"]] == ["image_1", "image_2", "image_3", "image_4"]
    edit = answer["versions"][2]["edit"]
    assert (edit["parent_id"], edit["verified"], edit["options"]["steps"]) == ("image_2", True, 50)
    assert answer["current"] == "image_4" and answer["turns"] == [{"reply": "Done."}]
    assert [mask["id"] for mask in answer["masks"]] == ["mask_1", "mask_2"]


def test_export_of_one_version(kept: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, conversation_id = kept
    target = tmp_path / "tiger.png"
    answer = data(["export", conversation_id, "the tiger", "-o", str(target), "--workspace", str(folder)], capsys)
    assert (answer["version"], answer["files"]) == ("image_2", ["tiger.png"])
    assert [note.split(",")[0] for note in answer["warnings"]] == ["The original file is gone or was changed"]
    with Image.open(target) as picture:
        assert np.array_equal(np.asarray(picture), np.asarray(boxes("green")))
    record = load_image(target).metadata.provenance
    assert record is not None and record["edits"][0]["edited_caption"] == "photo of a tiger"


def test_export_of_everything(kept: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, conversation_id = kept
    target = tmp_path / "all"
    assert "Wrote 7 files" in said(["export", conversation_id, "-o", str(target), "--workspace", str(folder)], capsys)
    names = sorted(path.name for path in target.iterdir())
    assert names == ["history.json", *(f"image_{n}.png" for n in range(1, 5)), "mask_1.png", "mask_2.png"]
    with Image.open(target / "image_3.png") as picture:
        assert np.array_equal(np.asarray(picture), np.asarray(boxes("blue")))
    assert json.loads((target / "history.json").read_text())["versions"][3]["edit"]["parent_id"] == "image_1"
    told = {n: load_image(target / f"image_{n}.png").metadata.provenance for n in (1, 3, 4)}
    assert told[1] is None and [len(told[n]["edits"]) for n in (3, 4)] == [2, 1]  # type: ignore[index]
    assert "exists already" in refused(
        ["export", conversation_id, "-o", str(target), "--workspace", str(folder)], capsys
    )


def test_verify_and_gc(kept: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> None:
    folder, conversation_id = kept
    assert "All is well" in said(["verify", "--workspace", str(folder)], capsys)
    (folder / "objects" / "left.7-8.tmp").write_bytes(b"half")
    assert "1 unused file" in said(["verify", "--workspace", str(folder)], capsys)
    assert "Would remove 1 file" in said(["gc", "--dry-run", "--workspace", str(folder)], capsys)
    answer = data(["gc", "--workspace", str(folder)], capsys)
    assert answer == {"dry_run": False, "files": ["left.7-8.tmp"], "bytes": 4}
    with Workspace(folder) as workspace:
        lost = workspace.objects.path(workspace.conversation(conversation_id).version("image_3").sha256)
    lost.unlink()
    answer = data(["verify", "--workspace", str(folder)], capsys, code=1)
    assert not answer["ok"]
    assert answer["faults"] == [{"kind": "missing", "what": str(lost), "used_by": [f"{conversation_id} image_3"]}]
    text = said(["verify", "--workspace", str(folder)], capsys, code=1)
    assert f"missing   {lost}  used by {conversation_id} image_3" in text and "1 fault in" in text


def test_delete_asks_first(
    kept: tuple[Path, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, conversation_id = kept
    given = ["delete", conversation_id[:6], "--workspace", str(folder)]
    assert "give --yes where nobody can be asked" in refused(given, capsys)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin.readline", lambda: "no\n", raising=False)
    assert main(["workspace", *given]) == 0
    shown = capsys.readouterr()
    assert shown.out == "Nothing was deleted.\n" and "4 versions" in shown.err and "[y/N]" in shown.err
    assert conversation_id in said(["list", "--workspace", str(folder)], capsys)
    monkeypatch.setattr("sys.stdin.readline", lambda: "y\n", raising=False)
    assert "Deleted 1 conversation; `instructedit workspace gc` frees" in said(given, capsys)
    assert "0 conversations" in said(["list", "--workspace", str(folder)], capsys)


def test_delete_then_gc(kept: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> None:
    folder, conversation_id = kept
    place = ["--workspace", str(folder)]
    assert "no conversation 'nobody'" in refused(["delete", conversation_id, "nobody", "--yes", *place], capsys)
    assert conversation_id in said(["list", *place], capsys)
    answer = data(["delete", conversation_id, conversation_id[:5], "--yes", *place], capsys)
    assert answer["deleted"] == [conversation_id] and answer["files"] == 6 and answer["bytes"] > 0
    freed = data(["gc", *place], capsys)
    assert (len(freed["files"]), freed["bytes"]) == (answer["files"], answer["bytes"])
    assert "All is well: 0 files" in said(["verify", *place], capsys)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["show", "nobody"], "has no conversation 'nobody'"),
        (["export", "nobody", "-o", "x.png"], "has no conversation 'nobody'"),
        (["export", "ID", "the elephant", "-o", "x.png"], "No version is 'the elephant'"),
        (["export", "ID", "9", "-o", "x.png"], "There is no version '9': they are numbered 1 to 4"),
        (["export", "ID", "1", "-o", "x.txt"], "no suffix of a picture"),
        (["export", "ID", "1", "-o", "missing/x.png"], "does not exist; make it first"),
        (["export", "ID", "1", "-o", "WS/x.png"], "lies inside the workspace"),
        (["export", "ID"], "The following arguments are required: -o/--output"),
        (["frobnicate"], "invalid choice: 'frobnicate'"),
    ],
)
def test_what_is_refused(
    kept: tuple[Path, str], arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, conversation_id = kept
    given = [one.replace("ID", conversation_id).replace("WS", str(folder)) for one in arguments]
    assert sentence in refused([*given, "--workspace", str(folder)], capsys)


def test_no_workspace_and_a_damaged_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "There is no workspace in" in refused(["list", "--workspace", str(tmp_path)], capsys)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "workspace.sqlite").write_bytes(b"garbage" * 999)
    for command in (["list"], ["verify"], ["gc"], ["show", "abcd"]):
        assert "is damaged" in refused([*command, "--workspace", str(tmp_path)], capsys)
    answer = data(["verify", "--workspace", str(tmp_path)], capsys, code=2)
    assert answer["error"]["kind"] == "workspace"
