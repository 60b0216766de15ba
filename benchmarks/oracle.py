"""Grounding from the truth of a drawn scene, so that wrong detections can be told from wrong understanding.

A benchmark option only (`conversations --oracle-grounding`): detector, segmenter and describer answer from what the
scene holds, and from what the edits were asked to make of it. The editor stays the real one.
"""

import hashlib
import re
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from benchmarks.scenes import Drawn
from instructedit_models.errors import UnknownWordError
from instructedit_models.found import Found
from instructedit_models.grounding import GroundedSegmenter
from instructedit_models.lexicon import singular as singular_of
from instructedit_models.lexicon import with_article
from instructedit_models.miniature.captions import joined
from instructedit_models.miniature.words import BACKGROUNDS, COLOURS, MATERIALS, NOUNS, PARTS, VOCABULARY
from instructedit_models.search import Search, SearchOptions
from instructedit_models.types import Aspect, Box, Change, Description, Detection, Detector, EditOptions, Segmenter
from tools.context import Models
from tools.conversation import Conversation
from tools.graph import EditNode
from tools.layers import live

__all__ = ["OracleModels"]

SURE = 0.9
"""The score of everything that is there: things that fit equally well tie."""
SAME_PLACE = 0.5


@dataclass(frozen=True)
class Thing:
    """An object as it should look by now.

    Attributes:
        index: of the scene's item.
        noun, colour, material: what it is.
        mask: (H, W) bool, where it is seen.
        pieces: (part, mask) for each visible instance of a part.
        part_colours: what colour each part has.
    """

    index: int
    noun: str
    colour: str
    material: str
    mask: np.ndarray = field(repr=False, compare=False)
    pieces: tuple[tuple[str, np.ndarray], ...] = field(repr=False, compare=False, default=())
    part_colours: tuple[tuple[str, str], ...] = ()

    @property
    def words(self) -> frozenset[str]:
        """The adjectives that fit."""
        return frozenset({self.colour, self.material})


class OracleModels:
    """A model set that sees what is there; the editor, the scorer and the defaults are those of another set."""

    def __init__(self, models: Models, drawn: Drawn) -> None:
        self.models = models
        self.drawn = drawn
        self.conversation: Conversation | None = None
        self.name = models.name
        self.editor, self.scorer, self.media = models.editor, models.scorer, models.media
        self.keeping = replace(models.keeping, patterns=())  # patterns are seen by a detector; there is none here
        self.grounded: GroundedSegmenter = _OracleSegmenter(self)
        self.describer = _OracleDescriber(self)
        self._known: dict[str, tuple[Thing, ...]] = {}

    def defaults(self, change: Change, aspect: Aspect | None = None) -> EditOptions:
        """Those of the set."""
        return self.models.defaults(change, aspect)

    def things(self, image: Image.Image) -> tuple[Thing, ...]:
        """What a version of the picture should hold."""
        key = _digest(image)
        if key not in self._known and self.conversation is not None:
            for version in self.conversation.versions():
                path = live(self.conversation.path(version.id))
                self._known[_digest(self.conversation.image(version.id))] = self._after(path)
        return self._known.get(key) or self._after([])

    def _after(self, edits: list[EditNode]) -> tuple[Thing, ...]:
        picture, items = self.drawn.picture, self.drawn.scene.items
        things: list[Thing] = []
        for index, item in enumerate(items):
            parts = tuple((part, item.part_colour(part)) for part in PARTS.get(item.noun, ()))
            things.append(
                Thing(index, item.noun, item.colour, item.material, picture.masks[index],
                      tuple(picture.pieces[index]), parts)
            )  # fmt: skip
        for edit in edits:
            assert self.conversation is not None
            mask = self.conversation.mask(edit.mask_id)
            things = [each for thing in things if (each := _edited(thing, edit, mask)) is not None]
        return tuple(things)


def _edited(thing: Thing, edit: EditNode, mask: np.ndarray) -> Thing | None:
    """The thing after an edit; None where that took it away."""
    seen = np.count_nonzero(thing.mask)
    covered = np.count_nonzero(thing.mask & mask) / seen if seen else 0.0
    words = re.findall(r"[a-z]+", edit.edited_caption.split(" of ", 1)[-1].lower())
    whole, _, part = " ".join(words).partition(" with ")
    colours = [word for word in (part or whole).split() if word in COLOURS]
    if edit.change == "background" or np.count_nonzero(mask) > 4 * seen and covered >= SAME_PLACE:
        return thing
    if covered >= SAME_PLACE and not part:
        nouns = [
            name for word in whole.split() if (name := word if word in NOUNS else singular_of(word) or "") in NOUNS
        ]
        fruit = [word for word in whole.split() if word in NOUNS or singular_of(word) in NOUNS]
        if not nouns:
            return None if edit.change == "shape" else _coloured(thing, colours, whole)
        if nouns[-1] == "orange" and len(fruit) == 1 and colours:
            colours = colours[:-1]
        became = thing if nouns[-1] == thing.noun else replace(thing, noun=nouns[-1], pieces=(), part_colours=())
        return _coloured(became, colours, whole)
    if part and colours:
        touched = {name for name, piece in thing.pieces if np.count_nonzero(piece & mask) >= SAME_PLACE * piece.sum()}
        return replace(
            thing, part_colours=tuple((name, colours[-1] if name in touched else c) for name, c in thing.part_colours)
        )
    return thing


