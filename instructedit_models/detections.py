"""How a Grounding DINO's token scores become detections: prompts, per-word scores, thresholds, duplicates.

`detector` calls it for both of its networks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torchvision.ops import nms

from instructedit_models.errors import BadInstructionError, BadParameterError, UnknownWordError
from instructedit_models.tokens import unknown_sentence, unknown_words
from instructedit_models.types import Detection

__all__ = ["DetectionOptions", "Prompt", "Score", "check_words", "detections_of", "prompt_of", "word_scores"]

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
class Prompt:
    """A prompt as the network reads it.

    Attributes:
        text: lower case, phrases apart by " . ", with " ." at the end.
        phrases: per phrase, its content words as (word, start, end) of `text`.
    """

    text: str
    phrases: tuple[tuple[tuple[str, int, int], ...], ...]

    def phrase(self, index: int) -> str:
        """One of the phrases, without the small words around its content words."""
        words = self.phrases[index]
        return self.text[words[0][1] : words[-1][2]]


def prompt_of(phrase: str) -> Prompt:
    """A phrase, or several apart by ".", as the network reads it. Raises BadInstructionError where it has no word."""
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
    return Prompt(text.rstrip(" ") if text.endswith(" ") else text, tuple(phrases))


def word_scores(prompt: Prompt, offsets: Sequence[tuple[int, int]], tokens: torch.Tensor) -> list[torch.Tensor]:
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


def detections_of(
    prompt: Prompt,
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


def check_words(tokenizer: Any, prompt: Prompt) -> None:
    """Raises UnknownWordError if a content word is unknown: with its colour left out, the wrong car would be found."""
    words = tuple(
        dict.fromkeys(
            word for phrase in prompt.phrases for word, start, end in phrase if unknown_words(tokenizer, word)
        )
    )
    if words:
        raise UnknownWordError(unknown_sentence("The detector", words), words)
