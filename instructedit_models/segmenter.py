"""SAM: a mask for every box; and, by the same import, `GroundedSegmenter`, which finds the boxes first.

The image is embedded once and kept; masks for more boxes in the same picture cost almost nothing.
"""

import hashlib
import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from segment_anything import SamPredictor

from instructedit_models.errors import ModelUnavailableError
from instructedit_models.grounding import GroundedSegmenter, Grounding
from instructedit_models.sam_model import build_sam
from instructedit_models.search import SearchOptions
from instructedit_models.types import Box

__all__ = ["GroundedSegmenter", "Grounding", "SamSegmenter", "SearchOptions"]


class SamSegmenter:
    """`types.Segmenter` over segment_anything's `SamPredictor`."""

    def __init__(self, sam: Any, device: str = "cpu", *, multimask: bool = False, cache_size: int = 8) -> None:
        """Puts the model on the device.

        Args:
            sam: a `segment_anything.modeling.Sam`.
            device: "cpu", "cuda" …
            multimask: let SAM propose three masks a box and take the one it rates best, instead of one mask.
            cache_size: embeddings that are kept, least recently used first to go.
        """
        self.predictor = SamPredictor(sam.to(device).eval())
        self.multimask = multimask
        self.cache_size = cache_size
        self._cache: OrderedDict[str, tuple[torch.Tensor, tuple[int, int], tuple[int, int]]] = OrderedDict()

    @classmethod
    def from_folder(cls, folder: str | Path, *, device: str = "cpu", multimask: bool = False) -> "SamSegmenter":
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
        return cls(sam, device, multimask=multimask)

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
        return list(chosen.cpu().numpy())

    def _set_image(self, image: Image.Image) -> None:
        pixels = np.array(image.convert("RGB"))
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
