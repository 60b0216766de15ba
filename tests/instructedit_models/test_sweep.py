"""Several edits of one inversion in one batch, on tiny components of the real classes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from instructedit_models import ddim
from instructedit_models.editor import MaskedDDIMEditor
from instructedit_models.errors import BadParameterError
from instructedit_models.separate import sweep_separately
from instructedit_models.types import EditOptions, EditResult
from tests.instructedit_models.test_editor import AFTER, BEFORE, FAST, _mask, _picture
from tests.instructedit_models.tiny_diffusion import SCHEDULER_CONFIG, tiny_components

OPTIONS = [
    replace(FAST, encoding_ratio=0.5),
    replace(FAST, encoding_ratio=1.0),
    replace(FAST, encoding_ratio=0.75, guidance_scale=3.0),
    replace(FAST, encoding_ratio=1.0, seed=5),
]


@pytest.fixture(scope="module")
def components() -> Any:
    return tiny_components()


@pytest.fixture
def editor(components: Any) -> MaskedDDIMEditor:
    return MaskedDDIMEditor(*components, SCHEDULER_CONFIG)


def sweep(editor: MaskedDDIMEditor, options: list[EditOptions]) -> list[EditResult]:
    return editor.sweep(_picture(), _mask(), BEFORE, AFTER, options)


def test_a_batch_gives_what_single_edits_give(editor: MaskedDDIMEditor, components: Any) -> None:
    together = sweep(editor, OPTIONS)
    for options, result in zip(OPTIONS, together, strict=True):
        alone = MaskedDDIMEditor(*components, SCHEDULER_CONFIG).edit(_picture(), _mask(), BEFORE, AFTER, options)
        apart = np.abs(np.asarray(alone.image).astype(int) - np.asarray(result.image).astype(int))
        assert apart.max() <= 1  # another batch size may round another way
        assert np.array_equal(alone.region, result.region)
    assert len({result.image.tobytes() for result in together}) == len(OPTIONS)


def test_a_batch_pays_one_inversion(editor: MaskedDDIMEditor) -> None:
    assert [result.unet_evaluations for result in sweep(editor, OPTIONS)] == [8 + 8, 16, 12, 16]
    assert [result.unet_evaluations for result in sweep(editor, OPTIONS)] == [8, 16, 12, 16]
    editor.forget()
    assert [result.inversion_cached for result in sweep(editor, OPTIONS)] == [False, True, True, True]


def test_another_negative_is_another_batch_of_the_same_inversion(editor: MaskedDDIMEditor) -> None:
    results = sweep(editor, [FAST, replace(FAST, negative="input")])
    assert [result.inversion_cached for result in results] == [False, True]
    assert results[0].image.tobytes() != results[1].image.tobytes()


def test_another_growth_is_another_batch(editor: MaskedDDIMEditor) -> None:
    grown = replace(FAST, grow=6)
    results = sweep(editor, [FAST, grown, replace(grown, guidance_scale=2.0)])
    assert [result.inversion_cached for result in results] == [False, False, True]
    assert results[1].mask.sum() == results[2].mask.sum() > results[0].mask.sum()


def test_a_bad_number_stops_all(editor: MaskedDDIMEditor) -> None:
    with pytest.raises(BadParameterError, match="got 7"):
        sweep(editor, [FAST, replace(FAST, encoding_ratio=7)])


def test_a_mask_in_two_groups_is_swept_one_after_the_other(editor: MaskedDDIMEditor) -> None:
    image = _picture(400, 80)
    mask = np.zeros((80, 400), bool)
    mask[30:50, 10:30] = mask[30:50, 370:390] = True
    results = sweep_separately(editor, image, mask, (BEFORE, AFTER), [FAST, replace(FAST, seed=1)])
    before = np.asarray(image)
    for result in results:
        changed = (np.asarray(result.image) != before).any(axis=2)
        assert changed[:, :60].any() and changed[:, 340:].any() and not changed[~result.region].any()
    assert results[0].image.tobytes() != results[1].image.tobytes()


def test_levels_must_descend() -> None:
    ladder = ddim.levels(SCHEDULER_CONFIG, 4, 1.0)
    stored = [torch.zeros(1, 1, 2, 2)] * len(ladder)
    with pytest.raises(BadParameterError, match="descend"):
        ddim.masked_denoise_batch(
            [(1, stored[0]), (3, stored[0])], stored, ladder, torch.ones(2, 2, dtype=torch.bool), lambda x, t: x
        )
