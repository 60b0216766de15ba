"""A corpus of malformed and odd files: the loader gives a picture or one sentence, and what it gives can be saved."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from instructedit_models.errors import BadImageError
from instructedit_models.imaging import LoadedImage, default_output, load_image, save_image
from instructedit_models.provenance import Provenance
from tests.instructedit_models.odd_files import NOISE, malformed, odd

MALFORMED, ODD = dict(malformed()), dict(odd())
RECORD = Provenance("instructedit", "0.1", instruction="make it blue")


def _whole(loaded: LoadedImage) -> None:
    pixels = np.asarray(loaded.image)
    assert loaded.image.mode == "RGB" and pixels.ndim == 3 and min(pixels.shape[:2]) >= 8
    assert loaded.alpha is None or loaded.alpha.shape == pixels.shape[:2]
    assert all(note.endswith(".") for note in loaded.warnings)


def test_the_corpus_is_large_enough() -> None:
    assert len(MALFORMED) + len(ODD) >= 60 and not set(MALFORMED) & set(ODD)


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_files_give_one_sentence(tmp_path: Path, name: str) -> None:
    path = tmp_path / "in.img"
    path.write_bytes(MALFORMED[name])
    try:
        loaded = load_image(path)
    except BadImageError as error:
        assert str(error).endswith(".") and "\n" not in str(error) and str(path) in str(error)
    else:
        _whole(loaded)  # what is broken was beside the pixels


@pytest.mark.parametrize("name", ODD)
def test_odd_files_are_read_edited_and_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / "in.img"
    path.write_bytes(ODD[name])
    loaded = load_image(path)
    _whole(loaded)
    if name.startswith(("animated", "pages")):
        assert any("only the first" in note for note in loaded.warnings)
        assert np.abs(np.array(loaded.image.getpixel((3, 3))) - (255, 0, 0)).max() <= 4
    if name.startswith("orientation"):
        turned = 5 <= int(name.split()[1]) <= 8
        assert loaded.image.size == (NOISE.shape[:2] if turned else NOISE.shape[1::-1])
    pixels = np.array(loaded.image)
    pixels[2:5, 3:7] = (250, 20, 10)
    outside = np.ones(pixels.shape[:2], bool)
    outside[2:5, 3:7] = False
    output, _ = default_output(path, loaded)
    save_image(Image.fromarray(pixels), output, loaded, RECORD)
    again = load_image(output)
    np.testing.assert_array_equal(np.asarray(again.image)[outside], pixels[outside])
    if loaded.alpha is not None:
        np.testing.assert_array_equal(again.alpha, loaded.alpha)
    if output.suffix in (".png", ".webp", ".tif"):
        assert again.metadata.provenance == RECORD.to_json()


def test_heic_is_read_where_a_package_does(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    smooth = Image.linear_gradient("L").resize((64, 48)).convert("RGB")
    made = pillow_heif.from_pillow(smooth)
    made.save(tmp_path / "photo.heic", quality=90)
    loaded = load_image(tmp_path / "photo.heic")
    assert loaded.format == "HEIF" and loaded.image.size == (64, 48)
    assert np.abs(np.asarray(loaded.image, int) - np.asarray(smooth, int)).mean() < 6
    output, note = default_output(tmp_path / "photo.heic", loaded)
    assert output.name == "photo_edited.png" and note and "HEIF" in note


def test_heic_without_a_reader_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "photo.heic").write_bytes(MALFORMED["heic without a picture"])
    with pytest.raises(BadImageError, match=r"instructedit\[heif\]"):
        load_image(tmp_path / "photo.heic")


@pytest.mark.parametrize(("form", "suffix", "expected"), [
    ("PNG", ".png", "in_edited.png"), ("PNG", ".PNG", "in_edited.PNG"), ("PNG", ".jpg", "in_edited.png"),
    ("WEBP", ".webp", "in_edited.webp"), ("TIFF", ".tiff", "in_edited.tiff"), ("BMP", ".bmp", "in_edited.bmp"),
    ("JPEG", ".jpg", "in_edited.png"), ("GIF", ".gif", "in_edited.png"), ("AVIF", ".avif", "in_edited.png"),
])  # fmt: skip
def test_where_a_result_goes_by_default(tmp_path: Path, form: str, suffix: str, expected: str) -> None:
    path = tmp_path / f"in{suffix}"
    Image.fromarray(NOISE).save(path, form)
    output, note = default_output(path, load_image(path))
    assert output == tmp_path / expected
    assert (note is None) == (form in ("PNG", "WEBP", "TIFF", "BMP"))
