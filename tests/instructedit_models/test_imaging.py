"""Reading and writing pictures: every odd file gives a picture or one sentence."""

import io
import os
import stat
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from instructedit_models import imaging
from instructedit_models.errors import BadImageError, BadMaskError, BadOutputError
from instructedit_models.imaging import check_writable, load_image, load_mask, save_image, save_mask
from instructedit_models.provenance import Provenance

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (24, 32, 3), dtype=np.uint8)


def _edited(image: Image.Image, colour: tuple[int, int, int] = (250, 20, 10)) -> Image.Image:
    pixels = np.array(image)
    pixels[4:9, 5:12] = colour
    return Image.fromarray(pixels)


def _outside(shape: tuple[int, ...]) -> np.ndarray:
    outside = np.ones(shape[:2], bool)
    outside[4:9, 5:12] = False
    return outside


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        picture.load()
        picture.getexif()
        return picture


def _save(tmp_path: Path, name: str, picture: Image.Image, **options: object) -> Path:
    path = tmp_path / name
    picture.save(path, **options)
    return path


def _sentence(error: pytest.ExceptionInfo[BadImageError | BadOutputError | BadMaskError]) -> str:
    text = str(error.value)
    assert text.endswith(".") and "\n" not in text and "Traceback" not in text
    return text


def test_what_is_not_a_picture(tmp_path: Path) -> None:
    text = tmp_path / "notes.jpg"
    text.write_text("This is no picture.")
    empty = tmp_path / "empty.png"
    empty.touch()
    for path, word in (
        (text, "not a picture"),
        (empty, "0 bytes"),
        (tmp_path / "no.png", "no file"),
        (tmp_path, "dir"),
    ):
        with pytest.raises(BadImageError) as error:
            load_image(path)
        assert word in _sentence(error)
    svg = tmp_path / "drawing.svg"
    svg.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    for path in (svg, tmp_path / "missing" / "no.png", "nul\0byte.png", "x" * 5000 + ".png", "http://host/a.png"):
        with pytest.raises(BadImageError) as error:
            load_image(path)
        _sentence(error)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"])
def test_cut_off_files(tmp_path: Path, form: str) -> None:
    buffer = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (200, 200, 3), dtype=np.uint8)).save(buffer, form)
    data = buffer.getvalue()
    for share in (0.0001, 0.01, 0.5, 0.9):
        path = tmp_path / f"cut.{form.lower()}"
        path.write_bytes(data[: max(1, int(len(data) * share))])
        with pytest.raises(BadImageError) as error:
            load_image(path)
        _sentence(error)


