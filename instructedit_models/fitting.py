"""How much memory a model set needs, and whether a machine has it.

Computed from the published counts of weights, or from the files where a set says none; nothing is loaded.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from instructedit_models.hardware import gib
from instructedit_models.model_files import Component, component_status, components_of
from instructedit_models.recipes import BASELINE_ROLES, Recipe

__all__ = ["Fit", "Plan", "fit", "role_bytes", "weight_bytes"]

_BYTES: Mapping[str, float] = {"float32": 4, "float16": 2, "bfloat16": 2}
_QUANTIZED: Mapping[str, float] = {"8bit": 1.05, "4bit": 0.6}
"""Bytes of a weight: above 1 and 0.5 for the scales, and for embeddings and norms, which stay in half precision."""

PARTS: Mapping[str, tuple[str, ...]] = {
    "editor": ("vae", "text_encoder", "unet"),
    "detector": ("detector",),
    "segmenter": ("segmenter",),
    "describer": ("describer",),
    "scorer": ("scorer",),
    "instruct_pix2pix": ("instruct_pix2pix",),
    "inpainting": ("inpainting",),
}
"""What is loaded together: the attributes of a `ModelSet` and the roles that each needs."""

DIFFUSION = ("vae", "text_encoder", "unet")


@dataclass(frozen=True)
class Plan:
    """How a set is to be placed.

    Attributes:
        device: "cpu", "cuda", "cuda:1" or "mps".
        dtype: "float32", "float16" or "bfloat16".
        offload: "none", "model" or "sequential".
    """

    device: str
    dtype: str
    offload: str = "none"


@dataclass(frozen=True)
class Fit:
    """Whether a set fits a device.

    Attributes:
        plan: how it would be placed.
        roles: bytes of weights by role.
        needed: bytes on the device at the peak: weights that are there at once, and the allowance for computing.
        free: bytes that are free there, 0: unknown.
        total: bytes that it has, 0: unknown.
        fits: whether it fits what is free.
        advice: what to do where it does not; empty where it does.
    """

    plan: Plan
    roles: Mapping[str, int] = field(repr=False)
    needed: int
    free: int
    total: int
    fits: bool
    advice: str


def weight_bytes(component: Component, dtype: str) -> int:
    """Bytes that a component's weights take in memory.

    Args:
        component: its count of weights, and its own dtype or quantization where it has one.
        dtype: of the set.
    """
    if not component.parameters:
        return component_status(component).bytes
    quantized = component.options.get("quantize", "")
    each = _QUANTIZED[quantized] if quantized in _QUANTIZED else _BYTES[component.dtype or dtype]
    return round(component.parameters * each)


def role_bytes(recipe: Recipe, dtype: str) -> dict[str, int]:
    """Bytes of weights by role; those without any of their own are left out, as an LCM-LoRA, which is fused."""
    roles = {}
    for role, component in recipe.components.items():
        if role in ("tokenizer", "scheduler", "lcm_lora"):
            continue
        # The authors' SAM and Grounding DINO compute in float32 whatever the set says.
        wide = component.kind in ("Sam", "GroundingDINO")
        parts = components_of(component.parts)
        roles[role] = weight_bytes(component, "float32" if wide else dtype) + sum(
            weight_bytes(part, dtype) for part in parts if part.parameters
        )
    return roles


def fit(recipe: Recipe, plan: Plan, memory: tuple[int, int]) -> Fit:
    """Whether a set fits, without what only baselines use.

    Args:
        recipe: the set.
        plan: how it is to be placed.
        memory: free and total bytes of the device, (0, 0) if unknown.
    """
    free, total = memory
    roles = {role: size for role, size in role_bytes(recipe, plan.dtype).items() if role not in BASELINE_ROLES}
    # Quantized weights cannot be moved, so they stay.
    stay = {role for role in roles if recipe.components[role].options.get("quantize")}
    peaks = {offload: _peak(roles, stay, offload) + recipe.working_bytes for offload in ("none", "model", "sequential")}
    offload = "none" if plan.device == "cpu" else plan.offload
    needed = peaks[offload]
    fits = not total or needed <= free
    return Fit(plan, roles, needed, free, total, fits, "" if fits else _advice(plan, peaks, free))


def _peak(roles: Mapping[str, int], stay: Set[str], offload: str) -> int:
    if offload == "none":
        return sum(roles.values())
    whole = [size for role, size in roles.items() if role not in stay]
    if offload == "sequential":
        whole = [size for role, size in roles.items() if role not in stay and role not in DIFFUSION]
    return sum(roles[role] for role in stay) + max(whole, default=0)


def _advice(plan: Plan, peaks: Mapping[str, int], free: int) -> str:
    if plan.device != "cpu":
        for offload in ("model", "sequential"):
            if offload != plan.offload and peaks[offload] <= free:
                return f"Add --offload {offload}, with which it needs {gib(peaks[offload])} there."
    elif peaks["model"] <= free:
        return "It is run all the same: models that are not needed are released to make room, which takes time."
    return "Use --models light or --models miniature, or close other programs."
