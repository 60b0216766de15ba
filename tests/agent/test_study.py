"""A user study: what a folder of results holds, who sees what, and what the votes come to."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from agent.study import Study, picture_bytes, read_study
from agent.study_votes import Vote, VoteBook, interval_of, preferences
from instructedit_models.errors import BadParameterError
from instructedit_models.imaging import save_image
from instructedit_models.provenance import Provenance
from tests.tools.tiny_models import boxes

ASKED = "make the red box green"


def told(instruction: str) -> Provenance:
    return Provenance(software="instructedit", version="1", instruction=instruction, llm="secret-method")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Three methods: `ours` as runs leave it, `other` and `third` as plain pictures; two cases, one of them of two."""
    folder = tmp_path / "results"
    for name in ("a", "b"):
        job = folder / "ours" / name
        (job / "bundle").mkdir(parents=True)
        boxes("red", "blue").save(job / "bundle" / "input.png")
        save_image(boxes("green", "blue"), job / "turn_02.png", None, told(ASKED))
        turns = [{"instruction": ASKED, "output": "turn_01.png"}, {"instruction": "stronger", "output": "turn_02.png"}]
        (job / "record.json").write_text(json.dumps(turns))
    (folder / "ours" / "failed").mkdir()
    (folder / "ours" / "failed" / "record.json").write_text("[]")
    (folder / "ours" / "summary.json").write_text("{}")
    boxes("red").save(folder / "ours" / "contact_sheet.png")
    (folder / "other").mkdir()
    for name in ("a", "b", "failed"):
        boxes("yellow", "blue").save(folder / "other" / f"{name}.png")
    (folder / "third").mkdir()
    boxes("purple", "blue").save(folder / "third" / "a.jpg")
    return folder


def test_what_a_folder_holds(results: Path) -> None:
    study = read_study(results)
    assert study.methods == ("other", "ours", "third")
    assert {(one.case.name, one.a, one.b) for one in study.triplets} == {
        ("a", "other", "ours"), ("a", "other", "third"), ("a", "ours", "third"), ("b", "other", "ours")
    }  # fmt: skip
    case = study.cases[0]
    assert case.instruction == f"{ASKED}; stronger"
    assert case.original == results / "ours" / "a" / "bundle" / "input.png"
    assert case.results["ours"].name == "turn_02.png" and case.results["third"].name == "a.jpg"
    assert {(one.a, one.b) for one in read_study(results, against="third").triplets} == {
        ("other", "third"), ("ours", "third")
    }  # fmt: skip
    assert read_study(results, ["ours", "other"]).methods == ("other", "ours")


def test_pictures_alone_with_their_inputs_beside_them(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    for method, colour in (("x", "green"), ("y", "yellow")):
        (folder / method).mkdir(parents=True)
        save_image(boxes(colour), folder / method / "one.png", None, told("paint it"))
        boxes(colour).save(folder / method / "two.png")
    (folder / "inputs").mkdir()
    for name in ("one", "two"):
        boxes("red").save(folder / "inputs" / f"{name}.webp")
    with pytest.raises(BadParameterError, match="Nobody says what was asked for in the case 'two'"):
        read_study(folder)
    (folder / "instructions.json").write_text(json.dumps({"two": "make it bright"}))
    assert [(one.case.name, one.case.instruction) for one in read_study(folder).triplets] == [
        ("one", "paint it"),
        ("two", "make it bright"),
    ]
    (folder / "inputs" / "one.webp").unlink()
    with pytest.raises(BadParameterError, match="The input of the case 'one' is missing"):
        read_study(folder)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "ours" / "a" / "record.json").write_text("{"), "is no record of a run"),
        (lambda folder: (folder / "ours" / "a" / "record.json").write_text('["x"]'), "is no record of a run"),
        (lambda folder: (folder / "instructions.json").write_text("[1]"), "must hold one instruction per case"),
        (lambda folder: (folder / "instructions.json").write_text("{"), "cannot be read"),
    ],
)
def test_folders_that_are_not_right(results: Path, spoil, words: str) -> None:  # type: ignore[no-untyped-def]
    spoil(results)
    with pytest.raises(BadParameterError, match=words):
        read_study(results)


def test_what_cannot_be_compared(results: Path, tmp_path: Path) -> None:
    with pytest.raises(BadParameterError, match="There is no folder"):
        read_study(tmp_path / "none")
    with pytest.raises(BadParameterError, match="has no method 'fourth'; it has other, ours, third"):
        read_study(results, ["ours", "fourth"])
    with pytest.raises(BadParameterError, match="two methods or more"):
        read_study(results, ["ours"])
    (results / "third" / "a.jpg").rename(results / "third" / "z.jpg")
    with pytest.raises(BadParameterError, match="No case of"):
        read_study(results, ["ours", "third"])


def test_sides_and_order_are_each_person_s_own_and_stay(results: Path) -> None:
    study = read_study(results)
    seen = [[(one.triplet.id, one.left) for one in study.order(b"secret", f"person {n}")] for n in range(40)]
    assert seen[3] == [(one.triplet.id, one.left) for one in study.order(b"secret", "person 3")]
    first = study.triplets[0]
    left = sum((first.id, first.a) in order for order in seen)
    assert 8 < left < 32
    assert len({tuple(triplet for triplet, _ in order) for order in seen}) > 15
    assert seen[0] != [(one.triplet.id, one.left) for one in study.order(b"another", "person 0")]


