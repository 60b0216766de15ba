"""BLIP-2: what a picture shows, and answers to questions about it.

The agent asks it when an instruction does not say what is in the picture.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from instructedit_models.blip2_inputs import blip2_inputs
from instructedit_models.errors import BadInstructionError
from instructedit_models.pixels import load_image_processor
from instructedit_models.tokens import require_known
from instructedit_models.types import Description

__all__ = ["Blip2Describer", "DescriberOptions"]

MEDIUM_QUESTION = "Is this a photo, a painting or another kind of art?"
"""The paper's question for rho (Section 3.1)."""


@dataclass(frozen=True)
class DescriberOptions:
    """How BLIP-2 is asked.

    Attributes:
        question_template: what is made of a question; "Question: {question} Answer:" for the published checkpoints.
        lower_case: whether prompts are put in lower case.
        max_new_tokens: the longest answer.
        num_beams: width of the beam search; 1 is greedy.
    """

    question_template: str = "{question}"
    lower_case: bool = True
    max_new_tokens: int = 48
    num_beams: int = 1


class Blip2Describer:
    """`types.Describer` over `Blip2ForConditionalGeneration`."""

    def __init__(
        self,
        model: Any,
        image_processor: Any,
        tokenizer: Any,
        options: DescriberOptions | None = None,
        device: str = "cpu",
    ) -> None:
        """Puts the model on the device.

        Args:
            model: a `Blip2ForConditionalGeneration` whose config names its image token.
            image_processor: makes `pixel_values` (1, 3, S, S) of a PIL image.
            tokenizer: of the language model.
            options: prompts and decoding.
            device: "cpu", "cuda" …
        """
        self.model = model.to(device).eval()
        self.image_processor = image_processor
        self.tokenizer = tokenizer
        self.options = options or DescriberOptions()

    @classmethod
    def from_folder(
        cls,
        folder: str | Path,
        *,
        options: DescriberOptions | None = None,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> "Blip2Describer":
        """From weights in Hugging Face layout, or the name of a repository that is in the cache."""
        from transformers import AutoTokenizer, Blip2ForConditionalGeneration

        model = Blip2ForConditionalGeneration.from_pretrained(folder, dtype=dtype)
        processor = load_image_processor(folder, model.config.vision_config.image_size)
        return cls(model, processor, AutoTokenizer.from_pretrained(folder), options, device)

    def describe(self, image: Image.Image) -> Description:
        """The paper's protocol: asks for the medium rho, then lets BLIP-2 complete "{rho} of".

        Args:
            image: PIL RGB, any size.

        Returns:
            The medium and the description, both lower case as the model writes; the description begins with the
            medium, e.g. "photo of a red car on grass".
        """
        answer = self.ask(image, MEDIUM_QUESTION).strip(" .")
        medium = answer.lower().removeprefix("it is ").removeprefix("a ").removeprefix("an ") or "photo"
        start = f"{medium} of"
        rest = self._generate(image, start).strip(" .")
        text = rest if rest.lower().startswith(start) else f"{start} {rest}"
        return Description(medium, text.strip())

    def ask(self, image: Image.Image, question: str) -> str:
        """The answer to a question, in a few words.

        Raises:
            BadInstructionError: the question is empty.
            UnknownWordError: it holds words that the language model does not know.
        """
        question = " ".join(question.split())
        if not question:
            raise BadInstructionError("The question is empty; ask something about the picture.")
        return self._generate(image, self.options.question_template.format(question=question))

    @torch.inference_mode()
    def _generate(self, image: Image.Image, prompt: str) -> str:
        if self.options.lower_case:
            prompt = prompt.lower()
        require_known(self.tokenizer, prompt, "The describer")
        pixels = self.image_processor(images=image.convert("RGB"), return_tensors="pt")["pixel_values"]
        ids = self.model.generate(
            pixel_values=pixels.to(self.model.device, self.model.dtype),
            **blip2_inputs(self.model, self.tokenizer, [prompt]),
            max_new_tokens=self.options.max_new_tokens,
            num_beams=self.options.num_beams,
            do_sample=False,
        )
        text = self.tokenizer.decode(ids[0], skip_special_tokens=True)
        return _tidy(text)


def _tidy(text: str) -> str:
    """Word-level tokenizers put a space before every mark."""
    text = " ".join(text.split())
    for mark in (",", ".", "?", "!", ":", ";"):
        text = text.replace(f" {mark}", mark)
    return text.replace(" ' s", "'s")
