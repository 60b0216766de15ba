"""Builds the model of groundingdino-py, the authors' own package, so that it runs on transformers 5.

The loaders call it; `detector.GroundingDinoPyDetector` runs what it builds.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from instructedit_models.errors import ModelUnavailableError

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
    head axis that it expects. groundingdino-py's deformable attention is pure PyTorch and needs no extension.

    Args:
        checkpoint: a .pth file as the authors publish it, or None for random weights.
        text_encoder: folder or name of the BERT model and tokenizer.
        config: a groundingdino config file, by default Swin-T OGC as in the paper.
        overrides: fields of the config to change.

    Raises:
        ModelUnavailableError: the package, the checkpoint or the text encoder is missing.
    """
    try:
        import groundingdino
        from groundingdino.models import build_model
        from groundingdino.util.misc import clean_state_dict
        from groundingdino.util.slconfig import SLConfig
    except ImportError as error:
        raise ModelUnavailableError(f"groundingdino-py is not usable here: {error}.") from error
    if checkpoint is not None and not Path(checkpoint).is_file():
        raise ModelUnavailableError(f"The Grounding DINO checkpoint is missing: {checkpoint}.")
    path = Path(config) if config else Path(groundingdino.__file__).parent / _SWIN_T_OGC
    arguments = SLConfig.fromfile(str(path))
    arguments.text_encoder_type = str(text_encoder)
    # Checkpointing of activations is for training; it warns where no gradients are wanted.
    arguments.use_checkpoint = arguments.use_transformer_ckpt = False
    for name, value in (overrides or {}).items():
        setattr(arguments, name, value)
    try:
        with _plain_bert():
            model = build_model(arguments)
    except OSError as error:
        raise ModelUnavailableError(f"Grounding DINO's text encoder {text_encoder} is not here: {error}.") from error
    if checkpoint is not None:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        model.load_state_dict(clean_state_dict(state.get("model", state)), strict=False)
    return model.eval()


_BUILDING = threading.Lock()


@contextmanager
def _plain_bert() -> Iterator[None]:
    """Replaces groundingdino's BERT wrapper while a model is built."""
    from groundingdino.models.GroundingDINO import groundingdino as module

    with _BUILDING:
        original = module.BertModelWarper
        module.BertModelWarper = _bert_for_phrases
        try:
            yield
        finally:
            module.BertModelWarper = original


def _bert_for_phrases(bert_model: Any) -> Any:
    """The same BERT, taking (B, L, L) attention masks too."""

    def add_head_axis(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], Any]:
        mask = kwargs.get("attention_mask")
        if mask is not None and mask.dim() == 3:
            kwargs["attention_mask"] = mask[:, None]
        return args, kwargs

    bert_model.register_forward_pre_hook(add_head_axis, with_kwargs=True)
    return bert_model
