"""What the recipes share: steps that go on counting, batches of views, heads on patches, the command line."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from instructedit_models.miniature.training import data
from instructedit_models.miniature.training.blip2 import crowded
from instructedit_models.miniature.training.common import (
    Run,
    parse_run,
    save_half,
    teach_helpers,
    train,
    warm_start,
    write_card,
)
from instructedit_models.miniature.training.dense_labels import HEADS, PatchHeads
from instructedit_models.miniature.words import PARTS
from instructedit_models.miniature.world import TRAIN_SEEDS, sample_scene


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run("line", 0.01, True, tmp_path, batch=4, learning_rate=1e-3, threads=1, seed=0, compile=False)


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    """Weights of a line with a card that tells their steps."""
    folder = tmp_path / "weights"
    save_half(nn.Linear(2, 1), folder / "model.safetensors")
    write_card(folder, {"steps": 700, "decoder_steps": 30})
    return folder / "model.safetensors"


def _trained(run: Run, model: nn.Linear, steps: int) -> int:
    """Trains a line; the steps that it is told at the end."""
    told: list[int] = []
    batches = repeat(torch.randn(4, 2, generator=torch.Generator().manual_seed(1)))
    train(
        run,
        model,
        batches,
        lambda batch: (model(batch).square().mean(), {}),
        finish=lambda _, steps: told.append(steps),
        steps=steps,
    )
    return told[0]


def test_committed_weights_bring_their_steps_and_training_counts_on(run: Run, committed: Path) -> None:
    model = nn.Linear(2, 1)
    steps = warm_start(run, model, committed)
    assert steps == 700
    saved = nn.Linear(2, 1)
    assert warm_start(run, saved, committed, counted="decoder_steps") == 30
    assert torch.equal(model.weight, saved.weight)  # both are the committed ones

    first = _trained(run, model, steps)
    assert first > 700
    assert torch.load(run.checkpoint, weights_only=True)["step"] == first
    # A checkpoint goes before the committed weights, and knows its own steps.
    again = nn.Linear(2, 1)
    assert warm_start(run, again, committed) == 0
    assert _trained(run, again, 0) > first


def test_a_new_run_starts_from_nothing_unless_it_must_not(run: Run, committed: Path) -> None:
    fresh, model = replace(run, resume=False), nn.Linear(2, 1)
    before = model.weight.clone()
    assert warm_start(fresh, model, committed) == 0 and torch.equal(model.weight, before)
    assert warm_start(fresh, model, committed, always=True) == 700 and not torch.equal(model.weight, before)
    assert warm_start(run, model, committed.with_name("none.safetensors")) == 0
    (committed.parent / "training.json").unlink()
    assert warm_start(run, model, committed) == 0  # weights without a card


def test_what_only_helps_is_taught_first_and_leaves_the_trained_model_as_it_is(run: Run, committed: Path) -> None:
    model, head = nn.Linear(2, 1), nn.Linear(1, 1)
    trained = nn.ModuleList([model, head])
    model.bias.requires_grad_(False)
    nn.init.constant_(head.weight, 1.1)
    nn.init.constant_(head.bias, 0.1)
    before = model.weight.detach().clone()
    given = torch.randn(64, 2, generator=torch.Generator().manual_seed(2))

    def loss_of(batch: torch.Tensor) -> tuple[torch.Tensor, dict[str, float]]:
        told = model(batch)
        return (head(told) - told.detach()).square().mean() + told.square().mean(), {}

    @torch.no_grad()
    def wrong() -> float:
        return float((head(model(given)) - model(given)).square().mean())

    at_first = wrong()
    teach_helpers(trained, model, repeat(given), loss_of, steps=100)
    assert wrong() < 0.5 * at_first
    assert torch.equal(model.weight, before)
    assert model.weight.requires_grad and not model.bias.requires_grad  # as they were
    assert all(parameter.grad is None for parameter in head.parameters())
    teach_helpers(model, model, iter([]), loss_of)  # nothing helps: no batch is taken


def test_places_of_a_coarser_grid_are_spread_over_the_finer_one(run: Run, tmp_path: Path) -> None:
    class Tower(nn.Module):
        def __init__(self, side: int) -> None:
            super().__init__()
            self.position_embedding = nn.Parameter(torch.zeros(1, 1 + side**2, 2))

    known = Tower(3)
    with torch.no_grad():
        known.position_embedding[0, 0] = 5.0
        known.position_embedding[0, 1:, 0] = torch.arange(3.0).repeat(3)  # from left to right
        known.position_embedding[0, 1:, 1] = torch.arange(3.0).repeat_interleave(3)  # from above to below
    path = tmp_path / "tower" / "model.safetensors"
    save_half(known, path)
    finer = Tower(6)
    warm_start(run, finer, path)
    places = finer.position_embedding.detach()[0]
    assert places[0].tolist() == [5.0, 5.0]
    grid = places[1:].reshape(6, 6, 2)
    assert torch.allclose(grid[..., 0], grid[..., 1].T) and (grid[..., 0].diff(dim=1) > 0).all()
    assert abs(grid[..., 0].mean() - 1) < 1e-5


def test_scenes_of_few_things_are_learnt_from_less_often() -> None:
    samples: Any = [SimpleNamespace(scene=SimpleNamespace(items=[None] * things)) for things in (0, 1, 2, 3, 4)] * 1000
    kept = Counter(len(sample.scene.items) for sample in crowded(iter(samples), np.random.default_rng(0)))
    assert kept[0] == 0 and 250 < kept[1] < 350 and 550 < kept[2] < 650 and kept[3] == kept[4] == 1000


def test_batches_leave_out_scenes_of_which_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = data.Pool(tmp_path / "pool", TRAIN_SEEDS[:4], create=True)
    pool.draw()
    monkeypatch.setattr(data, "training_pool", lambda work: pool)
    seen: list[int] = []

    def view(sample: data.Sample, rng: np.random.Generator) -> int | None:
        seen.append(sample.scene.seed)
        return None if rng.random() < 0.5 else seen[-1]

    batches: Iterator[list[int]] = data.sampled(tmp_path, 3, np.random.default_rng(0), view)
    made = list(islice(batches, 4))
    assert [len(batch) for batch in made] == [3] * 4
    assert len(seen) > 12 and {one for batch in made for one in batch} <= set(seen)
    assert len(set(seen)) == 4


def test_some_scenes_are_seen_with_parts_in_colours_that_the_world_does_not_give_them(tmp_path: Path) -> None:
    pool = data.Pool(tmp_path / "pool", TRAIN_SEEDS[:40], create=True)
    pool.draw()
    known = {scene.seed: pool.sample(i) for i, scene in enumerate(map(sample_scene, pool.seeds))}
    seen = list(islice(pool.draws(np.random.default_rng(0)), 120))
    anew = [sample for sample in seen if sample.scene != known[sample.scene.seed].scene]
    assert all(sample.anew for sample in anew)
    assert 15 < len(anew) < 60  # of scenes without parts none can be told
    for sample in anew:
        before = known[sample.scene.seed]
        assert [item.colour for item in sample.scene.items] == [item.colour for item in before.scene.items]
        assert np.array_equal(sample.items, before.items)  # what stands where
        changed = (sample.image != before.image).any(axis=-1)
        assert changed.any() and changed[(before.items == 0) & (before.pieces == 0)].mean() <= 0.2
        for item in sample.scene.items:
            assert all(colour != item.colour for _, colour in item.own_colours)
    windows = {i.part_colour("windows") for s in anew for i in s.scene.items if "windows" in PARTS.get(i.noun, ())}
    assert windows - {"white", "blue", "yellow", "black"}


def test_heads_on_patches_tell_right_from_wrong() -> None:
    heads = PatchHeads(6)
    assert set(nn.ModuleDict({"heads": heads}).state_dict()) == {
        f"heads.{name}.{what}" for name in HEADS for what in ("weight", "bias")
    }
    with torch.no_grad():
        for name, value in heads.named_parameters():
            value.zero_()
            if name.endswith("bias"):
                value[1] = 20.0
    patches = torch.randn(2, 9, 6)
    right = {name: torch.ones(2, 3, 3, dtype=torch.long) for name in HEADS}
    right["colour"][0] = -100  # no object there: nothing to tell
    wrong = right | {"noun": torch.full((2, 3, 3), 2)}
    assert heads.loss(patches, right) < 1e-3
    assert heads.loss(patches, wrong) > 10


@pytest.mark.parametrize("given", [["--prepare", "many"], ["--prepare", "0"], ["--prepare"]])
def test_a_count_that_is_none_is_refused(given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_run("unet", batch=1, learning_rate=1.0, argv=["--work", str(tmp_path), *given], cached=True)
    assert "--prepare" in capsys.readouterr().err


def test_only_recipes_with_a_cache_are_prepared(tmp_path: Path) -> None:
    common = ["--work", str(tmp_path)]
    assert parse_run("unet", batch=1, learning_rate=1.0, argv=common, cached=True).prepare == 0
    assert parse_run("unet", batch=1, learning_rate=1.0, argv=[*common, "--prepare", "7"], cached=True).prepare == 7
    with pytest.raises(SystemExit):
        parse_run("sam", batch=1, learning_rate=1.0, argv=[*common, "--prepare", "7"])
