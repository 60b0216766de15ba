"""Grounding DINO, both as transformers has it and as groundingdino-py (the authors' package) has it.

A model set builds one of the two; `GroundedSegmenter` asks it for boxes. The two share everything after the
network: per-word scores, thresholds, suppression of duplicates, and boxes in pixels.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image
from torchvision.ops import nms

from instructedit_models.errors import BadInstructionError, BadParameterError, UnknownWordError
from instructedit_models.groundingdino_weights import load_port, port_config, read_checkpoint
from instructedit_models.pixels import padded
from instructedit_models.remembering import KeptFeatures
from instructedit_models.tokens import unknown_sentence, unknown_words
from instructedit_models.types import Detection

__all__ = ["DetectionOptions", "GroundingDinoPyDetector", "TransformersDetector"]

_Answer = tuple[torch.Tensor, torch.Tensor]
_TOGETHER = 1 << 20
"""Pixels, as the network sees them, that go through it at once."""
_EMPTY_WORDS = frozenset("a an the of on in at to and or with is are that which my your this these those".split())

Score = Literal["max", "all_words"]


@dataclass(frozen=True)
class DetectionOptions:
    """How the network's token scores become boxes; the thresholds' defaults are the paper's.

    Attributes:
        box_threshold: least score of a box.
        text_threshold: least score of a word that is listed in a detection's phrase, where `score` is "max".
        score: "max": a box is as good as its best token, the original's rule, by which "red car" finds any car;
            "all_words": the geometric mean over the phrase's content words, each as good as its best token, so
            that every word counts.
        nms_iou: of two boxes that overlap by more, the lesser is dropped.
    """

    box_threshold: float = 0.3
    text_threshold: float = 0.25
    score: Score = "all_words"
    nms_iou: float = 0.7

    def __post_init__(self) -> None:
        for name in ("box_threshold", "text_threshold", "nms_iou"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise BadParameterError(f"{name} must be between 0 and 1; got {value}.")
        if self.score not in ("max", "all_words"):
            raise BadParameterError(f"score must be 'max' or 'all_words'; got {self.score!r}.")


@dataclass(frozen=True)
class _Prompt:
    """A prompt as the network reads it.

    Attributes:
        text: lower case, phrases apart by " . ", with " ." at the end.
        phrases: per phrase, its content words as (word, start, end) of `text`.
    """

    text: str
    phrases: tuple[tuple[tuple[str, int, int], ...], ...]

    def phrase(self, index: int) -> str:
        words = self.phrases[index]
        return self.text[words[0][1] : words[-1][2]]


def _prompt(phrase: str) -> _Prompt:
    parts = [" ".join(part.split()) for part in phrase.lower().split(".")]
    parts = [part.strip(" ,;:!") for part in parts]
    parts = [part for part in parts if part]
    if not parts:
        raise BadInstructionError("The phrase to look for is empty; name an object.")
    text, phrases = "", []
    for part in parts:
        words = []
        at = len(text)
        for word in part.split(" "):
            words.append((word, at, at + len(word)))
            at += len(word) + 1
        content = [word for word in words if word[0] not in _EMPTY_WORDS]
        phrases.append(tuple(content or words))
        text += part + " . "
    return _Prompt(text.rstrip(" ") if text.endswith(" ") else text, tuple(phrases))


def _word_scores(prompt: _Prompt, offsets: Sequence[tuple[int, int]], tokens: torch.Tensor) -> list[torch.Tensor]:
    """Per phrase, (queries, words) float: each word is as good as its best token.

    Args:
        prompt: the prompt.
        offsets: per token, its (start, end) in the text; empty for special tokens.
        tokens: (queries, at least len(offsets)) float, 0 to 1.
    """
    scores = []
    for words in prompt.phrases:
        columns = []
        for _, start, end in words:
            own = [i for i, (a, b) in enumerate(offsets) if b > a and a >= start and b <= end]
            own = [i for i in own if i < tokens.shape[1]]
            columns.append(tokens[:, own].amax(dim=1) if own else tokens.new_zeros(len(tokens)))
        scores.append(torch.stack(columns, dim=1))
    return scores


def _detections(
    prompt: _Prompt,
    scores: list[torch.Tensor],
    boxes: torch.Tensor,
    size: tuple[int, int],
    options: DetectionOptions,
) -> list[Detection]:
    """Thresholds, clips and de-duplicates.

    Args:
        prompt: the prompt.
        scores: per phrase, (queries, words) float, 0 to 1.
        boxes: (queries, 4) float: centre x, centre y, width, height as shares of the picture.
        size: the picture's (width, height) in pixels.
        options: thresholds.
    """
    if options.score == "max":
        per_phrase = torch.stack([each.amax(dim=1) for each in scores], dim=1)
    else:
        per_phrase = torch.stack([each.clamp_min(1e-6).log().mean(dim=1).exp() for each in scores], dim=1)
    best, which = per_phrase.max(dim=1)
    width, height = size
    centre, half = boxes[:, :2], boxes[:, 2:] / 2
    corners = torch.cat([centre - half, centre + half], dim=1).clamp(0, 1)
    corners = corners * corners.new_tensor([width, height, width, height])
    wide_enough = ((corners[:, 2:] - corners[:, :2]) >= 1).all(dim=1)
    kept = torch.nonzero((best >= options.box_threshold) & wide_enough).flatten()
    kept = kept[nms(corners[kept], best[kept], options.nms_iou)]
    found = []
    for query in kept.tolist():
        index = int(which[query])
        label = prompt.phrase(index)
        if options.score == "max":
            words = [
                word
                for (word, _, _), score in zip(prompt.phrases[index], scores[index][query].tolist(), strict=True)
                if score >= options.text_threshold
            ]
            label = " ".join(words) or label
        x0, y0, x1, y1 = corners[query].tolist()
        found.append(Detection((x0, y0, x1, y1), float(best[query]), label))
    return found


def _check_words(tokenizer: Any, prompt: _Prompt) -> None:
    """Raises UnknownWordError if a content word is unknown: with its colour left out, the wrong car would be found."""
    words = tuple(
        dict.fromkeys(
            word for phrase in prompt.phrases for word, start, end in phrase if unknown_words(tokenizer, word)
        )
    )
    if words:
        raise UnknownWordError(unknown_sentence("The detector", words), words)


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
        prompts = [_prompt(phrase) for phrase in phrases]
        for prompt in prompts:
            _check_words(self.tokenizer, prompt)
        return self._detect_each(image, prompts, self.options)

    def detect_published(self, image: Image.Image, phrase: str) -> list[Detection]:
        """As the authors' code: a box is as good as its best token, and unknown words are passed over."""
        return self._detect_each(image, [_prompt(phrase)], replace(self.options, score="max"))[0]

    def _detect_each(
        self, image: Image.Image, prompts: Sequence[_Prompt], options: DetectionOptions
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
            scores = _word_scores(prompt, encoding["offset_mapping"], tokens)
            found.append(_detections(prompt, scores, boxes, image.size, options))
        return found

    def _detect_by_halves(
        self, image: Image.Image, prompt: _Prompt, count: int, options: DetectionOptions
    ) -> list[Detection]:
        phrases = [prompt.phrase(i) for i in range(len(prompt.phrases))]
        if len(phrases) == 1:
            raise BadInstructionError(
                f"The phrase to look for is too long: {count} tokens, the detector reads {self.max_tokens}."
            )
        middle = len(phrases) // 2
        halves = [_prompt(" . ".join(half)) for half in (phrases[:middle], phrases[middle:])]
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

    def _forward(self, image: Image.Image, text: str) -> _Answer:
        return self._forward_each(image, [text])[0]

    @torch.inference_mode()
    def _forward_each(self, image: Image.Image, texts: Sequence[str]) -> list[_Answer]:
        pixels = self.image_processor(images=image, return_tensors="pt")
        device, dtype = self.model.device, self.model.dtype
        values = pixels["pixel_values"].to(device, dtype)
        mask = pixels["pixel_mask"].to(device) if "pixel_mask" in pixels else None
        step = max(1, _TOGETHER // (values.shape[-2] * values.shape[-1]))
        found: list[_Answer] = []
        for start in range(0, len(texts), step):
            some = list(texts[start : start + step])
            tokens = self.tokenizer(some, padding=True, return_tensors="pt", return_token_type_ids=True)
            output = self.model(
                pixel_values=values.expand(len(some), -1, -1, -1),
                pixel_mask=mask.expand(len(some), -1, -1) if mask is not None else None,
                **{name: tensor.to(device) for name, tensor in tokens.items()},
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
