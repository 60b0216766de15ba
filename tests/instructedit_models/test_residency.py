"""One model on the device at a time, or one layer at a time: the same results, and who is where when."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from instructedit_models.editor import MaskedDDIMEditor
from instructedit_models.errors import InstructEditError
from instructedit_models.residency import OnDevice, Residency, memory_told
from instructedit_models.types import EditOptions
from tests.instructedit_models.tiny_diffusion import SCHEDULER_CONFIG, tiny_components


class Traced(nn.Module):
    """A module that writes down where it is sent."""

    def __init__(self, name: str, moves: list[tuple[str, str]]) -> None:
        super().__init__()
        self.name, self.moves = name, moves

    def to(self, device: Any) -> "Traced":  # type: ignore[override]
        self.moves.append((self.name, str(device)))
        return self


def _edit(residency: Residency) -> tuple[bytes, str]:
    editor = MaskedDDIMEditor(*tiny_components(), SCHEDULER_CONFIG, residency)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    mask = np.zeros((48, 64), bool)
    mask[10:30, 20:40] = True
    result = editor.edit(image, mask, "photo of a red car", "photo of a blue car", EditOptions(steps=4))
    return result.image.tobytes(), editor.revision


def test_every_way_gives_the_same_bytes_and_revision() -> None:
    plain = _edit(Residency("cpu"))
    assert _edit(Residency("cpu", "model")) == plain
    assert _edit(Residency("cpu", "sequential")) == plain


def test_by_layer_no_weight_stays_on_the_device() -> None:
    unet = Residency("cpu", "sequential").place(tiny_components().unet, by_layer=True)
    assert all(parameter.device.type == "meta" for parameter in unet.parameters())


def test_models_make_room_for_each_other() -> None:
    moves: list[tuple[str, str]] = []
    residency = Residency("meta", "model")
    a, b = Traced("a", moves), Traced("b", moves)
    for model in (a, b):
        residency.place(model)
    with residency.using(a), residency.using(a):
        pass
    with residency.using(a):
        pass
    with residency.using(b):
        pass
    assert moves == [("a", "cpu"), ("b", "cpu"), ("a", "meta"), ("a", "cpu"), ("b", "meta")]
    residency.forget(b)
    with residency.using(a):
        pass
    assert moves[5:] == [("a", "meta")]


def test_without_offload_models_stay() -> None:
    moves: list[tuple[str, str]] = []
    residency = Residency("meta")
    model = residency.place(Traced("a", moves))
    with residency.using(model):
        pass
    assert moves == [("a", "meta")]


def test_a_wrapped_role_moves_its_model_in() -> None:
    moves: list[tuple[str, str]] = []

    class Role:
        model = Traced("a", moves)
        options = {"threshold": 0.3}

        def detect(self, phrase: str) -> str:
            return f"{phrase} with {len(moves)} moves"

    wrapped = OnDevice(Role(), Role.model, Residency("meta", "model"))
    assert wrapped.options == {"threshold": 0.3} and wrapped.model is Role.model and not moves
    assert wrapped.detect("car") == "car with 1 moves"
    with pytest.raises(AttributeError):
        _ = wrapped.nothing


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("can't allocate memory: 9 bytes"), MemoryError()],
)
def test_running_out_of_memory_is_one_sentence(error: Exception) -> None:
    with pytest.raises(InstructEditError, match="--offload model"), memory_told():
        raise error
    with pytest.raises(RuntimeError, match="shapes"), memory_told():
        raise RuntimeError("shapes do not fit")
