"""Named model sets: which models play which role, and with what parameters; loaded when first used.

A set is a TOML file, one of `sets/` or a person's own. Faces call `load_model_set`; nothing heavy is imported before
an attribute of the set is read.
"""

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from instructedit_models import fitting, hardware
from instructedit_models.edit_options import SOLVERS
from instructedit_models.errors import BadParameterError, ModelUnavailableError
from instructedit_models.fitting import Fit
from instructedit_models.loading import tell_loading
from instructedit_models.medium import Media
from instructedit_models.model_files import Component, ComponentStatus, component_status, components_of, fetch
from instructedit_models.own_look import Keeping
from instructedit_models.recipes import (
    BASELINE_ROLES,
    CHANGES,
    DTYPES,
    OFFLOADS,
    ROLES,
    SETS,
    Recipe,
    find_set,
    model_set_names,
)
from instructedit_models.recipes import read_recipe as _read_recipe
from instructedit_models.types import (
    Aspect,
    Change,
    Describer,
    Detector,
    EditOptions,
    ProgressCallback,
    Scorer,
    Segmenter,
)

if TYPE_CHECKING:
    from instructedit_models.editor import MaskedDDIMEditor
    from instructedit_models.grounding import GroundedSegmenter
    from instructedit_models.loaders import Place

__all__ = ["ROLES", "SETS", "ComponentStatus", "ModelSet", "Recipe", "load_model_set", "model_set_names"]

DEVICES = ("auto", "cpu", "cuda", "mps")

Part = TypeVar("Part")


class ModelSet:
    """The models of a set; each attribute is built when first read, then kept. Safe to share between threads.

    Where memory is short, the models that were read longest ago are released before another is built. Reading an
    attribute raises ModelUnavailableError where weights, a package or the device are missing.
    """

    def __init__(
        self,
        recipe: Recipe,
        device: str = "auto",
        dtype: str = "auto",
        *,
        offload: str = "auto",
        attention_slicing: bool | None = None,
        compile: bool | None = None,
        solver: str = "auto",
    ) -> None:
        """Keeps what was asked for; see `load_model_set`."""
        self.recipe = recipe
        self._device, self._dtype = device, dtype
        speed = recipe.speed
        self.offload = speed.offload if offload == "auto" else offload
        self.solver = speed.solver if solver == "auto" else solver
        self._attention_slicing = speed.attention_slicing if attention_slicing is None else attention_slicing
        self._compile = speed.compile if compile is None else compile
        if self.solver == "lcm" and "lcm_lora" not in recipe.components:
            raise BadParameterError(
                f"The model set '{recipe.name}' has no weights for the solver lcm; use ddim or dpm++, or a set with a "
                "component lcm_lora."
            )
        self._parts: dict[str, Any] = {}
        self._lock = threading.RLock()

    @property
    def name(self) -> str:
        """The set's name."""
        return self.recipe.name

    @property
    def media(self) -> Media:
        """What captions may begin with, beside "Photo of"."""
        return self.recipe.media

    @property
    def keeping(self) -> Keeping:
        """What an edit of something else leaves a thing."""
        return self.recipe.keeping

    @property
    def device(self) -> str:
        """The device that the models run on."""
        return self._part("device", lambda: hardware.pick_device(self._device))

    @property
    def dtype(self) -> str:
        """The number format of the larger models, "float32", "float16" or "bfloat16"."""
        wanted = self._dtype if self._dtype != "auto" else self.recipe.dtype
        return wanted if wanted != "auto" else ("float32" if self.device == "cpu" else "float16")

    @property
    def editor(self) -> "MaskedDDIMEditor":
        """The masked DDIM editor."""
        return self._part("editor", lambda: _loaders().build_editor(self.recipe, self._place))

    @property
    def detector(self) -> Detector:
        """Grounding DINO."""
        return self._part("detector", lambda: _loaders().build_detector(self.recipe, self._place))

    @property
    def segmenter(self) -> Segmenter:
        """SAM."""
        return self._part("segmenter", lambda: _loaders().build_segmenter(self.recipe, self._place))

    @property
    def takes_clicks(self) -> bool:
        """Whether SAM was trained on clicks and rough masks, and not on boxes alone; nothing is loaded for it."""
        return bool(self.recipe.components["segmenter"].options.get("clicks", True))

    @property
    def grounded(self) -> "GroundedSegmenter":
        """Detector and segmenter together, and CLIP where the set asks for its opinion."""

        def build() -> "GroundedSegmenter":
            return _loaders().build_grounded(self.recipe, self.detector, self.segmenter, lambda: self.scorer)

        return self._part("grounded", build)

    @property
    def describer(self) -> Describer:
        """BLIP-2."""
        return self._part("describer", lambda: _loaders().build_describer(self.recipe, self._place))

    @property
    def scorer(self) -> Scorer:
        """CLIP."""
        return self._part("scorer", lambda: _loaders().build_scorer(self.recipe, self._place))

    @property
    def instruct_pix2pix(self) -> Any:
        """InstructPix2Pix's UNet, where the set has one."""
        return self._baseline("instruct_pix2pix")

    @property
    def inpainting(self) -> Any:
        """The inpainting UNet, where the set has one."""
        return self._baseline("inpainting")

    def _baseline(self, role: str) -> Any:
        if role not in self.recipe.components:
            raise ModelUnavailableError(
                f"The model set '{self.name}' has no weights for the method {role}; use another method, or a set with "
                f"a component {role}."
            )
        return self._part(role, lambda: _loaders().build_baseline_unet(self.recipe, role, self._place))

    def defaults(self, change: Change, aspect: Aspect | None = None) -> EditOptions:
        """The parameters that suit this set, and the solver, for a kind of change (and what of a look is changed).

        Raises:
            BadParameterError: an unknown kind.
        """
        if change not in self.recipe.defaults:
            raise BadParameterError(f"There is no change {change!r}; it is one of {', '.join(CHANGES)}.")
        return self.recipe.options(change, self.solver, aspect)

    def status(self, baselines: bool = False) -> list[ComponentStatus]:
        """Every component: its class, source, size, licence and whether it is on this machine. Loads nothing.

        Args:
            baselines: list those too that only baselines use.
        """
        return [component_status(component) for component in self._components(baselines)]

    def _components(self, baselines: bool) -> Iterator[Component]:
        parts = self.recipe.components
        wanted = {role: each for role, each in parts.items() if baselines or role not in BASELINE_ROLES}
        return components_of(wanted)

    def pull(self, progress: ProgressCallback | None = None, baselines: bool = False) -> list[ComponentStatus]:
        """Downloads whatever is not on this machine; loads nothing.

        Args:
            progress: told of mebibytes done, of stage "download <role>".
            baselines: also what only baselines use; otherwise that is downloaded when one is run.

        Returns:
            What was missing, as it is now.

        Raises:
            ModelUnavailableError: something cannot be downloaded; what was downloaded before it stays.
        """
        missing = [each for each in self._components(baselines) if not component_status(each).present]
        for component in missing:
            fetch(component, progress)
        return [component_status(component) for component in missing]

    def fit(self) -> Fit:
        """Whether the whole set fits the device as it is to be placed. Loads nothing but torch, to ask for a GPU."""
        plan = fitting.Plan(self.device, self.dtype, self.offload)
        return fitting.fit(self.recipe, plan, hardware.free_memory(self.device))

    def release(self, *names: str) -> tuple[str, ...]:
        """Lets go of models, to be built again when they are next read; what others still hold stays with them.

        Args:
            names: "editor", "detector", "segmenter", "describer", "scorer", or a baseline's role; all by default.

        Returns:
            The names of those that were let go.
        """
        with self._lock:
            wanted = [name for name in self._parts if name in (names or fitting.PARTS)]
            for name in wanted:
                del self._parts[name]
            if {"detector", "segmenter"} & set(wanted):
                self._parts.pop("grounded", None)
            if wanted and "place" in self._parts:
                self._place.residency.forget()
        if wanted:
            _collect()
        return tuple(wanted)

    @property
    def _place(self) -> "Place":
        return self._part(
            "place",
            lambda: _loaders().Place.of(
                self.device, self.dtype, self.offload, self._attention_slicing, self._compile, self.solver
            ),
        )

    def _part(self, name: str, build: Callable[[], Part]) -> Part:
        with self._lock:
            if name not in self._parts:
                if name in fitting.PARTS:
                    tell_loading()
                    self._make_room(name)
                self._parts[name] = build()
            elif name in fitting.PARTS:
                self._parts[name] = self._parts.pop(name)  # the last read stands last
            return cast(Part, self._parts[name])

    def _make_room(self, name: str) -> None:
        """Releases models, those read longest ago first, until the one that is to be built fits."""
        place = "cpu" if self.offload != "none" else self.device
        sizes = fitting.role_bytes(self.recipe, self.dtype)
        needed = sum(sizes.get(role, 0) for role in fitting.PARTS[name])
        for other in [other for other in self._parts if other in fitting.PARTS]:
            free, total = hardware.free_memory(place)
            if not total or needed <= free:
                return
            self.release(other)


