"""Exact edits of scenes: an instruction in a person's words, and the scene after it.

Training, `world.export` and the benchmarks sample from here. Only what the instruction names is
changed in the scene, so the two pictures differ there (and in its shadow) and nowhere else.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from instructedit_models.lexicon import with_article
from instructedit_models.miniature.choices import BODY_PARTS, chance, part_colours, pick, weighted
from instructedit_models.miniature.referring import Referring, candidates, sample
from instructedit_models.miniature.scene import Item, Picture, Scene
from instructedit_models.miniature.seeds import words_of
from instructedit_models.miniature.words import COLOURS, MATERIALS, background_name, plural, singular

KINDS = ("noun", "recolour", "material", "part", "all", "background")
"""Noun swap, recolour, re-material, recolour of a part, an edit of all of one kind, change of background."""

_RECOLOUR = (
    "make {x} {c}", "make {x} {c}", "change {x} to {c}", "turn {x} {c}", "paint {x} {c}", "colour {x} {c}",
    "recolour {x} {c}", "change the colour of {x} to {c}", "{x} should be {c}", "i want {x} to be {c}",
    "could you make {x} {c}?", "what if {x} {were} {c}?", "please make {x} {c}",
)  # fmt: skip
_RECOLOUR_AS_NOUN = ("change {x} to {y}", "turn {x} into {y}", "replace {x} with {y}", "{x} should be {y}")
_MATERIAL = (
    "make {x} {c}", "make {x} {c}", "change {x} to {c}", "{x} should be {c}", "i want {x} to be {c}",
    "could you make {x} {c}?", "what if {x} {were} {c}?", "please make {x} {c}",
)  # fmt: skip
_STUFF = {
    "wooden": ("make {x} out of wood",),
    "striped": ("give {x} stripes", "cover {x} with stripes"),
    "dotted": ("cover {x} with dots",),
}
_NOUN = (
    "change {x} to {y}", "change {x} into {y}", "turn {x} into {y}", "turn {x} into {y}", "replace {x} with {y}",
    "replace {x} by {y}", "swap {x} for {y}", "make {x} {y}", "{x} should be {y}", "i want {x} to be {y}",
    "use {y} instead of {x}", "what if {x} {were} {y}?", "could you turn {x} into {y}?", "transform {x} into {y}",
)  # fmt: skip
_BACKGROUND = (
    "change the background to {b}", "make the background {b}", "replace the background with {b}",
    "turn the background into {b}", "the background should be {b}", "change {old} to {b}", "turn {old} into {b}",
    "replace {old} with {b}",
)  # fmt: skip


@dataclass(frozen=True)
class Edit:
    """One edit of a scene.

    Attributes:
        kind: one of `KINDS`.
        instruction: what a person would ask for.
        objects: indices of the items that are edited; empty for the background.
        part: the part that is edited, or None.
        to: what is asked for: some of "noun", "colour", "material", "background".
        after: the edited scene.
    """

    kind: str
    instruction: str
    objects: tuple[int, ...]
    part: str | None
    to: dict[str, str]
    after: Scene


def sample_edits(scene: Scene, picture: Picture, rng: np.random.Generator, kinds: Sequence[str] = KINDS) -> list[Edit]:
    """One edit of each of the kinds that the scene allows (a ball has no part to edit), in the order of `kinds`.

    Args:
        scene: the scene before.
        picture: the same scene, drawn; the instructions refer to what can be seen in it.
        rng: decides what is edited, to what, and in which words.
        kinds: some of `KINDS`; a kind that is named twice is sampled twice.
    """
    options = [option for option in candidates(scene, picture, rng) if option.kind != "bare"]
    edits = []
    for kind in kinds:
        if kind == "background":
            edits.append(_background(scene, rng))
            continue
        target = sample(list(_targets(options, kind)), rng, 1)
        if target:
            edits.append(_edit(scene, kind, target[0], rng))
    return edits


def _targets(options: list[Referring], kind: str) -> Iterator[Referring]:
    for option in options:
        if kind == "part":
            suits = option.part is not None and len(option.objects) == 1
        elif kind == "all":
            suits = option.part is None and option.kind in ("all", "except")
        else:
            suits = option.part is None and len(option.objects) == 1
        if suits:
            yield option


def recoloured(item: Item, colour: str) -> Item:
    """The item with another body colour; parts with a colour of their own keep it."""
    return replace(item, colour=colour)


def with_part(item: Item, part: str, colour: str) -> Item:
    """The item with another colour of one part. Raises KeyError where its noun has no such part."""
    item.part_colour(part)
    if (item.noun, part) in BODY_PARTS:
        return recoloured(item, colour)
    own = dict(item.own_colours) | {part: colour}
    return replace(item, own_colours=tuple(own.items()))


def with_noun(item: Item, noun: str, rng: np.random.Generator, colours: Sequence[str] = tuple(COLOURS)) -> Item:
    """Another thing in the item's place, in its colour, material and extent; its parts take some of the `colours`."""
    return replace(item, noun=noun, own_colours=part_colours(noun, item.colour, rng, colours))


