"""Gives a model's committed weights to a wider model that computes the same: `python -m …training.widen NAME`.

Every channel is written twice, and what reads it reads both, each with a random part of its weight, so that the two
become different ones in training (Chen et al. 2016, "Net2Net"). The copies lie side by side, so that each stays in its
group of a group normalisation, and with it that group's mean and variance.
"""

import argparse
import json

import torch
from diffusers.models.modeling_utils import ModelMixin
from safetensors.torch import load_file

from instructedit_models.miniature.training import vae
from instructedit_models.miniature.training.common import CARD, WEIGHTS, save_half, write_card

SPREAD = 0.2
"""Standard deviation of the part that the first of two copies is read with, about a half."""

BUILD = {"vae": vae.build}
"""How wide each of these models is now."""


def widened(value: torch.Tensor, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    """A weight (out, in, …) or bias (out,) for a layer whose channels are twice as many, in either place or both.

    Args:
        value: the narrow model's.
        shape: the wide model's; each of its first two sizes is that of `value` or its double.
        generator: of the parts that copies are read with.

    Raises:
        ValueError: another shape.
    """
    if value.ndim > 1 and shape[1] == 2 * value.shape[1]:
        part = 0.5 + SPREAD * torch.randn(value.shape[:2] + (1,) * (value.ndim - 2), generator=generator)
        value = torch.stack([value * part, value * (1 - part)], dim=2).flatten(1, 2)
    if value.ndim and shape[0] == 2 * value.shape[0]:
        value = value.repeat_interleave(2, dim=0)
    if value.shape != shape:
        raise ValueError(f"cannot widen {tuple(value.shape)} to {tuple(shape)}: only channels are doubled.")
    return value


def widen(narrow: dict[str, torch.Tensor], wide: ModelMixin, generator: torch.Generator) -> None:
    """Fills `wide` so that it computes what the model of `narrow`'s weights does; sizes as `widened` takes them."""
    wide.load_state_dict(
        {name: widened(narrow[name].float(), own.shape, generator) for name, own in wide.state_dict().items()}
    )


def main(argv: list[str] | None = None) -> None:
    """Widens the committed weights of a model to what its recipe builds, in place."""
    parser = argparse.ArgumentParser(description="give a model's weights to the wider one that its recipe builds now")
    parser.add_argument("name", choices=sorted(BUILD))
    args = parser.parse_args(argv)
    folder, model = WEIGHTS / args.name, BUILD[args.name]()
    weights = next(folder.glob("*.safetensors"))
    config = json.loads((folder / "config.json").read_text())
    widen(load_file(weights), model, torch.Generator().manual_seed(0))
    model.register_to_config(scaling_factor=config["scaling_factor"])
    save_half(model, weights)
    model.save_config(folder)
    write_card(folder, json.loads((folder / CARD).read_text()) | {"widened": True})


if __name__ == "__main__":
    main()
