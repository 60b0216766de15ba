"""Weights averaged with earlier ones."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from instructedit_models.miniature.training import blend as module
from instructedit_models.miniature.training.blend import blend


def test_what_both_hold_is_averaged_and_a_grown_head_is_the_later_one():
    earlier = {"a": torch.zeros(2), "head": torch.zeros(2, 3), "count": torch.tensor(3)}
    later = {"a": torch.ones(2).half(), "head": torch.ones(4, 3), "count": torch.tensor(5), "new": torch.ones(1)}
    made = blend(earlier, later, 0.75)
    assert made["a"].dtype == torch.float16 and made["a"].tolist() == [0.75, 0.75]
    assert torch.equal(made["head"], later["head"]) and int(made["count"]) == 5 and "new" in made


def test_the_file_is_replaced_and_its_card_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "WEIGHTS", tmp_path)
    folder = tmp_path / "sam"
    folder.mkdir()
    save_file({"a": torch.ones(2)}, folder / "model.safetensors")
    save_file({"a": torch.zeros(2)}, tmp_path / "earlier.safetensors")
    (folder / "training.json").write_text(json.dumps({"steps": 7}))
    module.main(["sam", str(tmp_path / "earlier.safetensors"), "--share", "0.5"])
    assert load_file(folder / "model.safetensors")["a"].tolist() == [0.5, 0.5]
    assert json.loads((folder / "training.json").read_text()) == {"schema": 1, "steps": 7, "blended": 0.5}
    with pytest.raises(SystemExit):
        module.main(["sam", str(tmp_path / "missing.safetensors")])