def in_colour(scene: Scene, objects: Sequence[int], colour: str, part: str | None = None) -> Scene:
    """The scene with some of its objects, or one part of each, in a colour."""
    items = {i: scene.items[i] for i in objects}
    return with_items(
        scene, {i: with_part(x, part, colour) if part else recoloured(x, colour) for i, x in items.items()}
    )


def with_items(scene: Scene, changed: dict[int, Item]) -> Scene:
    """The scene with some of its items replaced."""
    return replace(scene, items=tuple(changed.get(i, item) for i, item in enumerate(scene.items)))


def _edit(scene: Scene, kind: str, target: Referring, rng: np.random.Generator) -> Edit:
    items = [scene.items[i] for i in target.objects]
    words = words_of(scene.seed)
    change = kind if kind != "all" else weighted(rng, {"recolour": 0.5, "noun": 0.3, "material": 0.2})
    if change == "part":
        to = {"colour": _new_colour(items, words.colours, rng, target.part)}
        after = [with_part(item, target.part or "", to["colour"]) for item in items]
    elif change == "recolour":
        to = {"colour": _new_colour(items, words.colours, rng)}
        after = [recoloured(item, to["colour"]) for item in items]
    elif change == "material":
        to = {"material": _new_material(items, rng)}
        after = [replace(item, material=to["material"]) for item in items]
    else:
        to = {"noun": pick(rng, [noun for noun in words.nouns if noun != items[0].noun])}
        if chance(rng, 0.2):
            to["colour"] = _new_colour(items, words.colours, rng)
        dressed = [recoloured(item, to["colour"]) if "colour" in to else item for item in items]
        after = [with_noun(item, to["noun"], rng, words.colours) for item in dressed]
    changed = dict(zip(target.objects, after, strict=True))
    instruction = _words(change, target, items[0], to, rng)
    return Edit(kind, _spoken(instruction, rng), target.objects, target.part, to, with_items(scene, changed))


def _new_colour(items: list[Item], colours: Sequence[str], rng: np.random.Generator, part: str | None = None) -> str:
    """A colour that none of the items (or their part) has and that keeps body and parts apart, where there is one."""
    if part and (items[0].noun, part) not in BODY_PARTS:
        taken = {item.part_colour(part) for item in items} | {item.colour for item in items}
    else:
        taken = {item.colour for item in items} | {colour for item in items for _, colour in item.own_colours}
    free = [colour for colour in colours if colour not in taken]
    return pick(rng, free or [colour for colour in colours if any(item.colour != colour for item in items)])


def _new_material(items: list[Item], rng: np.random.Generator) -> str:
    others = [material for material in MATERIALS if any(item.material != material for item in items)]
    fancy = [material for material in others if material != "plain"]
    return pick(rng, fancy if fancy and chance(rng, 0.9) else others)


def _words(change: str, target: Referring, item: Item, to: dict[str, str], rng: np.random.Generator) -> str:
    """The instruction, lower case, without a full stop."""
    part, colour = target.part, to.get("colour")
    together = len(target.objects) > 1 and not target.phrase.startswith(("every", "each"))
    many = together if part is None else (together or singular(part) != part)
    values = {"x": target.phrase, "were": "were" if many or chance(rng, 0.6) else "was"}
    if change == "part":
        owner = target.phrase.removeprefix(f"the {part} of ")
        if owner != target.phrase and not together and chance(rng, 0.25):
            new = f"{colour} {part}"
            return f"give {owner} {new if singular(part or '') != part else with_article(new)}"
        return pick(rng, _RECOLOUR).format(**values, c=colour)
    if change == "material":
        material = to["material"]
        return pick(rng, (*_MATERIAL, *_STUFF.get(material, ()))).format(**values, c=material)
    noun = to.get("noun", item.noun)
    if change == "recolour" and chance(rng, 0.75):
        return pick(rng, _RECOLOUR).format(**values, c=colour)
    new = f"{colour} {plural(noun) if together else noun}" if colour else plural(noun) if together else noun
    values["y"] = new if together else with_article(new)
    return pick(rng, _NOUN if change == "noun" else _RECOLOUR_AS_NOUN).format(**values)


def _background(scene: Scene, rng: np.random.Generator) -> Edit:
    to = pick(rng, [background for background in words_of(scene.seed).backgrounds if background != scene.background])
    old = f"the {background_name(scene.background).removeprefix('a ').removeprefix('the ')}"
    instruction = pick(rng, _BACKGROUND).format(b=background_name(to), old=old)
    after = replace(scene, background=to)
    return Edit("background", _spoken(instruction, rng), (), None, {"background": to}, after)


def _spoken(instruction: str, rng: np.random.Generator) -> str:
    """The instruction as it is typed: often with a capital, sometimes with a full stop."""
    if chance(rng, 0.5):
        instruction = instruction[0].upper() + instruction[1:]
    return instruction + "." if not instruction.endswith("?") and chance(rng, 0.2) else instruction
