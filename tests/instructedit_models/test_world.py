"""The miniature world: scenes from seeds, exact edits and the exported layout."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from instructedit_models.errors import BadOutputError, BadParameterError
from instructedit_models.miniature import world
from instructedit_models.miniature.choices import BODY_PARTS
from instructedit_models.miniature.edits import KINDS, Edit, sample_edits
from instructedit_models.miniature.scene import CANVAS, Picture, Scene
from instructedit_models.miniature.seeds import TEST_SEEDS, TRAIN_SEEDS, VALIDATION_SEEDS, words_of
from instructedit_models.miniature.words import (
    BACKGROUNDS,
    COLOURS,
    FIRST_NOUNS,
    LATER_NOUNS,
    MATERIALS,
    MEDIA,
    NOUNS,
    PARTS,
)

SEEDS = (*range(9_000_100, 9_000_140), *range(9_500_100, 9_500_140))
SHADOW = 20
"""How far a thing's shadow may reach beyond its mask, in pixels."""
OUTLINE = 2
"""How far its blurred outline may."""


def test_the_same_seed_is_the_same_scene():
    assert [world.sample_scene(seed) for seed in SEEDS] == [world.sample_scene(seed) for seed in SEEDS]
    assert len({world.sample_scene(seed).items for seed in SEEDS}) == len(SEEDS)


def test_seed_ranges_are_disjoint():
    ranges = (world.TRAIN_SEEDS, world.VALIDATION_SEEDS, world.TEST_SEEDS)
    assert [(r.start, r.stop) for r in ranges[:2]] == [(0, 8_000_000), (8_000_000, 9_000_000)]
    assert ranges[2].start == 9_000_000


@pytest.mark.parametrize("first", [0, 4_000_000])
def test_scenes_are_as_varied_as_the_words_of_their_seeds(first: int):
    scenes = [world.sample_scene(seed) for seed in range(first, first + 2000)]
    words = words_of(first)
    items = [item for scene in scenes for item in scene.items]
    assert {item.noun for item in items} == set(words.nouns)
    assert {item.colour for item in items} == set(words.colours)
    assert {item.material for item in items} == set(MATERIALS)
    assert {scene.background for scene in scenes} == set(words.backgrounds)
    assert {scene.medium for scene in scenes} == set(MEDIA)
    counts = Counter(len(scene.items) for scene in scenes)
    assert set(counts) == {1, 2, 3, 4} and min(counts.values()) > 200
    several = [scene for scene in scenes if len(scene.items) > 1]
    kin = sum(len({item.noun for item in scene.items}) < len(scene.items) for scene in several)
    assert 0.4 < kin / len(several) < 0.6


def test_the_second_half_of_each_range_draws_from_all_words_and_the_first_from_the_first_ones():
    for seeds in (TRAIN_SEEDS, VALIDATION_SEEDS, TEST_SEEDS):
        middle = seeds[len(seeds) // 2]
        first, larger = words_of(middle - 1), words_of(middle)
        assert set(first.nouns) == set(FIRST_NOUNS) and set(larger.nouns) == set(NOUNS)
        assert set(larger.colours) == set(COLOURS) and set(larger.backgrounds) == set(BACKGROUNDS)
        assert len(set(first.colours)) == 8 and len(set(first.backgrounds)) == 5
    edits = [edit for seed in range(60) for edit in _edits(seed)]
    assert not {edit.to.get("noun") for edit in edits} & set(LATER_NOUNS)


def _edits(seed: int) -> list[Edit]:
    scene = world.sample_scene(seed)
    return sample_edits(scene, world.draw(scene), np.random.default_rng(seed))


def test_objects_lie_inside_and_their_sizes_are_named_rightly():
    for seed in (*range(600), *range(4_000_000, 4_000_600)):
        for item in world.sample_scene(seed).items:
            low, high = world.EXTENTS[item.size]
            assert low <= item.extent <= high
            assert all(item.extent / 2 + 1.9 <= middle <= CANVAS - item.extent / 2 - 1.9 for middle in item.centre)


def test_parts_of_their_own_colour_differ_from_the_body():
    for seed in (*range(300), *range(4_000_000, 4_000_300)):
        for item in world.sample_scene(seed).items:
            own = dict(item.own_colours)
            assert set(own) <= set(PARTS.get(item.noun, ()))
            assert item.colour not in own.values()
            assert not any((item.noun, part) in BODY_PARTS for part in own)


def test_every_object_stays_visible():
    shares = [
        share
        for seed in (*range(40), *range(4_000_000, 4_000_040))
        for share in world.draw(world.sample_scene(seed)).visible
    ]
    assert min(shares) >= 0.6
    assert any(share < 0.97 for share in shares), "no object ever covers another"


@pytest.fixture(scope="module")
def edited() -> list[tuple[Scene, Picture, Edit, Picture]]:
    cases = []
    for seed in SEEDS:
        scene = world.sample_scene(seed)
        picture = world.draw(scene)
        for edit in sample_edits(scene, picture, np.random.default_rng(seed)):
            cases.append((scene, picture, edit, world.draw(edit.after)))
    return cases


def test_edits_of_every_kind_change_what_they_say(edited):
    assert {edit.kind for _, _, edit, _ in edited} == set(KINDS)
    for scene, picture, edit, after in edited:
        assert not np.array_equal(picture.image, after.image), edit.instruction
        assert edit.to["background"] == edit.after.background if edit.kind == "background" else edit.objects
        for index in edit.objects:
            item, was = edit.after.items[index], scene.items[index]
            for what, value in edit.to.items():
                found = item.part_colour(edit.part) if edit.part and what == "colour" else getattr(item, what)
                assert found == value
            assert (item.centre, item.extent, item.mirrored) == (was.centre, was.extent, was.mirrored)
        assert all(
            item == was
            for index, (item, was) in enumerate(zip(edit.after.items, scene.items, strict=True))
            if index not in edit.objects
        )


def test_pictures_differ_only_where_they_were_edited(edited):
    for scene, picture, edit, after in edited:
        changed = (picture.image != after.image).any(axis=2)
        if edit.kind == "background":
            inside = ~_grown(~np.logical_or.reduce(picture.masks), 2 * OUTLINE)
            # Inside the objects hardly a pixel changes: where two overlap, a seam or a shadow may.
            assert (changed & inside).sum() <= 0.04 * inside.sum() + 4, edit.instruction
            continue
        things, parts = np.zeros_like(changed), np.zeros_like(changed)
        for index in edit.objects:
            things |= picture.masks[index] | after.masks[index]
            if edit.part and (scene.items[index].noun, edit.part) not in BODY_PARTS:
                parts |= picture.part_mask(index, edit.part)
        stray = changed & ~_grown(things, SHADOW if "noun" in edit.to else OUTLINE)
        assert not stray.any(), f"{edit.instruction}: {stray.sum()} pixels changed outside"
        # A sliver of a wheel that something hides is too small to be named in the truth.
        assert not parts.any() or (changed & ~_grown(parts, OUTLINE)).sum() <= 4, edit.instruction


def _grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    """The mask (H, W) bool with a square margin of so many pixels."""
    return np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).filter(ImageFilter.MaxFilter(2 * pixels + 1))) > 0


