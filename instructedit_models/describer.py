"""BLIP-2: what a picture shows, and answers to questions about it.

The agent asks it when an instruction does not say what is in the picture.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from instructedit_models.blip2_inputs import blip2_inputs
from instructedit_models.errors import BadInstructionError, BadParameterError, ModelUnavailableError
from instructedit_models.pixels import load_image_processor
from instructedit_models.tokens import require_known
from instructedit_models.types import Description

__all__ = ["Blip2Describer", "DescriberOptions", "quantization"]

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
        # Quantized weights are put on their device as they are loaded, and cannot be moved.
        self.model = (model if getattr(model, "is_quantized", False) else model.to(device)).eval()
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
        quantize: str = "",
    ) -> "Blip2Describer":
        """From weights in Hugging Face layout, or the name of a repository that is in the cache.

        Args:
            folder: where they lie.
            options: prompts and decoding.
            device: "cpu", "cuda" …
            dtype: of the weights, and of the arithmetic where they are quantized.
            quantize: "8bit" or "4bit" to keep the linear layers in so many bits (by bitsandbytes), or "".

        Raises:
            ModelUnavailableError: bitsandbytes is missing.
        """
        from transformers import AutoTokenizer, Blip2ForConditionalGeneration

        settings = quantization(quantize, device, dtype) if quantize else {}
        model = Blip2ForConditionalGeneration.from_pretrained(folder, dtype=dtype, **settings)
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
        inputs = blip2_inputs(self.model, self.tokenizer, [prompt])
        ids = self.model.generate(
            pixel_values=pixels.to(self.model.device, self.model.dtype),
            **inputs,
            max_new_tokens=self.options.max_new_tokens,
            num_beams=self.options.num_beams,
            do_sample=False,
        )
        if getattr(self.model.config, "use_decoder_only_language_model", False):
            ids = ids[:, inputs["input_ids"].shape[1] :]  # such a model repeats what it was told
        text = self.tokenizer.decode(ids[0], skip_special_tokens=True)
        return _tidy(text)


def quantization(bits: str, device: str, dtype: torch.dtype) -> dict[str, Any]:
    """Arguments of `from_pretrained` that quantize the linear layers.

    Args:
        bits: "8bit" or "4bit".
        device: where the weights are put.
        dtype: of the arithmetic.

    Raises:
        BadParameterError: other bits.
        ModelUnavailableError: bitsandbytes is missing.
    """
    if bits not in ("8bit", "4bit"):
        raise BadParameterError(f"Weights cannot be quantized to {bits!r}; use '8bit' or '4bit'.")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ModelUnavailableError("Quantized weights need bitsandbytes; run `pip install 'instructedit[quantized]'`.")
    from transformers import BitsAndBytesConfig

    if bits == "8bit":
        config = BitsAndBytesConfig(load_in_8bit=True)
    else:
        config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype)
    return {"quantization_config": config, "device_map": {"": device}}


def _tidy(text: str) -> str:
    """Word-level tokenizers put a space before every mark."""
    text = " ".join(text.split())
    for mark in (",", ".", "?", "!", ":", ";"):
        text = text.replace(f" {mark}", mark)
    return text.replace(" ' s", "'s")
