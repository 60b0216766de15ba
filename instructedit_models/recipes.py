"""Model sets as data: reads the TOML files of `sets/` and a person's own.

`model_sets` builds models from what is read here. A person's file may begin from a set (`extends = "paper"`) and name
only what differs.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_args

from instructedit_models.colours import COLOURS
from instructedit_models.edit_options import SOLVERS, check_options
from instructedit_models.errors import BadParameterError
from instructedit_models.medium import Media
from instructedit_models.model_files import Component, parse_component
from instructedit_models.own_look import Keeping
from instructedit_models.types import Aspect, Change, EditOptions

__all__ = [
    "BASELINE_ROLES",
    "CHANGES",
    "DTYPES",
    "OFFLOADS",
    "OPTIONAL_ROLES",
    "ROLES",
    "SETS",
    "Recipe",
    "Speed",
    "find_set",
]
__all__ += ["model_set_names", "read_recipe"]

SETS = Path(__file__).parent / "sets"
ROLES = ("vae", "text_encoder", "tokenizer", "unet", "scheduler", "detector", "segmenter", "describer", "scorer")
BASELINE_ROLES = ("instruct_pix2pix", "inpainting")
"""UNets that only the baselines of these names use."""
OPTIONAL_ROLES = ("lcm_lora", *BASELINE_ROLES)
CHANGES: tuple[Change, ...] = ("shape", "appearance", "background")
DTYPES = ("auto", "float32", "float16", "bfloat16")
OFFLOADS = ("none", "model", "sequential")

_KEYS = {"schema", "extends", "name", "description", "dtype", "working_bytes"}
_ASPECTS: tuple[Aspect, ...] = get_args(Aspect)
_TABLES = ("components", "grounding", "captions", "defaults", "speed", "solvers")


@dataclass(frozen=True)
class Speed:
    """How the models of a set are placed and run, where nobody says otherwise.

    Attributes:
        offload: "none", "model" or "sequential" (see `residency.Residency`).
        attention_slicing: compute attention in slices: less memory, a little slower.
        channels_last: the memory layout of the UNet and the VAE on a GPU; on a CPU it is always that.
        compile: compile the UNet, which takes a minute or more before the first step.
        solver: "ddim", "dpm++" or "lcm".
    """

    offload: str = "none"
    attention_slicing: bool = False
    channels_last: bool = False
    compile: bool = False
    solver: str = "ddim"


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
        media: what its captions may begin with.
        keeping: what an edit of something else leaves a thing.
        speed: how they are placed and run.
        solvers: by solver, the fields of `EditOptions` that differ with it.
        aspects: those that differ where the look of a part of a thing is edited, or a thing gets another pattern.
        working_bytes: an allowance for what computing needs beside the weights.
    """

    name: str
    description: str
    dtype: str
    components: Mapping[str, Component]
    grounding: Mapping[str, Any]
    defaults: Mapping[Change, EditOptions]
    media: Media = field(default_factory=Media)
    keeping: Keeping = field(default_factory=Keeping)
    speed: Speed = field(default_factory=Speed)
    solvers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    aspects: Mapping[Aspect, Mapping[str, Any]] = field(default_factory=dict)
    working_bytes: int = 0

    def options(self, change: Change, solver: str, aspect: Aspect | None = None) -> EditOptions:
        """The parameters for a kind of change, with what differs for an aspect of the look and for a solver."""
        own = self.aspects.get(aspect, {}) if aspect and change == "appearance" else {}
        return replace(self.defaults[change], **{**own, **self.solvers.get(solver, {}), "solver": solver})


def model_set_names() -> tuple[str, ...]:
    """The sets that come with the package."""
    return tuple(sorted(file.stem for file in SETS.glob("*.toml")))


def find_set(name_or_path: str | Path, beside: Path | None = None) -> Path:
    """The file of a set.

    Args:
        name_or_path: the name of a set that comes with the package, or a TOML file.
        beside: the folder that a relative path is seen from; by default the current one.

    Raises:
        BadParameterError: there is no such set.
    """
    name = str(name_or_path)
    if name in model_set_names():
        return SETS / f"{name}.toml"
    path = (beside or Path()) / name
    if name.endswith(".toml") and path.is_file():
        return path
    raise BadParameterError(
        f"There is no model set {name!r}; use one of {', '.join(model_set_names())} or the path of a .toml file."
    )


def read_recipe(file: Path) -> Recipe:
    """Reads a set.

    Raises:
        BadParameterError: the file cannot be read or describes no model set; the sentence names the file and why.
    """
    try:
        return _parsed(file, _merged(file))
    except BadParameterError as error:
        if str(error).startswith("The model set '"):
            raise
        raise BadParameterError(f"The model set '{file}' is not right: {error}") from error
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        raise BadParameterError(f"The model set '{file}' has a value of the wrong kind: {error}.") from error


