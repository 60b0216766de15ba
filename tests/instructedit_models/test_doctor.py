"""The doctor finds what is wrong, and says what to do about it."""

import sys
from pathlib import Path

import pytest

from instructedit_models import doctor
from instructedit_models.errors import BadParameterError


def test_this_interpreter_is_fine() -> None:
    check = doctor.check_python()
    assert check.ok and check.hint == "" and check.detail.startswith("3.")


def test_an_old_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "OLDEST_PYTHON", (99, 0))
    check = doctor.check_python()
    assert not check.ok and "Python" in check.hint


def test_packages_are_really_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_module.py").write_text("raise OSError('a library is missing')")
    monkeypatch.syspath_prepend(tmp_path)
    good, absent, broken = doctor.check_packages(
        {"numpy": "numpy", "no-such-package": "no_such_package", "pillow": "broken_module"}
    )
    assert good.ok and good.detail[0].isdigit() and "numpy" in sys.modules
    assert not absent.ok and absent.detail == "not installed" and "pip install no-such-package" in absent.hint
    assert not broken.ok and "a library is missing" in broken.detail and broken.hint


def test_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "GiB" in doctor.check_memory().detail
    monkeypatch.setattr(doctor, "_LEAST_MEMORY", 2**60)
    check = doctor.check_memory()
    assert not check.ok and check.hint


def test_model_sets() -> None:
    def missing(name: str) -> list[str]:
        if name == "odd":
            raise BadParameterError("The file is odd.")
        return {"whole": [], "part": ["unet"], "far": ["vae", "unet"]}[name]

    whole, part, far, odd = doctor.check_model_sets(["whole", "part", "far", "odd"], missing, needed="part")
    assert whole.ok
    assert not part.ok and "unet" in part.detail and part.hint
    assert far.ok and "vae, unet" in far.detail and "first use" in far.detail
    assert not odd.ok and odd.detail == "The file is odd."


def test_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    here, to_be_made, in_a_file = doctor.check_folders([tmp_path, tmp_path / "a" / "b", tmp_path / "file"])
    assert here.ok and to_be_made.ok and not in_a_file.ok
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]
    monkeypatch.setattr(doctor, "_LEAST_DISK", 2**80)
    assert not doctor.check_folders([tmp_path])[0].ok


def test_device() -> None:
    check = doctor.check_device()
    assert check.ok and check.detail
