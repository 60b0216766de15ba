"""Verify, then retry: what is swept when, what is kept, what is told; and variations."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from agent.record import EditPart
from instructedit_models.errors import BadParameterError
from instructedit_models.types import EditOptions, EditResult
from instructedit_models.verification import Verification
from tests.tools.calling import edit, pixels
from tests.tools.tiny_models import COLOURS, Painter, TinyModels, boxes
from tools.context import EditOverrides, ToolContext, ToolSettings
from tools.registry import call
from tools.sweeping import sweeps
from tools.trying import Task, try_edit
from tools.workspace import Workspace


class Shy(Painter):
    """Paints only with options that please it; else leaves the picture as it is."""

    def __init__(self, pleased: Callable[[EditOptions], bool]) -> None:
        super().__init__()
        self.pleased = pleased

    def edit(self, image, mask, input_caption, edited_caption, options, progress=None) -> EditResult:  # type: ignore[no-untyped-def]
        wanted = edited_caption if self.pleased(options) else input_caption
        return super().edit(image, mask, input_caption, wanted, options, progress)


@pytest.fixture
def workspace():  # type: ignore[no-untyped-def]
    with Workspace.temporary() as opened:
        yield opened


def context_for(
    workspace: Workspace, pleased: Callable[[EditOptions], bool], retries: int = 2, **fixed: float
) -> ToolContext:
    settings = ToolSettings(EditOverrides(**fixed), retries=retries)  # type: ignore[arg-type]
    return ToolContext(TinyModels(editor=Shy(pleased)), workspace.start(boxes("red", "blue", "red")), settings)


def made(context: ToolContext, image_id: str = "image_2"):  # type: ignore[no-untyped-def]
    found = context.conversation.version(image_id).edit
    assert found is not None
    return found


def test_an_edit_that_works_is_not_retried(workspace: Workspace) -> None:
    context = context_for(workspace, lambda options: True)
    edit(context, "blue box", "green")
    node = made(context)
    assert node.verified and node.unet_evaluations == 75 and "attempts" not in node.verification
    assert node.verification["checks"] == {
        "caption": True, "target": None, "source": None, "colour": True, "outside": True,
    }  # fmt: skip
    assert len(context.models.editor.calls) == 1


def test_a_failed_edit_is_swept_and_the_one_that_passes_is_kept(workspace: Workspace) -> None:
    context = context_for(workspace, lambda options: options.encoding_ratio == 1.0)
    edit(context, "blue box", "green")
    node = made(context)
    assert node.verified and node.options.encoding_ratio == 1.0 and node.options.grow == 0
    attempts = node.verification["attempts"]
    assert [one["encoding_ratio"] for one in attempts][:2] == [0.5, 0.5]
    assert attempts[0]["passed"] is False and [one["kept"] for one in attempts].count(True) == 1
    kept = next(one for one in attempts if one["kept"])
    assert kept["passed"] and kept["encoding_ratio"] == 1.0 and kept["negative"] == "empty"
    mask = context.conversation.mask(node.mask_id)
    assert (pixels(context, "image_2")[mask] == COLOURS["green"]).all()
    spent = sum(3 * round(one.encoding_ratio * 50) for one in context.models.editor.calls)
    assert 75 < node.unet_evaluations <= spent
    assert [version.id for version in context.conversation.versions()] == ["image_1", "image_2"]
    assert "retry" in context.turn.seconds


def test_the_second_sweep_grows_the_mask(workspace: Workspace) -> None:
    context = context_for(workspace, lambda options: options.grow > 0)
    edit(context, "blue box", "green")
    assert made(context).verified and made(context).options.grow == 6


def test_one_sweep_does_not_grow(workspace: Workspace) -> None:
    context = context_for(workspace, lambda options: options.grow > 0, retries=1)
    edit(context, "blue box", "green")
    assert not made(context).verified and made(context).options.grow == 0


@pytest.mark.parametrize(("lost", "sweeps_made"), [("pattern", 1), ("colour", 4)])
def test_a_pattern_alone_is_not_worth_every_sweep(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, lost: str, sweeps_made: int
) -> None:
    class Losing:
        """Says of every result that it lost something."""

        def check_all(self, afters: list, regions: list) -> list[Verification]:
            checks: dict[str, bool | None] = {"caption": False, "colour": True, "pattern": True} | {lost: False}
            return [Verification(False, 0.0, 0.0, "Lost.", checks=checks) for _ in afters]

    context = context_for(workspace, lambda options: False, retries=4)
    monkeypatch.setattr("tools.trying.verifier_for", lambda *_: Losing())
    mask = np.zeros((64, 96), bool)
    mask[20:38, 40:58] = True
    options = EditOptions(encoding_ratio=0.5)
    captions = ("photo of a striped blue box", "photo of a striped green box")
    tried = try_edit(context, Task(boxes("red", "blue", "red"), mask, captions, options, "appearance", retries=4))
    swept = list(sweeps(options, "appearance", context.settings.overrides, sweeps_made))
    assert len(tried.attempts) == 1 + sum(len(one) for one in swept) and not tried.kept.rank[0]


def test_where_none_passes_that_is_said(workspace: Workspace) -> None:
    context = context_for(workspace, lambda options: False)
    mask_id = call(context, "segment", image_id="image_1", segmentation_prompt="blue box").mask_id
    result = call(
        context, "edit_image", image_id="image_1", mask_id=mask_id, segmentation_prompt="blue box",
        input_caption="photo of a blue box", edited_caption="photo of a green box", change="appearance",
    )  # fmt: skip
    node = made(context)
    tries = len(node.verification["attempts"])
    assert tries == len(context.models.editor.calls) > 5 and not node.verified
    assert f"the best of {tries} tries" in result.text
    assert f"Not verified: None of {tries} tries passed the check; the best was kept: The result looks" in result.text
    part = EditPart.of(node, context.conversation.mask_entry(node.mask_id))
    assert part.verified is False and len(part.attempts) == tries and part.checks["colour"] is False


def test_of_several_things_only_that_which_fails_is_made_again(workspace: Workspace) -> None:
    class Picky(Shy):
        """Leaves the right box as it is at first."""

        def edit(self, image, mask, input_caption, edited_caption, options, progress=None) -> EditResult:  # type: ignore[no-untyped-def]
            self.pleased = lambda wanted: wanted.encoding_ratio == 1.0 or np.flatnonzero(mask.any(axis=0)).min() < 64
            return super().edit(image, mask, input_caption, edited_caption, options, progress)

    context = context_for(workspace, lambda options: True)
    painter = context.models.editor = Picky(lambda options: True)  # type: ignore[misc]
    captions = {"input_caption": "photo of red boxes", "edited_caption": "photo of green boxes"}
    edit(context, "all red boxes", "green", **captions)
    node = made(context)
    assert node.verified and node.options.encoding_ratio in (0.5, 1.0)
    attempts = node.verification["attempts"]
    assert [one["thing"] for one in attempts] == [1, *[2] * (len(attempts) - 1)] and len(attempts) > 2
    assert [one["thing"] for one in attempts if one["kept"]] == [1, 2]
    assert [one["thing"] for one in attempts if one["passed"]][:2] == [1, 2]
    assert len(painter.calls) == len(attempts)
    mask = context.conversation.mask(node.mask_id)
    assert (pixels(context, "image_2")[mask] == COLOURS["green"]).all()


def test_several_things_that_pass_at_once_were_not_tried_again(workspace: Workspace) -> None:
    context = context_for(workspace, lambda options: True)
    captions = {"input_caption": "photo of red boxes", "edited_caption": "photo of green boxes"}
    edit(context, "all red boxes", "green", **captions)
    node = made(context)
    assert node.verified and "attempts" not in node.verification and node.unet_evaluations == 150
    assert node.verification["checks"]["colour"] is True


def test_which_of_several_things_never_passed_is_counted(workspace: Workspace) -> None:
    context = context_for(workspace, lambda options: False)
    captions = {"input_caption": "photo of red boxes", "edited_caption": "photo of green boxes"}
    edit(context, "all red boxes", "green", **captions)
    node = made(context)
    assert not node.verified and node.verification["checks"]["colour"] is False
    assert node.verification["note"].startswith("2 of 2 things never passed the check; the best was kept: The result")


def test_no_retries_by_default_and_when_switched_off(workspace: Workspace) -> None:
    assert ToolSettings().retries == 0
    context = context_for(workspace, lambda options: False, retries=0)
    edit(context, "blue box", "green")
    assert len(context.models.editor.calls) == 1
    for wrong in (-1, 6):
        with pytest.raises(BadParameterError, match="retries must be 0 to 5"):
            ToolSettings(retries=wrong)


def test_what_the_person_fixed_is_not_swept(workspace: Workspace) -> None:
    context = context_for(workspace, lambda options: False, encoding_ratio=0.6, guidance_scale=4.0, seed=3, steps=10)
    edit(context, "blue box", "green")
    used = context.models.editor.calls
    assert len(used) == 2  # with a grown mask, which nobody fixed
    assert {(one.encoding_ratio, one.guidance_scale, one.seed, one.steps) for one in used} == {(0.6, 4.0, 3, 10)}


def test_a_strength_that_was_asked_for_is_not_searched_over(workspace: Workspace) -> None:
    context = context_for(workspace, lambda options: options.encoding_ratio == 0.5)
    edit(context, "blue box", "green")
    before = len(context.models.editor.calls)
    call(context, "adjust_edit", image_id="image_2", encoding_ratio=0.3)
    assert len(context.models.editor.calls) == before + 1
    assert made(context, "image_3").options.encoding_ratio == 0.3


def test_sweeps_repeat_nothing() -> None:
    listed = [one for sweep in sweeps(EditOptions(encoding_ratio=0.9), "shape", EditOverrides(), 5) for one in sweep]
    assert len(listed) == len(set(listed)) and EditOptions(encoding_ratio=0.9) not in listed
    assert all(one.grow == 0 for one in next(sweeps(EditOptions(), "shape", EditOverrides(), 1)))
    assert list(sweeps(EditOptions(), "shape", EditOverrides(), 0)) == []
    assert all(one.grow == 0 for each in sweeps(EditOptions(), "background", EditOverrides(), 4) for one in each)


def test_the_second_sweep_of_a_look_is_bold() -> None:
    options = EditOptions(encoding_ratio=0.95, guidance_scale=7.5, negative="both")
    first, second = sweeps(options, "appearance", EditOverrides(), 2)
    assert [(one.encoding_ratio, one.guidance_scale, one.negative, one.seed) for one in first] == [
        (1.0, 7.5, "both", 0), (1.0, 10.5, "both", 0), (1.0, 7.5, "both", 1), (1.0, 10.5, "both", 1),
        (1.0, 7.5, "input", 0),
    ]  # fmt: skip
    assert [(one.grow, one.guidance_scale, one.negative, one.seed) for one in second] == [
        (6, 7.5, "both", 2), (6, 10.5, "both", 2), (0, 13.5, "both", 0), (0, 13.5, "empty", 0),
    ]  # fmt: skip
    assert {one.encoding_ratio for one in second} == {1.0}
    away = list(sweeps(replace(options, negative="input"), "appearance", EditOverrides(), 2))[1]
    assert [one.negative for one in away if not one.grow] == ["input", "empty"]
    paper = list(sweeps(replace(options, negative="empty"), "appearance", EditOverrides(), 2))[1]
    assert [(one.guidance_scale, one.negative) for one in paper if not one.grow] == [(13.5, "empty")]
    fixed = list(sweeps(options, "appearance", EditOverrides(guidance_scale=7.5), 2))
    assert {one.guidance_scale for each in fixed for one in each} == {7.5}


def test_a_look_at_the_full_ratio_is_led_elsewhere_too() -> None:
    options = EditOptions(encoding_ratio=1.0, guidance_scale=10.0, negative="both", seed=1)
    first, second = sweeps(options, "appearance", EditOverrides(), 2)
    assert [(one.guidance_scale, one.negative, one.seed) for one in first] == [
        (14.0, "both", 1), (10.0, "both", 2), (14.0, "both", 2), (10.0, "input", 1),
    ]  # fmt: skip
    assert not {*first} & {*second}


def test_a_new_shape_at_the_full_ratio_is_drawn_from_other_noise() -> None:
    options = EditOptions(encoding_ratio=1.0, guidance_scale=7.5, grow=6, seed=5)
    first, second = sweeps(options, "shape", EditOverrides(), 2)
    assert {one.seed for one in first} == {6, 7, 8} and {one.grow for one in first} == {6}
    assert {one.guidance_scale for one in first} == {7.5, 10.5}
    assert not {one.seed for one in second} & {one.seed for one in first} and all(one.grow > 6 for one in second)
    assert {one.seed for one in next(sweeps(options, "shape", EditOverrides(seed=5), 1))} == {5}


def test_growth_and_guidance_can_be_adjusted(workspace: Workspace) -> None:
    context = context_for(workspace, lambda options: True)
    edit(context, "blue box", "green", change="shape")
    call(context, "adjust_edit", image_id="image_2", grow=0, guidance_scale=3.0)
    assert (made(context, "image_3").options.grow, made(context, "image_3").options.guidance_scale) == (0, 3.0)
    with pytest.raises(BadParameterError, match="growth must be between 0 and 128"):
        call(context, "adjust_edit", image_id="image_3", grow=500)


def test_variations_are_versions_and_the_best_is_current(workspace: Workspace) -> None:
    context = context_for(workspace, lambda options: options.seed in (0, 3))
    edit(context, "blue box", "green")
    result = call(context, "variations", image_id="image_2", count=4)
    assert result.image_id == context.conversation.current_id == "image_5"
    assert result.text.startswith("image_3, image_4, image_5, image_6 are variations of image_2 (seeds 1, 2, 3, 4; ")
    assert result.text.endswith("inversion from the cache); image_5 is current.")
    nodes = [made(context, f"image_{number}") for number in (3, 4, 5, 6)]
    assert [node.options.seed for node in nodes] == [1, 2, 3, 4]
    assert {node.adjusts for node in nodes} == {"image_2"} and {node.parent_id for node in nodes} == {"image_1"}
    assert [node.verified for node in nodes] == [False, False, True, False]
    assert np.array_equal(pixels(context, "image_5"), pixels(context, "image_2"))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"image_id": "image_1"}, "original"),
        ({"image_id": "image_2", "count": 9}, "2 to 8"),
        ({"image_id": "x"}, "no picture"),
    ],
)
def test_variations_that_cannot_be_made(workspace: Workspace, arguments: dict, reason: str) -> None:
    context = context_for(workspace, lambda options: True)
    edit(context, "blue box", "green")
    with pytest.raises(BadParameterError, match=reason):
        call(context, "variations", **arguments)
    assert context.conversation.current_id == "image_2"
