"""A latent diffusion model with its text encoder: pictures to latents and back, captions to what the UNet takes.

`MaskedDDIMEditor` is one that edits inside a mask; the baselines edit with the same components in other ways.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from instructedit_models import ddim
from instructedit_models.errors import BadParameterError, InstructEditError
from instructedit_models.fingerprint import fingerprint
from instructedit_models.residency import Residency
from instructedit_models.tokens import require_known, unknown_words

__all__ = ["LatentDiffusion"]

_TEXTS_KEPT = 64


class LatentDiffusion:
    """The components of a latent diffusion model on their device; they are never trained."""

    def __init__(
        self,
        vae: Any,
        text_encoder: Any,
        tokenizer: Any,
        unet: Any,
        scheduler_config: Mapping[str, Any],
        device: str | Residency = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Puts the components on the device.

        Args:
            vae: an `AutoencoderKL`; it keeps its own dtype, since decoding in half precision may overflow.
            text_encoder: a `CLIPTextModel`.
            tokenizer: its fast tokenizer.
            unet: a `UNet2DConditionModel` that predicts epsilon.
            scheduler_config: `scheduler_config.json`, of which the noise schedule is read.
            device: "cpu", "cuda" …, or when which model is on it.
            dtype: of the UNet and the text encoder.

        Raises:
            BadParameterError: a noise schedule or prediction type that is not supported.
        """
        self._residency = device if isinstance(device, Residency) else Residency(device)
        self._device = self._residency.device
        self._tokenizer = tokenizer
        self._scheduler_config = dict(scheduler_config)
        self._vae, self._unet = self._ready(vae, vae.dtype), self._ready(unet, dtype)
        self._text_encoder = self._ready(text_encoder, dtype)
        if self._residency.offload == "sequential":
            _ = self.revision  # once it is taken apart, a model has no weights to be read
        for model in (self._vae, self._unet, self._text_encoder):
            self._residency.place(model, by_layer=True)
        self._train_steps = len(ddim.alphas(scheduler_config))
        self._texts: OrderedDict[str, Tensor] = OrderedDict()
        self._texts_lock = threading.Lock()

    def _ready(self, model: Any, dtype: torch.dtype) -> Any:
        if model.dtype != dtype:
            model = model.to(dtype)
        model = model.eval().requires_grad_(False)
        # Convolutions are faster with channels last on a CPU; elsewhere the layout is left to the backend.
        return model.to(memory_format=torch.channels_last) if self._device.type == "cpu" else model

    @property
    def unet(self) -> Any:
        """The `UNet2DConditionModel`; call it while `residency.using` it."""
        return self._unet

    @property
    def residency(self) -> Residency:
        """When which model is on the device."""
        return self._residency

    @property
    def device(self) -> torch.device:
        """Where latents are computed."""
        return self._device

    @property
    def scheduler_config(self) -> Mapping[str, Any]:
        """The noise schedule, as `ddim.levels` takes it."""
        return self._scheduler_config

    @property
    def train_steps(self) -> int:
        """Timesteps that the UNet was trained with."""
        return self._train_steps

    @property
    def native_size(self) -> int:
        """Side in pixels of the square pictures that the models were trained on."""
        return self.latent_size * self._pixels_per_cell

    @property
    def latent_size(self) -> int:
        """Side in cells of their latents."""
        size = self._unet.config.sample_size
        return int(size if isinstance(size, int) else size[0])

    @property
    def _pixels_per_cell(self) -> int:
        return 2 ** (len(self._vae.config.block_out_channels) - 1)

    @cached_property
    def revision(self) -> str:
        """12 hex digits that change with the configs, the noise schedule or the weights (see `fingerprint`)."""
        return fingerprint((self._vae, self._text_encoder, self._unet), self._scheduler_config)

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """The words that the text encoder does not know, each once; always () for CLIP's own tokenizer."""
        # CLIP's byte-pair tokenizer names its end token as unknown token, and never needs it.
        if self._tokenizer.unk_token_id in (self._tokenizer.eos_token_id, self._tokenizer.pad_token_id):
            return ()
        return unknown_words(self._tokenizer, text)

    def embed(self, caption: str, *, known: bool = True) -> Tensor:
        """A caption as the UNet takes it: (1, T, D), padded to the text encoder's length without an attention mask.

        Args:
            caption: any text.
            known: whether every word must be known; otherwise the tokenizer's unknown token stands for it.

        Raises:
            UnknownWordError: it holds words that the text encoder does not know.
            BadParameterError: it is too long.
        """
        if known and self.unknown_words(caption):
            require_known(self._tokenizer, caption, "The text encoder")
        with self._texts_lock:
            if caption in self._texts:
                self._texts.move_to_end(caption)
                return self._texts[caption]
        length = self._text_encoder.config.max_position_embeddings
        tokens = len(self._tokenizer(caption, truncation=False, verbose=False).input_ids)
        if tokens > length:
            raise BadParameterError(
                f"The caption is {tokens} tokens long and the text encoder takes {length}; say it in fewer words: "
                f"'{caption[:60]}…'."
            )
        ids = self._tokenizer(caption, padding="max_length", max_length=length, return_tensors="pt").input_ids
        with self._residency.using(self._text_encoder):
            states = self._text_encoder(ids.to(self._device)).last_hidden_state
        with self._texts_lock:
            self._texts[caption] = states
            while len(self._texts) > _TEXTS_KEPT:
                self._texts.popitem(last=False)
        return states

    def encode(self, crop: np.ndarray) -> Tensor:
        """(S, S, 3) uint8 to x_0, (1, C, h, w) float32 in model scale: the posterior's mode."""
        pixels = torch.from_numpy(crop.copy()).permute(2, 0, 1)[None].to(self._device, torch.float32)
        return self.encode_tensor(pixels.div(127.5).sub(1))

    def encode_tensor(self, pixels: Tensor) -> Tensor:
        """(1, 3, S, S) float in -1..1 to x_0, as `encode`."""
        pixels = pixels.to(self._vae.dtype)
        if self._device.type == "cpu":
            pixels = pixels.contiguous(memory_format=torch.channels_last)
        with self._residency.using(self._vae):
            mode = self._vae.encode(pixels).latent_dist.mode().float()
        return (mode - (self._vae.config.shift_factor or 0.0)) * self._vae.config.scaling_factor

    def unscaled(self, latents: Tensor) -> Tensor:
        """Latents in model scale as the VAE itself gives them; InstructPix2Pix is shown its picture so."""
        return latents / self._vae.config.scaling_factor + (self._vae.config.shift_factor or 0.0)

    def decode(self, latents: Tensor) -> np.ndarray:
        """(1, C, h, w) float32 in model scale to (S, S, 3) uint8.

        Raises:
            InstructEditError: the values are no numbers.
        """
        with self._residency.using(self._vae):
            pixels = self._vae.decode(self.unscaled(latents).to(self._vae.dtype)).sample[0].float()
        if not torch.isfinite(pixels).all():
            raise InstructEditError("The models gave values that are no numbers; try them in float32.")
        return pixels.add(1).mul(127.5).round().clamp(0, 255).permute(1, 2, 0).to("cpu", torch.uint8).numpy()
