"""The noise predictor of an edit: the UNet under a caption, with classifier-free guidance.

The editor makes one for the inversion and one for the denoising; `ddim` calls it. Everything that the host knows is put
on the device beforehand, so that a step never makes host and device wait for each other.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["GuidedNoise"]


class GuidedNoise:
    """eps(x, c, t) with the caption bound, guided where a scale is not 1; counts sample-evaluations.

    With several scales, the sample at place i of a batch is guided by the scale at place i.
    """

    def __init__(
        self,
        unet: Any,
        states: Tensor,
        scales: Sequence[float] = (1.0,),
        empty: Tensor | None = None,
        floor: float = 0.0,
    ) -> None:
        """Binds captions and scales.

        Args:
            unet: predicts epsilon.
            states: of the caption, (1, T, D).
            scales: of the guidance, one per sample of a batch.
            empty: states of what guidance leads away from, (1, T, D); None guides nothing.
            floor: timesteps below it are not guided.
        """
        self._unet = unet
        self._captioned = states
        self._empty = None if all(scale == 1 for scale in scales) else empty
        self._scales = torch.tensor(scales, dtype=torch.float32, device=states.device).view(-1, 1, 1, 1)
        self._floor = floor
        self._dtype = unet.dtype
        self._timesteps: dict[int, Tensor] = {}
        self._states: dict[tuple[int, int], Tensor] = {}
        self.evaluations = 0

    def evaluations_at(self, timestep: int) -> int:
        """Sample-evaluations of one sample at a timestep."""
        return 1 if self._empty is None or timestep < self._floor else 2

    def prepare(self, timesteps: Sequence[int]) -> None:
        """Puts the timesteps of a run on the device at once; one that was not prepared is put there when it comes."""
        told = torch.tensor(timesteps, dtype=torch.int64, device=self._captioned.device)
        self._timesteps = dict(zip(timesteps, told.unbind(), strict=True))

    def __call__(self, latents: Tensor, timestep: int) -> Tensor:
        """The noise in the first samples of the batch, (B, C, h, w), at a timestep; same shape and float32 back."""
        count, times = len(latents), self.evaluations_at(timestep)
        batch = latents.repeat(times, 1, 1, 1).to(self._dtype)
        when = self._timesteps.get(timestep, timestep)
        noise = self._unet(batch, when, encoder_hidden_states=self._states_of(count, times)).sample.float()
        self.evaluations += len(batch)
        if times == 1:
            return noise
        plain, captioned = noise.chunk(2)
        return plain + self._scales[:count] * (captioned - plain)

    def _states_of(self, count: int, times: int) -> Tensor:
        """The text states of `count` samples, (times x count, T, D): joined once, then kept."""
        if (count, times) not in self._states:
            states = self._captioned.expand(count, -1, -1)
            if times == 2 and self._empty is not None:
                states = torch.cat([self._empty.expand(count, -1, -1), states])
            self._states = {(count, times): states}
        return self._states[count, times]
