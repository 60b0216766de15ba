"""Captions of the picture world: what a scene, a crop or a part is called.

Training, `questions` and `world.export` call these; every word is one of `words.VOCABULARY`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from instructedit_models.lexicon import with_article
from instructedit_models.miniature.choices import chance, pick, weighted
from instructedit_models.miniature.scene import Item, Scene
from instructedit_models.miniature.words import background_name, background_places, plural, singular

NUMBERS = ("zero", "one", "two", "three", "four")

_STUFF = {"striped": "with stripes", "dotted": "with dots", "wooden": "made of wood"}
_OTHER_MEDIA = {
    "photo": ("photograph", "picture"),
    "painting": ("painting", "picture"),
    "pencil drawing": ("drawing", "pencil sketch", "sketch", "picture"),
}


@dataclass(frozen=True)
class Detail:
    """What a phrase says of a thing, besides what it is.

    Attributes:
        colour: say the body's colour.
        material: say the material, unless it is plain.
        size: say "small", "medium-sized" or "big".
        parts: the parts whose colours are said, as in "house with a red roof".
        canonical: say it in the one usual word order, without a throw of the dice.
    """

    colour: bool = True
    material: bool = True
    size: bool = False
    parts: tuple[str, ...] = ()
    canonical: bool = False


FULL = Detail(canonical=True)
"""Colour and material, always in the same words."""


def joined(phrases: Sequence[str]) -> str:
    """The phrases as a list in English: "a, b and c"."""
    return " and ".join([*([", ".join(phrases[:-1])] if len(phrases) > 1 else []), *phrases[-1:]])


def look(noun: str, colour: str | None, material: str | None, rng: np.random.Generator | None = None) -> str:
    """A noun after its adjectives: "striped red car", and at times "red striped car" when given dice."""
    words = [word for word in (material, colour) if word]
    if rng is not None and len(words) == 2 and material != "plain" and chance(rng, 0.2):
        words.reverse()
    return " ".join([*words, noun])


def part_phrase(item: Item, part: str, coloured: bool = True) -> str:
    """A part by itself, with its article: "a red roof", "black wheels", "striped blue petals"."""
    colour = item.part_colour(part) if coloured else None
    own = part in dict(item.own_colours)
    material = None if own or item.material == "plain" or not coloured else item.material
    phrase = look(part, colour, material)
    return phrase if singular(part) != part else with_article(phrase)


def noun_phrase(item: Item, detail: Detail, rng: np.random.Generator, count: int = 1) -> str:
    """A thing without its article: "striped red car", "house with a red roof"; plural for a count above 1."""
    noun = item.noun if count == 1 else plural(item.noun)
    material = item.material if detail.material and item.material != "plain" else None
    ending = ""
    if not detail.canonical:
        if detail.material and item.material == "plain" and chance(rng, 0.02):
            material = "plain"
        stuff = _STUFF.get(material or "")
        if stuff and not detail.parts and chance(rng, 0.06):
            material, ending = None, f" {stuff}"
    phrase = look(noun, item.colour if detail.colour else None, material, None if detail.canonical else rng)
    if detail.size:
        phrase = f"{'medium-sized' if item.size == 'medium' else item.size} {phrase}"
    if detail.parts:
        ending = f" with {joined([part_phrase(item, part) for part in detail.parts])}"
    return phrase + ending


def listing(items: Sequence[Item], details: Sequence[Detail], rng: np.random.Generator) -> str:
    """The things as a list, equal ones counted together: "two red balls and a striped blue dog"."""
    groups: dict[tuple[str | None, ...], list[int]] = {}
    for i, (item, detail) in enumerate(zip(items, details, strict=True)):
        key = (
            item.noun,
            item.colour if detail.colour else None,
            item.material if detail.material else None,
            item.size if detail.size else None,
            *(f"{part} {item.part_colour(part)}" for part in detail.parts),
        )
        groups.setdefault(key, []).append(i)
    phrases = []
    for members in groups.values():
        item, detail, count = items[members[0]], details[members[0]], len(members)
        phrase = noun_phrase(item, detail, rng, count)
        if count == 1:
            phrases.append(with_article(phrase))
        elif detail.canonical or chance(rng, 0.75):
            phrases.append(f"{NUMBERS[count] if count < len(NUMBERS) else 'many'} {phrase}")
        else:
            phrases.append(phrase)
    return joined(phrases)


def opening(medium: str, rng: np.random.Generator) -> str:
    """The beginning of a caption, mostly "photo of"."""
    throw = rng.random()
    if throw < 0.88:
        return f"{medium} of"
    if throw < 0.95:
        return f"a {medium} of"
    return f"{pick(rng, _OTHER_MEDIA.get(medium, (medium,)))} of"


def place(background: str, rng: np.random.Generator) -> str:
    """A phrase that places things before a background: mostly the usual one, "on a beach"."""
    places = background_places(background)
    return places[0] if chance(rng, 0.6) else pick(rng, places)


def caption(
    items: Sequence[Item],
    medium: str,
    background: str | None,
    rng: np.random.Generator,
    details: Sequence[Detail] | None = None,
) -> str:
    """A caption that names the items in the order given, and the background unless it is None."""
    if not items:
        return background_caption(background, medium, rng) if background else opening(medium, rng).removesuffix(" of")
    words = [opening(medium, rng), listing(items, details or [Detail()] * len(items), rng)]
    if background:
        words.append(place(background, rng))
    return " ".join(words)


def background_caption(background: str, medium: str, rng: np.random.Generator) -> str:
    """A caption of a background alone: "photo of grass", "painting of a night sky"."""
    return f"{opening(medium, rng)} {background_name(background)}"


def part_caption(item: Item, part: str, medium: str, rng: np.random.Generator) -> str:
    """A caption of a part alone: "photo of a red roof", "photo of black wheels of a bus"."""
    phrase = part_phrase(item, part, coloured=chance(rng, 0.9))
    if chance(rng, 0.15):
        phrase += f" of {with_article(item.noun)}"
    return f"{opening(medium, rng)} {phrase}"


def left_to_right(items: Sequence[Item]) -> list[Item]:
    """The items in reading order."""
    return sorted(items, key=lambda item: (item.centre[0], item.centre[1]))


def full_listing(scene: Scene, background: bool = True, parts: Mapping[int, str] | None = None) -> str:
    """Every object with its colour and material from left to right, then the background, in canonical words.

    Args:
        scene: the scene.
        background: whether it is named.
        parts: by the index of an item, a part of it whose colour is said too.
    """
    named = {scene.items[i]: (part,) for i, part in (parts or {}).items()}
    items = left_to_right(scene.items)
    details = [replace(FULL, parts=named.get(item, ())) for item in items]
    words = listing(items, details, np.random.default_rng(0)) if items else ""
    return f"{words} {background_places(scene.background)[0]}" if background else words


def full_description(scene: Scene, parts: Mapping[int, str] | None = None) -> str:
    """The canonical description: "photo of two red balls and a striped blue dog on snow"; `parts` as `full_listing`."""
    return f"{scene.medium} of {full_listing(scene, parts=parts)}"


def _own_parts(item: Item, rng: np.random.Generator) -> tuple[str, ...]:
    """One or two parts that have a colour of their own; none where the item has none."""
    parts = [part for part, _ in item.own_colours]
    if not parts:
        return ()
    first = pick(rng, parts)
    rest = [part for part in parts if part != first]
    return (first, pick(rng, rest)) if rest and chance(rng, 0.2) else (first,)


def scene_captions(scene: Scene, rng: np.random.Generator, n: int = 3) -> list[str]:
    """`n` captions that name every object with its colour; the first is the canonical description."""
    captions = [full_description(scene)]
    while len(captions) < n:
        items = left_to_right(scene.items)
        if chance(rng, 0.3):
            items = items[::-1]
        style = weighted(rng, {"usual": 5.0, "short": 2.0, "sizes": 1.0, "parts": 2.0})
        detail = Detail(material=style != "short", size=style == "sizes")
        details = [
            replace(detail, parts=_own_parts(item, rng)) if style == "parts" and chance(rng, 0.7) else detail
            for item in items
        ]
        captions.append(caption(items, scene.medium, scene.background if chance(rng, 0.75) else None, rng, details))
    return captions[:n]


def crop_caption(scene: Scene, indices: Sequence[int], rng: np.random.Generator, fully: bool = False) -> str:
    """What an editor's prompt says of a crop that shows these items: mostly "photo of a red car".

    Colours, materials and the background are left out at random, as people leave them out; of the first two none where
    the things are `fully` said.
    """
    items = left_to_right([scene.items[i] for i in indices])
    if not items:
        return background_caption(scene.background, scene.medium, rng)
    details = []
    coloured, material = fully or chance(rng, 0.85), fully or chance(rng, 0.85)
    for item in items:
        parts = _own_parts(item, rng) if len(items) == 1 and not fully and chance(rng, 0.2) else ()
        detail = Detail(coloured, material, size=chance(rng, 0.04), parts=parts)
        details.append(replace(detail, colour=False) if parts and chance(rng, 0.3) else detail)
    return caption(items, scene.medium, scene.background if chance(rng, 0.25) else None, rng, details)
