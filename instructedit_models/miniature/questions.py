"""Questions about a scene with their answers, as BLIP-2 is asked them.

The describer's training and its figures call `sample_questions`; every word is one of
`words.VOCABULARY`, in lower case.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from instructedit_models.lexicon import with_article
from instructedit_models.miniature.captions import (
    FULL,
    NUMBERS,
    full_description,
    full_listing,
    joined,
    look,
    noun_phrase,
)
from instructedit_models.miniature.choices import chance, pick, weighted
from instructedit_models.miniature.referring import APART, CLEARLY_APART, Referring, candidates
from instructedit_models.miniature.relations import nearest
from instructedit_models.miniature.scene import Item, Picture, Scene
from instructedit_models.miniature.seeds import words_of
from instructedit_models.miniature.seen import Seen, see
from instructedit_models.miniature.words import MATERIALS, background_name, plural, singular

Answered = tuple[str, str]

MEDIUM_QUESTIONS = (
    "is this a photo, a painting or another kind of art?",
    "is this a photo, a painting, a drawing, or other kind of arts?",
    "is this a photo, a painting, a drawing or another kind of art?",
    "is this a photo or a painting?",
    "is this a photo, a painting or a pencil drawing?",
    "what kind of picture is this?",
    "what kind of image is this?",
    "what medium is this?",
)
"""The question of the paper's protocol in several wordings."""

_DESCRIBE = (
    "describe the picture.", "describe the image.", "describe this picture.", "what is in the picture?",
    "what is in this image?", "what is the picture showing?", "what can you see?", "what do you see?",
)  # fmt: skip
_OBJECTS = (
    "what objects are there?", "what objects are in the picture?", "which objects can you see?",
    "what things are there?", "which things are in the image?",
)  # fmt: skip
_PICTURE = ("", "", " in the picture", " in the image", " in this picture")


@dataclass(frozen=True)
class _Subject:
    """What questions are asked about."""

    scene: Scene
    things: list[Seen]
    options: list[Referring]
    rng: np.random.Generator


def sample_questions(scene: Scene, picture: Picture, rng: np.random.Generator, n: int) -> list[Answered]:
    """`n` questions with their answers, drawn by kind; a kind that the scene leaves open is drawn again.

    The commonest are the two of the paper's protocol: the medium, and the completion of
    "{medium} of" by every object with its colour, its material where it is not plain, from left
    to right, and the background.
    """
    subject = _Subject(scene, see(scene, picture), candidates(scene, picture, rng), rng)
    answered: list[Answered] = []
    for _ in range(20 * n):
        if len(answered) == n:
            break
        pair = weighted(rng, _WEIGHTS)(subject)
        if pair and pair not in answered:
            answered.append(pair)
    while len(answered) < n:
        answered.append(_completion(subject))
    return answered


def _medium(subject: _Subject) -> Answered:
    question = pick(subject.rng, MEDIUM_QUESTIONS[:2] if chance(subject.rng, 0.6) else MEDIUM_QUESTIONS)
    return question, subject.scene.medium


def _completion(subject: _Subject) -> Answered:
    form = pick(subject.rng, ("{} of", "{} of", "{} of", "a {} of"))
    return form.format(subject.scene.medium), full_listing(subject.scene)


def _describe(subject: _Subject) -> Answered:
    return pick(subject.rng, _DESCRIBE), full_description(subject.scene)


def _objects(subject: _Subject) -> Answered:
    return pick(subject.rng, _OBJECTS), full_listing(subject.scene, background=False)


def _one(subject: _Subject, hide: str) -> Referring | None:
    """An expression of one whole object that does not give the answer away."""
    options = [
        option
        for option in subject.options
        if option.part is None and len(option.objects) == 1 and hide not in option.says and option.kind != "with part"
    ]
    return pick(subject.rng, options) if options else None


