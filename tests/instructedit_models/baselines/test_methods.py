"""The baselines on tiny real components: what each edits, what it costs, and what it refuses."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from instructedit_models import ddim
from instructedit_models.baselines.diffedit import DiffEdit, as_mask
from instructedit_models.baselines.instructedit_plain import InstructEditPlain
from instructedit_models.baselines.mdp import Mdp, weights_of
from instructedit_models.baselines.registry import METHODS, make_method, parameters_of
from instructedit_models.baselines.work import working
from instructedit_models.errors import (
    BadImageError,
    BadMaskError,
    BadParameterError,
    CancelledError,
    ModelUnavailableError,
    NothingFoundError,
    UnknownWordError,
)
from instructedit_models.types import EditOptions, EditResult, Progress, Region
from tests.instructedit_models.baselines.tiny import EIGHT, TASK, TinyMethodModels, picture, wide_unet

SOURCES = {"inpainting": "grounded", "instructedit_plain": "grounded", "diffedit": "own"}
SPENT = {
    "instructedit_plain": 4 + 2 * 4,
    "diffedit": 2 * 10 + 4 + 2 * 4,
    "mdp": 4 + 2 * 3,  # half of the schedule is walked, and of its four steps one lies above the end of the mixing
    "sdedit": 2 * 4,
    "inpainting": 2 * 4,
    "instruct_pix2pix": 3 * 4,
}


@pytest.fixture(scope="module")
def models() -> TinyMethodModels:
    return TinyMethodModels()


def _bytes(result: EditResult) -> bytes:
    return result.image.tobytes()


@pytest.mark.parametrize("name", METHODS)
def test_every_method_edits_counts_and_tells(models: TinyMethodModels, name: str) -> None:
    method, told = make_method(name), []
    result = method.edit(models, picture(), TASK, EIGHT, told.append)
    assert (method.name, method.mask_source) == (name, SOURCES.get(name, "none"))
    assert result.image.size == (48, 40) and result.image.mode == "RGB"
    assert result.image.tobytes() != picture().tobytes()
    assert result.mask.shape == result.region.shape == (40, 48) and result.region.all()
    assert result.mask.all() == (method.mask_source == "none")
    assert result.unet_evaluations == SPENT[name]
    assert {"encode", "denoise", "decode", "total"} <= set(result.seconds)
    steps = [(each.step, each.total) for each in told if each.stage == "denoise"]
    assert steps == [(i, 4) for i in range(1, 5)] and told[-1] == Progress("decode", 1, 1)
    again = method.edit(models, picture(), TASK, EIGHT)
    other = method.edit(
        models, picture(), replace(TASK, edited_caption="photo of a green dog", instruction="dog"), EIGHT
    )
    assert _bytes(again) == _bytes(result) != _bytes(other)


def test_defaults_come_from_the_set_without_its_geometry(models: TinyMethodModels) -> None:
    made = {name: make_method(name).defaults(models) for name in METHODS}
    assert all((one.crop, one.grow, one.feather) == (False, 0, 0) for one in made.values())
    assert made["diffedit"].steps == 8 and made["diffedit"].encoding_ratio == 0.5
    assert (
        made["instruct_pix2pix"].steps == 100 and made["mdp"].encoding_ratio == made["inpainting"].encoding_ratio == 1
    )


def test_the_masks_of_the_grounding_methods(models: TinyMethodModels) -> None:
    plain = make_method("instructedit-plain")
    models.detector.asked.clear()
    both = plain.edit(models, picture(), TASK, EIGHT).mask
    assert models.detector.asked == ["red car on the left"]
    assert both[12, 4] and both[12, 36] and not both[12, 20]  # every box, though one was meant
    given = np.zeros((40, 48), bool)
    given[10:26, 18:28] = True
    regions = (Region("r1", "car", 0.9, (18, 10, 28, 26), given), Region("r2", "car", 0.9, (0, 0, 9, 9), both, False))
    for task in (replace(TASK, mask=given), replace(TASK, regions=regions)):
        assert (plain.edit(models, picture(), task, EIGHT).mask == given).all()
    for mask in (~given[:20], np.zeros_like(given)):
        with pytest.raises(BadMaskError):
            plain.edit(models, picture(), replace(TASK, mask=mask), EIGHT)
    with pytest.raises(NothingFoundError, match="zebra"):
        plain.edit(models, picture(), replace(TASK, segmentation_prompt="zebra"), EIGHT)


def test_instructedit_as_its_program_spends_more_and_makes_another_picture(models: TinyMethodModels) -> None:
    paper, program = (InstructEditPlain(as_code=code).edit(models, picture(), TASK, EIGHT) for code in (False, True))
    assert (paper.unet_evaluations, program.unet_evaluations) == (4 + 8, 8 + 8)
    assert _bytes(paper) != _bytes(program)


def test_instructedit_keeps_the_latents_outside_its_mask(models: TinyMethodModels) -> None:
    """Far from the mask the picture is the autoencoder's own reconstruction, whatever is asked for inside."""
    mask = np.zeros((40, 48), bool)
    mask[:6, :6] = True
    task = replace(TASK, mask=mask)
    with working(models, picture(), task, EIGHT, None) as work:
        latents = work.clean()
    captured: list[torch.Tensor] = []
    with pytest.MonkeyPatch.context() as patch:
        decode = models.editor.decode
        patch.setattr(models.editor, "decode", lambda value: (captured.append(value), decode(value))[1])
        InstructEditPlain().edit(models, picture(), task, EIGHT)
    assert torch.equal(captured[0][:, :, 3:, 3:], latents[:, :, 3:, 3:])
    assert not torch.equal(captured[0][:, :, :1, :1], latents[:, :, :1, :1])