def test_flipped_bytes_never_escape_as_other_errors(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    path = tmp_path / "broken"
    for form in ("PNG", "JPEG", "GIF", "TIFF", "WEBP"):
        buffer = io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = 6
        options = {} if form == "GIF" else {"exif": exif}
        Image.fromarray(PIXELS).save(buffer, form, **options)
        for _ in range(40):
            data = bytearray(buffer.getvalue())
            for place in rng.integers(0, min(len(data), 400), 4):
                data[place] = rng.integers(256)
            path.write_bytes(data)
            try:
                loaded = load_image(path)
            except BadImageError:
                continue
            assert loaded.image.mode == "RGB"


def test_bombs_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    big = _save(tmp_path, "big.png", Image.new("1", (12_000, 9_000)))
    bomb = _save(tmp_path, "bomb.png", Image.new("1", (20_000, 10_000)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in (big, bomb):
            with pytest.raises(BadImageError) as error:
                load_image(path)
            assert "100,000,000" in _sentence(error)
    with pytest.raises(BadImageError):
        load_image(_save(tmp_path, "a.png", Image.fromarray(PIXELS)), max_pixels=700)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_image(_save(tmp_path, "fits.png", Image.new("L", (9_500, 9_500)))).image.size == (9_500, 9_500)


def test_sizes(tmp_path: Path) -> None:
    with pytest.raises(BadImageError) as error:
        load_image(_save(tmp_path, "dot.png", Image.new("RGB", (1, 1))))
    assert "1 x 1" in _sentence(error)
    assert load_image(_save(tmp_path, "wide.png", Image.new("RGB", (20_000, 16)))).image.size == (20_000, 16)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_no_permission(tmp_path: Path) -> None:
    path = _save(tmp_path, "a.png", Image.fromarray(PIXELS))
    path.chmod(0)
    with pytest.raises(BadImageError, match="permission"):
        load_image(path)


def test_orientation_is_applied_once(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a cat"
    path = _save(tmp_path, "phone.png", Image.fromarray(PIXELS), exif=exif)
    loaded = load_image(path)
    np.testing.assert_array_equal(np.asarray(loaded.image), np.rot90(PIXELS, -1))
    save_image(loaded.image, tmp_path / "out.png", loaded)
    again = load_image(tmp_path / "out.png")
    np.testing.assert_array_equal(np.asarray(again.image), np.asarray(loaded.image))
    written = _opened(tmp_path / "out.png").getexif()
    assert written[0x010E] == "a cat" and 0x0112 not in written


def test_alpha_is_carried_through_untouched(tmp_path: Path) -> None:
    alpha = RNG.integers(0, 256, PIXELS.shape[:2], dtype=np.uint8)
    picture = Image.fromarray(np.dstack([PIXELS, alpha]))
    for name in ("a.png", "a.webp", "a.tif"):
        loaded = load_image(
            _save(tmp_path, name, picture, **({"lossless": True, "exact": True} if "w" in name else {}))
        )
        np.testing.assert_array_equal(loaded.alpha, alpha)
        assert loaded.image.mode == "RGB"
        assert save_image(_edited(loaded.image), tmp_path / f"out_{name}", loaded) == ()
        written = np.asarray(_opened(tmp_path / f"out_{name}"))
        np.testing.assert_array_equal(written[..., 3], alpha)
        np.testing.assert_array_equal(written[_outside(written.shape)][:, :3], PIXELS[_outside(PIXELS.shape)])
        assert (written[4:9, 5:12, :3] == (250, 20, 10)).all()
    notes = save_image(loaded.image, tmp_path / "out.jpg", loaded)
    assert "compresses anew" in notes[0] and "transparency" in notes[1] and len(notes) == 2
    assert _opened(tmp_path / "out.jpg").mode == "RGB"


def test_grey_with_alpha_and_transparent_colours(tmp_path: Path) -> None:
    grey = Image.fromarray(PIXELS[..., 0])
    both = grey.convert("LA")
    both.putalpha(Image.fromarray(PIXELS[..., 1]))
    loaded = load_image(_save(tmp_path, "la.png", both))
    save_image(_edited(loaded.image, (9, 9, 9)), tmp_path / "out.png", loaded)
    assert _opened(tmp_path / "out.png").mode == "LA"
    np.testing.assert_array_equal(load_image(tmp_path / "out.png").alpha, PIXELS[..., 1])

    palette = Image.fromarray(PIXELS).quantize(8)
    loaded = load_image(_save(tmp_path, "p.png", palette, transparency=3))
    np.testing.assert_array_equal(loaded.alpha == 0, np.asarray(palette) == 3)
    save_image(loaded.image, tmp_path / "out.png", loaded)
    np.testing.assert_array_equal(load_image(tmp_path / "out.png").alpha, loaded.alpha)


def test_palette_stays_where_256_colours_do(tmp_path: Path) -> None:
    loaded = load_image(_save(tmp_path, "p.png", Image.fromarray(PIXELS).quantize(100)))
    assert loaded.mode == "P"
    edited = _edited(loaded.image)
    save_image(edited, tmp_path / "out.png", loaded)
    written = _opened(tmp_path / "out.png")
    assert written.mode == "P"
    np.testing.assert_array_equal(np.asarray(written.convert("RGB")), np.asarray(edited))
    many = Image.fromarray(RNG.integers(0, 256, PIXELS.shape, dtype=np.uint8))
    save_image(many, tmp_path / "out.png", loaded)
    assert _opened(tmp_path / "out.png").mode == "RGB"


@pytest.mark.parametrize("name", ["c.jpg", "c.tif"])
def test_cmyk_keeps_its_own_values_outside_the_edit(tmp_path: Path, name: str) -> None:
    own = RNG.integers(0, 256, (24, 32, 4), dtype=np.uint8)
    loaded = load_image(_save(tmp_path, name, Image.frombytes("CMYK", (32, 24), own.tobytes())))
    assert (loaded.mode, loaded.image.mode) == ("CMYK", "RGB")
    edited = _edited(loaded.image)
    save_image(edited, tmp_path / "out.tif", loaded)
    written = _opened(tmp_path / "out.tif")
    assert written.mode == "CMYK"
    outside = _outside(own.shape)
    np.testing.assert_array_equal(np.asarray(written)[outside], np.asarray(loaded.native)[outside])
    np.testing.assert_array_equal(np.asarray(written.convert("RGB")), np.asarray(edited))
    save_image(edited, tmp_path / "out.png", loaded)
    np.testing.assert_array_equal(np.asarray(_opened(tmp_path / "out.png")), np.asarray(edited))


def test_sixteen_bits_stay_outside_the_edit(tmp_path: Path) -> None:
    own = RNG.integers(0, 65536, (24, 32), dtype=np.uint16)
    loaded = load_image(_save(tmp_path, "deep.png", Image.fromarray(own)))
    assert any("16 bits" in note for note in loaded.warnings)
    np.testing.assert_allclose(np.asarray(loaded.image)[..., 0], own / 257, atol=0.51)
    save_image(_edited(loaded.image, (77, 77, 77)), tmp_path / "out.png", loaded)
    written = np.asarray(_opened(tmp_path / "out.png"))
    np.testing.assert_array_equal(written[_outside(own.shape)], own[_outside(own.shape)])
    assert (written[4:9, 5:12] == 77 * 257).all()
    save_image(_edited(loaded.image), tmp_path / "out.png", loaded)
    assert _opened(tmp_path / "out.png").mode == "RGB"


def test_grey_and_one_bit(tmp_path: Path) -> None:
    loaded = load_image(_save(tmp_path, "l.png", Image.fromarray(PIXELS[..., 0])))
    save_image(_edited(loaded.image, (7, 7, 7)), tmp_path / "out.png", loaded)
    assert _opened(tmp_path / "out.png").mode == "L"
    save_image(_edited(loaded.image), tmp_path / "out.png", loaded)
    assert _opened(tmp_path / "out.png").mode == "RGB"
    loaded = load_image(_save(tmp_path, "b.png", Image.fromarray(PIXELS[..., 0] > 99)))
    for colour, mode in (((255, 255, 255), "1"), ((7, 7, 7), "L"), ((250, 0, 0), "RGB")):
        edited = _edited(loaded.image, colour)
        save_image(edited, tmp_path / "out.png", loaded)
        written = _opened(tmp_path / "out.png")
        assert written.mode == mode
        np.testing.assert_array_equal(np.asarray(written.convert("RGB")), np.asarray(edited))


def test_floating_point_tiff(tmp_path: Path) -> None:
    values = RNG.random((24, 32)).astype(np.float32)
    values[0, 0] = np.nan
    loaded = load_image(_save(tmp_path, "f.tif", Image.fromarray(values)))
    np.testing.assert_allclose(np.asarray(loaded.image)[1:, :, 0], values[1:] * 255, atol=0.51)


def test_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue", "green")]
    path = _save(tmp_path, "a.gif", frames[0], save_all=True, append_images=frames[1:])
    loaded = load_image(path)
    assert loaded.image.getpixel((3, 3)) == (255, 0, 0)
    assert any("animated" in note and "3" in note for note in loaded.warnings)
    assert load_image(_save(tmp_path, "still.gif", frames[0])).warnings == []


def test_profile_and_jpeg_tables_are_kept(tmp_path: Path) -> None:
    smooth = Image.fromarray(PIXELS[:4, :4]).resize((64, 48), Image.Resampling.BICUBIC)
    path = _save(tmp_path, "a.jpg", smooth, quality=60, icc_profile=b"a profile")
    loaded = load_image(path)
    save_image(loaded.image, tmp_path / "out.jpg", loaded)
    written = _opened(tmp_path / "out.jpg")
    assert written.info["icc_profile"] == b"a profile"
    assert written.quantization == _opened(path).quantization
    difference = np.asarray(written, int) - np.asarray(loaded.image, int)
    assert np.abs(difference).mean() < 0.5
    save_image(loaded.image, tmp_path / "out.png", loaded)
    assert _opened(tmp_path / "out.png").info["icc_profile"] == b"a profile"


def test_exif_of_a_tiff_holds_no_layout(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a boat"
    loaded = load_image(_save(tmp_path, "a.tif", Image.fromarray(PIXELS), exif=exif))
    for name in ("out.tif", "out.png", "out.jpg"):
        save_image(loaded.image.crop((0, 0, 32, 24)), tmp_path / name, loaded)
        written = _opened(tmp_path / name)
        assert written.getexif()[0x010E] == "a boat"
        assert written.size == (32, 24)


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    device = tmp_path / "pipe.png"
    os.mkfifo(device)
    picture = Image.fromarray(PIXELS)
    (tmp_path / "folder.png").mkdir()
    for path, word in (
        (tmp_path, "directory"),
        (tmp_path / "folder.png", "directory"),
        (tmp_path / "missing" / "out.png", "does not exist"),
        (tmp_path / "out.xyz", "suffix"),
        (tmp_path / "out", "suffix"),
        (device, "ordinary"),
        (tmp_path / ("x" * 300 + ".png"), "written"),
        ("nul\0.png", "written"),
    ):
        for action in (check_writable, lambda path: save_image(picture, path), lambda path: save_mask(OUT, path)):
            with pytest.raises(BadOutputError) as error:
                action(path)
            assert word in _sentence(error)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder.png", "pipe.png"]
    assert stat.S_ISFIFO(device.stat().st_mode)


OUT = np.zeros((24, 32), bool)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.png"
    save_image(Image.fromarray(PIXELS), path)
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(BadOutputError, match="No space left"):
        save_image(Image.fromarray(PIXELS[::-1]), path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["out.png"]


def test_writing_through_a_link_keeps_the_link(tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    save_image(Image.fromarray(PIXELS), tmp_path / "link.png")
    assert (tmp_path / "link.png").is_symlink() and load_image(tmp_path / "real.png").image.size == (32, 24)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".bmp", ".tif"])
def test_lossless_formats(tmp_path: Path, suffix: str) -> None:
    save_image(Image.fromarray(PIXELS), tmp_path / f"out{suffix}")
    np.testing.assert_array_equal(np.asarray(load_image(tmp_path / f"out{suffix}").image), PIXELS)


def test_another_size_than_the_picture_read(tmp_path: Path) -> None:
    loaded = load_image(_save(tmp_path, "a.png", Image.fromarray(PIXELS)))
    with pytest.raises(BadImageError, match="31 x 24"):
        save_image(loaded.image.crop((0, 0, 31, 24)), tmp_path / "out.png", loaded)


@pytest.mark.parametrize("name", ["m.png", "m.tif", "m.bmp", "m.webp", "m.gif", "m.jpg"])
def test_masks_come_back(tmp_path: Path, name: str) -> None:
    mask = np.zeros((24, 32), bool)
    mask[8:16, 8:24] = True
    save_mask(mask, tmp_path / name)
    np.testing.assert_array_equal(load_mask(tmp_path / name, (32, 24)), mask)
    if name.endswith("png"):
        assert _opened(tmp_path / name).mode == "1"
    with pytest.raises(BadMaskError, match="24 x 32"):
        load_mask(tmp_path / name, (24, 32))


def test_masks_of_zeros_and_ones_and_transparency(tmp_path: Path) -> None:
    mask = PIXELS[..., 0] > 127
    loaded = load_mask(_save(tmp_path, "index.png", Image.fromarray(mask.astype(np.uint8))), (32, 24))
    np.testing.assert_array_equal(loaded, mask)
    white = np.full((24, 32, 4), 255, np.uint8)
    white[..., 3] = mask * 255
    np.testing.assert_array_equal(load_mask(_save(tmp_path, "a.png", Image.fromarray(white)), (32, 24)), mask)


def test_colour_in_a_16_bit_grey_picture_is_said_to_cost_its_depth(tmp_path: Path) -> None:
    Image.fromarray(np.arange(2000, dtype=np.uint16).reshape(40, 50) * 30).save(tmp_path / "in.png")
    loaded = load_image(tmp_path / "in.png")
    assert save_image(loaded.image, tmp_path / "same.png", loaded) == ()
    edited = loaded.image.copy()
    edited.paste((250, 10, 10), (3, 3, 9, 9))
    (note,) = save_image(edited, tmp_path / "out.png", loaded)
    assert "8 bits per channel" in note and load_image(tmp_path / "out.png").mode == "RGB"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1"])
def test_a_large_picture_is_saved_as_a_small_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    rgba = Image.fromarray(np.random.default_rng(1).integers(0, 256, (70, 90, 4), dtype=np.uint8), "RGBA")
    (rgba if mode == "RGBA" else rgba.convert("RGB").convert(mode)).save(tmp_path / "in.png", dpi=(72, 72))
    loaded = load_image(tmp_path / "in.png")
    save_image(loaded.image, tmp_path / "small.png", loaded, Provenance("instructedit", "test"))
    monkeypatch.setattr(imaging, "_MANY_PIXELS", 1000)
    save_image(loaded.image, tmp_path / "large.png", loaded, Provenance("instructedit", "test"))
    with Image.open(tmp_path / "small.png") as small, Image.open(tmp_path / "large.png") as large:
        assert large.mode == small.mode
        np.testing.assert_array_equal(np.asarray(large), np.asarray(small))
        assert large.info == small.info and "instructedit" in large.info
