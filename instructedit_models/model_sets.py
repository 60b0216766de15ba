"""Named model sets: which models play which role, and with what parameters; loaded when first used.

A set is a TOML file, one of `sets/` or a person's own. Faces call `load_model_set`; nothing heavy is imported before
an attribute of the set is read.
"""

import threading
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from instructedit_models.edit_options import check_options
from instructedit_models.errors import BadParameterError
from instructedit_models.model_files import Component, ComponentStatus, component_status, parse_component
from instructedit_models.types import Change, Describer, Detector, EditOptions, Scorer, Segmenter

if TYPE_CHECKING:
    from instructedit_models.editor import MaskedDDIMEditor
    from instructedit_models.grounding import GroundedSegmenter

__all__ = ["ComponentStatus", "ModelSet", "Recipe", "load_model_set", "model_set_names"]

SETS = Path(__file__).parent / "sets"
ROLES = ("vae", "text_encoder", "tokenizer", "unet", "scheduler", "detector", "segmenter", "describer", "scorer")
CHANGES: tuple[Change, ...] = ("shape", "appearance", "background")
DEVICES = ("auto", "cpu", "cuda")
DTYPES = ("auto", "float32", "float16", "bfloat16")

Part = TypeVar("Part")


@dataclass(frozen=True)
class Recipe:
    """A model set as its file describes it.

    Attributes:
        name: "miniature", "paper" …
        description: one sentence.
        dtype: "auto" (half precision on a GPU) or a fixed one.
        components: by role.
        grounding: options of the grounded segmenter.
        defaults: parameters of an edit, by kind of change.
    """

    name: str
    description: str
    dtype: str
    components: Mapping[str, Component]
    grounding: Mapping[str, Any]
    defaults: Mapping[Change, EditOptions]


class ModelSet:
    """The models of a set; each attribute is built when first read, then kept. Safe to share between threads.

    Reading an attribute raises ModelUnavailableError where weights, a package or the device are missing.
    """

    def __init__(self, recipe: Recipe, device: str = "auto", dtype: str = "auto") -> None:
        self.recipe = recipe
        self._device, self._dtype = device, dtype
        self._parts: dict[str, Any] = {}
        self._lock = threading.RLock()

    @property
    def name(self) -> str:
        """The set's name."""
        return self.recipe.name

    @property
    def device(self) -> str:
        """The device that the models run on."""
        return self._part("device", lambda: _loaders().pick_device(self._device))

    @property
    def dtype(self) -> str:
        """The number format of the larger models, "float32" or "float16"."""
        wanted = self._dtype if self._dtype != "auto" else self.recipe.dtype
        return wanted if wanted != "auto" else ("float16" if self.device == "cuda" else "float32")

    @property
    def editor(self) -> "MaskedDDIMEditor":
        """The masked DDIM editor."""
        return self._part("editor", lambda: _loaders().build_editor(self.recipe, self.device, self.dtype))

    @property
    def detector(self) -> Detector:
        """Grounding DINO."""
        return self._part("detector", lambda: _loaders().build_detector(self.recipe, self.device, self.dtype))

    @property
    def segmenter(self) -> Segmenter:
        """SAM."""
        return self._part("segmenter", lambda: _loaders().build_segmenter(self.recipe, self.device))

    @property
    def grounded(self) -> "GroundedSegmenter":
        """Detector and segmenter together."""
        return self._part("grounded", lambda: _loaders().build_grounded(self.recipe, self.detector, self.segmenter))

    @property
    def describer(self) -> Describer:
        """BLIP-2."""
        return self._part("describer", lambda: _loaders().build_describer(self.recipe, self.device, self.dtype))

    @property
    def scorer(self) -> Scorer:
        """CLIP."""
        return self._part("scorer", lambda: _loaders().build_scorer(self.recipe, self.device, self.dtype))

    def defaults(self, change: Change) -> EditOptions:
        """The parameters that suit this set for a kind of change.

        Raises:
            BadParameterError: an unknown kind.
        """
        if change not in self.recipe.defaults:
            raise BadParameterError(f"There is no change {change!r}; it is one of {', '.join(CHANGES)}.")
        return self.recipe.defaults[change]

    def status(self) -> list[ComponentStatus]:
        """Every component: its class, source, size, licence and whether it is on this machine. Loads nothing."""
        return [component_status(component) for component in self.recipe.components.values()]

    def _part(self, name: str, build: Callable[[], Part]) -> Part:
        with self._lock:
            if name not in self._parts:
                self._parts[name] = build()
            return cast(Part, self._parts[name])


