"""MDP-epsilon_t (Wang, Zhang, Birsak, Wonka, 2023): the predicted noise of the input mixed into that of the edit.

The manipulation of the predicted noise, one of the five of the MDP framework: from the input's x_T, denoising under
the edited caption uses, at the steps from t_max down to t_min,

    eps_t = w_t eps_t^(A) + (1 - w_t) eps_t^(B)

    MDP             here
    eps^(A)         the noise that leads the input along its own path
    eps^(B)         the guided prediction under the edited caption, at the latent of the edit
    t_max, t_min    `start`, `end`, as shares of the schedule (1 = pure noise): 0.98 and 0.48 are steps 49 and 24 of 50
    w_t             `weight`, constant by default, or falling over the span by `schedule`

The published program inverts with null-text inversion, which trains an embedding for each step until guided sampling
under the input caption goes back through the inverted latents. `source = "inversion"` takes the noise that does so
exactly, which follows from the inverted latents and costs nothing; `source = "sampled"` samples once more under the
input caption with guidance, without any such training.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, get_args

import numpy as np
from torch import Tensor

from instructedit_models import ddim
from instructedit_models.baselines.types import MaskSource, MethodModels, check_number
from instructedit_models.baselines.work import Counting, Method, Work
from instructedit_models.errors import BadParameterError
from instructedit_models.types import EditOptions

__all__ = ["Mdp", "MixedNoise", "weights_of"]

Schedule = Literal["constant", "linear", "cosine", "exponential"]
Source = Literal["inversion", "sampled"]

_DECAY = 5.0


@dataclass(frozen=True)
class Mdp(Method):
    """MDP-epsilon_t; the evaluations at steps where w = 1 are spared, for nothing looks at them.

    UNet sample-evaluations at 50 steps: 50 for the inversion, 50 for denoising (100 where w < 1 everywhere), and with
    `source = "sampled"` 100 more.

    Attributes:
        start: where mixing begins, as a share of the schedule, 1 = pure noise.
        end: where it ends; below it the edited caption alone decides.
        weight: w at the start.
        schedule: how w falls from start to end.
        source: where the input's noise comes from.

    Raises:
        BadParameterError: a parameter is out of its range.
    """

    start: float = 0.98
    end: float = 0.48
    weight: float = 1.0
    schedule: Schedule = "constant"
    source: Source = "inversion"

    name: ClassVar[str] = "mdp"
    mask_source: ClassVar[MaskSource] = "none"

    def __post_init__(self) -> None:
        check_number("start of the mixing", self.start, 0, 1)
        check_number("end of the mixing", self.end, 0, self.start)
        check_number("weight", self.weight, 0, 1)
        for what, value, known in (("schedule", self.schedule, Schedule), ("source", self.source, Source)):
            if value not in get_args(known):
                raise BadParameterError(f"There is no {what} {value!r}; use one of {', '.join(get_args(known))}.")

    def defaults(self, models: MethodModels) -> EditOptions:
        """The whole schedule: MDP starts at x_T."""
        return replace(super().defaults(models), encoding_ratio=1.0, solver="ddim")

    def _edited(self, work: Work) -> tuple[Tensor, np.ndarray | None]:
        ladder, scale = work.ladder(), work.options.guidance_scale
        stored = work.invert(work.clean(), ladder, work.noise(work.task.input_caption))
        sources = self._sources(work, stored, ladder, scale)
        weights = weights_of(self, ladder, work.diffusion.train_steps)
        mixed = MixedNoise(work.noise(work.task.edited_caption, scale), sources, weights, ladder)
        return work.denoise(stored[-1], ladder, mixed), None

    def _sources(
        self, work: Work, stored: Sequence[Tensor], ladder: Sequence[ddim.Level], scale: float
    ) -> list[Tensor]:
        """eps^(A) of each level above the clean one, lowest first, (B, C, h, w) each."""
        if self.source == "inversion":
            pairs = zip(stored, stored[1:], ladder, ladder[1:], strict=False)
            return [ddim.noise_between(*each) for each in pairs]
        recorded: list[Tensor] = []
        guided = work.noise(work.task.input_caption, scale)

        def recording(latents: Tensor, timestep: int) -> Tensor:
            recorded.append(guided(latents, timestep))
            return recorded[-1]

        with work.computing("source"):
            ddim.denoise(stored[-1], ladder, recording)
        return recorded[::-1]


class MixedNoise:
    """w eps^(A) + (1 - w) eps^(B) for each level of a ladder."""

    def __init__(
        self, edited: Counting, sources: Sequence[Tensor], weights: Sequence[float], ladder: Sequence[ddim.Level]
    ) -> None:
        """Binds what is mixed.

        Args:
            edited: predicts eps^(B).
            sources: eps^(A) of each level above the clean one, lowest first.
            weights: w of each of these levels.
            ladder: the levels, clean first.
        """
        self._edited = edited
        self._mix = {
            level.timestep: (weight, source) for level, weight, source in zip(ladder[1:], weights, sources, strict=True)
        }

    def __call__(self, latents: Tensor, timestep: int) -> Tensor:
        """The mixed noise, (B, C, h, w); the UNet is not asked where w = 1."""
        weight, source = self._mix[timestep]
        if weight == 1:
            return source
        edited = self._edited(latents, timestep)
        return edited if weight == 0 else weight * source + (1 - weight) * edited

    @property
    def evaluations(self) -> int:
        """Those of the edit."""
        return self._edited.evaluations


def weights_of(method: Mdp, ladder: Sequence[ddim.Level], train_steps: int) -> list[float]:
    """w_t of each level above the clean one, lowest first: 0 outside the span from `start` to `end`."""
    weights = []
    for level in ladder[1:]:
        share = level.timestep / train_steps
        if level.timestep == train_steps - 1:
            share = 1.0  # the topmost level stands for pure noise
        if not method.end < share <= method.start:
            weights.append(0.0)
            continue
        done = (method.start - share) / (method.start - method.end)
        falls = {
            "constant": 1.0,
            "linear": 1 - done,
            "cosine": math.cos(math.pi * done / 2),
            "exponential": math.exp(-_DECAY * done),
        }
        weights.append(method.weight * falls[method.schedule])
    return weights
