"""The benchmark on pictures whose result is known: the truth passes, the unchanged picture and wrong masks do not."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agent.api import EditOutcome
from agent.bundle import Bundle
from agent.plans import EditPlan
from benchmarks import main_job
from benchmarks.describe import describe_section
from benchmarks.edits import EditTrial, changed_outside, edit_cases, rows_of, try_edit
from benchmarks.figures import Row
from benchmarks.grounding import grounding_section, true_mask
from benchmarks.judge import WEIGHTS, Judge, object_crop
from benchmarks.plans import PHRASINGS, plan_right, read_phrasings
from benchmarks.scenes import Drawn, scenes_from
from benchmarks.scoring import EditCase, score
from benchmarks.sheet import Gallery, sheet
from instructedit_models.errors import BadParameterError, NothingFoundError
from instructedit_models.grounding import Grounding
from instructedit_models.imaging import LoadedImage
from instructedit_models.miniature.edits import KINDS, in_colour, with_items
from instructedit_models.miniature.language import full_listing, referring
from instructedit_models.miniature.rendering import render
from instructedit_models.miniature.words import COLOURS
from instructedit_models.types import Description, Region

SCENES = scenes_from(9_500_000, 16)


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge()


@pytest.fixture(scope="module")
def cases() -> list[EditCase]:
    return edit_cases(SCENES)


def figure(rows: list[Row], what: str) -> float | None:
    return next(row.figure for row in rows if row.what == what)


class Oracle:
    """Grounds an expression with the truth, or with what `spoil` makes of it."""

    def __init__(self, scenes: list[Drawn], spoil=lambda drawn, one, mask: mask) -> None:
        self.scenes = {drawn.picture.image.tobytes(): drawn for drawn in scenes}
        self.spoil = spoil

    def segment(self, image: Image.Image, prompt: str) -> Grounding:
        drawn = self.scenes[np.asarray(image).tobytes()]
        one = next(one for one in referring(drawn.scene, drawn.picture, drawn.rng(21), 8) if one.phrase == prompt)
        mask = self.spoil(drawn, one, true_mask(drawn, one.objects, one.part))
        return Grounding(prompt, (Region("r1", prompt, 0.9, (0, 0, 1, 1), mask),), mask)


def another(drawn: Drawn, one, mask: np.ndarray) -> np.ndarray:
    """A mask of something that was not meant."""
    others = [other for i, other in enumerate(drawn.picture.masks) if i not in one.objects]
    if others:
        return others[0]
    return mask[:, ::-1] if one.part is None else drawn.picture.masks[one.objects[0]] & ~mask


def grounding_rows(spoil) -> list[Row]:
    return grounding_section(Oracle(SCENES, spoil), SCENES).rows


def test_grounding_with_the_truth_is_perfect():
    rows = grounding_rows(lambda drawn, one, mask: mask)
    for what in ("right object or part chosen", "mask IoU, mean over objects", "mask IoU, mean over parts"):
        assert figure(rows, what) == 1


def test_grounding_something_else_is_wrong():
    assert figure(grounding_rows(another), "right object or part chosen") < 0.05


def test_grounding_too_much_or_nothing_is_wrong():
    everything = grounding_rows(lambda drawn, one, mask: np.logical_or.reduce(drawn.picture.masks))
    right = figure(everything, "right object or part chosen")
    assert right is not None and right < 0.6  # "all the cars" of a scene of cars is everything
    assert figure(everything, "parts") == 0

    def nothing(drawn: Drawn, one, mask: np.ndarray) -> np.ndarray:
        raise NothingFoundError("There is none.")

    rows = grounding_rows(nothing)
    assert figure(rows, "right object or part chosen") == figure(rows, "mask IoU, mean over objects") == 0
    assert rows[0].note.startswith("nothing_found: ")


def test_one_of_several_is_not_all_of_them():
    def first_only(drawn: Drawn, one, mask: np.ndarray) -> np.ndarray:
        return true_mask(drawn, one.objects[:1], one.part)

    rows = grounding_rows(first_only)
    assert figure(rows, "by all") == 0
    assert figure(rows, "by attribute") == 1


class Reader:
    """Describes a scene by its truth, or by that of another one."""

    def __init__(self, scenes: list[Drawn], turn: int) -> None:
        self.said = {
            drawn.picture.image.tobytes(): Description(
                scenes[(i + turn) % len(scenes)].scene.medium,
                f"{drawn.scene.medium} of {full_listing(scenes[(i + turn) % len(scenes)].scene)}",
            )
            for i, drawn in enumerate(scenes)
        }

    def describe(self, image: Image.Image) -> Description:
        return self.said[np.asarray(image).tobytes()]

    def ask(self, image: Image.Image, question: str) -> str:
        raise AssertionError(question)


def test_descriptions():
    right, wrong = (describe_section(Reader(SCENES, turn), SCENES).rows for turn in (0, 5))
    medium, named = "BLIP-2: medium right", "BLIP-2: objects named with the right colour (recall)"
    assert figure(right, medium) == figure(right, named) == 1
    assert figure(wrong, medium) < 0.7 and figure(wrong, named) < 0.3


@pytest.mark.parametrize("kind", KINDS)
def test_the_true_picture_succeeds_and_the_unchanged_one_does_not(kind: str, cases: list[EditCase], judge: Judge):
    those = [case for case in cases if case.edit.kind == kind]
    truth = [score(case, case.after.image, judge) for case in those]
    unchanged = [score(case, case.drawn.picture.image, judge) for case in those]
    assert len(those) >= 4
    assert np.mean([each.success for each in truth]) >= 0.85
    assert np.mean([each.success for each in unchanged]) <= 0.13
    assert np.mean([each.distance for each in truth]) < np.mean([each.distance for each in unchanged]) - 0.1


def test_only_the_asked_colour_succeeds(cases: list[EditCase], judge: Judge):
    for case in cases:
        if case.edit.kind in ("recolour", "part"):
            for colour in COLOURS:
                drawn = render(in_colour(case.drawn.scene, case.edit.objects, colour, case.edit.part))
                painted = 0.94 * drawn.image + 0.06 * 127  # a little duller than drawn
                assert score(case, painted.astype(np.uint8), judge).success is (colour == case.edit.to["colour"])


def test_a_new_noun_succeeds_where_it_stands_a_little_aside_and_no_other_noun_does(cases: list[EditCase], judge: Judge):
    aside, wrong = [], []
    for case in (one for one in cases if one.edit.kind == "noun"):
        (i,) = case.edit.objects
        item = case.edit.after.items[i]
        moved = replace(item, centre=(item.centre[0] + 7, item.centre[1] - 5))
        aside.append(score(case, render(with_items(case.edit.after, {i: moved})).image, judge).success)
        for noun in ("star", "fish"):
            if noun != item.noun:
                other = render(with_items(case.edit.after, {i: replace(item, noun=noun, own_colours=())})).image
                wrong.append(score(case, other, judge).success)
    assert len(aside) >= 10
    assert np.mean(aside) >= 0.9
    assert not any(wrong)


def test_cases_take_kinds_and_scenes_in_turn(cases: list[EditCase]):
    few = edit_cases(SCENES, limit=12)
    assert len(few) == 12 and len({case.drawn.seed for case in few}) >= 10
    assert len({case.edit.kind for case in few}) >= 5
    assert [case.edit.instruction for case in few] == [case.edit.instruction for case in cases[:12]]
    assert {case.edit.kind for case in edit_cases(SCENES, ("part",))} == {"part"}
    assert len({(case.drawn.seed, case.edit.kind) for case in cases}) == len(cases)


def outcome_of(case: EditCase, image: np.ndarray) -> EditOutcome:
    before = case.drawn.image
    differs = (image != case.drawn.picture.image).any(axis=2)
    record = {"seconds": {"total": 1.0, "denoise": 0.5}, "unet_evaluations": 75, "verified": True}
    loaded = LoadedImage(before, None, "PNG", "RGB")
    bundle = Bundle(models="none", llm="none", threads=1, settings={}, input="input.png", input_sha256="", turns=())
    return EditOutcome(Image.fromarray(image), differs, differs, record, loaded, bundle)


def test_one_changed_byte_outside_the_region_is_seen(cases: list[EditCase]):
    case = next(case for case in cases if case.edit.kind == "recolour")
    outcome = outcome_of(case, case.after.image)
    before, after = case.drawn.picture.image, case.after.image.copy()
    assert changed_outside(before, after, outcome) == (0, 0.0)
    row, column = np.argwhere(~outcome.region)[0]
    after[row, column, 1] ^= 1
    outside, farthest = changed_outside(before, after, outcome)
    assert outside == 1 and farthest >= 1


def trials_of(cases: list[EditCase], judge: Judge, monkeypatch: pytest.MonkeyPatch, edited: bool) -> list[EditTrial]:
    """Trials with an `edit_image` that returns the true picture, or what it was given."""
    by_picture = {(case.drawn.picture.image.tobytes(), case.edit.instruction): case for case in cases}

    def edit_image(image: Image.Image, instruction: str, **given: object) -> EditOutcome:
        case = by_picture[np.asarray(image).tobytes(), instruction]
        return outcome_of(case, case.after.image if edited else case.drawn.picture.image)

    monkeypatch.setattr("benchmarks.edits.edit_image", edit_image)
    return [try_edit(case, None, judge) for case in cases]  # type: ignore[arg-type]


def test_the_rows_of_perfect_and_of_idle_editing(cases: list[EditCase], judge: Judge, monkeypatch: pytest.MonkeyPatch):
    some = [case for case in cases if case.edit.kind in ("recolour", "noun", "part")]
    perfect, idle = (rows_of(trials_of(some, judge, monkeypatch, edited)) for edited in (True, False))
    assert figure(perfect, "recolour succeeds") >= 0.9 and figure(idle, "recolour succeeds") == 0
    assert figure(perfect, "noun swap succeeds (judge)") >= 0.85 and figure(idle, "noun swap succeeds (judge)") <= 0.1
    assert figure(perfect, "outside the mask ring: bytes changed, all edits") == 0
    gallery = Gallery(trials_of(cases[:6], judge, monkeypatch, False))
    shown = gallery.shown(worst=3, random=2)
    assert [why for why, _ in shown] == ["worst"] * 3 + ["random"] * 2
    assert sheet(shown).width > 3 * 256 * 2


def test_a_failed_edit_counts_as_none(cases: list[EditCase], judge: Judge, monkeypatch: pytest.MonkeyPatch):
    def edit_image(image: Image.Image, instruction: str, **given: object) -> EditOutcome:
        raise NothingFoundError("There is no car.")

    monkeypatch.setattr("benchmarks.edits.edit_image", edit_image)
    trials = [try_edit(case, None, judge) for case in cases[:8]]  # type: ignore[arg-type]
    assert {trial.error for trial in trials} == {"nothing_found: There is no car."}
    assert not any(trial.score.success and not trial.unchanged.success for trial in trials)
    assert json.dumps(trials[0].to_json())


def test_plans_are_right_or_wrong():
    expected = read_phrasings(PHRASINGS)[0]["edits"]
    right = EditPlan(
        segmentation_prompt="Dog", input_caption="photo of a dog.", edited_caption="Photo of a cat", change="shape"
    )
    assert plan_right([right], expected)
    assert not plan_right([], expected) and not plan_right([right, right], expected)
    for field in ("segmentation_prompt", "input_caption", "edited_caption"):
        assert not plan_right([right.model_copy(update={field: "Photo of a fish"})], expected)


def test_only_test_seeds_are_measured():
    for seed, count in ((5, 1), (8_999_999, 2), (9_000_000, 0), (9_999_999, 2)):
        with pytest.raises(BadParameterError):
            scenes_from(seed, count)


def test_a_crop_at_the_rim_repeats_the_border():
    image = np.full((40, 40, 3), 9, np.uint8)
    image[:, 0] = 200
    crop = object_crop(image, (0, 0, 10, 10), context=2)
    assert crop.shape == (64, 64, 3) and (crop[:, :12] == 200).all() and (crop[:, -8:] == 9).all()


def test_the_judge_is_small_and_no_part_of_the_product():
    assert WEIGHTS.stat().st_size < 1_000_000
    root = Path(__file__).resolve().parents[2]
    for name in ("agent", "tools", "prompts", "instructedit_models"):
        for path in (root / name).rglob("*.py"):
            assert not re.search(r"^\s*(from|import) benchmarks", path.read_text(encoding="utf-8"), re.MULTILINE), path


def test_the_command_writes_a_record_and_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "record.json"
    empty = tmp_path / "empty.toml"
    text = (Path(main_job.__file__).parents[1] / "instructedit_models/sets/miniature.toml").read_text()
    empty.write_text(text.replace("../miniature/weights", "nowhere"))
    code = main_job.main(["--scenes", "2", "--only", "grounding,core", "--models", str(empty), "--json", str(path)])
    record = json.loads(path.read_text())
    assert code == 1
    assert record["schema"] == 1 and record["settings"]["seed"] == 9_500_000 and len(record["commit"]) == 40
    assert {"processor", "cores", "packages"} <= set(record["machine"])
    assert [row["figure"] for row in record["rows"]] == [None] * 3
    printed = capsys.readouterr().out
    assert printed.count("not measured") == 3 and "record.json" in printed