def _colour(subject: _Subject) -> Answered | None:
    rng = subject.rng
    if chance(rng, 0.25):
        parts = [option for option in subject.options if option.part and "colour" not in option.says]
        parts = [option for option in parts if len(option.objects) == 1]
        if not parts:
            return None
        target = pick(rng, parts)
        part = target.part or ""
        colour = subject.scene.items[target.objects[0]].part_colour(part)
        return _ask_colour(rng, target.phrase, singular(part) != part), colour
    if chance(rng, 0.12):
        groups = [o for o in subject.options if o.kind == "all" and not o.says and o.phrase.startswith("the ")]
        if not groups:
            return None
        target = pick(rng, groups)
        things = sorted((thing for thing in subject.things if thing.index in target.objects), key=lambda t: t.x)
        return _ask_colour(rng, target.phrase, True), joined(list(dict.fromkeys(t.item.colour for t in things)))
    found = _one(subject, "colour")
    if found is None:
        return None
    return _ask_colour(rng, found.phrase, False), subject.scene.items[found.objects[0]].colour


def _ask_colour(rng: np.random.Generator, phrase: str, several: bool) -> str:
    colour, verb = pick(rng, ("colour", "colour", "color")), "are" if several else "is"
    forms = (
        "what {c} {v} {x}?", "what {c} {v} {x}?", "which {c} {v} {x}?", "what is the {c} of {x}?",
        "what {c} {d} {x} have?",
    )  # fmt: skip
    return pick(rng, forms).format(c=colour, v=verb, x=phrase, d="do" if several else "does")


def _material(subject: _Subject) -> Answered | None:
    found = _one(subject, "material")
    if found is None:
        return None
    forms = ("what material is {}?", "what material is {}?", "what is the material of {}?", "what is {} made of?")
    item = subject.scene.items[found.objects[0]]
    form = pick(subject.rng, forms)
    if form.endswith("made of?"):
        return (form.format(found.phrase), "wood") if item.material == "wooden" else None
    return form.format(found.phrase), item.material


def _described(subject: _Subject) -> tuple[str, str | None, str | None]:
    """A description that may or may not fit something: noun, colour, material."""
    rng, items = subject.rng, subject.scene.items
    words = words_of(subject.scene.seed)
    present = bool(items) and chance(rng, 0.65)
    item = pick(rng, items) if present else None
    noun = item.noun if item else pick(rng, words.nouns)
    colour = (item.colour if item and chance(rng, 0.6) else pick(rng, words.colours)) if chance(rng, 0.35) else None
    materials = [material for material in MATERIALS if material != "plain"]
    material = None
    if chance(rng, 0.12):
        material = item.material if item and item.material != "plain" and chance(rng, 0.6) else pick(rng, materials)
    return noun, colour, material


def _fits(item: Item, noun: str, colour: str | None, material: str | None) -> bool:
    return item.noun == noun and colour in (None, item.colour) and material in (None, item.material)


def _count(subject: _Subject) -> Answered:
    rng = subject.rng
    if chance(rng, 0.15):
        form = pick(rng, ("how many objects are there{}?", "how many things are there{}?"))
        return form.format(pick(rng, _PICTURE)), NUMBERS[len(subject.things)]
    noun, colour, material = _described(subject)
    count = sum(_fits(item, noun, colour, material) for item in subject.scene.items)
    asked = pick(rng, ("are there", "are there", "can you see", "do you see"))
    question = f"how many {look(plural(noun), colour, material, rng)} {asked}{pick(rng, _PICTURE)}?"
    return question, NUMBERS[count]


def _exists(subject: _Subject) -> Answered:
    rng = subject.rng
    noun, colour, material = _described(subject)
    answer = "yes" if any(_fits(item, noun, colour, material) for item in subject.scene.items) else "no"
    if chance(rng, 0.75):
        form = pick(rng, ("is there {}{}?", "is there {}{}?", "can you see {}{}?", "do you see {}{}?"))
        return form.format(with_article(look(noun, colour, material, rng)), pick(rng, _PICTURE)), answer
    return f"are there any {look(plural(noun), colour, material, rng)}{pick(rng, _PICTURE)}?", answer


