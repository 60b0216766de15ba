"""Grounding DINO, both as transformers has it and as groundingdino-py (the authors' package) has it.

A model set builds one of the two; `GroundedSegmenter` asks it for boxes. The two share everything after the
network: per-word scores, thresholds, suppression of duplicates, and boxes in pixels.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torchvision.ops import nms

from instructedit_models.detections import (
    DetectionOptions,
    Prompt,
    Score,
    check_words,
    detections_of,
    prompt_of,
    word_scores,
)
from instructedit_models.errors import BadInstructionError
from instructedit_models.groundingdino_weights import load_port, port_config, read_checkpoint
from instructedit_models.pixels import padded
from instructedit_models.remembering import KeptFeatures
from instructedit_models.types import Detection

__all__ = ["DetectionOptions", "GroundingDinoPyDetector", "TransformersDetector"]

_Answer = tuple[torch.Tensor, torch.Tensor]
_TOGETHER = 1 << 20
"""Pixels, as the network sees them, that go through it at once."""


class _GroundingDino(ABC):
    """What the two detectors share: everything but the network."""

    tokenizer: Any
    options: DetectionOptions
    max_tokens: int

    def detect(self, image: Image.Image, phrase: str) -> list[Detection]:
        """All boxes for a phrase, or for several phrases apart by " . ", best first.

        Args:
            image: PIL RGB, any size.
            phrase: what to find, e.g. "red car"; each detection's `phrase` says which of several it answers.

        Returns:
            Detections with boxes clipped to the picture, in its pixels.

        Raises:
            UnknownWordError: the text encoder does not know a content word of the phrase.
            BadInstructionError: the phrase holds no word, or too many.
        """
        return self.detect_each(image, [phrase])[0]

    def detect_each(self, image: Image.Image, phrases: Sequence[str]) -> list[list[Detection]]:
        """What `detect` finds for each of several phrases, in as few passes as fit; raises as it does."""
        prompts = [prompt_of(phrase) for phrase in phrases]
        for prompt in prompts:
            check_words(self.tokenizer, prompt)
        return self._detect_each(image, prompts, self.options)

    def detect_published(self, image: Image.Image, phrase: str) -> list[Detection]:
        """As the authors' code: a box is as good as its best token, and unknown words are passed over."""
        return self._detect_each(image, [prompt_of(phrase)], replace(self.options, score="max"))[0]

    def _detect_each(
        self, image: Image.Image, prompts: Sequence[Prompt], options: DetectionOptions
    ) -> list[list[Detection]]:
        encodings = [self.tokenizer(prompt.text, return_offsets_mapping=True) for prompt in prompts]
        counts = [len(encoding["input_ids"]) for encoding in encodings]
        if len(prompts) > 1 and max(counts) > self.max_tokens:
            return [self._detect_each(image, [prompt], options)[0] for prompt in prompts]
        if counts and counts[0] > self.max_tokens:
            return [self._detect_by_halves(image, prompts[0], counts[0], options)]
        seen = padded(image.convert("RGB"))
        found = []
        answers = self._forward_each(seen, [prompt.text for prompt in prompts])
        for prompt, encoding, (tokens, boxes) in zip(prompts, encodings, answers, strict=True):
            boxes = boxes * boxes.new_tensor([seen.width / image.width, seen.height / image.height] * 2)
            scores = word_scores(prompt, encoding["offset_mapping"], tokens)
            found.append(detections_of(prompt, scores, boxes, image.size, options))
        return found

    def _detect_by_halves(
        self, image: Image.Image, prompt: Prompt, count: int, options: DetectionOptions
    ) -> list[Detection]:
        phrases = [prompt.phrase(i) for i in range(len(prompt.phrases))]
        if len(phrases) == 1:
            raise BadInstructionError(
                f"The phrase to look for is too long: {count} tokens, the detector reads {self.max_tokens}."
            )
        middle = len(phrases) // 2
        halves = [prompt_of(" . ".join(half)) for half in (phrases[:middle], phrases[middle:])]
        found = [each for half in self._detect_each(image, halves, options) for each in half]
        if not found:
            return []
        boxes, scores = torch.tensor([each.box for each in found]), torch.tensor([each.score for each in found])
        return [found[i] for i in nms(boxes, scores, options.nms_iou).tolist()]

    @abstractmethod
    def _forward(self, image: Image.Image, text: str) -> _Answer:
        """Scores (queries, tokens), 0 to 1, and boxes (queries, 4), centre and size as shares; float, on the CPU."""

    def _forward_each(self, image: Image.Image, texts: Sequence[str]) -> list[_Answer]:
        """`_forward` for each text."""
        return [self._forward(image, text) for text in texts]


