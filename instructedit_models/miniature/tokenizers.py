"""Word-level tokenizers of the miniature models, in the Hugging Face format.

Built from `words.VOCABULARY` by the recipes and written beside the weights; the product loads the
written files like any other tokenizer.
"""

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from instructedit_models.miniature.words import VOCABULARY

TEXT_LENGTH = 32
"""Tokens of a caption for CLIP and the UNet, padding included."""

_GROUNDING_DINO_IDS = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, ".": 1012, "?": 1029}
"""transformers finds the phrases of a Grounding DINO prompt by BERT's ids of these tokens."""


def _words() -> list[str]:
    return [word for word in VOCABULARY if word not in (".", "?")]


def _tokenizer(ids: dict[str, int], start: str | None, end: str) -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Split(Regex(r"[^\w-]"), "isolated"),
        ]
    )
    special = [(token, ids[token]) for token in (start, end) if token]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start or ''} $A {end}".strip(), special_tokens=special
    )
    return tokenizer


def clip_tokenizer() -> PreTrainedTokenizerFast:
    """For CLIP and the diffusion model: [BOS] words [EOS], padded with [PAD]."""
    ids = {token: i for i, token in enumerate(["[PAD]", "[UNK]", "[BOS]", "[EOS]", ".", "?", *_words()])}
    return PreTrainedTokenizerFast(
        tokenizer_object=_tokenizer(ids, "[BOS]", "[EOS]"),
        unk_token="[UNK]",
        bos_token="[BOS]",
        eos_token="[EOS]",
        pad_token="[PAD]",
        model_max_length=TEXT_LENGTH,
    )


def t5_tokenizer() -> PreTrainedTokenizerFast:
    """For BLIP-2's T5: words </s>; `<image>` stands for one query token."""
    ids = {token: i for i, token in enumerate(["<pad>", "</s>", "[UNK]", "<image>", ".", "?", *_words()])}
    return PreTrainedTokenizerFast(
        tokenizer_object=_tokenizer(ids, None, "</s>"),
        unk_token="[UNK]",
        eos_token="</s>",
        pad_token="<pad>",
        additional_special_tokens=["<image>"],
        model_max_length=128,
    )


def grounding_dino_tokenizer() -> PreTrainedTokenizerFast:
    """For Grounding DINO: [CLS] phrase . phrase . [SEP], special tokens at BERT's ids."""
    ids = dict(_GROUNDING_DINO_IDS)
    words = iter(_words())
    for index in range(1, 2048):
        if index in ids.values():
            continue
        word = next(words, None)
        if word is None:
            break
        ids[word] = index
    return PreTrainedTokenizerFast(
        tokenizer_object=_tokenizer(ids, "[CLS]", "[SEP]"),
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        model_max_length=64,
    )
