"""Where the weights of a model set lie: beside the set's file, in the Hugging Face cache, or at a URL.

No torch here: `instructedit models` and `doctor` ask what is present without loading anything.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from instructedit_models.errors import BadParameterError, ModelUnavailableError
from instructedit_models.types import ProgressCallback

__all__ = [
    "Component",
    "ComponentStatus",
    "component_status",
    "components_of",
    "fetch",
    "fetched",
    "parse_component",
    "repo_patterns",
    "words_of",
]

DOWNLOADS = Path.home() / ".cache" / "instructedit"
"""Where files lie that come from a URL."""

_SINGLE_FILES = (".safetensors", ".ckpt", ".pth", ".pt", ".bin")


@dataclass(frozen=True)
class Component:
    """One model of a set, as its TOML file describes it.

    Attributes:
        role: "vae", "unet", "detector" …
        kind: its class.
        path: a folder or a single checkpoint, absolute; or None.
        repo: a Hugging Face repository; or None.
        url: a single file; or None. Exactly one of the three is given.
        revision: of the repository.
        subfolder: of the repository.
        files: patterns, each of which at least one file must match.
        sha256: of the file at `url`.
        download_bytes: what is downloaded where it is missing.
        dtype: "float32" or "float16" where it differs from the set's.
        licence: of the weights.
        hint: what makes the weights anew, where they are not downloaded.
        parameters: published count of its weights, from which the memory that it takes is computed; 0: unknown.
        options: passed to the component's class.
        parts: what it needs beside its own weights, e.g. the "text_encoder" of a Grounding DINO checkpoint or the
            "config" of a single-file checkpoint.
    """

    role: str
    kind: str
    path: Path | None = None
    repo: str | None = None
    url: str | None = None
    revision: str = "main"
    subfolder: str = ""
    files: tuple[str, ...] = ()
    sha256: str = ""
    download_bytes: int = 0
    dtype: str = ""
    licence: str = "unknown"
    hint: str = "install the package again, it carries them"
    parameters: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, "Component"] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The source in words: a path, "repository@revision" or a URL."""
        if self.repo:
            return "/".join(filter(None, (self.repo, self.subfolder))) + f"@{self.revision[:8]}"
        return str(self.path or self.url)


@dataclass(frozen=True)
class ComponentStatus:
    """What is known of a component without loading it.

    Attributes:
        role: "vae", "unet", "detector" …
        class_name: its class.
        where: its source: a folder, "repository@revision" or a URL.
        bytes: on disk where it is present, else what would be downloaded (0: unknown).
        present: whether all its files are on this machine.
        licence: of the weights.
        missing: patterns that no file matches.
    """

    role: str
    class_name: str
    where: str
    bytes: int
    present: bool
    licence: str
    missing: tuple[str, ...] = ()


def parse_component(role: str, table: Mapping[str, Any], base: Path) -> Component:
    """A component from its TOML table; `base` is the folder that its path is relative to.

    Raises:
        BadParameterError: unknown or missing keys, or not exactly one of path, repo and url.
    """
    known = {name for name in Component.__dataclass_fields__ if name not in ("role", "kind")} | {"class"}
    if unknown := sorted(table.keys() - known):
        raise BadParameterError(f"The component '{role}' has unknown keys: {', '.join(unknown)}.")
    if "class" not in table or sum(key in table for key in ("path", "repo", "url")) != 1:
        raise BadParameterError(f"The component '{role}' needs a class and one of path, repo and url.")
    fields: dict[str, Any] = {key: value for key, value in table.items() if key != "class"}
    if "path" in fields:
        fields["path"] = Path(os.path.normpath(base / str(fields["path"])))
    fields["files"] = tuple(fields.get("files", ()))
    parts = fields.get("parts", {})
    fields["parts"] = {
        name: parse_component(f"{role}.{name}", {"class": "part", **parts[name]}, base) for name in parts
    }
    return Component(role=role, kind=table["class"], **fields)


def components_of(components: Mapping[str, Component]) -> Iterator[Component]:
    """Every component and the parts of each, in their order."""
    for component in components.values():
        yield component
        yield from components_of(component.parts)


