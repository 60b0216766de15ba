"""The page of a user study over HTTP, its command, and what it never gives away."""

import io
import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agent.faces.cli import main
from tests.agent.test_study import results, voted

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from starlette.testclient import TestClient  # noqa: E402

from agent.faces.study.app import create_app  # noqa: E402
from agent.study import Study, read_study  # noqa: E402
from agent.study_votes import VoteBook  # noqa: E402

__all__ = ["results"]


@pytest.fixture
def study(results: Path) -> Study:
    return read_study(results)


@pytest.fixture
def book(results: Path, study: Study) -> Iterator[VoteBook]:
    with VoteBook(results / "votes.sqlite") as opened:
        opened.begin(study)
        yield opened


@pytest.fixture
def client(study: Study, book: VoteBook) -> Iterator[TestClient]:
    with TestClient(create_app(study, book)) as opened:
        opened.get("/")
        yield opened


def test_a_person_votes_on_everything_once(client: TestClient, study: Study, book: VoteBook) -> None:
    for n in range(len(study.triplets)):
        answer = client.get("/api/next").json()
        assert (answer["done"], answer["total"]) == (n, 4)
        shown = answer["triplet"]
        for name in ("input", "left", "right"):
            picture = client.get(shown[name])
            assert picture.headers["content-type"] == "image/png" and b"secret-method" not in picture.content
        assert client.post("/api/vote", json={"triplet": shown["id"], "choice": "left"}).json() == {"counted": True}
        again = client.post("/api/vote", json={"triplet": shown["id"], "choice": "right"}).json()
        assert again == {"counted": False}
    assert client.get("/api/next").json() == {"done": 4, "total": 4, "triplet": None}
    assert len(book.votes()) == 4 and all(vote.preferred in (vote.a, vote.b) for vote in book.votes())


def test_a_vote_is_for_the_method_on_that_side(client: TestClient, study: Study, book: VoteBook) -> None:
    shown = client.get("/api/next").json()["triplet"]
    left = np.asarray(Image.open(io.BytesIO(client.get(shown["left"]).content)))
    client.post("/api/vote", json={"triplet": shown["id"], "choice": "left"})
    (vote,) = book.votes()
    triplet = next(one for one in study.triplets if one.id == shown["id"])
    with Image.open(triplet.case.results[str(vote.preferred)]) as picture:
        assert np.array_equal(left, np.asarray(picture.convert("RGB")))


def test_no_answer_names_a_method(client: TestClient) -> None:
    for path in ("/", "/api/next", "/static/study.js", "/static/study.css"):
        answer = client.get(path)
        assert answer.status_code == 200 and not re.search("ours|other|third|turn_0", answer.text), path
        assert "default-src 'self'" in answer.headers["content-security-policy"]
    shown = client.get("/api/next").json()["triplet"]
    assert set(shown) == {"id", "instruction", "input", "left", "right"}


def test_two_people_have_their_own_votes(study: Study, book: VoteBook, client: TestClient) -> None:
    shown = client.get("/api/next").json()["triplet"]
    client.post("/api/vote", json={"triplet": shown["id"], "choice": "none"})
    with TestClient(create_app(study, book)) as other:
        other.get("/")
        assert other.get("/api/next").json()["done"] == 0
        assert other.post("/api/vote", json={"triplet": shown["id"], "choice": "none"}).json()["counted"]
    assert len({vote.person for vote in book.votes()}) == 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"triplet": "0" * 16, "choice": "left"}, 404),
        ({"triplet": "../../etc/passwd", "choice": "left"}, 422),
        ({"triplet": "0" * 16, "choice": "both"}, 422),
        ({"triplet": "0" * 16}, 422),
        ({"triplet": "0" * 16, "choice": "left", "person": "x"}, 422),
        ({"triplet": "0" * 5000, "choice": "left"}, 413),
        ([], 422),
    ],
)
def test_votes_that_are_none(client: TestClient, book: VoteBook, body: object, status: int) -> None:
    assert client.post("/api/vote", json=body).status_code == status
    assert book.votes() == []


