"""Large PNGs, as they are written: the pixels come back as they were, and so does what PIL puts around them."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from instructedit_models import imaging, png_writing
from instructedit_models.imaging import load_image, save_image
from instructedit_models.png_writing import MODES, write_png
from instructedit_models.provenance import Provenance


def read_back(image: Image.Image, **options: object) -> Image.Image:
    buffer = io.BytesIO()
    write_png(image, buffer, options)
    written = Image.open(buffer)
    written.load()
    return written


def picture(mode: str, size: tuple[int, int], seed: int) -> Image.Image:
    """Noise in its upper half, a ramp in its lower, so that bands differ in the filter that suits them."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 256, (size[1], size[0], MODES[mode]), dtype=np.uint8)
    ramp = np.add.outer(np.arange(size[1]), np.arange(size[0])).astype(np.uint8)
    values[size[1] // 2 :] = ramp[size[1] // 2 :, :, None]
    return Image.frombytes(mode, size, values.tobytes())


@settings(deadline=None, max_examples=60)
@given(
    mode=st.sampled_from(sorted(MODES)),
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    seed=st.integers(0, 9),
)
def test_pixels_come_back(mode: str, width: int, height: int, seed: int) -> None:
    image = picture(mode, (width, height), seed)
    written = read_back(image)
    assert written.mode == mode and written.size == image.size
    np.testing.assert_array_equal(np.asarray(written), np.asarray(image))


def test_bands_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png_writing, "_BAND", 600)
    image = picture("RGB", (61, 47), 3)
    np.testing.assert_array_equal(np.asarray(read_back(image)), np.asarray(image))


def test_what_pil_writes_around_the_pixels_is_kept() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "a cat")
    written = read_back(
        picture("RGB", (20, 9), 0), pnginfo=text, icc_profile=b"profile", dpi=(300, 300), exif=b"Exif\0\0II"
    )
    assert written.info["Title"] == "a cat" and written.info["icc_profile"] == b"profile"
    assert round(written.info["dpi"][0]) == 300 and written.info["exif"].endswith(b"II")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1"])
def test_a_large_picture_is_saved_as_a_small_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    rgb = picture("RGBA", (90, 70), 1)
    (rgb if mode == "RGBA" else rgb.convert("RGB").convert(mode)).save(tmp_path / "in.png", dpi=(72, 72))
    loaded = load_image(tmp_path / "in.png")
    save_image(loaded.image, tmp_path / "small.png", loaded, Provenance("instructedit", "test"))
    monkeypatch.setattr(imaging, "_MANY_PIXELS", 1000)
    save_image(loaded.image, tmp_path / "large.png", loaded, Provenance("instructedit", "test"))
    with Image.open(tmp_path / "small.png") as small, Image.open(tmp_path / "large.png") as large:
        assert large.mode == small.mode
        np.testing.assert_array_equal(np.asarray(large), np.asarray(small))
        assert large.info == small.info and "instructedit" in large.info
