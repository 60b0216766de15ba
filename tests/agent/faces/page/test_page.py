"""The page as a person uses it, in a headless Chromium against a real server."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agent.faces.page.helpers import (
    BLUE,
    GREEN,
    LEFT,
    MIDDLE,
    RED,
    RIGHT,
    YELLOW,
    at,
    begin,
    canvas_point,
    current,
    pixels,
    saved,
    say,
    versions,
)


def test_a_picture_is_edited_and_saved(serve: Callable, open_page: Callable, picture: Path) -> None:
    page = open_page(serve().url)
    begin(page, picture)
    say(page, "Make the blue box yellow")
    versions(page, 2)
    before, after = pixels(picture.read_bytes()), pixels(saved(page, "#save-picture"))
    assert [at(after, place) for place in (LEFT, MIDDLE, RIGHT)] == [RED, YELLOW, RED]
    assert (after[:, :60] == before[:, :60]).all()


@pytest.mark.slow
def test_from_upload_to_download_and_back(serve: Callable, open_page: Callable, picture: Path) -> None:
    page = open_page(serve().url)
    begin(page, picture)
    say(page, "Make the blue box yellow")
    versions(page, 2)
    assert "yellow box" in page.inner_text("#log")
    assert "Looked for" in page.text_content("#log .steps")

    say(page, "Make the red box green")  # which one?
    page.wait_for_selector(".choices button")
    assert page.locator(".choices button").all_inner_texts() == ["1: red box, top left", "2: red box, top right"]
    page.locator("#candidates button").nth(1).click()
    versions(page, 3)

    before, after = pixels(picture.read_bytes()), pixels(saved(page, "#save-picture"))
    assert [at(after, place) for place in (LEFT, MIDDLE, RIGHT)] == [RED, YELLOW, GREEN]
    assert (after[:, :60] == before[:, :60]).all()
    mask = pixels(saved(page, "#save-mask"))[:, :, 0]
    assert mask[RIGHT[1], RIGHT[0]] == 255
    assert not mask[:, :128].any()
    with zipfile.ZipFile(io.BytesIO(saved(page, "#save-bundle"))) as bundle:
        assert {"bundle.json", "history.json"} <= set(bundle.namelist())

    page.click("#undo")
    page.wait_for_selector("#redo:enabled")
    assert current(page).startswith("Version 2")
    page.click("#versions li:nth-child(1) button")
    page.wait_for_selector("#undo:disabled")
    say(page, "Make the blue box green")
    versions(page, 4)
    assert current(page).endswith("made from 1")

    page.reload()  # all of it is still there
    versions(page, 4)
    assert current(page).startswith("Version 4")
    assert "Make the red box green" in page.inner_text("#log")


@pytest.mark.slow
def test_first_feedback_comes_within_300_milliseconds(serve: Callable, open_page: Callable, picture: Path) -> None:
    page = open_page(serve().url)
    begin(page, picture)
    page.evaluate(
        """() => {
          const log = document.getElementById("log");
          addEventListener("submit", () => (window.sent = performance.now()), true);
          document.getElementById("say").addEventListener("keydown", () => (window.sent = performance.now()), true);
          new MutationObserver((_, observer) => requestAnimationFrame(() => {
            window.seen ??= performance.now();
            observer.disconnect();
          })).observe(log, { childList: true });
        }"""
    )
    say(page, "Make the blue box yellow")
    versions(page, 2)
    waited = page.evaluate("window.seen - window.sent")
    print(f"first visible feedback after {waited:.0f} ms")
    assert 0 < waited <= 300


@pytest.mark.slow
def test_two_browsers_never_see_each_other(serve: Callable, open_page: Callable, picture: Path) -> None:
    served = serve()
    served.models.editor.pause = 0.02
    one, other = open_page(served.url), open_page(served.url)
    begin(one, picture)
    begin(other, picture)
    say(one, "Make the blue box yellow")
    say(other, "Make the blue box green")
    versions(one, 2)
    versions(other, 2)
    assert at(pixels(saved(one, "#save-picture")), MIDDLE) == YELLOW
    assert at(pixels(saved(other, "#save-picture")), MIDDLE) == GREEN
    assert "green" not in one.inner_text("#log")
    keys = [page.evaluate("localStorage.getItem('instructedit.open')") for page in (one, other)]
    assert keys[0] != keys[1]
    assert not other.evaluate("localStorage.getItem('instructedit.conversations')").count(keys[0])


@pytest.mark.slow
def test_a_painted_mask_bounds_the_edit(serve: Callable, open_page: Callable, picture: Path) -> None:
    page = open_page(serve().url)
    begin(page, picture)
    page.click("#paint")
    page.mouse.move(*canvas_point(page, (20, 44)))
    page.mouse.down()
    page.mouse.move(*canvas_point(page, (44, 44)), steps=5)
    page.mouse.up()
    assert "Only inside your mask" in page.inner_text("#mask-note")
    page.click("#paint-undo")
    assert page.is_hidden("#mask-note")
    page.focus("#canvas")  # now from the keyboard: to the left, and three dabs
    for _ in range(3):
        page.keyboard.press("Shift+ArrowLeft")
    for _ in range(3):
        page.keyboard.press("Space")
        page.keyboard.press("ArrowDown")
    say(page, "Make the box green")
    versions(page, 2)
    assert page.is_hidden("#painting")
    before, after = pixels(picture.read_bytes()), pixels(saved(page, "#save-picture"))
    mask = pixels(saved(page, "#save-mask"))[:, :, 0] > 0
    assert 0 < mask.mean() < 0.2
    changed = (before != after).any(axis=2)
    assert changed.any()
    assert not changed[:, 120:].any()


@pytest.mark.slow
def test_clicks_make_a_mask_and_can_be_taken_back(serve: Callable, open_page: Callable, picture: Path) -> None:
    page = open_page(serve().url)
    begin(page, picture)
    page.click("#paint")
    page.click("[data-tool=add]")
    for place in (LEFT, MIDDLE):
        known = page.text_content("#mask-note")
        page.mouse.click(*canvas_point(page, place))
        page.wait_for_function("known => document.getElementById('mask-note').textContent !== known", arg=known)
    page.click("[data-tool=cut]")
    known = page.text_content("#mask-note")
    page.mouse.click(*canvas_point(page, MIDDLE))
    page.wait_for_function("known => document.getElementById('mask-note').textContent !== known", arg=known)
    say(page, "Make the box green")
    versions(page, 2)
    after = pixels(saved(page, "#save-picture"))
    assert [at(after, place) for place in (LEFT, MIDDLE, RIGHT)] == [GREEN, BLUE, RED]


@pytest.mark.slow
def test_strength_can_be_changed_and_the_mask_mended(serve: Callable, open_page: Callable, picture: Path) -> None:
    page = open_page(serve().url)
    begin(page, picture)
    say(page, "Make the blue box yellow")
    versions(page, 2)
    ratio = float(page.input_value("#ratio"))
    page.click("#stronger")
    versions(page, 3)
    stronger = float(page.input_value("#ratio"))
    assert stronger > ratio
    page.fill("#ratio", "0.3")
    page.click("#ratio-apply")
    versions(page, 4)
    assert float(page.input_value("#ratio")) == pytest.approx(0.3)

    page.click("#paint")
    page.click("#paint-load")
    page.wait_for_selector("#mask-note", state="visible")
    page.click("[data-tool=eraser]")
    page.fill("#brush-size", "60")
    page.mouse.click(*canvas_point(page, (118, 44)))
    page.click("#paint-again")
    versions(page, 5)
    assert current(page).endswith("made from 1")
    after = pixels(saved(page, "#save-picture"))
    assert at(after, MIDDLE) == YELLOW
    assert at(after, (112, 44)) == BLUE


@pytest.mark.slow
def test_a_turn_can_be_stopped_and_a_reload_finds_it_at_work(
    serve: Callable, open_page: Callable, picture: Path
) -> None:
    served = serve()
    served.models.editor.pause = 1.0
    page = open_page(served.url)
    begin(page, picture)
    say(page, "Make the blue box yellow")
    page.wait_for_selector("text=/, [0-9]+ of [0-9]+/")
    page.reload()
    page.wait_for_selector("text=/, [0-9]+ of [0-9]+/")
    page.click("#stop")
    page.wait_for_selector("text=Stopped; the picture is as it was.")
    versions(page, 1)


@pytest.mark.slow
def test_the_picture_shows_how_the_edit_looks_so_far(serve: Callable, open_page: Callable, picture: Path) -> None:
    served = serve()
    served.models.editor.pause = 0.3
    page = open_page(served.url)
    begin(page, picture)
    say(page, "Make the blue box yellow")
    page.wait_for_selector("#preview", state="visible")
    shown, whole = page.locator("#preview").bounding_box(), page.locator("#shown").bounding_box()
    assert all(abs(shown[side] - whole[side]) < 1 for side in whole)
    page.wait_for_function("document.getElementById('preview').naturalWidth === 192")
    page.click("#stop")
    page.wait_for_selector("text=Stopped; the picture is as it was.")
    assert page.locator("#preview").is_hidden()


@pytest.mark.slow
def test_without_a_sam_for_clicks_there_is_nothing_to_click_with(
    serve: Callable, open_page: Callable, picture: Path
) -> None:
    served = serve()
    served.service.clicks = False
    page = open_page(served.url)
    begin(page, picture)
    page.click("#paint")
    page.wait_for_selector("[data-tool=brush]", state="visible")
    assert page.locator("[data-clicks]:visible").count() == 0


@pytest.mark.slow
def test_before_and_after_mask_and_deletion(serve: Callable, open_page: Callable, picture: Path) -> None:
    page = open_page(serve().url)
    begin(page, picture)
    say(page, "Make the blue box yellow")
    versions(page, 2)
    page.click("#compare")
    page.focus("#cut")
    page.keyboard.press("Home")
    assert page.get_attribute("#cut", "aria-valuetext") == "0 % before, 100 % after"
    page.click("#show-mask")
    assert "mask_" in page.evaluate("document.getElementById('overlay').style.maskImage")
    page.click("#save summary")
    page.click("#delete")
    page.click("#delete-dialog button[value=yes]")
    page.wait_for_selector("#start", state="visible")
    assert page.is_hidden("#recent-part")