def test_what_is_refused(client: TestClient, study: Study, book: VoteBook) -> None:
    assert client.get("/picture/..%2f..%2fetc%2fpasswd").status_code == 404
    assert client.get(f"/picture/{'0' * 32}").status_code == 404
    assert client.get("/static/app.py").status_code == 404
    shown = client.get("/api/next").json()["triplet"]
    body = {"triplet": shown["id"], "choice": "left"}
    assert client.post("/api/vote", json=body, headers={"Origin": "http://evil.example"}).status_code == 403
    with TestClient(create_app(study, book)) as nobody:
        assert nobody.get("/api/next").status_code == 401
        nobody.cookies.set("study_person", "me'; DROP TABLE votes")
        assert nobody.post("/api/vote", json=body).status_code == 401
    with TestClient(create_app(study, book, ("127.0.0.1",))) as elsewhere:
        assert elsewhere.get("/").status_code == 421
        assert elsewhere.get("/", headers={"Host": "127.0.0.1:8017"}).status_code == 200
    assert book.votes() == []


def test_a_token_is_needed_where_one_is_set(study: Study, book: VoteBook) -> None:
    with TestClient(create_app(study, book, token="open sesame")) as client:
        assert client.get("/").status_code == 401 and client.get("/?token=wrong").status_code == 401
        assert client.get("/", params={"token": "open sesame"}).status_code == 200
        assert client.get("/api/next").json()["total"] == 4


def test_a_result_that_is_no_picture(results: Path, client: TestClient, study: Study) -> None:
    for case in study.cases:
        for file in case.results.values():
            file.write_bytes(b"broken")
    shown = client.get("/api/next").json()["triplet"]
    assert client.get(shown["left"]).status_code == 404 and client.get(shown["input"]).status_code == 200


def test_the_command_serves_and_stops(results: Path) -> None:
    arguments = ["study", "serve", str(results), "--port", "0", "--json"]
    code = f"import sys; from agent.faces.cli import main; sys.exit(main({arguments!r}))"
    file = results / "votes.sqlite"
    with subprocess.Popen([sys.executable, "-c", code.replace("'--json'", "'--debug'")], stderr=subprocess.PIPE) as run:
        assert run.stderr is not None
        line = run.stderr.readline().decode()
        address = re.search(r"http://127\.0\.0\.1:\d+/", line)
        assert address is not None, line
        assert "4 pairs from 2 cases and 3 methods" in line
        deadline = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(address.group(), timeout=10) as answer:
                    assert b"Which result is better?" in answer.read()
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        run.send_signal(signal.SIGINT)
        assert run.wait(timeout=60) == 0
    with VoteBook(file, create=False) as book:
        assert book.votes() == []


def test_results_as_text_and_json(results: Path, study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    voted(study, results / "votes.sqlite", 3).close()
    assert main(["study", "results", str(results)]) == 0
    shown = capsys.readouterr().out
    assert "other against ours: preferred in 0 of 6 (0.0%, 95 %: 0.0% to 39.0%)" in shown
    assert "other against third: no vote preferred either; 3 without preference" in shown
    assert shown.endswith("12 votes of 3 people.\n")
    assert main(["study", "results", str(results / "votes.sqlite"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["schema"], answer["votes"], answer["people"], len(answer["pairs"])) == (1, 12, 3, 3)
    assert answer["pairs"][0]["interval"][0] == 0 and answer["pairs"][0]["votes"] == 6


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "nowhere"], "There is no folder nowhere"),
        (["serve", "RESULTS", "--host", "0.0.0.0"], "give --token WORD"),
        (["serve", "RESULTS", "--method", "ours"], "two methods or more"),
        (["serve", "RESULTS", "--port", "99999"], "expected a port"),
        (["serve", "RESULTS", "--host", "no.such.host.invalid", "--token", "x"], "Cannot listen on"),
        (["results", "RESULTS"], "There is no file of votes"),
        ([], "required: COMMAND"),
    ],
)
def test_what_can_be_mended(
    results: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["study", *(one.replace("RESULTS", str(results)) for one in arguments)]) == 2
    shown = capsys.readouterr()
    assert words in shown.err and shown.err.count("\n") == 1
