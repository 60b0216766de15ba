"""BLIP-2: does it tell the medium, and does its description name every object with its colour?

A section of `main_job`.
"""

from collections.abc import Sequence

from benchmarks.figures import Bar, Section, rate
from benchmarks.scenes import Drawn, tracked
from instructedit_models.miniature.scene import Scene
from instructedit_models.miniature.training.blip2 import recall
from instructedit_models.types import Describer

__all__ = ["describe_section"]


def describe_section(describer: Describer, scenes: Sequence[Drawn]) -> Section:
    """Describes all scenes by the paper's protocol."""
    media: list[bool] = []
    named: list[float] = []
    scene_of: list[int] = []
    by_chance: list[float] = []
    section = Section()
    for number, drawn in enumerate(tracked(scenes, "descriptions")):
        said = describer.describe(drawn.image)
        right = said.medium == drawn.scene.medium
        found, wanted = recall(said.text, _objects(drawn.scene))
        media.append(right)
        named += [1.0] * found + [0.0] * (wanted - found)
        scene_of += [drawn.seed] * wanted
        # How much of a scene any fluent description would get right.
        other = scenes[(number + 1) % len(scenes)]
        lucky, chances = recall(said.text, _objects(other.scene))
        by_chance += [1.0] * lucky + [0.0] * (chances - lucky)
        if not right or found < wanted:
            section.cases.append(
                {"seed": drawn.seed, "medium": drawn.scene.medium, "said": said.text, "named": found, "of": wanted}
            )
    section.rows.append(rate("BLIP-2: medium right", media, Bar(">=", 0.98)))
    section.rows.append(rate("BLIP-2: objects named with the right colour (recall)", named, Bar(">=", 0.95), scene_of))
    section.rows.append(rate("the same words, another scene's objects", by_chance, indent=True))
    return section


def _objects(scene: Scene) -> list[tuple[str, str]]:
    return [(item.noun, item.colour) for item in scene.items]
