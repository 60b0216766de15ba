"""Gives a model what its base has learned since: `python -m …training.rebase inpainting EARLIER_UNET`.

InstructPix2Pix and the inpainting UNet began as the miniature UNet. What that has learned since is added to their
weights, parameter by parameter (Ilharco et al. 2023, "Editing models with task arithmetic"); so they follow it to new
words and to an autoencoder that was trained on, at once. Train them on then, with `--resume`, to get used to it. (A
checkpoint in the work folder goes before these weights: remove it.)
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file

from instructedit_models.miniature.training.common import WEIGHTS, mark_card, write_tensors
from instructedit_models.miniature.training.unet import WEIGHTS_FILE


def rebased(
    own: dict[str, torch.Tensor], earlier: dict[str, torch.Tensor], later: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """`own` and the difference between both states of its base; input channels that the base lacks keep their weights.

    Args:
        own: a model's weights.
        earlier: its base, as it was when the model began from it.
        later: the base as it is.

    Raises:
        ValueError: the three are not of one architecture.
    """
    if not own.keys() == earlier.keys() == later.keys():
        raise ValueError("The weights are of different architectures: their names differ.")
    made = {}
    for name, value in own.items():
        learned = later[name].float() - earlier[name].float()
        moved = value.float().clone()
        moved[tuple(map(slice, learned.shape))] += learned
        made[name] = moved.to(value.dtype)
    return made


def main(argv: list[str] | None = None) -> None:
    """Rebases committed weights in place."""
    parser = argparse.ArgumentParser(description="add to a model what its base, the UNet, has learned since")
    parser.add_argument("name", choices=["inpainting", "instruct_pix2pix"])
    parser.add_argument("earlier", type=Path, help="the UNet that it began from, a .safetensors file")
    args = parser.parse_args(argv)
    if not args.earlier.is_file():
        parser.error(f"{args.earlier} is no file; give the UNet's weights as they were.")
    path = WEIGHTS / args.name / WEIGHTS_FILE
    try:
        made = rebased(load_file(path), load_file(args.earlier), load_file(WEIGHTS / "unet" / WEIGHTS_FILE))
    except ValueError as error:
        parser.error(f"{args.earlier} cannot be what {args.name} began from. {error}")
    write_tensors(made, path)
    mark_card(path.parent, "rebased", True)


if __name__ == "__main__":
    main()
