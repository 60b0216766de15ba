"""The server under load: many clients at once, what HTTP costs beside the library, and whether memory stays.

    python -m benchmarks.service --minutes 10 --clients 50 --json runs/service.json

Every client uploads a scene of its own, edits it again and again, and checks that what comes back is its own. Needs the
extra `server`.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from benchmarks.record import begun, write_json

SEED = 9_100_000
SPREAD = 1_000
COLOURS = ("red", "green", "blue", "yellow", "purple", "orange", "white", "black")
TIMEOUT = 600.0


@dataclass
class Tally:
    """What all clients saw, under one lock."""

    turns: int = 0
    edits: int = 0
    lost: int = 0
    mixed_up: int = 0
    refused: int = 0
    failures: list[str] = field(default_factory=list)
    feedback: list[float] = field(default_factory=list)
    longest_queue: int = 0
    memory: list[int] = field(default_factory=list)
    answered: set[int] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def failed(self, words: str) -> None:
        """Counts a lost result."""
        with self.lock:
            self.lost += 1
            self.failures = [*self.failures[-19:], words[:300]]


def main() -> int:
    """Runs the benchmark and prints its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--models", default="miniature")
    parser.add_argument("--overhead-edits", type=int, default=8, help="edits by library and by HTTP to compare")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="instructedit-") as folder,
        served(Path(folder), args.models) as (url, service),
    ):
        overhead = measure_overhead(url, service, args.overhead_edits)
        tally = load(url, service, args.clients, args.minutes * 60)
    from agent.config import load_models

    settings = {"clients": args.clients, "minutes": args.minutes, "seed": SEED}
    figures = {**overhead, **told(tally)}
    print(json.dumps(figures, indent=1))
    if args.json:
        record = begun(settings, load_models(args.models))
        command = ["python", "-m", "benchmarks.service", *sys.argv[1:]]
        write_json(args.json, {**record, "benchmark": "service", "command": command, "figures": figures})
    return 0 if not (tally.lost or tally.mixed_up) else 1


