"""`instructedit bench`: finds the checkout's benchmarks, hands them their options, and keeps stdout clean."""

import argparse
import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from agent.faces.cli import main
from agent.faces.commands import bench


def test_every_name_is_a_benchmark():
    for name in bench.NAMES:
        module = importlib.import_module(f"benchmarks.{name}")
        parser = argparse.ArgumentParser()
        module.configure(parser)
        assert callable(module.run) and module.__doc__


def test_without_a_checkout_one_sentence_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
):
    monkeypatch.setattr(bench, "_ROOT", tmp_path)
    assert main(["bench", "table1", "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert "checkout" in error["message"]


def test_an_unknown_benchmark_or_option(capsys: pytest.CaptureFixture):
    assert main(["bench", "tabel1"]) == 2
    assert "use one of table1" in capsys.readouterr().err
    assert main(["bench", "report", "--wrong"]) == 2
    assert "bench report --help" in capsys.readouterr().err


def test_help_of_a_benchmark(capsys: pytest.CaptureFixture):
    assert main(["bench", "table1", "--help"]) == 0
    assert "--methods" in capsys.readouterr().out


def test_figures_alone_are_on_stdout(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    from benchmarks.harness import Finding

    def run(args: argparse.Namespace) -> Finding:
        print("a library speaks")
        return Finding({"rows": [{"what": "cold", "limit": args.limit}]}, "a table", ok=args.limit > 1)

    fake = ModuleType("benchmarks.speed", "Speed.")
    fake.configure = lambda parser: parser.add_argument("--limit", type=int)
    fake.run = run
    monkeypatch.setitem(sys.modules, "benchmarks.speed", fake)
    assert main(["bench", "speed", "--limit", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"schema": 1, "rows": [{"what": "cold", "limit": 2}]}
    assert main(["bench", "speed", "--limit", "1"]) == 1
    assert capsys.readouterr().out == "a table\n"
