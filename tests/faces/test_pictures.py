"""The pictures that explain: comparison, overlay, contact sheet."""

import numpy as np
import pytest
from PIL import Image

from agent.faces.comparison import Captions, comparison, mask_overlay
from agent.faces.contact_sheet import contact_sheet
from agent.faces.drawing import fitted, font, outline, panel_size, tinted
from agent.faces.overlay import overlay
from instructedit_models.types import Region

RED, BLUE = (200, 0, 0), (0, 0, 200)


def plain(size: tuple[int, int], colour: tuple[int, int, int]) -> Image.Image:
    return Image.new("RGB", size, colour)


def square_mask(size: tuple[int, int]) -> np.ndarray:
    mask = np.zeros((size[1], size[0]), dtype=bool)
    mask[size[1] // 4 : size[1] // 2, size[0] // 4 : size[0] // 2] = True
    return mask


@pytest.mark.parametrize(
    ("size", "shown"),
    [((128, 128), (384, 384)), ((8, 8), (320, 320)), ((640, 480), (640, 480)), ((4000, 1000), (768, 192))],
)
def test_panels_have_bearable_sizes(size: tuple[int, int], shown: tuple[int, int]) -> None:
    assert panel_size(size) == shown


def test_comparison_shows_input_left_and_output_right() -> None:
    size = (128, 96)
    picture = comparison(plain(size, RED), square_mask(size), plain(size, BLUE), Captions("Make it blue"))
    middle = picture.height // 2
    assert picture.getpixel((100, middle)) == RED
    assert picture.getpixel((picture.width - 100, middle)) == BLUE
    assert picture.width > 3 * panel_size(size)[0]


def test_comparison_writes_the_captions() -> None:
    size = (128, 128)
    arguments = (plain(size, RED), square_mask(size), plain(size, BLUE))
    without = np.asarray(comparison(*arguments, Captions("")))
    with_words = np.asarray(comparison(*arguments, Captions("Title", "a", "b", "c")))
    changed = np.argwhere((without != with_words).any(axis=2))
    assert changed[:, 0].min() < 40 and changed[:, 0].max() > 400
    thirds = {int(3 * x / without.shape[1]) for y, x in changed if y > 400}
    assert thirds == {0, 1, 2}


def test_comparison_takes_any_words() -> None:
    size = (16, 16)
    words = Captions("x" * 100_000, "日本語\n\n" * 50, "", "\x1b[31m")
    comparison(plain(size, RED), np.zeros((16, 16), dtype=bool), plain(size, RED), words)


def test_mask_overlay_keeps_the_colours_inside_and_pales_those_outside() -> None:
    size = (128, 128)
    shown = np.asarray(mask_overlay(plain(size, RED), square_mask(size)))
    assert tuple(shown[140, 140]) == RED  # pixel (46, 46) of the picture
    red, green, blue = shown[10, 10]
    assert red == green == blue and red > 150


def test_outline_is_the_inner_border() -> None:
    mask = np.zeros((7, 7), dtype=bool)
    mask[1:6, 1:6] = True
    border = outline(mask, 1)
    assert border.sum() == 16 and not border[2:5, 2:5].any()
    assert not outline(np.ones((5, 5), dtype=bool), 2).any()  # the picture's edge is no border


def test_tinted_touches_only_the_mask() -> None:
    pixels = np.full((4, 4, 3), 100, dtype=np.uint8)
    mask = np.zeros((4, 4), dtype=bool)
    mask[0, 0] = True
    result = tinted(pixels, mask, (200, 0, 100), 0.5)
    assert tuple(result[0, 0]) == (150, 50, 100)
    assert (result[~mask] == 100).all() and (pixels == 100).all()


def test_fitted_cuts_with_an_ellipsis() -> None:
    face = font(14)
    cut = fitted("a very long caption indeed", 60, face)
    assert cut.endswith("…") and face.getlength(cut) <= 60 + face.getlength("…")
    assert fitted("short", 200, face) == "short"


def test_overlay_fills_what_was_chosen() -> None:
    size = (320, 320)
    left, right = np.zeros((320, 320), dtype=bool), np.zeros((320, 320), dtype=bool)
    left[100:200, 20:120] = True
    right[100:200, 200:300] = True
    regions = [
        Region("r1", "cat", 0.9, (20, 100, 120, 200), left, chosen=True),
        Region("r2", "cat", 0.8, (200, 100, 300, 200), right, chosen=False),
    ]
    shown = np.asarray(overlay(plain(size, (128, 128, 128)), regions))
    assert tuple(shown[150, 70]) != (128, 128, 128)
    assert tuple(shown[150, 250]) == (128, 128, 128)
    assert tuple(shown[150, 201]) != (128, 128, 128)
    assert (shown[82:98, 22:60] != 128).any()  # the label above the box


def test_overlay_keeps_labels_inside() -> None:
    mask = np.ones((64, 64), dtype=bool)
    regions = [Region("r1", "word " * 200, 0.5, (60.0, 0.0, 64.0, 4.0), mask)]
    assert overlay(plain((64, 64), RED), regions).size == panel_size((64, 64))
    assert overlay(plain((64, 64), RED), []).size == panel_size((64, 64))


def test_contact_sheet_lays_out_rows() -> None:
    colours = [RED, BLUE, RED, BLUE]
    sheet = contact_sheet([plain((128, 128), colour) for colour in colours], columns=3, cell=50)
    assert sheet.size == (3 * 56 + 6, 2 * 56 + 6)
    assert sheet.getpixel((20, 20)) == RED and sheet.getpixel((80, 20)) == BLUE and sheet.getpixel((20, 80)) == BLUE
    assert contact_sheet([plain((8, 8), RED)], cell=50).size == (62, 62)
