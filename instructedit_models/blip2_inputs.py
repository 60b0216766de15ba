"""Builds what `Blip2ForConditionalGeneration` reads from text: the one place that knows of image placeholder tokens.

Called by the describer and by the BLIP-2 training recipe, so that both see the same sequence.
"""

from typing import Any

import torch

from instructedit_models.errors import ModelUnavailableError

__all__ = ["blip2_inputs", "blip2_labels"]


def blip2_inputs(model: Any, tokenizer: Any, texts: list[str], *, max_length: int = 128) -> dict[str, torch.Tensor]:
    """The text side of BLIP-2's input: [num_query_tokens image placeholders][prompt tokens].

    transformers scatters the projected Q-Former outputs over the placeholders, which must be exactly
    `config.num_query_tokens` per row and stand before everything else, before a BOS token too.

    Args:
        model: the `Blip2ForConditionalGeneration`; its config's `image_token_index` must be a token id.
        tokenizer: of its language model; special tokens (T5's end token) are added as it is wont to.
        texts: B prompts; "" asks for a plain caption.
        max_length: prompts are cut at this many tokens.

    Returns:
        `input_ids` and `attention_mask`, (B, Q + T) int64 on the model's device, padded on the right (on the
        left for decoder-only language models, which go on writing at the end). Pass them to `model(...)` or
        `model.generate(...)` beside `pixel_values`, (B, 3, S, S) float.

    Raises:
        ModelUnavailableError: the config names no image token.
    """
    config = model.config
    if config.image_token_index is None:
        raise ModelUnavailableError("BLIP-2's config.json has no image_token_index; use a checkpoint that has it.")
    decoder_only = bool(getattr(config, "use_decoder_only_language_model", False))
    text = tokenizer(
        texts,
        padding=True,
        padding_side="left" if decoder_only else "right",
        truncation=True,
        max_length=max_length,
        return_tensors="pt",
    )
    ids, attention = text["input_ids"].long(), text["attention_mask"].long()
    placeholders = torch.full((len(texts), config.num_query_tokens), config.image_token_index, dtype=torch.long)
    return {
        "input_ids": torch.cat([placeholders, ids], dim=1).to(model.device),
        "attention_mask": torch.cat([torch.ones_like(placeholders), attention], dim=1).to(model.device),
    }


def blip2_labels(model: Any, tokenizer: Any, answers: list[str], *, max_length: int = 64) -> torch.Tensor:
    """The answers as the loss takes them, for a T5 language model: (B, T) int64, -100 where padded.

    The model shifts them right itself; `model(**blip2_inputs(...), pixel_values=..., labels=...).loss` is the loss.
    """
    text = tokenizer(
        answers, padding=True, padding_side="right", truncation=True, max_length=max_length, return_tensors="pt"
    )
    return text["input_ids"].long().masked_fill(text["attention_mask"] == 0, -100).to(model.device)
