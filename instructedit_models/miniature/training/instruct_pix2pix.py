"""Recipe of the miniature InstructPix2Pix UNet: eight input channels, latents and picture; its text is the instruction.

`--prepare N` draws N pairs of scenes before and after an edit and encodes them; training then starts from the miniature
UNet. Text, picture, or both are each put out for 5 % of the examples, for both guidance scales (Brooks et al., 2023).
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from instructedit_models.miniature.edits import sample_edits
from instructedit_models.miniature.rendering import render
from instructedit_models.miniature.seeds import TRAIN_SEEDS, VALIDATION_SEEDS, mixed
from instructedit_models.miniature.seen import mask_box
from instructedit_models.miniature.training.conditioned import CELLS, Example, Recipe, run_recipe
from instructedit_models.miniature.training.data import WHOLE, around, cut
from instructedit_models.miniature.training.vae import NATIVE
from instructedit_models.miniature.world import sample_scene

TRAINED = 60_000
"""Scenes of training seeds that are drawn from, the same ones as of the other recipes."""

WHOLE_SHARE = 0.7
"""Share of whole scenes, which is what an edit sees; the rest are crops around what changes, where it is large."""

DROPPED = 0.05
"""Share of examples without text, of those without the picture, and of those without both."""


def examples(work: Path, rng: np.random.Generator, validation: bool) -> Iterator[Example]:
    """Endless pairs of scenes before and after an edit, several of each scene."""
    seeds = mixed(VALIDATION_SEEDS if validation else TRAIN_SEEDS, TRAINED)
    planes = np.zeros((0, CELLS, CELLS), np.float32)
    while True:
        scene = sample_scene(seeds[int(rng.integers(len(seeds)))])
        before = render(scene)
        for edit in sample_edits(scene, before, rng):
            after = render(edit.after).image
            changed = (before.image != after).any(axis=2)
            if not changed.any():
                continue
            whole = rng.random() < WHOLE_SHARE or edit.kind == "background"
            box = WHOLE if whole else around(mask_box(changed), rng, 1.3, 3.0)
            yield Example(cut(after, box, NATIVE), cut(before.image, box, NATIVE), planes, edit.instruction)


def dropped(texts: list[str], shown: torch.Tensor) -> tuple[list[str], torch.Tensor]:
    """Puts out the text of some examples, the picture of others, and both of as many again."""
    throw = torch.rand(len(texts))
    kept = (throw < DROPPED) | (throw >= 3 * DROPPED)
    said = ["" if value < 2 * DROPPED else text for text, value in zip(texts, throw.tolist(), strict=True)]
    return said, shown * kept.view(-1, 1, 1, 1)


RECIPE = Recipe("instruct_pix2pix", 0, True, examples, dropped)


def main(argv: list[str] | None = None) -> None:
    """Fills the cache (`--prepare N`) or trains."""
    run_recipe(RECIPE, "instruct_pix2pix", argv)


if __name__ == "__main__":
    main()
