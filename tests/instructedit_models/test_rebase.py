"""A model that began as the UNet is given what the UNet has learned since."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from instructedit_models.miniature.training import rebase as module
from instructedit_models.miniature.training.common import CARD, write_card
from instructedit_models.miniature.training.rebase import rebased


def test_the_difference_is_added_and_further_input_channels_stay() -> None:
    earlier = {"in": torch.zeros(1, 2, 1, 1), "b": torch.tensor([1.0])}
    later = {"in": torch.ones(1, 2, 1, 1), "b": torch.tensor([3.0])}
    own = {"in": torch.full((1, 3, 1, 1), 5.0).half(), "b": torch.tensor([10.0])}
    made = rebased(own, earlier, later)
    assert made["in"].flatten().tolist() == [6.0, 6.0, 5.0] and made["in"].dtype == torch.float16
    assert made["b"].tolist() == [12.0]
    with pytest.raises(ValueError, match="different architectures"):
        rebased(own, earlier, {"b": later["b"]})


def test_the_file_is_replaced_by_what_can_be_its_base_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "WEIGHTS", tmp_path)
    for name, value in (("unet", 3.0), ("inpainting", 10.0)):
        (tmp_path / name).mkdir()
        save_file({"a": torch.tensor([value])}, tmp_path / name / module.WEIGHTS_FILE)
        write_card(tmp_path / name, {"validation": {"error": 0.1}})
    save_file({"a": torch.tensor([1.0])}, tmp_path / "earlier.safetensors")
    module.main(["inpainting", str(tmp_path / "earlier.safetensors")])
    assert load_file(tmp_path / "inpainting" / module.WEIGHTS_FILE)["a"].tolist() == [12.0]
    card = json.loads((tmp_path / "inpainting" / CARD).read_text())
    assert card["rebased"] and card["validation_unrebased"] == {"error": 0.1} and "validation" not in card
    with pytest.raises(SystemExit):
        module.main(["inpainting", str(tmp_path / "missing.safetensors")])
    save_file({"b": torch.tensor([1.0])}, tmp_path / "other.safetensors")
    with pytest.raises(SystemExit):
        module.main(["inpainting", str(tmp_path / "other.safetensors")])
    assert "different architectures" in capsys.readouterr().err
