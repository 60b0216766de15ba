"""The editor on tiny components of the real classes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from instructedit_models.editor import MaskedDDIMEditor
from instructedit_models.errors import (
    BadImageError,
    BadMaskError,
    BadParameterError,
    CancelledError,
    InstructEditError,
    UnknownWordError,
)
from instructedit_models.types import EditOptions, EditResult, Progress
from tests.instructedit_models.tiny_diffusion import SCHEDULER_CONFIG, tiny_components

BEFORE, AFTER = "photo of a red car", "photo of a blue car"
FAST = EditOptions(steps=8)


def _picture(width: int = 80, height: int = 60, seed: int = 0) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def _mask(width: int = 80, height: int = 60) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[20:38, 30:55] = True
    return mask


@pytest.fixture(scope="module")
def components() -> Any:
    return tiny_components()


@pytest.fixture
def editor(components: Any) -> MaskedDDIMEditor:
    """With an empty cache, and unconditional and conditional predictions that differ."""
    return MaskedDDIMEditor(*components, SCHEDULER_CONFIG)


def _edit(editor: MaskedDDIMEditor, options: EditOptions = FAST, **changes: Any) -> EditResult:
    arguments = {"image": _picture(), "mask": _mask(), "input_caption": BEFORE, "edited_caption": AFTER}
    return editor.edit(**{**arguments, "options": options, **changes})


def _bytes(result: EditResult) -> bytes:
    return result.image.tobytes()


def test_evaluations_at_the_papers_settings(editor: MaskedDDIMEditor) -> None:
    first = _edit(editor, EditOptions())
    assert (first.unet_evaluations, first.inversion_cached) == (75, False)
    second = _edit(editor, EditOptions(), edited_caption="photo of a green dog")
    assert (second.unet_evaluations, second.inversion_cached) == (50, True)
    assert _bytes(first) != _bytes(second)
    assert set(first.seconds) == {"encode", "invert", "denoise", "decode", "total"}
    assert sum(first.seconds.values()) - first.seconds["total"] <= first.seconds["total"]


def test_inversion_serves_smaller_ratios_and_grows_for_larger_ones(editor: MaskedDDIMEditor) -> None:
    assert _edit(editor, replace(FAST, encoding_ratio=0.5)).unet_evaluations == 4 + 8
    assert _edit(editor, replace(FAST, encoding_ratio=0.25)).unet_evaluations == 4
    larger = _edit(editor, replace(FAST, encoding_ratio=1.0))
    assert (larger.unet_evaluations, larger.inversion_cached) == (4 + 16, False)
    assert _edit(editor, replace(FAST, encoding_ratio=0.75)).unet_evaluations == 12
    fresh = MaskedDDIMEditor(*tiny_components(), SCHEDULER_CONFIG)
    assert _bytes(_edit(fresh, replace(FAST, encoding_ratio=1.0))) == _bytes(larger)


@pytest.mark.parametrize(
    "changes",
    [
        {"input_caption": "photo of a green car"},
        {"image": _picture(seed=1)},
        {"mask": np.roll(_mask(), 9, axis=1)},
        {"options": replace(FAST, steps=9)},
        {"options": replace(FAST, grow=6)},
        {"options": replace(FAST, crop=False)},
        {"options": replace(FAST, inversion_stride=2)},
    ],
)
def test_what_makes_another_inversion(editor: MaskedDDIMEditor, changes: dict[str, Any]) -> None:
    _edit(editor)
    assert not _edit(editor, **changes).inversion_cached


def test_guidance_of_one_asks_once_a_step(editor: MaskedDDIMEditor) -> None:
    assert _edit(editor, replace(FAST, guidance_scale=1.0)).unet_evaluations == 4 + 4
    assert _bytes(_edit(editor, replace(FAST, guidance_scale=1.0))) != _bytes(_edit(editor))


def test_steps_below_the_floor_are_not_guided(editor: MaskedDDIMEditor) -> None:
    assert _edit(editor, replace(FAST, guidance_floor=0.25)).unet_evaluations == 4 + (3 * 2 + 1)
    unguided = _bytes(_edit(editor, replace(FAST, guidance_scale=1.0)))
    assert _bytes(_edit(editor, replace(FAST, guidance_floor=1.0))) == unguided
    assert _bytes(_edit(editor)) != _bytes(_edit(editor, replace(FAST, guidance_floor=0.4))) != unguided


def test_a_prediction_serves_several_levels_of_the_inversion(editor: MaskedDDIMEditor) -> None:
    strided = replace(FAST, inversion_stride=2)
    assert _edit(editor, strided).unet_evaluations == 2 + 8
    longer = _edit(editor, replace(strided, encoding_ratio=0.75))
    assert longer.unet_evaluations == 1 + 12
    editor.forget()
    assert _bytes(_edit(editor, replace(strided, encoding_ratio=0.75))) == _bytes(longer)


def test_the_input_caption_as_negative_prompt(editor: MaskedDDIMEditor) -> None:
    away = replace(FAST, negative="input")
    assert _bytes(_edit(editor, away)) != _bytes(_edit(editor))
    assert _edit(editor, away).unet_evaluations == _edit(editor).unet_evaluations
    unguided = replace(FAST, guidance_scale=1.0)
    assert _bytes(_edit(editor, replace(away, guidance_scale=1.0))) == _bytes(_edit(editor, unguided))
    same = _edit(
        editor, replace(away, guidance_scale=40.0), edited_caption=BEFORE
    )  # there is nothing to lead away from
    plain = _edit(editor, unguided, edited_caption=BEFORE)
    assert np.abs(np.asarray(same.image).astype(int) - np.asarray(plain.image).astype(int)).max() <= 1


def test_guidance_away_from_halfway_between_the_input_caption_and_the_empty_one(editor: MaskedDDIMEditor) -> None:
    both = _edit(editor, replace(FAST, negative="both"))
    others = [_edit(editor, replace(FAST, negative=negative)) for negative in ("empty", "input")]
    assert len({_bytes(each) for each in (both, *others)}) == 3
    assert both.unet_evaluations - 4 == others[0].unet_evaluations  # the others' inversion is kept
    alone = [_edit(editor, replace(FAST, negative=negative), input_caption="") for negative in ("empty", "both")]
    assert _bytes(alone[0]) == _bytes(alone[1])  # the same caption twice: halfway between is that caption


@pytest.mark.parametrize("options", [FAST, replace(FAST, crop=False), replace(FAST, grow=5, feather=7)])
@pytest.mark.parametrize("size", [(80, 60), (60, 90), (300, 64), (64, 64)])
def test_outside_the_region_no_byte_changes(
    editor: MaskedDDIMEditor, options: EditOptions, size: tuple[int, int]
) -> None:
    image = _picture(*size)
    result = _edit(editor, options, image=image, mask=_mask(*size))
    before, after = np.asarray(image), np.asarray(result.image)
    assert after.shape == before.shape and result.image.mode == "RGB"
    np.testing.assert_array_equal(after[~result.region], before[~result.region])
    changed = (after != before).any(axis=-1)
    assert changed[result.mask].mean() > 0.9
    assert result.region[result.mask].all() and result.mask[_mask(*size)].all()
    assert result.region.sum() > result.mask.sum() >= _mask(*size).sum()


def test_the_picture_and_the_mask_given_are_left_alone(editor: MaskedDDIMEditor) -> None:
    image, mask = _picture(), _mask()
    _edit(editor, replace(FAST, grow=3), image=image, mask=mask)
    assert image.tobytes() == _picture().tobytes() and (mask == _mask()).all()


def test_seeds(components: Any, editor: MaskedDDIMEditor) -> None:
    plain, third = _edit(editor), _edit(editor, replace(FAST, seed=3))
    assert third.inversion_cached and third.unet_evaluations == 8
    again = MaskedDDIMEditor(*components, SCHEDULER_CONFIG)
    assert _bytes(_edit(again, replace(FAST, seed=3))) == _bytes(third)
    assert _bytes(_edit(again)) == _bytes(plain)
    assert len({_bytes(each) for each in (plain, third, _edit(editor, replace(FAST, seed=4)))}) == 3
    np.testing.assert_array_equal(np.asarray(third.image)[~third.region], np.asarray(_picture())[~third.region])


def test_progress_tells_every_step(editor: MaskedDDIMEditor) -> None:
    told: list[Progress] = []
    _edit(editor, progress=told.append)
    wanted = [("invert", i, 4) for i in range(1, 5)] + [("denoise", i, 4) for i in range(1, 5)] + [("decode", 1, 1)]
    assert [(each.stage, each.step, each.total) for each in told] == wanted
    told.clear()
    _edit(editor, progress=told.append)
    assert {each.stage for each in told} == {"denoise", "decode"}


def _stop_at(stage: str, step: int) -> Callable[[Progress], None]:
    def progress(at: Progress) -> None:
        if (at.stage, at.step) == (stage, step):
            raise CancelledError("Stopped.")

    return progress


@pytest.mark.parametrize(("stage", "cached"), [("invert", False), ("denoise", True), ("decode", True)])
def test_cancelling_between_steps(components: Any, editor: MaskedDDIMEditor, stage: str, cached: bool) -> None:
    with pytest.raises(CancelledError):
        _edit(editor, progress=_stop_at(stage, 1))
    after = _edit(editor)
    assert after.inversion_cached == cached
    assert _bytes(after) == _bytes(_edit(MaskedDDIMEditor(*components, SCHEDULER_CONFIG)))


def test_a_cache_without_room_only_costs_time(components: Any) -> None:
    editor = MaskedDDIMEditor(*components, SCHEDULER_CONFIG, cache_size=10)
    first, second = _edit(editor), _edit(editor)
    assert not second.inversion_cached and _bytes(first) == _bytes(second)


def test_unknown_words(editor: MaskedDDIMEditor) -> None:
    assert editor.unknown_words("Photo of a red Tiger, tiger on lava!") == ("tiger", "lava")
    assert editor.unknown_words(BEFORE) == ()
    for changes in ({"edited_caption": "photo of a tiger"}, {"input_caption": "photo of a tiger"}):
        with pytest.raises(UnknownWordError, match="tiger") as error:
            _edit(editor, **changes)
        assert error.value.words == ("tiger",)


def test_tokenizers_whose_unknown_token_is_their_end_token_know_every_word(components: Any) -> None:
    tokenizer = tiny_components().tokenizer
    tokenizer.unk_token = tokenizer.eos_token
    editor = MaskedDDIMEditor(*components._replace(tokenizer=tokenizer), SCHEDULER_CONFIG)
    assert editor.unknown_words("photo of a tiger") == ()


def test_captions_that_are_too_long(editor: MaskedDDIMEditor) -> None:
    with pytest.raises(BadParameterError, match="22 tokens"):
        _edit(editor, edited_caption="red " * 20)


def test_bad_input(editor: MaskedDDIMEditor) -> None:
    for changes, error in (
        ({"image": _picture().convert("L")}, BadImageError),
        ({"image": Image.new("RGB", (7, 60)), "mask": np.ones((60, 7), bool)}, BadImageError),
        ({"mask": np.zeros((60, 80), bool)}, BadMaskError),
        ({"mask": np.ones((80, 60), bool)}, BadMaskError),
        ({"mask": np.ones((60, 80), np.uint8)}, BadMaskError),
        ({"mask": np.ones((60, 80, 1), bool)}, BadMaskError),
        ({"options": replace(FAST, encoding_ratio=0.0)}, BadParameterError),
    ):
        with pytest.raises(error):
            _edit(editor, **changes)
    with pytest.raises(BadParameterError):
        MaskedDDIMEditor(*tiny_components(), {**SCHEDULER_CONFIG, "beta_schedule": "odd"})


def test_values_that_are_no_numbers_are_an_error_not_a_black_picture() -> None:
    components = tiny_components()
    with torch.no_grad():
        components.unet.conv_out.bias.fill_(torch.nan)
    with pytest.raises(InstructEditError, match="no numbers"):
        _edit(MaskedDDIMEditor(*components, SCHEDULER_CONFIG))


def test_half_precision_leaves_the_autoencoder_alone(editor: MaskedDDIMEditor) -> None:
    components = tiny_components()
    half = MaskedDDIMEditor(*components, SCHEDULER_CONFIG, dtype=torch.bfloat16)
    assert components.unet.dtype == components.text_encoder.dtype == torch.bfloat16
    assert components.vae.dtype == torch.float32
    difference = np.asarray(_edit(half).image, int) - np.asarray(_edit(editor).image, int)
    assert 0 < np.abs(difference).mean() < 8
    assert half.revision != editor.revision


def test_native_size_and_revision(components: Any, editor: MaskedDDIMEditor) -> None:
    assert editor.native_size == 32
    assert editor.revision == MaskedDDIMEditor(*tiny_components(), SCHEDULER_CONFIG).revision
    others = [
        MaskedDDIMEditor(*tiny_components(seed=1), SCHEDULER_CONFIG),
        MaskedDDIMEditor(*components, {**SCHEDULER_CONFIG, "beta_end": 0.013}),
    ]
    assert len({editor.revision, *(other.revision for other in others)}) == 3


def test_latents_shifted_by_the_autoencoder() -> None:
    """`shift_factor` is subtracted before scaling and added back after: the reconstruction stays the same."""
    components = tiny_components()
    gentle = replace(FAST, encoding_ratio=0.01, guidance_scale=1.0)
    with torch.no_grad():
        components.unet.conv_out.weight.zero_()
        components.unet.conv_out.bias.zero_()
    plain = np.asarray(_edit(MaskedDDIMEditor(*components, SCHEDULER_CONFIG), gentle).image, int)
    components.vae.register_to_config(shift_factor=0.3, scaling_factor=0.5)
    shifted = np.asarray(_edit(MaskedDDIMEditor(*components, SCHEDULER_CONFIG), gentle).image, int)
    assert np.abs(plain - shifted).max() <= 1


def test_a_preview_shows_the_estimate_inside_the_mask_alone(editor: MaskedDDIMEditor) -> None:
    seen = []

    def look(step: Progress) -> None:
        if step.preview is not None:
            seen.append(step.preview())

    plain, watched = _edit(editor), _edit(editor, progress=look)
    assert _bytes(plain) == _bytes(watched) and len(seen) == 4
    x0, y0, x1, y1 = (int(value) for value in seen[-1].box)
    before, region = np.asarray(_picture())[y0:y1, x0:x1], watched.region[y0:y1, x0:x1]
    assert (np.asarray(seen[-1].image)[~region] == before[~region]).all()
    # At the last step the estimate is the result itself, but for the latents put back around the mask.
    last, first = (np.asarray(one.image).astype(int) for one in (seen[-1], seen[0]))
    assert np.abs(last - first).max() > 1
    result = np.asarray(watched.image)[y0:y1, x0:x1].astype(int)
    assert np.abs(last - result).mean() < np.abs(first - result).mean()