def load_model_set(
    name_or_path: str | Path,
    *,
    device: str = "auto",
    dtype: str = "auto",
    offload: str = "auto",
    attention_slicing: bool | None = None,
    compile: bool | None = None,
    solver: str = "auto",
) -> ModelSet:
    """Reads a model set; its models are loaded when they are first used.

    Args:
        name_or_path: a set that comes with the package (see `model_set_names`), or a TOML file of the same form.
        device: "auto" (a GPU where there is one), "cpu", "cuda", "cuda:1" … or "mps" (Apple).
        dtype: "auto" (what the set says; half precision on a GPU), "float32", "float16" or "bfloat16".
        offload: "auto" (what the set says), "none", "model" (one model on the device at a time) or "sequential" (of
            the diffusion model one layer at a time).
        attention_slicing: compute attention in slices, for less memory; None for what the set says.
        compile: compile the UNet; None for what the set says.
        solver: "auto" (what the set says), "ddim", "dpm++" or "lcm".

    Raises:
        BadParameterError: unknown name, device, dtype, offload or solver, or a file that describes no model set.
    """
    number = device.partition(":")[2]
    if device not in DEVICES and not (device.startswith("cuda:") and number.isascii() and number.isdecimal()):
        raise BadParameterError(f"There is no device {device!r}; use one of {', '.join(DEVICES)}.")
    for kind, value, known in (
        ("dtype", dtype, DTYPES),
        ("offload", offload, ("auto", *OFFLOADS)),
        ("solver", solver, ("auto", *SOLVERS)),
    ):
        if value not in known:
            raise BadParameterError(f"There is no {kind} {value!r}; use one of {', '.join(known)}.")
    return ModelSet(
        _read_recipe(find_set(name_or_path)),
        device,
        dtype,
        offload=offload,
        attention_slicing=attention_slicing,
        compile=compile,
        solver=solver,
    )


def _loaders() -> Any:
    """The module that imports torch, which takes as long as a model."""
    if "instructedit_models.loaders" not in sys.modules:
        tell_loading()
    from instructedit_models import loaders

    return loaders


def _collect() -> None:
    """Gives freed memory back, a GPU's too."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is None:
        return
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()
