"""The report: one page that needs nothing else, and the same as Markdown."""

import argparse
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import report
from benchmarks.speed import rows_of
from instructedit_models.errors import BadParameterError


class Page(HTMLParser):
    """Collects tags, sources and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    (tmp_path / "r_pictures").mkdir()
    Image.new("RGB", (300, 200), "red").save(tmp_path / "r_pictures" / "a.png")
    row = {"n": 2, "success": 0.5, "lpips": 0.2, "peak_bytes": 2**21, "intervals": {"success": [0.0, 1.0]}}
    case = {"case": "1", "type": "part", "instruction": "make <b>it</b> red", "metrics": {"success": 1.0}}
    data = {
        "schema": 1,
        "benchmark": "table1",
        "commit": "0123456789abcdef",
        "dirty": True,
        "settings": {"seed": 9, "limit": 2},
        "machine": {"cores": 2, "processor": "a <chip>"},
        "models": "miniature",
        "rows": [{"method": "instructedit", **row}, {"method": "diffedit", **row, "success": None}],
        "by_type": [{"type": "part", "method": "instructedit", **row}],
        "costs": [{"axis": "steps", "value": value, "seconds": value / 9} for value in (10, 20, 100)],
        "pictures": "r_pictures",
        "cases": [
            {**case, "method": method, "pictures": {"input": "a.png", "output": file}}
            for method, file in (("instructedit", "a.png"), ("diffedit", "gone.png"))
        ],
    }
    path = tmp_path / "r.json"
    path.write_text(json.dumps(data))
    return path


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    report.configure(parser)
    return parser.parse_args(words)


def test_the_page_is_whole_and_asks_nothing_of_the_network(record: Path, tmp_path: Path):
    target = tmp_path / "out" / "page.html"
    found = report.run(arguments(str(record), "--html", str(target)))
    assert found.payload["written"] == [str(target)]
    page = Page(target.read_text(encoding="utf-8"))
    assert page.sources and all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert page.tags.count("img") == 2  # the input and one output; the file that is gone is left out
    assert page.tags.count("svg") == 2 and "script" not in page.tags and "b" not in page.tags
    words = " ".join(page.words)
    assert "make <b>it</b> red" in words and "with uncommitted changes" in words and "a <chip>" in words
    assert "[0.000, 1.000]" in words and "instructedit ✓" in words


def test_markdown_has_a_table_for_all_and_for_each_type(record: Path, tmp_path: Path):
    target = tmp_path / "results.md"
    report.run(arguments(str(record), "--html", str(tmp_path / "p.html"), "--markdown", str(target)))
    text = target.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert "| instructedit | 2 | 0.500 [0.000, 1.000] | 0.200 | 2 |" in lines
    assert "### part" in text and "0123456789 with uncommitted changes" in text


@pytest.mark.parametrize("content", ["{", "[]", '{"benchmark": "x"}', '{"benchmark": "x", "rows": [], "schema": 99}'])
def test_what_is_no_record_is_refused(tmp_path: Path, content: str):
    path = tmp_path / "r.json"
    path.write_text(content)
    with pytest.raises(BadParameterError):
        report.run(arguments(str(path), "--html", str(tmp_path / "p.html")))
    assert not (tmp_path / "p.html").exists()


def test_rows_of_speed_have_the_fields_of_the_contract():
    metrics = {"seconds": 2.0, "unet_evaluations": 75.0, "peak_bytes": 10.0, "success": 1.0, "lpips": 0.1}
    (row,) = rows_of([{"case": "1", "method": "cold", "error": None, "metrics": metrics}])
    assert {"what", "seconds", "unet_evaluations", "peak_bytes", "success", "lpips"} <= set(row)
