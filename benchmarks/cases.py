"""The edits that the comparison of methods is made on: test scenes of the picture world, or a user's own pictures.

`table1` and its sisters call `world_cases` or `dataset_cases`. Of the truth a method sees nothing: it gets the picture
and the instruction.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations

import numpy as np
from PIL import Image

from benchmarks.datasets import Sample
from benchmarks.edits import true_mask_of
from benchmarks.judge import Judge
from benchmarks.scenes import Drawn
from benchmarks.scoring import EditCase, score
from instructedit_models.errors import BadParameterError
from instructedit_models.miniature.captions import full_description
from instructedit_models.miniature.edits import sample_edits, with_items
from instructedit_models.miniature.rendering import render
from instructedit_models.miniature.scene import Scene

__all__ = ["PAPER_TYPES", "TYPES", "Case", "dataset_cases", "world_cases"]

PAPER_TYPES = ("part", "one kind", "several kinds")
"""The paper's edit types: a part of a single object, several objects of one kind, objects of several kinds."""
TYPES = (*PAPER_TYPES, "object")
"""The paper's, and a whole single object."""

_ORDERS = ("make ", "turn ", "change ", "paint ", "replace ", "swap ", "colour ", "recolour ")
_TRIES = 6


@dataclass(frozen=True)
class Case:
    """One edit that is asked of every method.

    Attributes:
        id: names it within its run.
        group: the scene, so that cases of one scene are resampled together.
        edit_type: one of `TYPES`, or what a data set calls it.
        instruction: what to change, in words.
        captions: input and edited caption of the set, where it has them.
        parts: the edits of the world that it is made of; empty for a user's own picture.
        sample: the entry of a user's set, or None.
    """

    id: str
    group: int
    edit_type: str
    instruction: str
    captions: tuple[str, str] | None = None
    parts: tuple[EditCase, ...] = field(default=(), repr=False, compare=False)
    sample: Sample | None = field(default=None, repr=False, compare=False)

    @cached_property
    def image(self) -> Image.Image:
        """The picture as the methods get it, PIL RGB."""
        return self.sample.image if self.sample else self.parts[0].drawn.image

    @cached_property
    def mask(self) -> np.ndarray | None:
        """(H, W) bool, where the edit is meant; None where nobody knows."""
        if self.sample:
            return self.sample.mask
        return np.logical_or.reduce([true_mask_of(part) for part in self.parts])

    @cached_property
    def target(self) -> Image.Image | None:
        """The true picture after the edit, or the one that a person made; None where there is none."""
        if not self.parts:
            if self.sample is None or self.sample.target is None:
                return None
            return replace(self.sample, path=self.sample.target).image
        return Image.fromarray(render(self._after).image)

    @cached_property
    def described(self) -> tuple[str, str] | None:
        """What the pictures before and after the true edit show, all of it; None for a user's own picture."""
        if not self.parts:
            return None
        named = {i: part.edit.part for part in self.parts if part.edit.part for i in part.edit.objects}
        return full_description(self.parts[0].drawn.scene, named), full_description(self._after, named)

    @property
    def _after(self) -> Scene:
        """The scene with all edits made."""
        changed = {i: part.edit.after.items[i] for part in self.parts for i in part.edit.objects}
        return with_items(self.parts[0].drawn.scene, changed) if changed else self.parts[0].edit.after

    @cached_property
    def may_change(self) -> np.ndarray | None:
        """(H, W) bool, every pixel that the true edit changes, shadows too, and the mask; None where nobody knows."""
        if self.mask is None or not self.parts or self.target is None:
            return self.mask
        return self.mask | (np.asarray(self.target) != np.asarray(self.image)).any(axis=2)

    def succeeded(self, image: np.ndarray, judge: Judge) -> bool | None:
        """Whether everything that was asked for is there; None for a user's own picture, which nobody judges here."""
        if not self.parts:
            return None
        return all(score(part, image, judge).success for part in self.parts)


def world_cases(scenes: Sequence[Drawn], types: Sequence[str] = PAPER_TYPES, limit: int | None = None) -> list[Case]:
    """Cases of the picture world, the types and scenes taken in turn, so that a limit cuts all types alike.

    Args:
        scenes: test scenes; one case at most of each scene.
        types: some of `TYPES`.
        limit: the most cases.

    Raises:
        BadParameterError: an unknown type.
    """
    if unknown := [name for name in types if name not in TYPES]:
        raise BadParameterError(f"There is no edit type {unknown[0]!r}; use some of {', '.join(TYPES)}.")
    cases: list[Case] = []
    counts = dict.fromkeys(types, 0)
    for drawn in scenes:
        if limit is not None and len(cases) >= limit:
            break
        # The type that has fewest so far goes first: not every scene has a part, or several of a kind.
        for name in sorted(types, key=lambda one: counts[one]):
            if (parts := _MAKERS[name](drawn)) is not None:
                instruction = _joined([part.edit.instruction for part in parts])
                cases.append(Case(f"{drawn.seed}-{name.replace(' ', '_')}", drawn.seed, name, instruction, None, parts))
                counts[name] += 1
                break
    return cases


def dataset_cases(samples: Sequence[Sample], limit: int | None = None) -> list[Case]:
    """Cases of a user's own set, evenly spread over it where there is a limit."""
    chosen = list(samples)
    if limit is not None and limit < len(chosen):
        chosen = [chosen[round(i * len(samples) / limit)] for i in range(limit)]
    groups = {path: number for number, path in enumerate(dict.fromkeys(sample.path for sample in chosen))}
    return [
        Case(
            sample.id,
            groups[sample.path],
            sample.edit_type or "all",
            sample.instruction,
            (sample.input_caption, sample.edited_caption) if sample.input_caption and sample.edited_caption else None,
            sample=sample,
        )
        for sample in chosen
    ]


def _one(kinds: tuple[str, ...]) -> Callable[[Drawn], tuple[EditCase, ...] | None]:
    def make(drawn: Drawn) -> tuple[EditCase, ...] | None:
        rng = drawn.rng(51)
        edits = sample_edits(drawn.scene, drawn.picture, rng, [kinds[int(rng.integers(len(kinds)))]])
        return tuple(EditCase(drawn, edit) for edit in edits) or None

    return make


def _several_kinds(drawn: Drawn) -> tuple[EditCase, ...] | None:
    """Two edits of objects of two kinds, in one sentence; None where the scene has but one kind."""
    kinds = ("recolour", "noun", "material") * _TRIES
    edits = [
        edit
        for edit in sample_edits(drawn.scene, drawn.picture, drawn.rng(52), kinds)
        if edit.instruction.lower().startswith(_ORDERS) and " and " not in edit.instruction
    ]
    for one, other in combinations(edits, 2):
        nouns = {drawn.scene.items[edit.objects[0]].noun for edit in (one, other)}
        if len(nouns) == 2 and one.kind != other.kind:
            return EditCase(drawn, one), EditCase(drawn, other)
    return None


_MAKERS: dict[str, Callable[[Drawn], tuple[EditCase, ...] | None]] = {
    "part": _one(("part",)),
    "one kind": _one(("all",)),
    "several kinds": _several_kinds,
    "object": _one(("recolour", "noun", "material")),
}


def _joined(instructions: Sequence[str]) -> str:
    if len(instructions) == 1:
        return instructions[0]
    return " and ".join(_plain(instructions))


def _plain(instructions: Sequence[str]) -> Iterator[str]:
    for number, text in enumerate(instructions):
        text = text.rstrip(".?")
        yield text if number == 0 else text[0].lower() + text[1:]