def _merged(file: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The file's table over the table of the set that it extends; components become `Component`s on the way."""
    if file.resolve() in seen:
        raise BadParameterError("It extends itself.")
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadParameterError(f"The model set '{file}' cannot be read: {error}.") from error
    if unknown := sorted(table.keys() - _KEYS - set(_TABLES)):
        raise BadParameterError(f"Unknown keys: {', '.join(unknown)}.")
    if table.get("schema") != 1:
        raise BadParameterError(f"Its schema is {table.get('schema')!r}; this version reads schema 1.")
    components = table.get("components", {})
    table["components"] = {role: parse_component(role, components[role], file.parent) for role in components}
    if "extends" not in table:
        return table
    base = _merged(find_set(table["extends"], file.parent), (*seen, file.resolve()))
    table.setdefault("name", file.stem)
    merged = {**base, **table}
    for name in _TABLES:
        merged[name] = _over(base.get(name, {}), table.get(name, {}), deep=name in ("defaults", "solvers"))
    return merged


def _over(base: Mapping[str, Any], table: Mapping[str, Any], deep: bool) -> dict[str, Any]:
    merged = {**base, **table}
    if deep:
        for key in base.keys() & table.keys():
            if isinstance(base[key], Mapping) and isinstance(table[key], Mapping):
                merged[key] = {**base[key], **table[key]}
    return merged


def _parsed(file: Path, table: Mapping[str, Any]) -> Recipe:
    if table.get("dtype", "auto") not in DTYPES:
        raise BadParameterError(f"There is no dtype {table['dtype']!r}; use one of {', '.join(DTYPES)}.")
    components = table["components"]
    if set(components) - set(OPTIONAL_ROLES) != set(ROLES):
        raise BadParameterError(
            f"It needs exactly these components: {', '.join(ROLES)}; and may have {', '.join(OPTIONAL_ROLES)}."
        )
    solvers = table.get("solvers", {})
    if unknown := sorted(solvers.keys() - set(SOLVERS)):
        raise BadParameterError(f"There is no solver {unknown[0]!r}; use one of {', '.join(SOLVERS)}.")
    recipe = Recipe(
        name=table.get("name", file.stem),
        description=table.get("description", ""),
        dtype=table.get("dtype", "auto"),
        components={role: components[role] for role in (*ROLES, *OPTIONAL_ROLES) if role in components},
        grounding=table.get("grounding", {}),
        defaults=_defaults(table.get("defaults", {})),
        aspects={aspect: table.get("defaults", {}).get(aspect, {}) for aspect in _ASPECTS},
        media=_media(table.get("captions", {})),
        keeping=_keeping(table.get("captions", {})),
        speed=_speed(table.get("speed", {})),
        solvers=solvers,
        working_bytes=int(table.get("working_bytes", 0)),
    )
    for change in CHANGES:
        for solver in SOLVERS:
            check_options(recipe.options(change, solver))
            for aspect in _ASPECTS:
                check_options(recipe.options(change, solver, aspect))
    return recipe


def _speed(table: Mapping[str, Any]) -> Speed:
    known = {each.name: each.type for each in fields(Speed)}
    if unknown := sorted(table.keys() - known.keys()):
        raise BadParameterError(f"The speed table has unknown keys: {', '.join(unknown)}.")
    speed = Speed(**table)
    if speed.offload not in OFFLOADS:
        raise BadParameterError(f"There is no offload {speed.offload!r}; use one of {', '.join(OFFLOADS)}.")
    if speed.solver not in SOLVERS:
        raise BadParameterError(f"There is no solver {speed.solver!r}; use one of {', '.join(SOLVERS)}.")
    return speed


_CAPTIONS = {"media", "margin", "keeping_colour", "shapes_keep_colour", "colours", "patterns", "sure"}


def _media(table: Mapping[str, Any]) -> Media:
    if unknown := sorted(table.keys() - _CAPTIONS):
        raise BadParameterError(f"The captions table has unknown keys: {', '.join(unknown)}.")
    words, margin = _listed(table, "media", (), '"photo" and "painting"'), table.get("margin", Media.margin)
    if not isinstance(margin, int | float) or not 0 <= margin <= 1:
        raise BadParameterError(f"captions.margin is {margin!r}; use 0 to 1.")
    return Media(words, float(margin))


def _keeping(table: Mapping[str, Any]) -> Keeping:
    words = _listed(table, "keeping_colour", Keeping.words, '"striped" and "dotted"')
    colours = _listed(table, "colours", Keeping.colours, '"red" and "green"')
    if unknown := [word for word in colours if word not in COLOURS]:
        raise BadParameterError(f"captions.colours holds {unknown[0]!r}, which is no known colour.")
    sure = table.get("sure", Keeping.sure)
    if not isinstance(sure, int | float) or not 0 <= sure <= 1:
        raise BadParameterError(f"captions.sure is {sure!r}; use 0 to 1.")
    shapes = table.get("shapes_keep_colour", Keeping.shapes)
    if not isinstance(shapes, bool):
        raise BadParameterError(f"captions.shapes_keep_colour is {shapes!r}; use true or false.")
    return Keeping(words, colours, _listed(table, "patterns", (), '"striped" and "wooden"'), float(sure), shapes)


def _listed(table: Mapping[str, Any], key: str, default: tuple[str, ...], such_as: str) -> tuple[str, ...]:
    words = table.get(key, list(default))
    if not isinstance(words, list) or not all(isinstance(word, str) and word.strip() for word in words):
        raise BadParameterError(f"captions.{key} must be a list of words such as {such_as}.")
    return tuple(words)


def _defaults(table: Mapping[str, Any]) -> dict[Change, EditOptions]:
    """[defaults] holds what all changes share, [defaults.shape] and so on what differs.

    So do [defaults.part], for the look of a part, and [defaults.pattern], for a new pattern; both are checked here.
    """
    shared = {key: value for key, value in table.items() if key not in (*CHANGES, *_ASPECTS)}
    defaults = {change: _checked({**shared, **table.get(change, {})}) for change in CHANGES}
    for aspect in _ASPECTS:
        _checked({**shared, **table.get("appearance", {}), **table.get(aspect, {})})
    return defaults


def _checked(values: Mapping[str, Any]) -> EditOptions:
    if unknown := sorted(values.keys() - {each.name for each in fields(EditOptions)}):
        raise BadParameterError(f"The defaults have unknown keys: {', '.join(unknown)}.")
    options = EditOptions(**values)
    check_options(options)
    return options
