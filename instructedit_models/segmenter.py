"""SAM: masks of boxes, clicks and rough masks; and, by the same import, `GroundedSegmenter`, which finds the boxes.

The image is embedded once and kept; more masks in the same picture cost almost nothing.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from segment_anything import SamPredictor

from instructedit_models.errors import BadMaskError, BadParameterError, ModelUnavailableError
from instructedit_models.grounding import GroundedSegmenter, Grounding
from instructedit_models.pixels import padded
from instructedit_models.sam_model import build_sam
from instructedit_models.search import SearchOptions
from instructedit_models.types import Box, Click

__all__ = ["Click", "GroundedSegmenter", "Grounding", "Refiner", "SamSegmenter", "SearchOptions"]

_SURE = 8.0
"""The logit that stands for a pixel of a given mask; SAM's own are between about -30 and 30."""


class SamSegmenter:
    """`types.Segmenter` over segment_anything's `SamPredictor`."""

    def __init__(
        self, sam: Any, device: str = "cpu", *, multimask: bool = False, clicks: bool = True, cache_size: int = 8
    ) -> None:
        """Puts the model on the device.

        Args:
            sam: a `segment_anything.modeling.Sam`.
            device: "cpu", "cuda" …
            multimask: let SAM propose three masks a box and take the one it rates best, instead of one mask.
            clicks: whether it was trained on clicks and rough masks too, and not on boxes alone.
            cache_size: embeddings that are kept, least recently used first to go.
        """
        self.predictor = SamPredictor(sam.to(device).eval())
        self.multimask = multimask
        self.takes_clicks = clicks
        self.cache_size = cache_size
        self._cache: OrderedDict[str, tuple[torch.Tensor, tuple[int, int], tuple[int, int]]] = OrderedDict()

    @classmethod
    def from_folder(
        cls, folder: str | Path, *, device: str = "cpu", multimask: bool = False, clicks: bool = True
    ) -> "SamSegmenter":
        """From `config.json` (see `SamConfig`) and `model.safetensors`, in float32.

        Raises ModelUnavailableError where one of them is missing.
        """
        from safetensors.torch import load_file

        config, weights = Path(folder) / "config.json", Path(folder) / "model.safetensors"
        for path in (config, weights):
            if not path.is_file():
                raise ModelUnavailableError(f"SAM's {path.name} is missing in {folder}.")
        sam = build_sam(json.loads(config.read_text()))
        sam.load_state_dict({name: tensor.float() for name, tensor in load_file(weights).items()})
        return cls(sam, device, multimask=multimask, clicks=clicks)

    @torch.inference_mode()
    def masks(self, image: Image.Image, boxes: list[Box]) -> list[np.ndarray]:
        """One mask per box.

        Args:
            image: PIL RGB, any size.
            boxes: x0, y0, x1, y1 in its pixels.

        Returns:
            (H, W) bool each, in the order of the boxes.
        """
        if not boxes:
            return []
        self._set_image(image)
        predictor = self.predictor
        prompts = torch.as_tensor(np.asarray(boxes, dtype=np.float32), device=predictor.device)
        prompts = predictor.transform.apply_boxes_torch(prompts, predictor.original_size)
        masks, quality, _ = predictor.predict_torch(
            point_coords=None, point_labels=None, boxes=prompts, multimask_output=self.multimask
        )
        best = quality.argmax(dim=1)
        chosen = masks[torch.arange(len(boxes)), best] if self.multimask else masks[:, 0]
        return list(chosen[:, : image.height, : image.width].cpu().numpy())

    def mask_at(
        self,
        image: Image.Image,
        clicks: Sequence[Click] = (),
        *,
        box: Box | None = None,
        mask: np.ndarray | None = None,
    ) -> np.ndarray:
        """The mask that clicks, a box and a rough mask mean together; any of the three may be left out, not all.

        Args:
            image: PIL RGB, any size.
            clicks: points inside and outside, in its pixels.
            box: x0, y0, x1, y1 in its pixels.
            mask: (H, W) bool, a mask that shall be corrected.

        Returns:
            (H, W) bool. One click alone means several things, so of SAM's three proposals the best rated is taken.

        Raises:
            BadParameterError: nothing was given, a click lies outside the picture, or this SAM takes boxes alone.
            BadMaskError: the mask has another size than the picture.
        """
        rough = None if mask is None else self._as_logits(image, mask)
        return self._predict(image, clicks, box, rough)[0]

    def refiner(self, image: Image.Image, *, box: Box | None = None, mask: np.ndarray | None = None) -> "Refiner":
        """A mask that grows better click by click; for the arguments see `mask_at`."""
        return Refiner(self, image, box, mask)

    @torch.inference_mode()
    def _predict(
        self, image: Image.Image, clicks: Sequence[Click], box: Box | None, rough: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The mask, (H, W) bool, and its low-resolution logits, (1, S, S) float32, the `rough` of the next call."""
        if not clicks and box is None and rough is None:
            raise BadParameterError("A mask needs at least one click, a box or a rough mask.")
        if not self.takes_clicks and (clicks or rough is not None):
            raise BadParameterError("This SAM was trained on boxes alone: clicks and rough masks tell it nothing.")
        for click in clicks:
            if not (0 <= click.x < image.width and 0 <= click.y < image.height):
                raise BadParameterError(
                    f"The click ({click.x:g}, {click.y:g}) lies outside the picture, {image.width} x {image.height}."
                )
        self._set_image(image)
        masks, quality, logits = self.predictor.predict(
            point_coords=np.array([(click.x, click.y) for click in clicks]) if clicks else None,
            point_labels=np.array([int(click.inside) for click in clicks]) if clicks else None,
            box=None if box is None else np.asarray(box, dtype=np.float32),
            mask_input=rough,
            multimask_output=len(clicks) == 1 and box is None and rough is None,
        )
        best = int(quality.argmax())
        return masks[best, : image.height, : image.width], logits[best : best + 1]

    def _as_logits(self, image: Image.Image, mask: np.ndarray) -> np.ndarray:
        """A mask as SAM takes it: (1, S, S) float32, S four times the embedding's side, padded like the picture."""
        if mask.shape != (image.height, image.width):
            raise BadMaskError(
                f"The mask is {mask.shape[1]} x {mask.shape[0]}, the picture {image.width} x {image.height}."
            )
        height, width = self.predictor.model.prompt_encoder.mask_input_size
        scale = max(height, width) / max(image.size)
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        small = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)
        logits = np.full((1, height, width), -_SURE, dtype=np.float32)
        logits[0, : size[1], : size[0]] = (np.asarray(small, dtype=np.float32) / 127.5 - 1) * _SURE
        return logits

    def _set_image(self, image: Image.Image) -> None:
        pixels = np.array(padded(image.convert("RGB")))
        key = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
        predictor = self.predictor
        if key in self._cache:
            self._cache.move_to_end(key)
            predictor.features, predictor.original_size, predictor.input_size = self._cache[key]
            predictor.is_image_set = True
            return
        predictor.set_image(pixels)
        self._cache[key] = (predictor.features, predictor.original_size, predictor.input_size)
        while len(self._cache) > self.cache_size:
            self._cache.popitem(last=False)