def component_status(component: Component) -> ComponentStatus:
    """Looks for a component's files on this machine; nothing is downloaded."""
    place = _local(component)
    found, missing = _matched(component, place)
    size = component.download_bytes if missing else sum(file.stat().st_size for file in found)
    return ComponentStatus(
        component.role, component.kind, component.where, size, not missing, component.licence, missing
    )


def fetched(component: Component) -> Path | None:
    """The folder (or the single file) of a component's weights where all of them are here, else None."""
    place = _local(component)
    return None if place is None or _matched(component, place)[1] else place


def fetch(component: Component, progress: ProgressCallback | None = None) -> Path:
    """The folder (or the single file) of a component's weights, downloaded first where they are missing.

    Args:
        component: what is wanted; its parts are fetched by themselves.
        progress: told of mebibytes done, of stage "download <role>".

    Raises:
        ModelUnavailableError: they are missing and cannot be downloaded, or are not what the checksum says.
    """
    place = fetched(component)
    if place is not None:
        return place
    if component.path:
        missing = _matched(component, component.path)[1]
        raise ModelUnavailableError(
            f"The weights of the {words_of(component)} are missing: {component.path} has no "
            f"{' and no '.join(missing)}; {component.hint}."
        )
    from instructedit_models import downloads

    if component.url:
        return downloads.download_url(component, DOWNLOADS / Path(component.url).name, progress)
    folder = downloads.download_repo(component, repo_patterns(component), progress) / component.subfolder
    if missing := _matched(component, folder)[1]:
        raise ModelUnavailableError(
            f"The repository {component.repo} holds no {' and no '.join(missing)} for the {words_of(component)}."
        )
    return folder


def words_of(component: Component) -> str:
    """The component in words, "UNet (UNet2DConditionModel)"."""
    role = {"vae": "VAE", "unet": "UNet"}.get(component.role, component.role.replace("_", " ").replace(".", "'s "))
    return role if component.kind == "part" else f"{role} ({component.kind})"


def repo_patterns(component: Component) -> list[str]:
    """The patterns of its files, seen from the top of its repository."""
    prefix = f"{component.subfolder}/" if component.subfolder else ""
    return [prefix + pattern for pattern in _patterns(component)]


def _patterns(component: Component) -> tuple[str, ...]:
    if component.path and component.path.suffix in _SINGLE_FILES:
        return (component.path.name,)
    return component.files or (Path(component.url or "").name or "config.json",)


def _matched(component: Component, place: Path | None) -> tuple[list[Path], tuple[str, ...]]:
    """The component's files at a place, and the patterns (or shards of large weights) that are missing there."""
    patterns = _patterns(component)
    if place is None or not place.exists():
        return [], patterns
    files = [place] if place.is_file() else [file for file in place.iterdir() if file.is_file()]
    found = [file for file in files if any(fnmatch(file.name, pattern) for pattern in patterns)]
    missing = [each for each in patterns if not any(fnmatch(file.name, each) for file in files)]
    for index in (file for file in found if file.name.endswith(".index.json")):
        shards = set(json.loads(index.read_text(encoding="utf-8")).get("weight_map", {}).values())
        missing += sorted(shards - {file.name for file in files})
    return found, tuple(missing)


def _local(component: Component) -> Path | None:
    """Where the component lies on this machine, whole or not; None where nothing of it does."""
    if component.path:
        return component.path
    if component.url:
        return DOWNLOADS / Path(component.url).name
    snapshot = _snapshot(component.repo or "", component.revision)
    return snapshot / component.subfolder if snapshot else None


def _snapshot(repo: str, revision: str) -> Path | None:
    """The folder of a repository's revision in the hub's cache.

    Looked up by hand: the hub's own function counts files that this set does not use as missing.
    """
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE) / ("models--" + repo.replace("/", "--"))
    reference = folder / "refs" / revision
    try:
        commit = reference.read_text(encoding="ascii").strip() if reference.is_file() else revision
    except (OSError, UnicodeDecodeError):
        return None
    snapshot = folder / "snapshots" / commit
    return snapshot if snapshot.is_dir() else None
