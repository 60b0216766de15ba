"""Which words of a text a tokenizer does not know; the wrappers of all text models report them.

Word-level tokenizers have an unknown token, byte-pair ones (CLIP's) split anything and know every word.
"""

import re
from typing import Any

from instructedit_models.errors import UnknownWordError

__all__ = ["require_known", "unknown_words"]

_WORD = re.compile(r"[^\W_]+(?:[-'][^\W_]+)*")


def unknown_words(tokenizer: Any, text: str) -> tuple[str, ...]:
    """The words of `text` that the tokenizer maps to its unknown token, each once, in order.

    Args:
        tokenizer: a fast Hugging Face tokenizer.
        text: any text; punctuation is no word.
    """
    unknown = tokenizer.unk_token_id
    if unknown is None:
        return ()
    encoding = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, truncation=False, verbose=False)
    spans = zip(encoding["input_ids"], encoding["offset_mapping"], strict=True)
    words = (text[start:end] for token, (start, end) in spans if token == unknown)
    return tuple(dict.fromkeys(word.lower() for word in words if _WORD.search(word)))


def require_known(tokenizer: Any, text: str, who: str) -> None:
    """Raises UnknownWordError, whose sentence names `who` ("The detector"), if any word of `text` is unknown."""
    words = unknown_words(tokenizer, text)
    if words:
        raise UnknownWordError(unknown_sentence(who, words), words)


def unknown_sentence(who: str, words: tuple[str, ...]) -> str:
    """The sentence of such an error: "The detector does not know the word 'tiger'; say it in other words."."""
    quoted = ", ".join(repr(word) for word in words)
    return f"{who} does not know the word{'s' if len(words) > 1 else ''} {quoted}; say it in other words."