@contextmanager
def served(folder: Path, models: str) -> Iterator[tuple[str, Any]]:
    """A server on a free port in this process; its address and its service."""
    import uvicorn

    from agent.faces.door import Door, listen
    from agent.faces.server.app import build_app
    from agent.faces.server.making import session_maker
    from agent.service.limits import ServiceLimits
    from agent.service.service import Service
    from tools.workspace import Workspace

    args = argparse.Namespace(models=models, llm="offline", retries=0)
    new_session, names, _ = session_maker(args)
    limits = ServiceLimits(requests_a_minute=0, waiting_jobs=64, waiting_jobs_each=64)
    door = Door()
    with (
        Workspace(folder) as workspace,
        Service(workspace, new_session, limits, names=names) as service,
        listen(door) as on,
    ):
        server = uvicorn.Server(uvicorn.Config(build_app(service, door), log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [on]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{on.getsockname()[1]}", service
        server.should_exit = True
        thread.join(20)


def measure_overhead(url: str, service: Any, edits: int) -> dict[str, float]:
    """Seconds of the same edits by the session alone and over HTTP, taken in turn; both skip the inversion cache."""
    from tools.workspace import Workspace

    scene, noun = scene_of(0)
    instructions = [f"make the {noun} {COLOURS[number % len(COLOURS)]}" for number in range(edits + 1)]
    direct, over_http = [], []
    with httpx.Client(base_url=url, timeout=TIMEOUT) as client, Workspace.temporary() as workspace:

        def new_session() -> Any:
            return service.bench._new_session(workspace.start(Image.open(BytesIO(scene)).convert("RGB")))

        def by_hand(text: str) -> tuple[float, bool]:
            session = new_session()
            began = time.perf_counter()
            kind = session.turn(text).kind
            return time.perf_counter() - began, kind == "edit"

        def by_http(text: str) -> tuple[float, bool]:
            key = client.post("/v1/conversations", content=scene, headers={"Content-Type": "image/png"}).json()["id"]
            began = time.perf_counter()
            answer = client.post(f"/v1/conversations/{key}/messages?wait=30", json={"text": text}).raise_for_status()
            return time.perf_counter() - began, answer.status_code == 200

        editor = new_session().context.models.editor
        for number, text in enumerate(instructions):
            ways = [by_hand, by_http] if number % 2 else [by_http, by_hand]  # what goes first has the colder caches
            spent = {}
            for way in ways:
                editor.forget()
                spent[way] = way(text)
            if number and all(made for _, made in spent.values()):  # the first one loads the models
                direct.append(spent[by_hand][0])
                over_http.append(spent[by_http][0])
    if not direct:
        return {}
    alone, served_in = statistics.median(direct), statistics.median(over_http)
    share = statistics.median(b / a - 1 for a, b in zip(direct, over_http, strict=True))
    return {
        "library_seconds": round(alone, 3),
        "http_seconds": round(served_in, 3),
        "http_overhead": round(share, 4),
        "compared": len(direct),
    }


def load(url: str, service: Any, clients: int, seconds: float) -> Tally:
    """All clients at once; the time begins when each has had an answer, and at its end each finishes what it asked for.

    Until then conversations still open, each with models' views of its own picture: that is the warm-up.
    """
    tally = Tally()
    threads = [threading.Thread(target=one_client, args=(url, number, tally)) for number in range(clients)]
    for thread in threads:
        thread.start()
    warm: float | None = None
    while any(thread.is_alive() for thread in threads):
        time.sleep(min(2.0, max(0.1, seconds / 60)))
        with tally.lock:
            tally.longest_queue = max(tally.longest_queue, service.jobs.counts().get("queued", 0))
            if warm is None and len(tally.answered) == clients:
                warm = time.monotonic()
            if warm is not None and not tally.over.is_set():
                tally.memory.append(resident_bytes())
        if warm is not None and time.monotonic() - warm >= seconds:
            tally.over.set()
    return tally


def one_client(url: str, number: int, tally: Tally) -> None:
    """One person: uploads, edits, looks, checks that it is their own."""
    scene, noun = scene_of(number)
    own = pixels(scene)
    try:
        with httpx.Client(base_url=url, timeout=TIMEOUT) as client:
            key = client.post("/v1/conversations", content=scene, headers={"Content-Type": "image/png"}).json()["id"]
            edits = 0
            while not tally.over.is_set():
                if edits and edits % 10 == 0:
                    client.post(f"/v1/conversations/{key}/go", json={"image_id": "image_1"})
                edit_once(client, key, f"make the {noun} {COLOURS[(number + edits) % len(COLOURS)]}", own, tally)
                edits += 1
                with tally.lock:
                    tally.answered.add(number)
            client.delete(f"/v1/conversations/{key}").raise_for_status()
    except (httpx.HTTPError, KeyError, ValueError) as error:
        tally.failed(f"client {number}: {type(error).__name__}: {error}")
        with tally.lock:
            tally.answered.add(number)  # the others do not wait for one that is gone


def edit_once(client: httpx.Client, key: str, text: str, own: np.ndarray, tally: Tally) -> None:
    """Says something and follows the job; a result belongs to the client if the corner of the picture is its own."""
    began = time.perf_counter()
    answer = client.post(f"/v1/conversations/{key}/messages", json={"text": text})
    if answer.status_code == 429:
        with tally.lock:
            tally.refused += 1
        time.sleep(float(answer.headers["retry-after"]))
        return
    job = answer.raise_for_status().json()
    first = None
    ended: dict[str, Any] = {}
    with client.stream("GET", job["events_url"]) as stream:
        for line in stream.iter_lines():
            first = first or time.perf_counter() - began
            if line.startswith("data: "):
                ended = json.loads(line[6:])
    if ended.get("state") != "done" or not ended.get("result"):
        tally.failed(f"{text}: {ended.get('state')} {ended.get('error')}")
        return
    result = ended["result"]
    with tally.lock:
        tally.turns += 1
        tally.edits += result["kind"] == "edit"
        tally.feedback.append(first or 0.0)
        if ended["conversation"] != key or result["text"] != text:
            tally.mixed_up += 1
    for version in result["versions"]:
        made = pixels(client.get(version["image_url"]).content)
        if made.shape != own.shape or (made == own).all(axis=2).mean() < 0.2:
            with tally.lock:
                tally.mixed_up += 1


@cache
def scene_of(number: int) -> tuple[bytes, str]:
    """A scene of one object as a PNG file, and what stands in it; each number another one."""
    from instructedit_models.miniature.world import draw, sample_scene

    seeds = (seed for seed in count(SEED + SPREAD * number) if len(sample_scene(seed).items) == 1)
    scene = sample_scene(next(seeds))
    buffer = BytesIO()
    Image.fromarray(draw(scene).image).save(buffer, "PNG")
    return buffer.getvalue(), scene.items[0].noun


def pixels(data: bytes) -> np.ndarray:
    """(H, W, 3) uint8."""
    with Image.open(BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


def resident_bytes() -> int:
    """What this process holds in memory."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def told(tally: Tally) -> dict[str, Any]:
    """The figures of a load; memory growth is from the first fifth to the last fifth of the time after the warm-up."""
    sizes = tally.memory or [resident_bytes()]
    fifth = max(1, len(sizes) // 5)
    warm, late = statistics.median(sizes[:fifth]), statistics.median(sizes[-fifth:])
    return {
        "turns": tally.turns,
        "edits": tally.edits,
        "lost": tally.lost,
        "mixed_up": tally.mixed_up,
        "refused": tally.refused,
        "longest_queue": tally.longest_queue,
        "first_event_seconds_median": round(statistics.median(tally.feedback), 4) if tally.feedback else None,
        "memory_warm_bytes": int(warm),
        "memory_megabytes": [size >> 20 for size in sizes[:: max(1, len(sizes) // 20)]],
        "memory_growth": round(late / warm - 1, 4),
        "failures": tally.failures,
    }


if __name__ == "__main__":
    sys.exit(main())
