"""CLIP: how well pictures and texts fit each other.

`verification` asks it after every edit, and the benchmark's metrics do.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from instructedit_models.pixels import load_image_processor
from instructedit_models.tokens import require_known

__all__ = ["ClipScorer"]


class ClipScorer:
    """`types.Scorer` over `CLIPModel`."""

    def __init__(
        self, model: Any, image_processor: Any, tokenizer: Any, device: str = "cpu", *, batch_size: int = 32
    ) -> None:
        """Puts the model on the device.

        Args:
            model: a `CLIPModel`.
            image_processor: makes `pixel_values` (B, 3, S, S) of PIL images.
            tokenizer: its tokenizer.
            device: "cpu", "cuda" …
            batch_size: images, or texts, embedded at once.
        """
        self.model = model.to(device).eval()
        self.image_processor = image_processor
        self.tokenizer = tokenizer
        self.batch_size = batch_size

    @classmethod
    def from_folder(
        cls, folder: str | Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32
    ) -> "ClipScorer":
        """From weights in Hugging Face layout, or the name of a repository that is in the cache."""
        from transformers import AutoTokenizer, CLIPModel

        model = CLIPModel.from_pretrained(folder, dtype=dtype)
        processor = load_image_processor(folder, model.config.vision_config.image_size)
        return cls(model, processor, AutoTokenizer.from_pretrained(folder), device)

    def similarity(self, images: list[Image.Image], texts: list[str]) -> np.ndarray:
        """Cosine similarities, (len(images), len(texts)) float32, -1 to 1.

        Raises UnknownWordError where a text holds words that the text encoder does not know.
        """
        if not images or not texts:
            return np.zeros((len(images), len(texts)), dtype=np.float32)
        return self.embed_images(images) @ self.embed_texts(texts).T

    @torch.inference_mode()
    def embed_images(self, images: list[Image.Image]) -> np.ndarray:
        """Unit vectors, (len(images), D) float32."""
        rows = []
        for start in range(0, len(images), self.batch_size):
            batch = [image.convert("RGB") for image in images[start : start + self.batch_size]]
            pixels = self.image_processor(images=batch, return_tensors="pt")["pixel_values"]
            rows.append(_unit(self.model.get_image_features(pixels.to(self.model.device, self.model.dtype))))
        return np.concatenate(rows)

    @torch.inference_mode()
    def embed_texts(self, texts: list[str]) -> np.ndarray:
        """Unit vectors, (len(texts), D) float32. Raises UnknownWordError as `similarity` does."""
        for text in texts:
            require_known(self.tokenizer, text, "The text encoder")
        rows = []
        length = self.model.config.text_config.max_position_embeddings
        for start in range(0, len(texts), self.batch_size):
            tokens = self.tokenizer(
                texts[start : start + self.batch_size],
                padding="max_length",
                truncation=True,
                max_length=length,
                return_tensors="pt",
            ).to(self.model.device)
            rows.append(
                _unit(
                    self.model.get_text_features(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
                )
            )
        return np.concatenate(rows)


def _unit(features: Any) -> np.ndarray:
    # transformers 5 wraps the features in an output object.
    tensor = features if isinstance(features, torch.Tensor) else features.pooler_output
    return torch.nn.functional.normalize(tensor.float(), dim=-1).cpu().numpy()