class Refiner:
    """Corrects a mask by clicks; each builds on the mask before, as SAM was trained to be used."""

    def __init__(
        self, segmenter: SamSegmenter, image: Image.Image, box: Box | None = None, mask: np.ndarray | None = None
    ) -> None:
        """Begins with a box, a mask, both or nothing; see `SamSegmenter.mask_at` for them and for what is raised."""
        self._segmenter, self._image, self._box = segmenter, image, box
        rough = None if mask is None else segmenter._as_logits(image, mask)
        self._states: list[tuple[np.ndarray, np.ndarray | None]] = []
        self._clicks: list[Click] = []
        if mask is None and box is not None:
            self._states.append(segmenter._predict(image, (), box, None))
        else:
            start = np.zeros((image.height, image.width), dtype=bool) if mask is None else mask.copy()
            self._states.append((start, rough))

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool, the mask as it stands; all False before the first click where nothing was given."""
        return self._states[-1][0]

    def click(self, x: float, y: float, inside: bool = True) -> np.ndarray:
        """Says of one more point that it belongs to the mask, or does not; returns the mask, (H, W) bool."""
        clicks = [*self._clicks, Click(x, y, inside)]
        self._states.append(self._segmenter._predict(self._image, clicks, self._box, self._states[-1][1]))
        self._clicks = clicks
        return self.mask

    def undo(self) -> np.ndarray:
        """Takes the last click back, as far as there is one; returns the mask, (H, W) bool."""
        if self._clicks:
            self._clicks.pop()
            self._states.pop()
        return self.mask