def test_export_writes_what_the_record_names(tmp_path: Path):
    seen = []
    folders = world.export(9_000_007, 2, tmp_path, seen.append)
    assert [folder.name for folder in folders] == ["9000007", "9000008"]
    assert [(progress.step, progress.total) for progress in seen] == [(1, 2), (2, 2)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["9000007", "9000008"]
    for folder in folders:
        record = json.loads((folder / "scene.json").read_text())
        scene = world.sample_scene(int(folder.name))
        picture = world.draw(scene)
        assert (record["schema"], record["seed"], record["size"]) == (1, scene.seed, 128)
        assert (record["medium"], record["background"]) == (scene.medium, scene.background)
        assert record["captions"] and record["referring"] and record["edits"]
        assert np.array_equal(np.asarray(Image.open(folder / "image.png")), picture.image)
        named = {"image.png", "scene.json"}
        for found, item, mask in zip(record["objects"], scene.items, picture.masks, strict=True):
            png = Image.open(folder / found["mask"])
            assert png.mode == "1" and np.array_equal(np.asarray(png), mask)
            x0, y0, x1, y1 = (int(side) for side in found["box"])
            assert mask[y0:y1, x0:x1].sum() == mask.sum() and mask[y0, :].any() and mask[:, x1 - 1].any()
            assert (found["noun"], found["colour"], found["material"]) == (item.noun, item.colour, item.material)
            named.add(found["mask"])
            for part in found["parts"]:
                expected = picture.part_mask(found["id"], part["name"])
                assert np.array_equal(np.asarray(Image.open(folder / part["mask"])), expected)
                assert part["colour"] == item.part_colour(part["name"])
                named.add(part["mask"])
        named |= {edit["after"] for edit in record["edits"]}
        assert {path.name for path in folder.iterdir()} == named


def test_export_twice_is_the_same_and_replaces(tmp_path: Path):
    (first,) = world.export(5, 1, tmp_path)
    before = {path.name: path.read_bytes() for path in first.iterdir()}
    (first / "left_over.png").write_bytes(b"old")
    world.export(5, 1, tmp_path)
    assert {path.name: path.read_bytes() for path in first.iterdir()} == before


@pytest.mark.parametrize(("seed", "n"), [(-1, 1), (0, 0), (3, -2)])
def test_export_refuses_impossible_numbers(tmp_path: Path, seed: int, n: int):
    with pytest.raises(BadParameterError):
        world.export(seed, n, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_export_leaves_other_files_alone(tmp_path: Path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "letter.txt").write_text("mine")
    with pytest.raises(BadOutputError, match="no exported scene"):
        world.export(7, 1, tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["7", "letter.txt"]
    with pytest.raises(BadOutputError):
        world.export(8, 1, tmp_path / "7" / "letter.txt")
