"""One picture searched for one segmentation prompt: detections, masks, anchors and parts, each computed once.

`grounding.GroundedSegmenter` makes one `Search` per call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import chain
from typing import Protocol

import numpy as np
from PIL import Image
from scipy import ndimage

from instructedit_models.boxes import centre_within, scaled, square_around
from instructedit_models.choosing import Candidate, ChoosingOptions, choose
from instructedit_models.errors import BadParameterError, NothingFoundError, UnknownWordError, UserError
from instructedit_models.found import Found, each_once, filled, shrunk
from instructedit_models.hypernyms import hyponyms
from instructedit_models.lexicon import singular
from instructedit_models.masks import enlarged
from instructedit_models.reference import Reference
from instructedit_models.remembering import detect_each
from instructedit_models.rivals import Opinion, distinct, plainest, unrivalled
from instructedit_models.tiling import TiledDetector, detect_in
from instructedit_models.types import Box, Detection, Detector, Segmenter

__all__ = ["Search", "SearchOptions", "Solved"]

_NOWHERE = frozenset({"background", "backdrop", "scenery", "surroundings", "surrounding", "everything around"})
"""Words for the background that name nothing one could detect."""
_ANYTHING = ("person", "animal", "vehicle", "building", "plant", "object")
"""What an open detector is asked for when the background is wanted."""


@dataclass(frozen=True)
class SearchOptions:
    """Margins, and the work that is spent on a search.

    Attributes:
        refine: segment each chosen object once more in an enlarged crop.
        refine_context: width of that crop over the object's box.
        part_context: width of the crop in which parts are looked for over the owner's box.
        part_inside: the least share of a part that lies on its owner.
        part_share: instances of a part whose score is less than this share of the best one's are left out.
        slack: pixels, as a share of the longer side of a box, by which masks may pass it (or a part its owner).
        crop_size: smaller crops are enlarged to this width in pixels, smoothly, before a model sees them.
        tile: the side of the tiles in which things are looked for beside the whole picture, as a share of its longer
            side; 1: in the whole picture alone.
        tile_threshold: the least score of what is found so, over all views that could see it.
        phrases_per_prompt: of several phrases, how many the detector is asked for at once.
        opinion: what CLIP's similarity counts beside log-odds, where several known nouns fit one thing; 0: nothing.
        certain: the score from which on a thing is not compared with the other known nouns, which takes most of the
            time of a search; above 1 never.
        unsaid: attributes that the detector was not taught and that most things have; it is not asked for them.
        looks: groups of attributes of which a thing has one; where several things fit, it is asked for the others too.
        choosing: margins of the choice; a mapping of its fields will do.
    """

    refine: bool = False
    refine_context: float = 1.5
    part_context: float = 1.15
    part_inside: float = 0.5
    part_share: float = 0.6
    slack: float = 0.05
    crop_size: int = 128
    tile: float = 1.0
    tile_threshold: float = 0.3
    phrases_per_prompt: int = 4
    opinion: float = 0.0
    certain: float = 1.01
    unsaid: tuple[str, ...] = ()
    looks: tuple[tuple[str, ...], ...] = ()
    choosing: ChoosingOptions = field(default_factory=ChoosingOptions)

    def __post_init__(self) -> None:
        """Takes `choosing` as a model set's file gives it. Raises BadParameterError where the tiles cannot be made."""
        if not 0.2 <= self.tile <= 1:
            raise BadParameterError(f"tile must be between 0.2 and 1; got {self.tile}.")
        if not 0 <= self.tile_threshold <= 1:
            raise BadParameterError(f"tile_threshold must be between 0 and 1; got {self.tile_threshold}.")
        if isinstance(self.choosing, Mapping):
            object.__setattr__(self, "choosing", ChoosingOptions(**self.choosing))


@dataclass(frozen=True)
class Solved:
    """A reference solved: indices are into `found`."""

    found: tuple[Found, ...]
    chosen: tuple[int, ...]
    ambiguous: tuple[int, ...] = ()
    note: str | None = None

    @property
    def meant(self) -> list[Found]:
        """The chosen ones, and those that tie with them."""
        return [self.found[i] for i in sorted({*self.chosen, *self.ambiguous})]


class Models(Protocol):
    """What a search needs; a `GroundedSegmenter` is one."""

    detector: Detector
    segmenter: Segmenter
    object_phrases: tuple[str, ...]
    parts: dict[str, tuple[str, ...]]
    options: SearchOptions
    opinion: Opinion | None


