"""After an edit: is the target there, is the source gone, is the colour as asked, and did nothing outside change?

`tools.editing` asks a `Verifier` after every edit and, where the answer is no, after every retry. It looks only at
what was edited, never at any truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from PIL import Image, ImageOps
from scipy import ndimage

from instructedit_models import colours, lexicon
from instructedit_models.boxes import surest_at
from instructedit_models.caption_text import (
    caption_in_look,
    caption_words,
    materials_differ,
    other_captions,
    phrase_of,
)
from instructedit_models.errors import BadInstructionError, BadMaskError, UnknownWordError
from instructedit_models.masks import crop_box
from instructedit_models.patterns import named_plainly, pattern_scores
from instructedit_models.types import Box, Change, Detector, Scorer

__all__ = ["Known", "Verification", "Verifier", "verify"]

CONTEXT = 1.5
CLOSE = (1.1, 1.2)
"""How wide the crops are (beside the mask's box) on which nouns are told apart: what stands around only misleads."""
_OVERLAP = 0.4
"""Least overlap (IoU) of a detection's box with the edited thing's."""
_SMALLEST_PART = 0.05
"""Parts of a mask that are smaller than this share of the largest one are crumbs."""
_SMALLEST_THING = 0.25
"""Parts of at least this share of the largest one count as things of their own, each of which must have its colour."""
_GONE = 0.6
"""The source is gone where its score fell below this share of what it was."""
_SURE_OF_PATTERN = 0.6
"""By how much a new pattern must fit better than each other one: on 50 true pictures of validation scenes each does; of
350 results of several strengths 230 of the 290 good ones do, and 14 of the 60 others."""
_PLAIN = 0.4
"""By how much a pattern may fit what shall be plain."""
_FITS_LOOK = 0.005
"""By how much a thing must fit its new pattern better than plain. Of 235 results on validation scenes 169 of the 194
good ones do, and 12 of the 41 others, of which the detector sees the pattern in 37."""
_LOOK_COUNTS = 6.0
"""What that counts beside the detector's margin."""
_STILL_THERE = 0.5
"""A pattern is still there where its score is at least this share of what it was."""
_LOOKS_NEW = 0.2
"""By how much the detector must be surer of "wooden cat" than before, for the material to count as changed."""
_BESIDE_COLOUR = 0.1
"""What CLIP's opinion counts beside the distance of the colour, where several results are put in order."""


@dataclass(frozen=True)
class Verification:
    """What the checks say of an edit.

    Attributes:
        passed: whether the edit did what was asked, as far as the checks can tell.
        score_before: CLIP's similarity to the edited caption minus that to the input caption, before the edit.
        score_after: the same after it.
        note: one sentence.
        score: how well it did; orders several results of one edit, larger = better.
        checks: by name ("caption", "target", "source", "noun", "colour", "pattern", "material", "look", "outside")
            whether it passed; None where it could not be made or does not apply.
    """

    passed: bool
    score_before: float
    score_after: float
    note: str
    score: float = 0.0
    checks: dict[str, bool | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Known:
    """What the models of a set know.

    Attributes:
        nouns: every one, where these are few; a new shape must then fit its own noun best.
        colours: words of `colours.COLOURS`; a new colour must be the nearest of them.
        patterns: as the detector may be asked for them; one that both captions name must not be lost with the colour,
            and one of the nouns must fit a new one better than none.
    """

    nouns: Sequence[str] = ()
    colours: Sequence[str] = colours.BASIC
    patterns: Sequence[str] = ()


class Verifier:
    """Checks results of one edit; what is to be known of the picture before is looked at once.

    Args:
        before: the picture, PIL RGB.
        mask: (H, W) bool, what was asked to be edited.
        input_caption: what was there, e.g. "photo of a dog".
        edited_caption: what should be there.
        scorer: CLIP.
        detector: Grounding DINO, or None to do without; asked where the shape changes.
        change: the kind of change.
        known: what the models know; None for nothing but the basic colours.

    Raises:
        BadMaskError: the mask is empty or of another size than the picture.
    """

    def __init__(
        self,
        before: Image.Image,
        mask: np.ndarray,
        input_caption: str,
        edited_caption: str,
        scorer: Scorer,
        detector: Detector | None = None,
        change: Change = "appearance",
        known: Known | None = None,
    ) -> None:
        if mask.shape != (before.height, before.width):
            raise BadMaskError(
                f"The mask is {mask.shape[1]}x{mask.shape[0]}, the picture is {before.width}x{before.height}; "
                "they must agree."
            )
        if not mask.any():
            raise BadMaskError("The mask is empty: nothing was edited that could be verified.")
        self._before, self._mask = before, mask
        known = known or Known()
        self._captions = (input_caption, edited_caption)
        self._scorer, self._known = scorer, known
        self._colour = colours.asked_colour(input_caption, edited_caption) if change != "background" else None
        # A detector tells nouns and materials apart, which CLIP alone often gets wrong; on colours it says little.
        self._material = change == "appearance" and materials_differ(input_caption, edited_caption)
        wanted = self._colour is None and (change == "shape" or self._material)
        self._detector = detector if wanted else None
        kept = caption_words(input_caption) & caption_words(edited_caption) & {*known.patterns}
        self._pattern = kept.pop() if self._colour and len(kept) == 1 else None
        new = (caption_words(edited_caption) - caption_words(input_caption)) & {*known.patterns, "plain"}
        self._new_pattern = new.pop() if len(new) == 1 else None
        # What the result must fit best, and what less: the same with other nouns, or the thing plain or patterned.
        self._rivals, self._own = "noun", edited_caption
        self._others = other_captions(edited_caption, known.nouns) if change == "shape" else []
        if change == "appearance" and self._new_pattern and known.patterns and self._thing in known.nouns:
            others = known.patterns if self._new_pattern == "plain" else ("plain",)
            self._rivals = "look"
            self._own, *self._others = [
                caption_in_look(edited_caption, self._thing, look) for look in (self._new_pattern, *others)
            ]
        self._sees_patterns = detector

    def check(self, after: Image.Image, region: np.ndarray | None = None) -> Verification:
        """Checks one result; see `check_all`."""
        return self.check_all([after], [region])[0]

    def check_all(self, afters: Sequence[Image.Image], regions: Sequence[np.ndarray | None]) -> list[Verification]:
        """Checks several results of the edit.

        Args:
            afters: edited pictures of the size of the picture before.
            regions: (H, W) bool of each, the pixels whose bytes may differ; None where that is not known.

        Raises:
            BadMaskError: a picture has another size.
        """
        for after in afters:
            if after.size != self._before.size:
                raise BadMaskError(
                    f"The pictures are {self._before.width}x{self._before.height} and {after.width}x{after.height}; "
                    "they must agree."
                )
        box = crop_box(self._mask, CONTEXT)
        try:
            crops = [image.crop(box) for image in afters]
            rows = self._scorer.similarity(crops, list(self._captions))
            scores = [float(row[1] - row[0]) for row in rows]
            margins = [self._lead(image) for image in afters]
            before = self._score_before
        except UnknownWordError as error:
            return [Verification(False, 0.0, 0.0, f"Not verified: {error}") for _ in afters]
        return [
            self._judged(after, region, before, score, margin)
            for after, region, score, margin in zip(afters, regions, scores, margins, strict=True)
        ]

    def _lead(self, after: Image.Image) -> float:
        """By how much the result fits what it should be better than each rival; 0 where there is none.

        The mean over close crops and their mirror images, since one alone is easily mistaken.
        """
        if not self._others:
            return 0.0
        crops = [after.crop(crop_box(self._mask, context)) for context in CLOSE]
        crops += [ImageOps.mirror(crop) for crop in crops]
        fits = self._scorer.similarity(crops, [self._own, *self._others]).mean(axis=0)
        return float(fits[0] - fits[1:].max())

    @cached_property
    def _score_before(self) -> float:
        crop = self._before.crop(crop_box(self._mask, CONTEXT))
        row = self._scorer.similarity([crop], list(self._captions))[0]
        return float(row[1] - row[0])

    def _judged(
        self, after: Image.Image, region: np.ndarray | None, before: float, score: float, rivalled: float
    ) -> Verification:
        nearer, fits = score > before, score > 0 and score > before
        checks: dict[str, bool | None] = {"caption": fits, "target": None, "source": None, "colour": None}
        total = score - before
        seen = self._seen_colour(after, self._colour) if self._colour else None
        if seen:
            checks["colour"] = seen.passed
            total = _BESIDE_COLOUR * total - seen.distance / 100
            before_edit = self._kept_score(self._patterns_before) if self._pattern else 0.0
            if before_edit:  # of a wrong colour it is not asked: that is no better than a lost pattern
                share = self._kept_score(self._patterns_seen(after)) / before_edit if seen.passed else 0.0
                checks["pattern"] = share >= _STILL_THERE if seen.passed else None
                total += min(share, 1.0) - 1.0
        elif self._material and self._detector is not None:
            checks["material"], margin = self._new_look(after)
            total += margin
        elif self._detector is not None:
            checks["target"], checks["source"], margin = self._detected(after)
            total += margin
        if self._others:
            least, counts = (_FITS_LOOK, _LOOK_COUNTS) if self._rivals == "look" else (0.0, 1.0)
            checks[self._rivals] = rivalled > least
            total += counts * rivalled
        outside = None if region is None else self._same_outside(after, region)
        checks["outside"] = outside
        refuted = False in [checks.get(name) for name in ("target", "source", "material", "noun", "look")]
        found = bool(checks["target"]) or bool(checks.get("material"))
        there = (fits or found) and not refuted
        if seen:
            there = bool(checks["colour"]) and False not in [checks.get(name) for name in ("noun", "look", "pattern")]
        passed = nearer and there and outside is not False
        return Verification(passed, before, score, self._note(checks, nearer, seen), total, checks)

    def _seen_colour(self, after: Image.Image, asked: str) -> colours.ColourMatch:
        """The colour of that of several things which is farthest from the colour asked for."""
        pixels = np.asarray(after)
        seen = [colours.match(colours.colour_of(pixels, thing), asked, self._known.colours) for thing in self._things]
        return max(seen, key=lambda one: (not one.passed, one.distance))

    @cached_property
    def _patterns_before(self) -> dict[str, float]:
        """What `_patterns_seen` says of the picture before; {} where the detector does not know the words."""
        try:
            return self._patterns_seen(self._before)
        except (UnknownWordError, BadInstructionError):
            return {}

    def _kept_score(self, seen: dict[str, float]) -> float:
        """How sure the detector is that the thing has the pattern that is to stay; 0 where another one fits better."""
        own = seen.get(self._pattern or "", 0.0)
        return own if own == max(seen.values(), default=0.0) else 0.0

    def _patterns_seen(self, image: Image.Image) -> dict[str, float]:
        """How sure the detector is of each pattern; {} without a detector. Raises where it does not know the words."""
        if self._sees_patterns is None:
            return {}
        return pattern_scores(image, self._mask, self._thing, self._known.patterns, self._sees_patterns)

    @cached_property
    def _thing(self) -> str:
        """What it should be now, without its looks."""
        looks = {*colours.COLOURS, *self._known.patterns, *lexicon.MATERIALS}
        return named_plainly(phrase_of(self._captions[1]), looks)

    @cached_property
    def _things(self) -> list[np.ndarray]:
        """The mask's parts that are large enough to be things of their own; the mask itself where it is one."""
        labels, sizes = self._parts
        large = np.flatnonzero(sizes >= _SMALLEST_THING * sizes.max()) + 1
        return [labels == number for number in large] if len(large) > 1 else [self._mask]

    def _note(self, checks: dict[str, bool | None], nearer: bool, seen: colours.ColourMatch | None) -> str:
        source, target = self._captions
        if checks["outside"] is False:
            return "Something changed outside the region that the edit may touch."
        if seen and not checks["colour"]:
            return f"The result looks {seen.nearest}, not {seen.asked}."
        if seen and checks.get("pattern") is False:
            return f"The result looks {seen.asked}, but is not {self._pattern} any more."
        if nearer and checks["source"] is False:
            return f"The detector still finds {phrase_of(source)!r} there."
        if nearer and checks["target"] is False:
            return f"The detector does not find {phrase_of(target)!r} there."
        if nearer and checks.get("noun") is False:
            return f"The result looks more like something else than like {phrase_of(target)!r}."
        if nearer and checks.get("look") is False:
            return f"The result does not look {self._new_pattern} enough."
        if nearer and checks.get("material") is False:
            return f"The detector sees little more of {phrase_of(target)!r} there than before."
        if checks["caption"]:
            return f"The result fits {target!r} better than {source!r}."
        if nearer and checks["target"] and checks["source"] is not False:
            return f"The detector finds {phrase_of(target)!r} there now."
        if nearer and seen:
            return f"The result looks {seen.asked}."
        if nearer:
            return f"The result came nearer to {target!r} but still fits {source!r} better."
        return f"The result fits {target!r} no better than the picture before."

    def _same_outside(self, after: Image.Image, region: np.ndarray) -> bool:
        return bool((np.asarray(self._before)[~region] == np.asarray(after)[~region]).all())

    def _detected(self, after: Image.Image) -> tuple[bool | None, bool | None, float]:
        """Whether the target is there and the source gone, and by how much better that is than before."""
        if self._seen_before is None:
            return None, None, 0.0
        source_before, target_before = self._seen_before
        source, target = self._seen(after)
        margin = (target - source) - (target_before - source_before)
        there = target > 0 and margin > 0
        gone = None if not source_before else source < target or source < _GONE * source_before
        if not there and not source_before:
            return None, gone, margin  # it saw nothing before either
        return there, gone, margin

    def _new_look(self, after: Image.Image) -> tuple[bool | None, float]:
        """Whether the thing is of the asked material now, as the detector sees it, and by how much more than before."""
        if self._new_pattern is not None and self._patterns_before:
            margin = _margin(self._patterns_seen(after), self._new_pattern)
            least = -_PLAIN if self._new_pattern == "plain" else _SURE_OF_PATTERN
            return margin >= least, margin - _margin(self._patterns_before, self._new_pattern)
        if self._seen_before is None:
            return None, 0.0
        source_before, target_before = self._seen_before
        source, target = self._seen(after)
        gain = (target - target_before) - (
            source - source_before if "plain" in caption_words(self._captions[1]) else 0.0
        )
        if not any((source_before, target_before, source, target)):
            return None, 0.0  # it saw nothing before, and sees nothing now
        return gain >= _LOOKS_NEW, gain

    @cached_property
    def _seen_before(self) -> tuple[float, float] | None:
        try:
            return self._seen(self._before)
        except (UnknownWordError, BadInstructionError):
            return None

    def _seen(self, image: Image.Image) -> tuple[float, float]:
        """The detector's scores of source and target where the mask is; of several parts, the worst."""
        if self._detector is None:
            return 0.0, 0.0
        scores = []
        for caption in self._captions:
            found = self._detector.detect(image, phrase_of(caption))
            scores.append(min(surest_at(box, found, _OVERLAP) for box in self._boxes))
        return scores[0], scores[1]

    @cached_property
    def _parts(self) -> tuple[np.ndarray, np.ndarray]:
        """The mask's connected parts, numbered from 1 on in (H, W), and the pixels of each."""
        labels, _ = ndimage.label(self._mask, structure=np.ones((3, 3)))
        return labels, np.bincount(labels.ravel())[1:]

    @cached_property
    def _boxes(self) -> list[Box]:
        labels, sizes = self._parts
        places = ndimage.find_objects(labels)
        kept = [place for place, size in zip(places, sizes, strict=True) if size >= _SMALLEST_PART * sizes.max()]
        return [(float(x.start), float(y.start), float(x.stop), float(y.stop)) for y, x in kept]


def verify(
    before: Image.Image,
    after: Image.Image,
    mask: np.ndarray,
    input_caption: str,
    edited_caption: str,
    scorer: Scorer,
    detector: Detector | None = None,
    change: Change = "appearance",
) -> Verification:
    """Checks one edited picture; see `Verifier`.

    Raises:
        BadMaskError: the mask is empty or of another size than the pictures.
    """
    return Verifier(before, mask, input_caption, edited_caption, scorer, detector, change).check(after)


def _margin(seen: dict[str, float], pattern: str) -> float:
    """By how much one pattern fits better than each other one."""
    return seen.get(pattern, 0.0) - max((score for name, score in seen.items() if name != pattern), default=0.0)
