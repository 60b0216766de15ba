"""Downloads weights: from the Hugging Face hub, or one file from a URL; with progress, resumed where they broke off.

`model_files.fetch` calls it, and only where the weights are not on this machine.
"""

import hashlib
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from instructedit_models.errors import CancelledError, ModelUnavailableError
from instructedit_models.model_files import Component, words_of
from instructedit_models.types import Progress, ProgressCallback

__all__ = ["checksum", "download_repo", "download_url", "room_for"]

_CHUNK = 2**20
_TIMEOUT = 20


def download_repo(component: Component, patterns: list[str], progress: ProgressCallback | None = None) -> Path:
    """Downloads the files of a repository's revision that match the patterns; the hub's client resumes and checks them.

    Args:
        component: its repository and revision.
        patterns: of the files, seen from the top of the repository.
        progress: told of mebibytes done.

    Returns:
        The folder of the revision in the hub's cache.

    Raises:
        ModelUnavailableError: it could not be downloaded; the sentence holds the command that does it later.
    """
    from huggingface_hub import model_info, snapshot_download

    repo, revision = component.repo or "", component.revision
    try:
        # Fails at once where there is no network; the download itself would try again for half a minute.
        model_info(repo, revision=revision, timeout=10)
        bar = _bar(_Counter(component, progress)) if progress else None
        return Path(snapshot_download(repo, revision=revision, allow_patterns=patterns, tqdm_class=bar))
    except CancelledError:
        raise
    except Exception as error:  # the hub raises its HTTP library's own errors, whichever that is
        include = " ".join(f"'{pattern}'" for pattern in patterns)
        command = f"hf download {repo} --revision {revision} --include {include}"
        raise _not_downloaded(component, command, error) from error


def download_url(component: Component, target: Path, progress: ProgressCallback | None = None) -> Path:
    """Downloads one file, going on from what an earlier try left; the file appears whole and checked, or not at all.

    Args:
        component: its URL and checksum.
        target: where the file shall lie.
        progress: told of mebibytes done.

    Raises:
        ModelUnavailableError: it could not be downloaded, or is not what the checksum says.
    """
    url, partial = component.url or "", target.with_name(target.name + ".part")
    counter = _Counter(component, progress)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _download(url, partial, counter)
        _check(component, partial)
        os.replace(partial, target)
    except (OSError, ValueError, EOFError) as error:
        raise _not_downloaded(component, f"curl --create-dirs -C - -Lo {target} {url}", error) from error
    return target


def checksum(file: Path) -> str:
    """The file's sha256, 64 hex digits."""
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _download(url: str, partial: Path, counter: "_Counter") -> None:
    done = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # it was whole already
            raise
        return
    with answer:
        resumed = getattr(answer, "status", None) == 206
        expected = int(answer.headers.get("Content-Length") or 0)
        counter.begin(done if resumed else 0, (done if resumed else 0) + expected)
        with open(partial, "ab" if resumed else "wb") as opened:
            while chunk := answer.read(_CHUNK):
                opened.write(chunk)
                counter.add(len(chunk))
    if expected and counter.done < counter.total:
        raise EOFError(f"the connection ended after {counter.done} of {counter.total} bytes")


def _check(component: Component, partial: Path) -> None:
    if component.sha256 and not checksum(partial).startswith(component.sha256):
        partial.unlink()
        raise ValueError("its checksum is wrong, so it was thrown away")


class _Counter:
    """Tells a progress callback of bytes, in mebibytes."""

    def __init__(self, component: Component, progress: ProgressCallback | None) -> None:
        self._stage = f"download {component.role}"
        self._progress = progress
        self.done, self.total = 0, component.download_bytes

    def begin(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        self._tell()

    def add(self, count: int) -> None:
        self.done += count
        self._tell()

    def _tell(self) -> None:
        if self._progress:
            self._progress(Progress(self._stage, self.done // 2**20, max(self.total, self.done) // 2**20))


def _bar(counter: _Counter) -> Any:
    """A class with what the hub's client uses of tqdm; its bar of written bytes feeds the counter."""

    class Bar:
        def __init__(self, iterable: Any = None, *, name: str = "", desc: str = "", **settings: Any) -> None:
            self.iterable = iterable
            self.n = settings.get("initial") or 0
            self.total = settings.get("total") or 0
            self._counts = desc.startswith("Reconstruct")

        def update(self, n: float | None = 1) -> None:
            self.n += int(n or 0)
            if self._counts:
                counter.begin(self.n, max(self.total, counter.total))

        def __iter__(self) -> Any:
            return iter(self.iterable or ())

        def __enter__(self) -> "Bar":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def __getattr__(self, name: str) -> Callable[..., None]:
            if name.startswith("__"):
                raise AttributeError(name)
            return lambda *_, **__: None

    return Bar


def _not_downloaded(component: Component, command: str, error: Exception) -> ModelUnavailableError:
    size = f", {component.download_bytes / 1e9:.1f} GB" if component.download_bytes else ""
    reason = str(error) if isinstance(error, EOFError | ValueError) else type(error).__name__
    return ModelUnavailableError(
        f"The weights of the {words_of(component)}, {component.repo or component.url}{size}, are not on this machine "
        f"and could not be downloaded ({reason.splitlines()[0][:200]}); where there is a network run `{command}`, "
        "or use --models miniature."
    )


def room_for(count: int, folder: Path) -> bool:
    """Whether so many bytes fit on the disk that holds the folder (or will)."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free > count
