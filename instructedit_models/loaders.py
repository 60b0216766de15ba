"""Builds the models of a set; the one place where a class name of a TOML file becomes an object.

`model_sets.ModelSet` calls it, one function per attribute; importing it imports torch.
"""

import importlib
import importlib.util
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from instructedit_models.editor import MaskedDDIMEditor
from instructedit_models.errors import BadParameterError, InstructEditError, ModelUnavailableError
from instructedit_models.grounding import GroundedSegmenter
from instructedit_models.model_files import Component, fetch
from instructedit_models.recipes import Recipe
from instructedit_models.remembering import RememberingDetector
from instructedit_models.residency import Offload, OnDevice, Residency, memory_told
from instructedit_models.search import SearchOptions
from instructedit_models.types import Describer, Detector, Scorer, Segmenter

__all__ = [
    "build_baseline_unet",
    "build_describer",
    "build_detector",
    "build_editor",
    "build_grounded",
    "build_scorer",
    "build_segmenter",
    "Place",
]

_CLASSES = {
    "AutoencoderKL": "diffusers.models.autoencoders.autoencoder_kl",
    "UNet2DConditionModel": "diffusers.models.unets.unet_2d_condition",
    "CLIPTextModel": "transformers.models.clip.modeling_clip",
    "AutoTokenizer": "transformers.models.auto.tokenization_auto",
}
"""Where classes are imported from: their own modules, which is quicker than from the packages' top."""


@dataclass(frozen=True)
class Place:
    """Where the models of a set are put, and how they run there; all parts of a set share one.

    Attributes:
        residency: the device, and when models are on it.
        dtype: of the larger models.
        attention_slicing: compute attention in slices.
        compile: compile the UNet.
        solver: "lcm" puts the LCM-LoRA into the UNet.
    """

    residency: Residency
    dtype: str
    attention_slicing: bool = False
    compile: bool = False
    solver: str = "ddim"

    @classmethod
    def of(
        cls, device: str, dtype: str, offload: Offload, attention_slicing: bool, compile: bool, solver: str
    ) -> "Place":
        """A place with a residency of its own."""
        return cls(Residency(device, offload), dtype, attention_slicing, compile, solver)

    @property
    def device(self) -> str:
        """The device that a model is built on: main memory where models are moved to the device only for their work."""
        return str(self.residency.device) if self.residency.offload == "none" else "cpu"

    def keep(self, role: Any, model: Any) -> Any:
        """The role as it is, or, where models are moved, one that moves its model in when it works."""
        return role if self.residency.offload == "none" else OnDevice(role, model, self.residency)


def build_editor(recipe: Recipe, place: Place) -> MaskedDDIMEditor:
    """The editor with its five components."""
    parts = recipe.components
    scheduler = _loaded(parts["scheduler"], _scheduler_config)
    unet = _pretrained(parts["unet"], "torch_dtype", place.dtype)
    vae = _pretrained(parts["vae"], "torch_dtype", place.dtype)
    if place.solver == "lcm":
        _loaded(parts["lcm_lora"], lambda file: _fuse_lora(unet, file, parts["lcm_lora"]))
    if place.attention_slicing:
        unet.set_attention_slice("auto")
        vae.enable_slicing()
    if recipe.speed.channels_last:
        unet, vae = (model.to(memory_format=torch.channels_last) for model in (unet, vae))
    if place.compile:
        unet.compile()
    with memory_told():
        return MaskedDDIMEditor(
            vae,
            _pretrained(parts["text_encoder"], "dtype", place.dtype),
            _loaded(parts["tokenizer"], lambda folder: _class("AutoTokenizer").from_pretrained(folder)),
            unet,
            scheduler,
            place.residency,
            _torch_dtype(parts["unet"], place.dtype),
        )


def build_baseline_unet(recipe: Recipe, role: str, place: Place) -> Any:
    """The UNet of a baseline's role, placed like the editor's."""
    component = recipe.components[role]
    unet = _pretrained(component, "torch_dtype", place.dtype).eval().requires_grad_(False)
    if place.attention_slicing:
        unet.set_attention_slice("auto")
    if recipe.speed.channels_last or place.residency.device.type == "cpu":
        unet = unet.to(memory_format=torch.channels_last)
    with memory_told():
        return place.residency.place(unet, by_layer=True)


