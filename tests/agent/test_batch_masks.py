"""Masks of the person's own in scripted runs: per job, per turn, on record in the bundle, and made again from it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agent.batch import BatchOptions, run_batch
from agent.bundle import read_bundle
from agent.replay import replay
from agent.script import load_script
from instructedit_models.imaging import load_mask, save_mask
from instructedit_models.masks import grow
from tests.agent.test_batch import Here, records
from tests.tools.tiny_models import COLOURS, TinyModels, boxes

SIZE = (96, 64)
RING = 1
"""Pixels beyond a mask over which the tiny models blend."""
JOBS = """\
defaults: {llm: offline, seed: 0, mask_feather: 0}
jobs:
  - {name: whole, image: a.png, instruction: make the red box green, mask: left.png}
  - name: talk
    image: a.png
    mask: left.png
    turns:
      - make the red box green
      - {say: make the blue box yellow, mask: null, mask_grow: 2}
      - {say: make the red box purple, mask: right.png, mask_mode: intersect}
  - {name: gone, image: a.png, instruction: make the red box green, mask: nowhere.png}
  - {name: black, image: a.png, instruction: make the red box green, mask: black.png}
  - {name: small, image: a.png, instruction: make the red box green, mask: small.png}
"""


def half(left: bool) -> np.ndarray:
    mask = np.zeros((SIZE[1], SIZE[0]), bool)
    mask[:, slice(0, 40) if left else slice(64, 96)] = True
    return mask


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("masks")
    boxes("red", "blue", "red").save(folder / "a.png")
    save_mask(half(True), folder / "left.png")
    save_mask(half(False), folder / "right.png")
    save_mask(np.zeros((SIZE[1], SIZE[0]), bool), folder / "black.png")
    save_mask(np.ones((9, 9), bool), folder / "small.png")
    (folder / "jobs.yaml").write_text(JOBS)
    run_batch(load_script(folder / "jobs.yaml"), folder / "out", Here(), BatchOptions())
    return folder


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def test_a_mask_of_a_job_takes_the_place_of_what_is_found(done: Path) -> None:
    before, after = pixels(done / "a.png"), pixels(done / "out" / "whole" / "turn_01.png")
    assert ((before != after).any(axis=2) <= grow(half(True), RING)).all()
    assert (after[half(True)] == COLOURS["green"]).all()
    assert (load_mask(done / "out" / "whole" / "turn_01_mask.png", SIZE) == half(True)).all()


def test_each_turn_has_the_masks_that_it_asks_for(done: Path) -> None:
    folder = done / "out" / "talk"
    assert [record["kind"] for record in records(done / "out", "talk")] == ["edit"] * 3
    first, second, third = (load_mask(folder / f"turn_0{n}_mask.png", SIZE) for n in (1, 2, 3))
    assert (first == half(True)).all()
    assert second.any() and not (second & half(False)).any() and second[:, 40:].any()
    assert third.any() and (third <= half(False)).all()
    changed = (pixels(folder / "turn_03.png") != pixels(folder / "turn_02.png")).any(axis=2)
    assert changed.any() and (changed <= grow(third, RING)).all()


def test_masks_that_cannot_be_used_fail_their_job_alone(done: Path) -> None:
    import json

    jobs = {job["name"]: job["error"] for job in json.loads((done / "out" / "summary.json").read_text())["jobs"]}
    assert jobs["whole"] is None and jobs["talk"] is None
    assert jobs["gone"]["kind"] == "bad_image" and "Cannot read the mask" in jobs["gone"]["message"]
    assert jobs["black"]["kind"] == "bad_mask" and f"'{done / 'black.png'}' is all black" in jobs["black"]["message"]
    assert jobs["small"]["kind"] == "bad_mask" and f"{done / 'small.png'}" in jobs["small"]["message"]


def test_a_bundle_holds_the_masks_and_a_replay_uses_them(done: Path, tmp_path: Path) -> None:
    for name, turns in (("whole", 1), ("talk", 3)):
        (tmp_path / name).mkdir()
        result = replay(done / "out" / name, TinyModels(), tmp_path / name)
        assert result.same, [turn.differences for turn in result.turns]
        last = f"turn_{turns:02}.png"
        assert (tmp_path / name / last).read_bytes() == (done / "out" / name / last).read_bytes()
    whole, _ = read_bundle(done / "out" / "whole")
    talk, _ = read_bundle(done / "out" / "talk")
    assert whole.settings["masking"]["own"] and whole.turns[0].settings is None
    assert "masking" not in talk.settings and talk.turns[1].settings is not None
    assert talk.turns[1].settings["masking"]["refinement"]["grow"] == 2


def test_another_mask_runs_the_job_again(done: Path, tmp_path: Path) -> None:
    script = done / "jobs.yaml"
    again = Here()
    run_batch(load_script(script), done / "out", again, BatchOptions())
    assert again.given == []
    save_mask(half(False), done / "left.png")
    try:
        run_batch(load_script(script), done / "out", again, BatchOptions())
    finally:
        save_mask(half(True), done / "left.png")
    assert again.given == ["whole", "talk"]