def load_model_set(name_or_path: str | Path, *, device: str = "auto", dtype: str = "auto") -> ModelSet:
    """Reads a model set; its models are loaded when they are first used.

    Args:
        name_or_path: a set that comes with the package (see `model_set_names`), or a TOML file of the same form.
        device: "auto" (a GPU where there is one), "cpu" or "cuda".
        dtype: "auto" (what the set says; half precision on a GPU), "float32", "float16" or "bfloat16".

    Raises:
        BadParameterError: unknown name, device or dtype, or a file that describes no model set.
    """
    if device not in DEVICES and not device.startswith("cuda:"):
        raise BadParameterError(f"There is no device {device!r}; use one of {', '.join(DEVICES)}.")
    if dtype not in DTYPES:
        raise BadParameterError(f"There is no dtype {dtype!r}; use one of {', '.join(DTYPES)}.")
    return ModelSet(_recipe(_file(name_or_path)), device, dtype)


def model_set_names() -> tuple[str, ...]:
    """The sets that come with the package."""
    return tuple(sorted(file.stem for file in SETS.glob("*.toml")))


def _loaders() -> Any:
    """The module that imports torch."""
    from instructedit_models import loaders

    return loaders


def _file(name_or_path: str | Path) -> Path:
    name = str(name_or_path)
    if name in model_set_names():
        return SETS / f"{name}.toml"
    if name.endswith(".toml") and Path(name).is_file():
        return Path(name)
    raise BadParameterError(
        f"There is no model set {name!r}; use one of {', '.join(model_set_names())} or the path of a .toml file."
    )


def _recipe(file: Path) -> Recipe:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadParameterError(f"The model set '{file}' cannot be read: {error}.") from error
    try:
        return _parsed(file, table)
    except BadParameterError as error:
        raise BadParameterError(f"The model set '{file}' is not right: {error}") from error
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        raise BadParameterError(f"The model set '{file}' has a value of the wrong kind: {error}.") from error


def _parsed(file: Path, table: Mapping[str, Any]) -> Recipe:
    known = {"schema", "name", "description", "dtype", "components", "grounding", "defaults"}
    if unknown := sorted(table.keys() - known):
        raise BadParameterError(f"Unknown keys: {', '.join(unknown)}.")
    if table.get("schema") != 1:
        raise BadParameterError(f"Its schema is {table.get('schema')!r}; this version reads schema 1.")
    if table.get("dtype", "auto") not in DTYPES:
        raise BadParameterError(f"There is no dtype {table['dtype']!r}; use one of {', '.join(DTYPES)}.")
    components = table.get("components", {})
    if sorted(components) != sorted(ROLES):
        raise BadParameterError(f"It needs exactly these components: {', '.join(ROLES)}.")
    return Recipe(
        name=table.get("name", file.stem),
        description=table.get("description", ""),
        dtype=table.get("dtype", "auto"),
        components={role: parse_component(role, components[role], file.parent) for role in ROLES},
        grounding=table.get("grounding", {}),
        defaults=_defaults(table.get("defaults", {})),
    )


def _defaults(table: Mapping[str, Any]) -> dict[Change, EditOptions]:
    """[defaults] holds what all changes share, [defaults.shape] and so on what differs."""
    names = {each.name for each in fields(EditOptions)}
    shared = {key: value for key, value in table.items() if key not in CHANGES}
    defaults: dict[Change, EditOptions] = {}
    for change in CHANGES:
        values = {**shared, **table.get(change, {})}
        if unknown := sorted(values.keys() - names):
            raise BadParameterError(f"The defaults have unknown keys: {', '.join(unknown)}.")
        defaults[change] = EditOptions(**values)
        check_options(defaults[change])
    return defaults