def build_detector(recipe: Recipe, place: Place) -> Detector:
    """Grounding DINO: transformers' port, from its own layout or the authors' .pth, or the authors' package."""
    component = recipe.components["detector"]
    options = dict(component.options)
    build_options = dict(options.pop("build", {}))

    def build(found: Path) -> Any:
        from instructedit_models import detector

        if component.kind == "GroundingDINO":
            from instructedit_models.groundingdino_model import build_groundingdino

            model = build_groundingdino(
                _checkpoint(component, found), _part(component, "text_encoder"), **build_options
            )
            return detector.GroundingDinoPyDetector(model, device=place.device, **options)
        chosen = detector.DetectionOptions(**options)
        if found.is_file():
            return detector.TransformersDetector.from_checkpoint(
                found, _part(component, "text_encoder"), options=chosen, device=place.device, **build_options
            )
        dtype = _torch_dtype(component, place.dtype)
        return detector.TransformersDetector.from_folder(found, options=chosen, device=place.device, dtype=dtype)

    built = _loaded(component, build, ("GroundingDinoForObjectDetection", "GroundingDINO"))
    return cast(Detector, place.keep(built, built.model))


def build_segmenter(recipe: Recipe, place: Place) -> Segmenter:
    """SAM, from a folder with a config, or from one of the authors' checkpoints.

    The option `registry` names the checkpoint's sizes, "vit_h", "vit_l" or "vit_b", or `sizes` holds others
    (`SamConfig`).
    """
    component = recipe.components["segmenter"]
    options = dict(component.options)
    registry, sizes = options.pop("registry", None), options.pop("sizes", None)

    def build(found: Path) -> Any:
        from instructedit_models.sam_model import PUBLISHED, load_checkpoint
        from instructedit_models.segmenter import SamSegmenter

        if registry is None and sizes is None:
            return SamSegmenter.from_folder(found, device=place.device, **options)
        if registry is not None and registry not in PUBLISHED:
            raise BadParameterError(f"There is no SAM {registry!r}; use one of {', '.join(PUBLISHED)}.")
        sam = load_checkpoint(_checkpoint(component, found), sizes or PUBLISHED[registry])
        return SamSegmenter(sam, place.device, **options)

    built = _loaded(component, build, ("Sam",))
    return cast(Segmenter, place.keep(built, built.predictor.model))


def build_grounded(
    recipe: Recipe, detector: Detector, segmenter: Segmenter, scorer: Callable[[], Scorer]
) -> GroundedSegmenter:
    """The grounded segmenter; `closed_world` in the set tells it the miniature world's nouns, parts and looks.

    `parts` tells it which parts things of a noun have, beside those or without.

    `scorer` gives CLIP, where the set's options want its opinion, and when a search needs it.
    """
    options = dict(recipe.grounding)
    nouns: tuple[str, ...] = ()
    parts: dict[str, tuple[str, ...]] = {}
    own_parts = _parts(options.pop("parts", {}), recipe.name)
    if options.pop("closed_world", False):
        from instructedit_models.miniature.words import NOUNS, PARTS

        nouns, parts = NOUNS, PARTS
        keeping = recipe.keeping
        options.setdefault("looks", (keeping.colours, (*keeping.patterns, *options.get("unsaid", ()))))
    try:
        search = SearchOptions(**options)
    except TypeError as error:
        raise BadParameterError(f"The grounding options of the set '{recipe.name}' are not right: {error}.") from error
    remembering = RememberingDetector(detector)
    parts = {**parts, **own_parts}
    return GroundedSegmenter(remembering, segmenter, object_phrases=nouns, parts=parts, options=search, scorer=scorer)


def _parts(table: Any, name: str) -> dict[str, tuple[str, ...]]:
    """What `[grounding.parts]` says; raises BadParameterError where it is not lists of words by noun."""
    lists = table.values() if isinstance(table, Mapping) else [None]
    if not all(isinstance(words, list) and all(isinstance(word, str) for word in words) for words in lists):
        raise BadParameterError(
            f"grounding.parts of the set '{name}' must be lists of words by noun, such as car = [\"wheels\"]."
        )
    return {noun: tuple(words) for noun, words in table.items()}