def _coloured(thing: Thing, colours: list[str], words: str) -> Thing:
    materials = [word for word in words.split() if word in MATERIALS]
    return replace(thing, colour=(colours or [thing.colour])[-1], material=(materials or [thing.material])[-1])


class _OracleSegmenter(GroundedSegmenter):
    """Solves prompts with the product's own geometry, on what is really there."""

    def __init__(self, oracle: OracleModels) -> None:
        super().__init__(_Blind(), _Blind(), object_phrases=NOUNS, parts=PARTS, options=SearchOptions())
        self.oracle = oracle

    def _search(self, image: Image.Image, last: Box | None) -> Search:
        return _OracleSearch(self, image, last, self.oracle.things(image))


class _OracleSearch(Search):
    def __init__(
        self, models: GroundedSegmenter, image: Image.Image, last: Box | None, things: tuple[Thing, ...]
    ) -> None:
        looking = _Looking(things)
        super().__init__(_Given(looking, looking, models.object_phrases, models.parts, models.options), image, last)
        self.things = things

    def _instances(self, phrase: str, owner: Found) -> list[Found]:
        *adjectives, part = phrase.split()
        name = next((p for parts in PARTS.values() for p in parts if part in (p, singular_of(p) or p)), part)
        thing = next((thing for thing in self.things if box_of(thing.mask) == owner.box), None)
        if thing is None or any(word not in COLOURS for word in adjectives):
            return []
        if adjectives and dict(thing.part_colours).get(name) not in adjectives:
            return []
        return [
            Found(phrase, SURE, box_of(piece), piece, True)
            for own, piece in thing.pieces
            if own == name and piece.any()
        ]


@dataclass
class _Given:
    """What a search is given."""

    detector: Detector
    segmenter: Segmenter
    object_phrases: tuple[str, ...]
    parts: dict[str, tuple[str, ...]]
    options: SearchOptions
    opinion: None = None


class _Looking:
    """Detector and segmenter of the things that are there."""

    def __init__(self, things: tuple[Thing, ...]) -> None:
        self.things = things

    def detect(self, image: Image.Image, phrase: str) -> list[Detection]:
        """Everything that a phrase of " . "-separated noun phrases fits."""
        found: list[Detection] = []
        for each in phrase.split(" . "):
            words = each.split()
            if not set(words) & set(VOCABULARY):
                raise UnknownWordError(f"The detector does not know '{each}'.", tuple(words))
            noun = words[-1] if words[-1] in NOUNS else singular_of(words[-1]) or words[-1]
            for thing in self.things:
                if thing.noun == noun and set(words[:-1]) <= thing.words and thing.mask.any():
                    found.append(Detection(box_of(thing.mask), SURE, each))
        return found

    def masks(self, image: Image.Image, boxes: list[Box]) -> list[np.ndarray]:
        """The mask of the thing in each box."""
        return [next(thing.mask for thing in self.things if box_of(thing.mask) == box).copy() for box in boxes]


class _Blind:
    """Stands where a model would: checks of edits ask it, and learn nothing."""

    def detect(self, image: Image.Image, phrase: str) -> list[Detection]:
        """Nothing."""
        return []

    def masks(self, image: Image.Image, boxes: list[Box]) -> list[np.ndarray]:
        """The boxes, filled."""
        made = []
        for x0, y0, x1, y1 in boxes:
            mask = np.zeros((image.height, image.width), dtype=bool)
            mask[round(y0) : round(y1), round(x0) : round(x1)] = True
            made.append(mask)
        return made


class _OracleDescriber:
    """Names everything that is there."""

    def __init__(self, oracle: OracleModels) -> None:
        self.oracle = oracle

    def describe(self, image: Image.Image) -> Description:
        """The medium, and each thing with its colour."""
        scene = self.oracle.drawn.scene
        named = []
        for thing in self.oracle.things(image):
            material = [] if thing.material == "plain" else [thing.material]
            named.append(with_article(" ".join([*material, thing.colour, thing.noun])))
        return Description(scene.medium, f"{scene.medium} of {joined(named)} on {_ground_name(scene.background)}")

    def ask(self, image: Image.Image, question: str) -> str:
        """How many things there are; conversations are judged by what is done, not by what is said."""
        return f"{len(self.oracle.things(image))} things"


def _ground_name(background: str) -> str:
    assert background in BACKGROUNDS
    return background if background in {"grass", "snow"} else f"a {background}"


def box_of(mask: np.ndarray) -> Box:
    """The box around a mask, (H, W) bool with a pixel at least."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def _digest(image: Image.Image) -> str:
    return hashlib.sha256(image.convert("RGB").tobytes()).hexdigest()