class TransformersDetector(_GroundingDino):
    """`types.Detector` over `GroundingDinoForObjectDetection`.

    transformers splits the text into phrases at BERT's ids of [CLS], [SEP], "." and "?" (101, 102, 1012, 1029), so
    any other tokenizer must use these ids.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        box_threshold: float = 0.3,
        text_threshold: float = 0.25,
        device: str = "cpu",
        *,
        score: Score = "all_words",
        nms_iou: float = 0.7,
    ) -> None:
        """Puts the model on the device.

        Args:
            model: a `GroundingDinoForObjectDetection`.
            processor: a `GroundingDinoProcessor`, or anything with its `image_processor` and (fast) `tokenizer`.
            box_threshold: see `DetectionOptions`, as for the next.
            text_threshold: likewise.
            device: "cpu", "cuda" …
            score: likewise.
            nms_iou: likewise.
        """
        self.model = model.to(device).eval()
        self._features = KeptFeatures(self.model.model.backbone)
        self.image_processor = processor.image_processor
        self.tokenizer = processor.tokenizer
        self.options = DetectionOptions(box_threshold, text_threshold, score, nms_iou)
        self.max_tokens = model.config.max_text_len

    @classmethod
    def from_folder(
        cls,
        folder: str | Path,
        *,
        options: DetectionOptions | None = None,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> "TransformersDetector":
        """From weights in Hugging Face layout, or the name of a repository that is in the cache."""
        from transformers import AutoTokenizer, GroundingDinoForObjectDetection
        from transformers.models.grounding_dino import GroundingDinoImageProcessor, GroundingDinoProcessor

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="You'd better set embed_dim")  # of use to CUDA kernels alone
            model = GroundingDinoForObjectDetection.from_pretrained(folder, dtype=dtype)
        processor = GroundingDinoProcessor(
            GroundingDinoImageProcessor.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
        )
        detector = cls(model, processor, device=device)
        detector.options = options or detector.options
        return detector

    @classmethod
    def from_checkpoint(
        cls,
        checkpoint: str | Path,
        text_encoder: str | Path,
        *,
        options: DetectionOptions | None = None,
        device: str = "cpu",
        changes: dict[str, Any] | None = None,
    ) -> "TransformersDetector":
        """From a .pth of the authors (Swin-T OGC), in float32.

        Args:
            checkpoint: the file.
            text_encoder: folder with the config and tokenizer of the BERT that it was trained with.
            options: thresholds.
            device: "cpu", "cuda" …
            changes: fields of `GroundingDinoConfig` to change.

        Raises:
            ModelUnavailableError: a file is missing, or the weights are of another architecture.
        """
        from transformers import AutoTokenizer
        from transformers.models.grounding_dino import GroundingDinoImageProcessor, GroundingDinoProcessor

        model = load_port(port_config(text_encoder, **(changes or {})), read_checkpoint(checkpoint))
        processor = GroundingDinoProcessor(GroundingDinoImageProcessor(), AutoTokenizer.from_pretrained(text_encoder))
        detector = cls(model, processor, device=device)
        detector.options = options or detector.options
        return detector

    def forget(self) -> None:
        """Looks at the next picture anew, even if it is the last one."""
        self._features.forget()

    def detect_views(self, images: Sequence[Image.Image], phrase: str) -> list[list[Detection]]:
        """What `detect` finds in each of several pictures, in one pass where they are of one size; raises like it."""
        prompt = prompt_of(phrase)
        check_words(self.tokenizer, prompt)
        encoding = self.tokenizer(prompt.text, return_offsets_mapping=True)
        few = len(encoding["input_ids"]) <= self.max_tokens
        if not few or len({image.size for image in images}) > 1 or images[0].width != images[0].height:
            return [self.detect(image, phrase) for image in images]
        answers = self._forward_views([image.convert("RGB") for image in images], prompt.text)
        return [
            detections_of(
                prompt, word_scores(prompt, encoding["offset_mapping"], tokens), boxes, image.size, self.options
            )
            for image, (tokens, boxes) in zip(images, answers, strict=True)
        ]

    @torch.inference_mode()
    def _forward_views(self, images: Sequence[Image.Image], text: str) -> list[_Answer]:
        return self._answers(*self._pixels(images), [text] * len(images))

    def _forward(self, image: Image.Image, text: str) -> _Answer:
        return self._forward_each(image, [text])[0]

    @torch.inference_mode()
    def _forward_each(self, image: Image.Image, texts: Sequence[str]) -> list[_Answer]:
        values, mask = self._pixels([image])
        count = len(texts)
        return self._answers(
            values.expand(count, -1, -1, -1), mask.expand(count, -1, -1) if mask is not None else None, texts
        )

    def _pixels(self, images: Sequence[Image.Image]) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Pictures of one size as the network sees them, (N, 3, h, w), and which pixels are theirs, (N, h, w)."""
        pixels = self.image_processor(images=list(images), return_tensors="pt")
        device = self.model.device
        mask = pixels["pixel_mask"].to(device) if "pixel_mask" in pixels else None
        return pixels["pixel_values"].to(device, self.model.dtype), mask

    def _answers(self, values: torch.Tensor, mask: torch.Tensor | None, texts: Sequence[str]) -> list[_Answer]:
        """The network's answer to the text of each picture, in as few passes as fit."""
        step = max(1, _TOGETHER // (values.shape[-2] * values.shape[-1]))
        found: list[_Answer] = []
        for start in range(0, len(texts), step):
            some = slice(start, start + step)
            tokens = self.tokenizer(list(texts[some]), padding=True, return_tensors="pt", return_token_type_ids=True)
            output = self.model(
                pixel_values=values[some],
                pixel_mask=mask[some] if mask is not None else None,
                **{name: tensor.to(self.model.device) for name, tensor in tokens.items()},
            )
            found += zip(output.logits.float().sigmoid().cpu(), output.pred_boxes.float().cpu(), strict=True)
        return found


class GroundingDinoPyDetector(_GroundingDino):
    """`types.Detector` over groundingdino-py's `GroundingDINO`, for the authors' own checkpoints."""

    def __init__(
        self,
        model: Any,
        box_threshold: float = 0.3,
        text_threshold: float = 0.25,
        device: str = "cpu",
        *,
        score: Score = "all_words",
        nms_iou: float = 0.7,
    ) -> None:
        """Puts a model as `groundingdino_model` builds it on the device; for the rest see `DetectionOptions`."""
        from transformers.models.grounding_dino import GroundingDinoImageProcessor

        self.model = model.to(device).eval()
        self.tokenizer = model.tokenizer
        self.options = DetectionOptions(box_threshold, text_threshold, score, nms_iou)
        self.max_tokens = model.max_text_len
        # The authors' preparation (shorter side 800, longer at most 1333, ImageNet's mean and deviation), as the port
        # has it, so that the two detectors see the same pixels.
        self.image_processor = GroundingDinoImageProcessor()

    @torch.inference_mode()
    def _forward(self, image: Image.Image, text: str) -> _Answer:
        pixels = self.image_processor(images=image, return_tensors="pt")["pixel_values"]
        device = next(self.model.parameters()).device
        output = self.model(pixels.to(device), captions=[text])
        return output["pred_logits"][0].float().sigmoid().cpu(), output["pred_boxes"][0].float().cpu()
