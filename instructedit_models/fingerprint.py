"""A short hash of the models that an edit was made with: of their configs, noise schedule and weights.

The editor asks for it, for its cache of inversions and for what is kept on record.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import torch

__all__ = ["fingerprint"]

_SAMPLES_PER_TENSOR = 64


def fingerprint(models: Iterable[Any], scheduler_config: Mapping[str, Any]) -> str:
    """12 hex digits that change with the configs, the noise schedule or the weights.

    Of each tensor its shape and evenly spaced samples are hashed: enough to tell two trainings apart, cheap for large
    models, no proof against tampering.

    Args:
        models: modules with a `config`, in a fixed order.
        scheduler_config: `scheduler_config.json`.
    """
    digest = hashlib.sha256(json.dumps(_plain(scheduler_config), sort_keys=True).encode())
    for model in models:
        config = model.config if isinstance(model.config, Mapping) else model.config.to_dict()
        digest.update(json.dumps(_plain(config), sort_keys=True).encode())
        for name, tensor in model.state_dict().items():
            digest.update(f"{name}{tuple(tensor.shape)}".encode())
            flat = tensor.flatten()
            sampled = flat[:: max(1, len(flat) // _SAMPLES_PER_TENSOR)]
            digest.update(sampled.to("cpu", torch.float32).contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


def _plain(config: Mapping[str, Any]) -> dict[str, str]:
    """A config as text, without the names that say where and by what it was written."""
    written_by = ("transformers_version", "dtype", "torch_dtype")
    return {key: str(value) for key, value in config.items() if not key.startswith("_") and key not in written_by}