def build_describer(recipe: Recipe, place: Place) -> Describer:
    """BLIP-2; the option `quantize` ("8bit", "4bit") keeps its linear layers in fewer bits."""
    component = recipe.components["describer"]
    options = dict(component.options)
    quantize = options.pop("quantize", "")

    def build(folder: Path) -> Any:
        from instructedit_models.describer import Blip2Describer, DescriberOptions

        return Blip2Describer.from_folder(
            folder,
            options=DescriberOptions(**options),
            device=str(place.residency.device) if quantize else place.device,
            dtype=_torch_dtype(component, place.dtype),
            quantize=quantize,
        )

    built = _loaded(component, build, ("Blip2ForConditionalGeneration",))
    return cast(Describer, built if quantize else place.keep(built, built.model))


def build_scorer(recipe: Recipe, place: Place) -> Scorer:
    """CLIP."""
    component = recipe.components["scorer"]

    def build(folder: Path) -> Any:
        from instructedit_models.scorer import ClipScorer

        return ClipScorer.from_folder(folder, device=place.device, dtype=_torch_dtype(component, place.dtype))

    built = _loaded(component, build, ("CLIPModel",))
    return cast(Scorer, place.keep(built, built.model))


def _torch_dtype(component: Component, dtype: str) -> torch.dtype:
    return {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}[component.dtype or dtype]


def _class(name: str) -> Any:
    return getattr(importlib.import_module(_CLASSES[name]), name)


def _scheduler_config(folder: Path) -> dict[str, Any]:
    config = json.loads((folder / "scheduler_config.json").read_text(encoding="utf-8"))
    if not isinstance(config, dict):
        raise ValueError("scheduler_config.json is no table")
    return config


def _part(component: Component, name: str) -> Path:
    """What a component needs beside its weights."""
    if name not in component.parts:
        raise BadParameterError(
            f"The component '{component.role}' needs a table parts.{name} with a path or repo of its own."
        )
    return fetch(component.parts[name])


def _checkpoint(component: Component, found: Path) -> Path:
    """The file of a component that is one file, in a folder or by itself."""
    return found if found.is_file() else found / component.files[0]


def _pretrained(component: Component, dtype_argument: str, dtype: str) -> Any:
    """A component whose class loads itself from its folder, or from a single-file checkpoint of the original layout."""

    def build(found: Path) -> Any:
        arguments = {dtype_argument: _torch_dtype(component, dtype), **component.options}
        kind = _class(component.kind)
        if found.is_dir():
            return kind.from_pretrained(found, **arguments)
        if not hasattr(kind, "from_single_file"):
            raise BadParameterError(f"A {component.kind} cannot be read from one file; give its folder or repository.")
        config = _part(component, "config")
        return kind.from_single_file(str(found), config=str(config), local_files_only=True, **arguments)

    return _loaded(component, build, tuple(_CLASSES))


def _fuse_lora(unet: Any, found: Path, component: Component) -> None:
    """Adds a LoRA's update to the UNet's weights for good, so that it costs nothing at run time."""
    if importlib.util.find_spec("peft") is None:
        raise ModelUnavailableError("The solver lcm needs peft; run `pip install 'instructedit[lcm]'`.")
    from diffusers import StableDiffusionPipeline

    file = _checkpoint(component, found)
    state, alphas = StableDiffusionPipeline.lora_state_dict(str(file.parent), weight_name=file.name)
    unet.load_lora_adapter(state, network_alphas=alphas, prefix="unet", adapter_name="lcm")
    unet.fuse_lora(lora_scale=float(component.options.get("scale", 1.0)))
    unet.unload_lora()


def _loaded(component: Component, build: Any, kinds: tuple[str, ...] = ()) -> Any:
    """Fetches a component's weights and builds it; whatever goes wrong becomes one sentence."""
    if kinds and component.kind not in kinds:
        raise BadParameterError(
            f"The {component.role.replace('_', ' ')} cannot be a {component.kind}; use {' or '.join(kinds)}."
        )
    place = fetch(component)
    try:
        with _quiet(), memory_told():
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
