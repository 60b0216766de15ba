"""Downloads from a local server: progress, resuming, checksums, and errors in one sentence."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from instructedit_models import downloads, model_files
from instructedit_models.errors import CancelledError, ModelUnavailableError
from instructedit_models.model_files import Component, component_status, fetch
from instructedit_models.types import Progress

WEIGHTS = bytes(range(256)) * 3 * 4096  # 3 MiB
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()


class Server(BaseHTTPRequestHandler):
    """Serves WEIGHTS with ranges; "/cut" ends after half of them."""

    asked: list[str | None] = []

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        Server.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if start >= len(WEIGHTS):
            self.send_error(416)
            return
        body = WEIGHTS[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if "cut" in self.path else body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def component(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Component]:
    monkeypatch.setattr(model_files, "DOWNLOADS", tmp_path / "cache")
    Server.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
    thread.start()
    yield Component("segmenter", "Sam", url=f"http://127.0.0.1:{server.server_port}/sam.pth", sha256=SHA256)
    server.shutdown()
    thread.join()
    server.server_close()


def _cut(component: Component) -> Component:
    return replace(component, url=(component.url or "").replace("/sam", "/cut/sam"))


def test_a_file_comes_with_progress_and_is_checked(component: Component) -> None:
    told: list[Progress] = []
    place = fetch(component, told.append)
    assert place.read_bytes() == WEIGHTS
    assert told[0] == Progress("download segmenter", 0, 3) and told[-1] == Progress("download segmenter", 3, 3)
    assert component_status(component).present and component_status(component).bytes == len(WEIGHTS)
    assert [file.name for file in place.parent.iterdir()] == ["sam.pth"]
    fetch(component)
    assert len(Server.asked) == 1


def test_what_broke_off_is_gone_on_with(component: Component) -> None:
    with pytest.raises(ModelUnavailableError, match=r"ended after .* of .* bytes.*curl --create-dirs -C -"):
        fetch(_cut(component))
    assert not component_status(component).present
    assert fetch(component).read_bytes() == WEIGHTS
    assert Server.asked == [None, f"bytes={len(WEIGHTS) // 2}-"]


def test_a_partial_file_that_was_whole_already(component: Component, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "sam.pth.part").write_bytes(WEIGHTS)
    assert fetch(component).read_bytes() == WEIGHTS


def test_a_wrong_checksum_leaves_nothing(component: Component, tmp_path: Path) -> None:
    wrong = replace(component, sha256="0" * 64)
    with pytest.raises(ModelUnavailableError, match="checksum is wrong"):
        fetch(wrong)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_download_can_be_stopped_and_gone_on_with(component: Component) -> None:
    def stop(progress: Progress) -> None:
        if progress.step >= 1:
            raise CancelledError("Stopped.")

    with pytest.raises(CancelledError):
        fetch(component, stop)
    assert fetch(component).read_bytes() == WEIGHTS
    assert Server.asked[1] not in (None, "bytes=0-")


def test_no_server_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "DOWNLOADS", tmp_path)
    component = Component("segmenter", "Sam", url="http://127.0.0.1:9/sam.pth", download_bytes=2_500_000_000)
    with pytest.raises(ModelUnavailableError, match=r"2\.5 GB.*URLError") as error:
        fetch(component)
    assert str(error.value).endswith(".") and "\n" not in str(error.value)


def test_the_hubs_bar_tells_of_written_bytes() -> None:
    told: list[Progress] = []
    component = Component("unet", "UNet2DConditionModel", repo="a/b", download_bytes=4 * 2**20)
    bar = downloads._bar(downloads._Counter(component, told.append))
    transfer = bar(desc="Downloading bytes", total=0, unit="B")
    with bar(desc="Reconstructing (incomplete total...)", total=0, initial=0, unit="B") as written:
        written.total = (written.total or 0) + 4 * 2**20
        written.refresh()
        transfer.update(2**20)
        written.update(2**20)
        written.set_description("done")
    assert told == [Progress("download unet", 1, 4)]
    assert list(bar([1, 2], desc="Fetching", total=2)) == [1, 2]