def test_the_mask_of_noise_differences() -> None:
    """One outlier is clamped at three times the mean, so that it does not hide the rest; half of that is the bar."""
    differences = torch.tensor([[1.0, 1.0, 1.0], [1.0, 4.0, 1.0], [1.0, 1.0, 25.0]])
    assert differences.mean() == 4
    assert as_mask(differences, 0.5, 3).nonzero().tolist() == [[2, 2]]
    assert as_mask(differences, 0.3, 3).nonzero().tolist() == [[1, 1], [2, 2]]
    assert as_mask(differences, 0.3, 1e3).sum() == 0  # without the clamp nothing comes near the bar
    assert not as_mask(torch.zeros(2, 2), 0.5, 3).any()


def test_a_lower_threshold_never_shrinks_diffedits_mask(models: TinyMethodModels) -> None:
    with working(models, picture(), TASK, EIGHT, None) as work:
        clean = work.clean()
        masks = [DiffEdit(threshold=one).cells(work, clean) for one in (0.2, 0.3, 0.4)]
        other = DiffEdit(threshold=0.3, maps=3).cells(work, clean)
    assert masks[0].sum() > masks[2].sum() > 0
    assert not (masks[2] & ~masks[1]).any() and not (masks[1] & ~masks[0]).any()
    assert not torch.equal(other, masks[1])


def test_mdp_that_copies_all_noise_gives_the_input_back(models: TinyMethodModels) -> None:
    whole = replace(EIGHT, encoding_ratio=1.0)
    copied = Mdp(start=1, end=0).edit(models, picture(), TASK, whole)
    with working(models, picture(), TASK, whole, None) as work:
        reconstructed = work.result(work.clean())
    assert copied.unet_evaluations == 8
    assert np.abs(np.asarray(copied.image, int) - np.asarray(reconstructed.image, int)).max() <= 1
    free = Mdp(start=1, end=0, weight=0).edit(models, picture(), TASK, whole)
    assert free.unet_evaluations == 8 + 16 and _bytes(free) != _bytes(copied)


def test_mdp_mixes_between_its_start_and_its_end() -> None:
    config = {"num_train_timesteps": 1000}
    ladder = ddim.levels(config, 50, 1.0)

    def weights(**parameters: Any) -> list[float]:
        return weights_of(Mdp(**parameters), ladder, 1000)

    constant = weights(start=0.98, end=0.48)
    assert [i for i, weight in enumerate(constant, start=1) if weight] == list(range(25, 50))
    assert weights(start=1, end=0.5)[-1] == 1 and weights(start=1, end=0.5)[24] == 0
    assert set(constant) == {0.0, 1.0} and set(weights(weight=0.4)) == {0.0, 0.4}
    for schedule in ("linear", "cosine", "exponential"):
        falling = weights(schedule=schedule)[24:49]
        assert falling[-1] == 1 and falling == sorted(falling) and 0 < falling[0] < 0.1