class Search:
    """Solves references in one picture."""

    def __init__(self, models: Models, image: Image.Image, last: Box | None = None) -> None:
        """Nothing is computed yet; `last` is the box of what was edited before, for "the other one"."""
        self.models = models
        self.options = models.options
        self.image = image
        self.last = last
        self._found: dict[str, list[Found]] = {}
        self._whole = TiledDetector(
            models.detector, self.options.tile, self.options.tile_threshold, self.options.crop_size
        )
        self._nouns = models.object_phrases or _ANYTHING
        self._opinion = partial(models.opinion.of, image) if models.opinion else None
        self._part_names = {
            name: part for parts in models.parts.values() for part in parts for name in (part, singular(part) or part)
        }

    def solve(self, reference: Reference) -> Solved:
        """What a reference means. Raises NothingFoundError or UnknownWordError."""
        if reference.background:
            return self._background(reference)
        if reference.owner is not None:
            owners = self.solve(reference.owner)
            return self._part(reference, owners)
        owners_by_knowledge = self._owners(reference)
        if owners_by_knowledge:
            solved = self._part(reference, owners_by_knowledge, must=False)
            if solved.found:
                return solved
        found, note = self._find(reference)
        if not found:
            raise NothingFoundError(self._nothing(reference))
        return self._choose(reference, found, note)

    def refined(self, solved: Solved) -> Solved:
        """The same, the chosen objects segmented once more where an enlarged crop shows more of them."""
        found = [self._refined(each) if i in solved.chosen else each for i, each in enumerate(solved.found)]
        return replace(solved, found=tuple(found))

    def parts_on(self, owner: Found, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Of each part that is found on the owner all instances together, (H, W) bool inside the owner's mask."""
        unions = {}
        for name in names:
            masks = [each.mask & owner.mask for each in self._instances(name, owner)]
            if masks and (union := np.logical_or.reduce(masks)).any():
                unions[name] = union
        return unions

    def _choose(self, reference: Reference, found: list[Found], note: str | None = None) -> Solved:
        choice = choose(
            reference,
            [each.candidate for each in found],
            self.image.size,
            self._resolve,
            last=self.last,
            options=self.options.choosing,
        )
        notes = "; ".join(each for each in (note, choice.note) if each)
        return Solved(tuple(found), choice.chosen, choice.ambiguous, notes or None)

    def _resolve(self, reference: Reference) -> list[Candidate]:
        try:
            return [each.candidate for each in self.solve(reference).meant]
        except UserError:
            return []

    # objects

    def _find(self, reference: Reference) -> tuple[list[Found], str | None]:
        """All objects that noun and attributes fit, and a note on words that had to be left out."""
        everything = self.models.object_phrases
        if nouns := everything if reference.generic else hyponyms(reference.noun, everything):
            return self._objects([" ".join([*reference.attributes, noun]) for noun in nouns]), None
        if unsaid := [word for word in reference.attributes if word in self.options.unsaid]:
            said = tuple(word for word in reference.attributes if word not in unsaid)
            found, note = self._find(replace(reference, attributes=said))
            return self._without_other_looks(found, reference.noun, unsaid), note
        try:
            return self._look_for(reference.phrase, reference.noun), None
        except UnknownWordError as error:
            known = [word for word in reference.attributes if word not in error.words]
            shorter = " ".join([*known, reference.noun])
            if reference.plural and set(error.words) & set(reference.noun.split()):
                return self._look_for(" ".join([*known, reference.plural]), reference.noun), None
            if len(known) == len(reference.attributes):
                raise
            unknown = ", ".join(repr(word) for word in reference.attributes if word in error.words)
            return self._look_for(shorter, reference.noun), f"the detector does not know {unknown}"

    def _look_for(self, phrase: str, noun: str) -> list[Found]:
        if phrase not in self._found:
            detections = self._whole.detect(self.image, phrase)
            if detections and noun in self.models.object_phrases:
                same = self.options.choosing.same_iou
                if not self._certain(detections):
                    detections = unrivalled(detections, noun, self._census, same_iou=same, opinion=self._opinion)
                for word in phrase.removesuffix(noun).split():
                    detections = self._called_rightly(detections, phrase, noun, word)
            self._found[phrase] = self._segmented(detections)
        return self._found[phrase]

    def _certain(self, detections: Sequence[Detection]) -> bool:
        """Whether all that are not much weaker than the best are so sure that no other noun need be asked for."""
        best = max(each.score for each in detections)
        least = min(each.score for each in detections if each.score >= self.options.choosing.weak_share * best)
        return least >= self.options.certain

    def _called_rightly(self, detections: list[Detection], phrase: str, noun: str, word: str) -> list[Detection]:
        """Without those that another word for the same look fits better, unless that leaves nothing."""
        best = max((each.score for each in detections), default=0.0)
        doubtful = [each for each in detections if each.score >= self.options.choosing.weak_share * best]
        others = self._other_looks(word)
        if len(doubtful) < 2 or not others:
            return detections
        named = self._detected([phrase, *(f"{other} {noun}" for other in others)])
        return unrivalled(detections, phrase, named, same_iou=self.options.choosing.same_iou) or detections

    def _without_other_looks(self, found: list[Found], noun: str, unsaid: Sequence[str]) -> list[Found]:
        """Of several, those that no other look fits clearly, where the one that is meant cannot be asked for."""
        phrases = [f"{look} {noun}" for word in unsaid for look in self._other_looks(word)]
        if len(found) < 2 or not phrases or noun not in self.models.object_phrases:
            return found
        return plainest(found, self._detected(phrases), same_iou=self.options.choosing.same_iou)

    def _other_looks(self, word: str) -> list[str]:
        """What a thing of this look is not, of what the detector may be asked for."""
        groups = [group for group in self.options.looks if word in group]
        return [other for group in groups for other in group if other != word and other not in self.options.unsaid]

    @cached_property
    def _census(self) -> list[Detection]:
        """What is found for every noun that the detector knows, the same thing under several nouns included."""
        return self._detected(self.models.object_phrases)

    def _detected(self, phrases: Sequence[str]) -> list[Detection]:
        step = self.options.phrases_per_prompt
        prompts = [" . ".join(phrases[start : start + step]) for start in range(0, len(phrases), step)]
        return list(chain.from_iterable(detect_each(self._whole, self.image, prompts)))

    def _objects(self, phrases: Sequence[str]) -> list[Found]:
        """Everything that any of the phrases fits, each thing once."""
        census = set(phrases) <= set(self.models.object_phrases)
        detections = [each for each in self._census if each.phrase in phrases] if census else self._detected(phrases)
        return self._segmented(distinct(detections, self.options.choosing.same_iou))

    def _segmented(self, detections: Sequence[Detection]) -> list[Found]:
        if not detections:
            return []
        masks = self.models.segmenter.masks(self.image, [each.box for each in detections])
        found = [
            Found(each.phrase, each.score, each.box, self._within(mask, each.box))
            for each, mask in zip(detections, masks, strict=True)
        ]
        return each_once(found)

    def _within(self, mask: np.ndarray, box: Box) -> np.ndarray:
        """The mask cut off a little outside its box; the box itself where nothing is left."""
        margin = 1 + self.options.slack * max(box[2] - box[0], box[3] - box[1])
        allowed = filled((box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin), mask.shape)
        kept = mask & allowed
        return kept if kept.any() else filled(box, mask.shape)

    def _refined(self, found: Found) -> Found:
        crop = square_around(found.box, self.options.refine_context, self.image.size)
        if found.cropped or max(crop[2] - crop[0], crop[3] - crop[1]) > 0.8 * max(self.image.size):
            return found
        mask = self._masks_in(crop, [found.box])[0]
        return replace(found, mask=self._within(mask, found.box))

    def _masks_in(self, crop: tuple[int, int, int, int], boxes: Sequence[Box]) -> list[np.ndarray]:
        """Masks of boxes of the picture, found in an enlarged crop and pasted into the whole picture's size."""
        picture, scale = enlarged(self.image, crop, self.options.crop_size)
        inner = [
            scaled((box[0] - crop[0], box[1] - crop[1], box[2] - crop[0], box[3] - crop[1]), scale) for box in boxes
        ]
        pasted = []
        for mask in self.models.segmenter.masks(picture, inner):
            whole = np.zeros((self.image.height, self.image.width), dtype=bool)
            whole[crop[1] : crop[3], crop[0] : crop[2]] = shrunk(mask, (crop[2] - crop[0], crop[3] - crop[1]))
            pasted.append(whole)
        return pasted

    # parts

    def _owners(self, reference: Reference) -> Solved | None:
        """All things that are known to have the part, where the reference names one without its owner."""
        part = self._part_names.get(reference.noun)
        nouns = [noun for noun, parts in self.models.parts.items() if part in parts]
        if part is None or not nouns:
            return None
        found = self._objects(nouns)
        everything = tuple(range(len(found)))
        return Solved(tuple(found), everything)

    def _part(self, reference: Reference, owners: Solved, must: bool = True) -> Solved:
        """The instances of a part on the owners that are meant; one region for each owner where these tie."""
        name = self._part_names.get(reference.noun) or reference.plural or reference.noun
        phrase = " ".join([*reference.attributes, name])
        if owners.ambiguous:
            return self._part_of_each(phrase, owners)
        found: list[Found] = []
        for i in owners.chosen:
            found += self._instances(phrase, owners.found[i])
        if not found:
            if not must:
                return Solved((), ())
            owner = reference.owner.phrase if reference.owner else "owner"
            raise NothingFoundError(f"No {phrase!r} was found on the {owner}; name another part, or the whole {owner}.")
        whole = reference.sides or reference.rank or reference.size or reference.excluded or reference.relations
        if whole or reference.quantifier == "count":
            chosen = self._choose(reference, found)
            return replace(chosen, note=chosen.note or owners.note)
        return Solved(tuple(found), tuple(range(len(found))), (), owners.note)

    def _part_of_each(self, phrase: str, owners: Solved) -> Solved:
        found: list[Found] = []
        chosen: list[int] = []
        for i in owners.ambiguous:
            instances = self._instances(phrase, owners.found[i])
            if instances:
                union = np.logical_or.reduce([each.mask for each in instances])
                corners = np.array([each.box for each in instances])
                box = (*corners[:, :2].min(axis=0).tolist(), *corners[:, 2:].max(axis=0).tolist())
                chosen += [len(found)] if i in owners.chosen else []
                found.append(Found(phrase, max(each.score for each in instances), box, union, True))
        if not found:
            raise NothingFoundError(f"No {phrase!r} was found on what it should be a part of.")
        if len(found) == 1:
            return Solved(tuple(found), (0,), (), owners.note)
        return Solved(tuple(found), tuple(chosen or [0]), tuple(range(len(found))), owners.note)

    def _instances(self, phrase: str, owner: Found) -> list[Found]:
        """The instances of a part on one owner, found and segmented in an enlarged crop of it."""
        crop = square_around(owner.box, self.options.part_context, self.image.size)
        (detections,) = detect_in(self.models.detector, self.image, crop, [phrase], self.options.crop_size)
        detections = [each for each in detections if centre_within(each.box, owner.box)]
        if not detections:
            return []
        margin = 1 + self.options.slack * max(owner.box[2] - owner.box[0], owner.box[3] - owner.box[1])
        on_owner = ndimage.binary_dilation(owner.mask, iterations=max(1, round(margin)))
        found = []
        masks = self._masks_in(crop, [each.box for each in detections])
        best = max(each.score for each in detections)
        for each, mask in zip(detections, masks, strict=True):
            if each.score < self.options.part_share * best:
                continue
            mask = self._within(mask, each.box)
            clipped = mask & on_owner
            if clipped.sum() >= self.options.part_inside * mask.sum():
                found.append(Found(phrase, each.score, each.box, clipped, True))
        return each_once(found)

    # background

    def _background(self, reference: Reference) -> Solved:
        if reference.excluded is not None:
            left_out, what = self.solve(reference.excluded).meant, reference.excluded.phrase
        else:
            if not self.models.object_phrases and reference.noun not in _NOWHERE:
                found, note = self._find(reference)
                if found:
                    return Solved(tuple(found), tuple(range(len(found))), (), note)
            left_out = self._objects(self._nouns)
            what = f"{len(left_out)} object{'' if len(left_out) == 1 else 's'}"
        mask = np.ones((self.image.height, self.image.width), dtype=bool)
        for each in left_out:
            mask &= ~each.mask
        if not mask.any():
            raise NothingFoundError(f"No {reference.noun!r} was found: objects fill the picture.")
        whole = (0.0, 0.0, float(self.image.width), float(self.image.height))
        score = min((each.score for each in left_out), default=1.0)
        return Solved((Found(reference.noun, score, whole, mask, True),), (0,), (), f"everything but {what}")

    def _nothing(self, reference: Reference) -> str:
        """One sentence: what was not found, and what was."""
        sentence = f"No {reference.phrase!r} was found in the picture"
        try:
            if reference.attributes and not reference.generic:
                instead = self._whole.detect(self.image, reference.noun)
            else:
                instead = [Detection(each.box, each.score, each.phrase) for each in self._objects(self._nouns)]
        except UserError:
            instead = []
        listed = ", ".join(f"{each.phrase} ({each.score:.2f})" for each in instead[:4])
        return f"{sentence}; " + (f"what was found instead: {listed}." if listed else "name something that is in it.")
