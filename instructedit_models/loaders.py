"""Builds the models of a set; the one place where a class name of a TOML file becomes an object.

`model_sets.ModelSet` calls it, one function per attribute; importing it imports torch.
"""

import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from instructedit_models.editor import MaskedDDIMEditor
from instructedit_models.errors import BadParameterError, InstructEditError, ModelUnavailableError
from instructedit_models.grounding import GroundedSegmenter
from instructedit_models.model_files import Component, fetch
from instructedit_models.model_sets import Recipe
from instructedit_models.search import SearchOptions
from instructedit_models.types import Describer, Detector, Scorer, Segmenter

__all__ = [
    "build_describer",
    "build_detector",
    "build_editor",
    "build_grounded",
    "build_scorer",
    "build_segmenter",
    "pick_device",
]

_CLASSES = {
    "AutoencoderKL": "diffusers.models.autoencoders.autoencoder_kl",
    "UNet2DConditionModel": "diffusers.models.unets.unet_2d_condition",
    "CLIPTextModel": "transformers.models.clip.modeling_clip",
    "AutoTokenizer": "transformers.models.auto.tokenization_auto",
}
"""Where classes are imported from: their own modules, which is quicker than from the packages' top."""


def pick_device(wanted: str) -> str:
    """The device for "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        ModelUnavailableError: a GPU was asked for and there is none.
    """
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise ModelUnavailableError("There is no GPU that torch can use here; use --device cpu.")
    return wanted


def build_editor(recipe: Recipe, device: str, dtype: str) -> MaskedDDIMEditor:
    """The editor with its five components."""
    parts = recipe.components
    scheduler = _loaded(parts["scheduler"], _scheduler_config)
    return MaskedDDIMEditor(
        _pretrained(parts["vae"], "torch_dtype", dtype),
        _pretrained(parts["text_encoder"], "dtype", dtype),
        _loaded(parts["tokenizer"], lambda folder: _class("AutoTokenizer").from_pretrained(folder)),
        _pretrained(parts["unet"], "torch_dtype", dtype),
        scheduler,
        device,
        _torch_dtype(parts["unet"], dtype),
    )


def build_detector(recipe: Recipe, device: str, dtype: str) -> Detector:
    """Grounding DINO: transformers' port, or the authors' package for their own checkpoints."""
    component = recipe.components["detector"]

    def build(place: Path) -> Detector:
        from instructedit_models import detector
        from instructedit_models.groundingdino_model import build_groundingdino

        if component.kind == "GroundingDINO":
            model = build_groundingdino(place / component.files[0], **dict(component.options.get("build", {})))
            own = {key: value for key, value in component.options.items() if key != "build"}
            return detector.GroundingDinoPyDetector(model, device=device, **own)
        options = detector.DetectionOptions(**component.options)
        return detector.TransformersDetector.from_folder(
            place, options=options, device=device, dtype=_torch_dtype(component, dtype)
        )

    return _loaded(component, build, ("GroundingDinoForObjectDetection", "GroundingDINO"))


def build_segmenter(recipe: Recipe, device: str) -> Segmenter:
    """SAM, from a folder with a config, or from one of the authors' checkpoints (`options.registry`)."""
    component = recipe.components["segmenter"]
    options = dict(component.options)
    registry = options.pop("registry", None)

    def build(place: Path) -> Segmenter:
        from instructedit_models.segmenter import SamSegmenter

        if not registry:
            return SamSegmenter.from_folder(place, device=device, **options)
        from segment_anything import sam_model_registry

        return SamSegmenter(sam_model_registry[registry](checkpoint=str(place)), device, **options)

    return _loaded(component, build, ("Sam",))


def build_grounded(recipe: Recipe, detector: Detector, segmenter: Segmenter) -> GroundedSegmenter:
    """The grounded segmenter; `closed_world` in the set tells it the miniature world's nouns and parts."""
    options = dict(recipe.grounding)
    nouns: tuple[str, ...] = ()
    parts: dict[str, tuple[str, ...]] = {}
    if options.pop("closed_world", False):
        from instructedit_models.miniature.words import NOUNS, PARTS

        nouns, parts = NOUNS, PARTS
    try:
        search = SearchOptions(**options)
    except TypeError as error:
        raise BadParameterError(f"The grounding options of the set '{recipe.name}' are not right: {error}.") from error
    return GroundedSegmenter(detector, segmenter, object_phrases=nouns, parts=parts, options=search)


def build_describer(recipe: Recipe, device: str, dtype: str) -> Describer:
    """BLIP-2."""
    component = recipe.components["describer"]

    def build(folder: Path) -> Describer:
        from instructedit_models.describer import Blip2Describer, DescriberOptions

        return Blip2Describer.from_folder(
            folder,
            options=DescriberOptions(**component.options),
            device=device,
            dtype=_torch_dtype(component, dtype),
        )

    return _loaded(component, build, ("Blip2ForConditionalGeneration",))


def build_scorer(recipe: Recipe, device: str, dtype: str) -> Scorer:
    """CLIP."""
    component = recipe.components["scorer"]

    def build(folder: Path) -> Scorer:
        from instructedit_models.scorer import ClipScorer

        return ClipScorer.from_folder(folder, device=device, dtype=_torch_dtype(component, dtype))

    return _loaded(component, build, ("CLIPModel",))


def _torch_dtype(component: Component, dtype: str) -> torch.dtype:
    return {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}[component.dtype or dtype]


def _class(name: str) -> Any:
    return getattr(importlib.import_module(_CLASSES[name]), name)


def _scheduler_config(folder: Path) -> dict[str, Any]:
    config = json.loads((folder / "scheduler_config.json").read_text(encoding="utf-8"))
    if not isinstance(config, dict):
        raise ValueError("scheduler_config.json is no table")
    return config


def _pretrained(component: Component, dtype_argument: str, dtype: str) -> Any:
    """A component whose class loads itself from its folder."""

    def build(folder: Path) -> Any:
        arguments = {dtype_argument: _torch_dtype(component, dtype), **component.options}
        return _class(component.kind).from_pretrained(folder, **arguments)

    return _loaded(component, build, tuple(_CLASSES))


def _loaded(component: Component, build: Any, kinds: tuple[str, ...] = ()) -> Any:
    """Fetches a component's weights and builds it; whatever goes wrong becomes one sentence."""
    if kinds and component.kind not in kinds:
        raise BadParameterError(
            f"The {component.role.replace('_', ' ')} cannot be a {component.kind}; use {' or '.join(kinds)}."
        )
    place = fetch(component)
    try:
        with _quiet():
            return build(place)
    except InstructEditError:
        raise
    except Exception as error:  # libraries raise anything on broken weights
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelUnavailableError(
            f"The {component.role.replace('_', ' ')} ({component.kind}) could not be loaded from {component.where}: "
            f"{reason[:300].rstrip('.')}."
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the loading bars of the libraries, which would write over the person's own."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