def test_mdp_with_the_sampled_noise(models: TinyMethodModels) -> None:
    whole = replace(EIGHT, encoding_ratio=1.0)
    made = [Mdp(source=source).edit(models, picture(), TASK, whole) for source in ("inversion", "sampled")]
    assert made[1].unet_evaluations == made[0].unet_evaluations + 16 and _bytes(made[0]) != _bytes(made[1])


def test_sdedit_strength_and_seed(models: TinyMethodModels) -> None:
    method = make_method("sdedit")

    def distance(options: EditOptions) -> float:
        result = method.edit(models, picture(), TASK, options)
        return float(np.abs(np.asarray(result.image, float) - reconstructed).mean())

    with working(models, picture(), TASK, EIGHT, None) as work:
        reconstructed = np.asarray(work.result(work.clean()).image, float)
    assert method.defaults(models).encoding_ratio <= 0.6
    gentle = replace(EIGHT, encoding_ratio=0.125, guidance_scale=1.0)
    assert distance(gentle) < distance(replace(gentle, encoding_ratio=1.0))
    assert _bytes(method.edit(models, picture(), TASK, replace(EIGHT, seed=6))) != _bytes(
        method.edit(models, picture(), TASK, EIGHT)
    )


def test_instruct_pix2pix_reads_the_instruction_alone_and_knows_no_unknown_word(models: TinyMethodModels) -> None:
    method = make_method("instruct_pix2pix")
    first = method.edit(models, picture(), TASK, EIGHT)
    captions = replace(TASK, input_caption="", edited_caption="")
    assert _bytes(method.edit(models, picture(), captions, EIGHT)) == _bytes(first)
    stronger = make_method("instruct_pix2pix", {"image-guidance": "4"}).edit(models, picture(), TASK, EIGHT)
    assert _bytes(stronger) != _bytes(first)
    with pytest.raises(UnknownWordError, match="tiger"):
        make_method("sdedit").edit(models, picture(), replace(TASK, edited_caption="photo of a tiger"), EIGHT)


def test_bad_input_is_one_sentence(models: TinyMethodModels) -> None:
    method = make_method("sdedit")
    for image, options, error in (
        (picture().convert("L"), EIGHT, BadImageError),
        (Image.new("RGB", (4, 40)), EIGHT, BadImageError),
        (picture(), replace(EIGHT, encoding_ratio=0.0), BadParameterError),
        (picture(), replace(EIGHT, solver="lcm"), BadParameterError),
    ):
        with pytest.raises(error):
            method.edit(models, image, TASK, options)

    def stop(at: Progress) -> None:
        raise CancelledError("Stopped.")

    with pytest.raises(CancelledError):
        method.edit(models, picture(), TASK, EIGHT, stop)


def test_unets_of_the_wrong_kind() -> None:
    models = TinyMethodModels()
    models.inpainting, models.instruct_pix2pix = wide_unet(4), wide_unet(5)
    for name, channels in (("inpainting", "8 input channels; it must take 9"), ("instruct_pix2pix", "must take 8")):
        with pytest.raises(ModelUnavailableError, match=channels):
            make_method(name).edit(models, picture(), TASK, EIGHT)


def test_parameters_from_text() -> None:
    made = make_method("DiffEdit", {"threshold": "0.3", "maps": "4", "as-diffusers": "yes"})
    assert made == DiffEdit(threshold=0.3, maps=4, as_diffusers=True)
    assert set(parameters_of("mdp")) == {"start", "end", "weight", "schedule", "source"}
    for name, parameters, says in (
        ("nonesuch", {}, "diffedit"),
        ("diffedit", {"theta": "0.3"}, "threshold"),
        ("sdedit", {"theta": "0.3"}, "none"),
        ("diffedit", {"maps": "many"}, "whole number"),
        ("diffedit", {"maps": 0}, "number of maps"),
        ("diffedit", {"threshold": "nan"}, "threshold"),
        ("diffedit", {"as_diffusers": "perhaps"}, "yes or no"),
        ("mdp", {"schedule": "square"}, "linear"),
        ("mdp", {"end": 0.99}, "end of the mixing"),
        ("instruct_pix2pix", {"image_guidance": -1}, "image guidance"),
    ):
        with pytest.raises(BadParameterError, match=says):
            make_method(name, parameters)
