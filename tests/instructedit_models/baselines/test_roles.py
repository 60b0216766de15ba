"""The optional UNets of a model set: loaded when a baseline is run, and in nobody's way before."""

from pathlib import Path

import pytest

from instructedit_models.baselines.registry import make_method
from instructedit_models.errors import ModelUnavailableError
from instructedit_models.fitting import Plan, fit
from instructedit_models.model_sets import load_model_set
from instructedit_models.recipes import BASELINE_ROLES
from instructedit_models.revisions import revisions_of
from tests.instructedit_models.baselines.tiny import EIGHT, TASK, picture, wide_unet
from tests.instructedit_models.test_model_sets import tiny_set  # noqa: F401  (a fixture)


@pytest.fixture
def with_unet(tiny_set: Path, tmp_path: Path) -> Path:  # noqa: F811
    wide_unet(4).save_pretrained(tmp_path / "wide")
    file = tmp_path / "own.toml"
    file.write_text(
        f'schema = 1\nextends = "{tiny_set}"\n'
        '[components.instruct_pix2pix]\nclass = "UNet2DConditionModel"\npath = "wide"\n'
        '[components.inpainting]\nclass = "UNet2DConditionModel"\npath = "nowhere"\nhint = "train it"\n'
    )
    return file


def test_a_role_is_loaded_when_its_method_is_run(with_unet: Path) -> None:
    models = load_model_set(with_unet, device="cpu")
    result = make_method("instruct_pix2pix").edit(models, picture(), TASK, EIGHT)
    assert result.unet_evaluations == 12 and models.instruct_pix2pix is models.instruct_pix2pix
    assert not models.instruct_pix2pix.conv_in.weight.requires_grad
    assert models.release("instruct_pix2pix") == ("instruct_pix2pix",)
    with pytest.raises(ModelUnavailableError, match="nowhere.*train it"):
        make_method("inpainting").edit(models, picture(), TASK, EIGHT)


def test_a_set_without_them_says_so(tiny_set: Path) -> None:  # noqa: F811
    models = load_model_set(tiny_set, device="cpu")
    for role in BASELINE_ROLES:
        with pytest.raises(ModelUnavailableError, match=f"'tiny' has no weights for the method {role}"):
            make_method(role).edit(models, picture(), TASK, EIGHT)


def test_what_only_baselines_use_is_asked_for_by_name(with_unet: Path) -> None:
    models = load_model_set(with_unet, device="cpu")
    assert not {each.role for each in models.status()} & set(BASELINE_ROLES)
    present = {each.role: each.present for each in models.status(baselines=True)}
    assert present["instruct_pix2pix"] and not present["inpainting"]
    assert models.pull() == []
    assert not set(fit(models.recipe, Plan("cpu", "float32"), (0, 0)).roles) & set(BASELINE_ROLES)
    assert not set(revisions_of(models)) & set(BASELINE_ROLES)
    assert set(revisions_of(models, ("instruct_pix2pix",))) & set(BASELINE_ROLES) == {"instruct_pix2pix"}
    paper = load_model_set("paper").recipe.components
    assert all(len(paper[role].revision) == 40 for role in BASELINE_ROLES)
