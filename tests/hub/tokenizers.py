"""Tokenizers in the layouts of the published repositories, with small vocabularies."""

import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

WORDS = (
    "photo of a an the red blue green car cat dog box on grass and is this painting or another kind art what it".split()
)
END = "<|endoftext|>"


def bytes_as_text() -> list[str]:
    """GPT-2's 256 printable characters for bytes, which CLIP's vocabulary begins with."""
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    rest = [byte for byte in range(256) if byte not in shown]
    return [chr(byte) for byte in shown] + [chr(256 + i) for i in range(len(rest))]


def write_clip(folder: Path, *, fast: bool) -> int:
    """vocab.json and merges.txt as CLIP has them, and tokenizer.json where `fast`; returns the vocabulary's size."""
    merges: list[tuple[str, str]] = []
    tokens = bytes_as_text()
    tokens += [token + "</w>" for token in tokens]
    for word in WORDS:
        parts = [*word[:-1], word[-1] + "</w>"]
        while len(parts) > 1:
            pair = (parts[0], parts[1])
            if pair not in merges:
                merges.append(pair)
                tokens.append("".join(pair))
            parts = ["".join(pair), *parts[2:]]
    tokens = [*dict.fromkeys(tokens), "<|startoftext|>", END]
    ids = {token: i for i, token in enumerate(tokens)}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(ids))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(pair) for pair in merges) + "\n")
    special = {"bos_token": "<|startoftext|>", "eos_token": END, "unk_token": END, "pad_token": END}
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True, "errors": "replace"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config | special | {"add_prefix_space": False}))
    if fast:
        tokenizer = Tokenizer(models.BPE(ids, merges, end_of_word_suffix="</w>", unk_token=END))
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"<|startoftext|> $A {END}",
            special_tokens=[("<|startoftext|>", ids["<|startoftext|>"]), (END, ids[END])],
        )
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.save(str(folder / "tokenizer.json"))
    return len(ids)


def write_bert(folder: Path) -> int:
    """vocab.txt and tokenizer.json with BERT's ids of [CLS], [SEP], "." and "?"; returns the vocabulary's size."""
    tokens = ["[PAD]", *(f"[unused{i}]" for i in range(99)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokens += [f"[unused{i}]" for i in range(99, 99 + 1012 - len(tokens))]
    tokens += [".", *(f"[more{i}]" for i in range(16)), "?", *WORDS, *"abcdefghijklmnopqrstuvwxyz0123456789"[1:]]
    tokens += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz0123456789"]
    ids = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    assert (ids["[CLS]"], ids["[SEP]"], ids["."], ids["?"]) == (101, 102, 1012, 1029)
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 101), ("[SEP]", 102)]
    )
    tokenizer.decoder = decoders.WordPiece()
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "vocab.txt").write_text("\n".join(ids) + "\n")
    special = {"cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]", "pad_token": "[PAD]"}
    special["mask_token"] = "[MASK]"
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    config = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 512} | special
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return len(ids)


def t5_like() -> PreTrainedTokenizerFast:
    """A unigram tokenizer as flan-t5's, with BLIP-2's image token."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [(f"▁{word}", -2.0) for word in (*WORDS, "Question:", "Answer:")]
    pieces += [("▁", -4.0)] + [(chr(code), -8.0) for code in range(33, 127)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        extra_special_tokens=["<image>"],
    )
    return fast
