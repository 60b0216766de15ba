"""Where the weights of a model set lie: beside the set's file, in the Hugging Face cache, or at a URL.

No torch here: `instructedit models` and `doctor` ask what is present without loading anything.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from instructedit_models.errors import BadParameterError, ModelUnavailableError

__all__ = ["Component", "ComponentStatus", "component_status", "fetch", "parse_component"]

DOWNLOADS = Path.home() / ".cache" / "instructedit"
"""Where files lie that come from a URL."""


@dataclass(frozen=True)
class Component:
    """One model of a set, as its TOML file describes it.

    Attributes:
        role: "vae", "unet", "detector" …
        kind: its class.
        path: a folder, absolute; or None.
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
        options: passed to the component's class.
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
    options: Mapping[str, Any] = field(default_factory=dict)

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
    return Component(role=role, kind=table["class"], **fields)


def component_status(component: Component) -> ComponentStatus:
    """Looks for a component's files on this machine; nothing is downloaded."""
    place = _local(component)
    found, missing = _matched(component, place)
    size = component.download_bytes if missing else sum(file.stat().st_size for file in found)
    return ComponentStatus(
        component.role, component.kind, component.where, size, not missing, component.licence, missing
    )


def fetch(component: Component) -> Path:
    """The folder (for a URL: the file) of a component's weights, downloaded first where they are missing.

    Raises:
        ModelUnavailableError: they are missing and cannot be downloaded.
    """
    place = _local(component)
    missing = _matched(component, place)[1]
    if place is not None and not missing:
        return place
    if component.path:
        raise ModelUnavailableError(
            f"The weights of the {_words(component)} are missing: {component.path} has no {' and no '.join(missing)}; "
            f"{component.hint}."
        )
    return _download_repo(component) if component.repo else _download_url(component)


def _words(component: Component) -> str:
    role = {"vae": "VAE", "unet": "UNet"}.get(component.role, component.role.replace("_", " "))
    return f"{role} ({component.kind})"


def _patterns(component: Component) -> tuple[str, ...]:
    return component.files or (Path(component.url or "").name or "config.json",)


def _matched(component: Component, place: Path | None) -> tuple[list[Path], tuple[str, ...]]:
    """The component's files at a place, and the patterns that none of them matches."""
    patterns = _patterns(component)
    if place is None or not place.exists():
        return [], patterns
    files = [place] if place.is_file() else [file for file in place.iterdir() if file.is_file()]
    found = [file for file in files if any(fnmatch(file.name, pattern) for pattern in patterns)]
    return found, tuple(each for each in patterns if not any(fnmatch(file.name, each) for file in files))


def _local(component: Component) -> Path | None:
    """Where the component lies on this machine, whole or not; None where nothing of it does."""
    if component.path:
        return component.path
    if component.url:
        return DOWNLOADS / Path(component.url).name
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = snapshot_download(component.repo or "", revision=component.revision, local_files_only=True)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError):
        return None
    return Path(folder) / component.subfolder


def _download_repo(component: Component) -> Path:
    from huggingface_hub import model_info, snapshot_download

    repo, revision = component.repo or "", component.revision
    prefix = f"{component.subfolder}/" if component.subfolder else ""
    patterns = [prefix + pattern for pattern in _patterns(component)]
    try:
        # Fails at once where there is no network; the download itself would try again for half a minute.
        model_info(repo, revision=revision, timeout=10)
        folder = snapshot_download(repo, revision=revision, allow_patterns=patterns)
    except Exception as error:  # the hub raises its HTTP library's own errors, whichever that is
        include = " ".join(f"'{pattern}'" for pattern in patterns)
        command = f"hf download {repo} --revision {revision} --include {include}"
        raise _not_downloaded(component, command, error) from error
    place = Path(folder) / component.subfolder
    if missing := _matched(component, place)[1]:
        raise ModelUnavailableError(
            f"The repository {component.repo} holds no {' and no '.join(missing)} for the {_words(component)}."
        )
    return place


def _download_url(component: Component) -> Path:
    import torch.hub

    url = component.url or ""
    target = DOWNLOADS / Path(url).name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(target), hash_prefix=component.sha256 or None)
    except (OSError, RuntimeError, ValueError) as error:
        raise _not_downloaded(component, f"curl --create-dirs -Lo {target} {url}", error) from error
    return target


def _not_downloaded(component: Component, command: str, error: Exception) -> ModelUnavailableError:
    size = f", {component.download_bytes / 1e9:.1f} GB" if component.download_bytes else ""
    return ModelUnavailableError(
        f"The weights of the {_words(component)}, {component.repo or component.url}{size}, are not on this machine and "
        f"could not be downloaded ({type(error).__name__}); where there is a network run `{command}`, or use --models "
        "miniature."
    )
