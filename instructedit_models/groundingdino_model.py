"""Builds the model of groundingdino-py, the authors' own package, so that it runs on transformers 5.

The loaders call it; `detector.GroundingDinoPyDetector` runs what it builds.
"""

import contextlib
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from instructedit_models.errors import ModelUnavailableError
from instructedit_models.groundingdino_weights import read_checkpoint

__all__ = ["build_groundingdino"]

_SWIN_T_OGC = "config/GroundingDINO_SwinT_OGC.py"


def build_groundingdino(
    checkpoint: str | Path | None,
    text_encoder: str | Path = "bert-base-uncased",
    config: str | Path | None = None,
    overrides: dict[str, Any] | None = None,
) -> Any:
    """Builds groundingdino-py's model so that it runs on transformers 5, and loads a checkpoint.

    Its `BertModelWarper` calls methods that `BertModel` no longer has. While the model is built, the wrapper is
    replaced by the plain `BertModel`, whose parameters have the same names; the (B, L, L) attention masks get the
    head axis that it expects. Deformable attention is computed by the package's own PyTorch function, which every
    device runs, also where its builds have a compiled extension or fail for the lack of one.

    Args:
        checkpoint: a .pth file as the authors publish it, or None for random weights.
        text_encoder: folder or name of the BERT config and tokenizer; its weights are needed only where there is no
            checkpoint, which holds them.
        config: a groundingdino config file, by default Swin-T OGC as in the paper.
        overrides: fields of the config to change.

    Raises:
        ModelUnavailableError: the package, the checkpoint or the text encoder is missing, or they do not fit.
    """
    try:
        import groundingdino
        from groundingdino.models import build_model
        from groundingdino.util.slconfig import SLConfig
    except ImportError as error:
        raise ModelUnavailableError(f"groundingdino-py is not usable here: {error}.") from error
    state = None if checkpoint is None else read_checkpoint(checkpoint)
    path = Path(config) if config else Path(groundingdino.__file__).parent / _SWIN_T_OGC
    arguments = SLConfig.fromfile(str(path))
    arguments.text_encoder_type = str(text_encoder)
    # Checkpointing of activations is for training; it warns where no gradients are wanted.
    arguments.use_checkpoint = arguments.use_transformer_ckpt = False
    for name, value in (overrides or {}).items():
        setattr(arguments, name, value)
    try:
        with _mended(bare_bert=state is not None):
            model = build_model(arguments)
    except OSError as error:
        raise ModelUnavailableError(f"Grounding DINO's text encoder {text_encoder} is not here: {error}.") from error
    if state is not None:
        _load(model, state)
    return model.eval()


_BUILDING = threading.Lock()
_NOT_IN_CHECKPOINT = ("relative_position_index", "bert.pooler.")


def _load(model: Any, state: dict[str, torch.Tensor]) -> None:
    try:
        missing = model.load_state_dict(state, strict=False).missing_keys
    except RuntimeError as error:
        raise ModelUnavailableError(
            "The Grounding DINO checkpoint has other sizes than its config; the default config is Swin-T OGC's."
        ) from error
    if wrong := [name for name in missing if not any(part in name for part in _NOT_IN_CHECKPOINT)]:
        raise ModelUnavailableError(
            f"The Grounding DINO checkpoint lacks {len(wrong)} weights of its config, e.g. {wrong[0]}."
        )


@contextmanager
def _mended(bare_bert: bool) -> Iterator[None]:
    """Replaces, while a model is built, groundingdino's BERT wrapper, and its BERT by one without weights."""
    from groundingdino.models.GroundingDINO import groundingdino as module

    loader = module.get_tokenlizer
    with _BUILDING:
        kept = module.BertModelWarper, loader.get_pretrained_language_model
        module.BertModelWarper = _bert_for_phrases
        if bare_bert:
            loader.get_pretrained_language_model = _bert_without_weights
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # it prints the name of its text encoder
                yield
        finally:
            module.BertModelWarper, loader.get_pretrained_language_model = kept


def _bert_without_weights(name: str) -> Any:
    from transformers import BertConfig, BertModel

    return BertModel(BertConfig.from_pretrained(name))


def _bert_for_phrases(bert_model: Any) -> Any:
    """The same BERT, taking (B, L, L) attention masks too."""

    def add_head_axis(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], Any]:
        mask = kwargs.get("attention_mask")
        if mask is not None and mask.dim() == 3:
            kwargs["attention_mask"] = mask[:, None]
        return args, kwargs

    bert_model.register_forward_pre_hook(add_head_axis, with_kwargs=True)
    return bert_model
