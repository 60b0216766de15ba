"""Averages a model's weights with earlier ones of the same model: `python -m …training.blend NAME EARLIER --share 0.8`.

What was trained on for more words loses some of what it knew; the average of both knows nearly all of the new and
forgets less of the old (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"). A run that goes on from its
checkpoint goes on from what was not blended; remove that to go on from the blend.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file

from instructedit_models.miniature.training.common import WEIGHTS, mark_card, write_tensors


def blend(earlier: dict[str, torch.Tensor], later: dict[str, torch.Tensor], share: float) -> dict[str, torch.Tensor]:
    """`share` of the later weights and the rest of the earlier ones; what they do not share is the later ones'."""
    made = {}
    for name, value in later.items():
        old = earlier.get(name)
        if old is None or old.shape != value.shape or not value.dtype.is_floating_point:
            made[name] = value
        else:
            made[name] = torch.lerp(old.float(), value.float(), share).to(value.dtype)
    return made


def main(argv: list[str] | None = None) -> None:
    """Blends the committed weights of a model with those of a file, in place."""
    parser = argparse.ArgumentParser(description="average a model's weights with earlier ones")
    parser.add_argument("name", help="a folder of the weights, such as grounding_dino")
    parser.add_argument("earlier", type=Path, help="a .safetensors file of the same model")
    parser.add_argument("--share", type=float, default=0.8, help="of the later weights, 0 to 1 (default: 0.8)")
    args = parser.parse_args(argv)
    if not 0 <= args.share <= 1:
        parser.error(f"--share is {args.share:g}; use 0 to 1.")
    folder = WEIGHTS / args.name
    files = sorted(folder.glob("*.safetensors"))
    if len(files) != 1 or not args.earlier.is_file():
        parser.error(f"there must be one weight file in {folder} and one at {args.earlier}.")
    write_tensors(blend(load_file(args.earlier), load_file(files[0]), args.share), files[0])
    mark_card(folder, "blended", args.share)


if __name__ == "__main__":
    main()