def test_a_picture_tells_nothing_of_its_method(results: Path) -> None:
    study = read_study(results)
    file = study.cases[0].results["ours"]
    assert b"secret-method" in file.read_bytes() and b"secret-method" not in picture_bytes(file)
    names = study.pictures(b"secret")
    assert file in names.values() and not any("ours" in name or "other" in name for name in names)


def voted(study: Study, path: Path, people: int) -> VoteBook:
    book = VoteBook(path)
    book.begin(study)
    for n in range(people):
        for shown in study.order(book.secret, f"p{n}"):
            book.add(f"p{n}", shown, "ours" if "ours" in (shown.left, shown.right) else None)
    return book


def test_one_vote_per_person_and_triplet(results: Path, tmp_path: Path) -> None:
    study = read_study(results)
    with VoteBook(tmp_path / "votes.sqlite") as book:
        book.begin(study)
        shown = study.order(book.secret, "anna")[0]
        assert book.add("anna", shown, shown.left) and not book.add("anna", shown, shown.right)
        assert book.add("bert", shown, None)
        assert book.voted("anna") == {shown.triplet.id}
        assert [vote.preferred for vote in book.votes()] == [shown.left, None]
        with VoteBook(tmp_path / "votes.sqlite") as again:
            assert again.secret == book.secret and len(again.votes()) == 2


def test_votes_on_other_pictures_go_into_another_file(results: Path, tmp_path: Path) -> None:
    voted(read_study(results), tmp_path / "votes.sqlite", 1).close()
    boxes("red", "red").save(results / "other" / "a.png")
    with VoteBook(tmp_path / "votes.sqlite") as book:
        with pytest.raises(BadParameterError, match="pictures of the case 'a' have changed"):
            book.begin(read_study(results))
        assert len(book.votes()) == 4


def test_files_that_are_no_votes(tmp_path: Path) -> None:
    with pytest.raises(BadParameterError, match="There is no file of votes"):
        VoteBook(tmp_path / "none.sqlite", create=False)
    (tmp_path / "text.sqlite").write_text("no database at all, but some words")
    with pytest.raises(BadParameterError, match="cannot be used"):
        VoteBook(tmp_path / "text.sqlite")
    other = sqlite3.connect(tmp_path / "other.sqlite")
    other.execute("CREATE TABLE notes (text)")
    other.close()
    with pytest.raises(BadParameterError, match="database of another program"):
        VoteBook(tmp_path / "other.sqlite")
    with pytest.raises(BadParameterError, match="Cannot open"):
        VoteBook(tmp_path / "no" / "where" / "votes.sqlite")
    VoteBook(tmp_path / "new.sqlite").close()
    newer = sqlite3.connect(tmp_path / "new.sqlite")
    newer.execute("PRAGMA user_version = 9")
    newer.close()
    with pytest.raises(BadParameterError, match="newer version"):
        VoteBook(tmp_path / "new.sqlite")


_KILLED = """
import os, sys
from agent.study import read_study
from agent.study_votes import VoteBook
study, book = read_study(sys.argv[1]), VoteBook(sys.argv[2])
book.begin(study)
book.add("anna", study.order(book.secret, "anna")[0], None)
with book.transaction() as connection:
    connection.execute("INSERT INTO votes SELECT 'bert', triplet, preferred, left_method, created FROM votes")
    os._exit(9)
"""


def test_a_kill_loses_no_vote_that_was_counted(results: Path, tmp_path: Path) -> None:
    file = tmp_path / "votes.sqlite"
    assert subprocess.run([sys.executable, "-c", _KILLED, str(results), str(file)], timeout=120).returncode == 9
    with VoteBook(file) as book:
        assert [vote.person for vote in book.votes()] == ["anna"]


def test_what_the_votes_come_to(results: Path, tmp_path: Path) -> None:
    with voted(read_study(results), tmp_path / "votes.sqlite", 3) as book:
        found = {(pair.a, pair.b): pair for pair in preferences(book.votes())}
    ours = found[("other", "ours")]
    assert (ours.a_votes, ours.b_votes, ours.no_preference, ours.people, ours.cases) == (0, 6, 0, 3, 2)
    assert ours.rate == 0 and ours.interval is not None and ours.interval[0] == 0 and 0.3 < ours.interval[1] < 0.5
    assert ours.score == 0 and ours.score_interval == (0.0, 0.0)
    neither = found[("other", "third")]
    assert neither.rate is None and neither.interval is None and neither.score == 0.5


def test_intervals() -> None:
    """By Wilson (1927): 83 of 100 gives 0.745 to 0.891."""
    assert interval_of(83, 100) == pytest.approx((0.7445, 0.8911), abs=5e-4)
    assert interval_of(0, 0) is None
    votes = [Vote(f"p{n}", f"c{c}", "a", "b", "a" if (n + c) % 4 else None) for n in range(10) for c in range(8)]
    (pair,) = preferences(votes)
    assert pair.score_interval is not None and pair.score_interval[0] <= pair.score <= pair.score_interval[1]
    assert preferences(votes) == preferences(votes) and preferences([]) == []
    (alone,) = preferences(votes[:8])
    assert alone.score_interval is None and alone.people == 1