def _is_it(subject: _Subject) -> Answered | None:
    """Asks whether the car on the left is red."""
    rng = subject.rng
    says = pick(rng, ("colour", "colour", "material"))
    found = _one(subject, says)
    if found is None:
        return None
    true = getattr(subject.scene.items[found.objects[0]], says)
    asked = (
        true if chance(rng, 0.5) else pick(rng, words_of(subject.scene.seed).colours if says == "colour" else MATERIALS)
    )
    return f"is {found.phrase} {asked}?", "yes" if asked == true else "no"


def _where(subject: _Subject) -> Answered | None:
    options = [option for option in subject.options if option.part is None and option.kind == "attribute"]
    if not options:
        return None
    found = pick(subject.rng, options)
    thing = next(thing for thing in subject.things if thing.index == found.objects[0])
    across, down = _third(thing.x / thing.canvas), _third(thing.y / thing.canvas)
    if across is None or down is None:
        return None
    answer = {
        (0, 1): "on the left", (2, 1): "on the right", (1, 0): "at the top", (1, 2): "at the bottom",
        (1, 1): "in the middle", (0, 0): "at the top left", (2, 0): "at the top right",
        (0, 2): "at the bottom left", (2, 2): "at the bottom right",
    }[across, down]  # fmt: skip
    form = pick(subject.rng, ("where is {}{}?", "where is {}{}?", "where can you see {}{}?"))
    return form.format(found.phrase, pick(subject.rng, _PICTURE)), answer


def _third(share: float) -> int | None:
    """0, 1 or 2 for the third of the picture, None too near a border between two."""
    if min(abs(share - 0.38), abs(share - 0.62)) < 0.03:
        return None
    return 0 if share < 0.38 else 1 if share < 0.62 else 2


def _what_is_there(subject: _Subject) -> Answered | None:
    """Asks what is on the left."""
    side = pick(subject.rng, ("left", "right", "top", "bottom"))
    sign = 1 if side in ("left", "top") else -1

    def along(thing: Seen) -> float:
        return sign * (thing.x if side in ("left", "right") else thing.y)

    row = sorted(subject.things, key=along)
    if not row or (len(row) > 1 and along(row[1]) - along(row[0]) < (CLEARLY_APART if len(row) > 2 else 1.5 * APART)):
        return None
    share = (row[0].x if side in ("left", "right") else row[0].y) / row[0].canvas
    if (share > 0.45) if sign > 0 else (share < 0.55):
        return None
    place = f"on the {side}" if side in ("left", "right") else f"at the {side}"
    form = pick(subject.rng, ("what is {}{}?", "what is {}{}?", "what is the object {}{}?", "which object is {}{}?"))
    answer = with_article(noun_phrase(row[0].item, FULL, subject.rng))
    return form.format(place, pick(subject.rng, ("", "", " of the picture", " of the image"))), answer


def _next_to(subject: _Subject) -> Answered | None:
    options = [o for o in subject.options if o.part is None and o.kind in ("attribute", "position")]
    if not options:
        return None
    found = pick(subject.rng, options)
    thing = next(thing for thing in subject.things if thing.index == found.objects[0])
    other = nearest(thing, subject.things)
    if other is None:
        return None
    asked = pick(subject.rng, ("what is next to", "what is next to", "what is beside", "which object is near"))
    return f"{asked} {found.phrase}?", with_article(noun_phrase(other.item, FULL, subject.rng))


def _background(subject: _Subject) -> Answered:
    forms = (
        "what is the background?", "what is the background?", "what is in the background?",
        "what is behind the objects?", "what kind of background is this?", "which background does the picture have?",
    )  # fmt: skip
    return pick(subject.rng, forms), background_name(subject.scene.background)


_WEIGHTS: dict[Callable[[_Subject], Answered | None], float] = {
    _medium: 1.2, _completion: 2.4, _describe: 0.7, _objects: 0.4, _colour: 2.2, _material: 0.6, _count: 1.2,
    _exists: 0.7, _is_it: 0.6, _where: 0.5, _what_is_there: 0.7, _next_to: 0.4, _background: 0.5,
}  # fmt: skip
