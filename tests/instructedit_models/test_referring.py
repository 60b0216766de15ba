"""Segmentation prompts: what they mean, and which candidates they choose, on hand-made rows and on world scenes."""

import json
from pathlib import Path

import numpy as np
import pytest

from instructedit_models.errors import BadInstructionError
from instructedit_models.miniature.language import referring as world_referring
from instructedit_models.miniature.rendering import render
from instructedit_models.miniature.scene import Picture, Scene
from instructedit_models.miniature.seen import mask_box, see
from instructedit_models.miniature.words import PARTS, singular
from instructedit_models.miniature.world import sample_scene
from instructedit_models.reference import Reference
from instructedit_models.referring import Candidate, choose, parse, parse_all

PHRASINGS = Path(__file__).parents[1] / "data" / "phrasings.jsonl"
SIZE = (128, 128)


def at(x: float, y: float, side: float = 10, score: float = 1.0) -> Candidate:
    return Candidate((x - side / 2, y - side / 2, x + side / 2, y + side / 2), score)


def prompts() -> list[str]:
    found: dict[str, None] = {}
    for line in PHRASINGS.read_text().splitlines():
        for edit in json.loads(line).get("edits") or []:
            found |= dict.fromkeys(edit["segmentation_prompt"])
    return list(found)


@pytest.mark.parametrize("prompt", prompts())
def test_the_prompts_of_all_phrasings_have_a_head_noun_of_their_own(prompt):
    for reference in parse_all(prompt):
        words = reference.noun.split()
        written = (reference.plural or reference.noun).split()
        assert all(word in prompt for word in written) or reference.generic
        assert not {"the", "of", "on", "left", "right", "all", "both"} & set(words) or "cup of" in reference.noun


@pytest.mark.parametrize(
    ("prompt", "meaning"),
    [
        ("cat", Reference("cat")),
        ("The Cats", Reference("cat", quantifier="all")),
        ("a striped red car", Reference("car", ("striped", "red"))),
        ("ball with stripes", Reference("ball", ("striped",))),
        ("one of the balls", Reference("ball")),
        ("either of the red dogs", Reference("dog", ("red",))),
        ("the cat which is furthest to the left", Reference("cat", sides=("left",))),
        ("cat farthest on the right", Reference("cat", sides=("right",))),
        ("the ball that is closest to the top", Reference("ball", sides=("top",))),
        ("the house which is the biggest", Reference("house", size="big", comparative=True)),
        ("orange ball", Reference("ball", ("orange",))),
        ("the orange", Reference("orange")),
        ("teddy bear", Reference("teddy bear")),
        ("golden retriever", Reference("golden retriever")),
        ("cup of coffee", Reference("cup of coffee")),
        ("both cats", Reference("cat", quantifier="count", count=2)),
        ("three of the boxes", Reference("box", quantifier="count", count=3)),
        ("all of the buses", Reference("bus", quantifier="all")),
        ("every apple", Reference("apple", quantifier="all")),
        ("cat on the right", Reference("cat", sides=("right",))),
        ("leftmost cup", Reference("cup", sides=("left",))),
        ("ball in the top left corner", Reference("ball", sides=("top", "left"))),
        ("second ball from the left", Reference("ball", sides=("left",), rank=2)),
        ("last ball from the right", Reference("ball", sides=("right",), rank=-1)),
        ("bigger red car", Reference("car", ("red",), size="big", comparative=True)),
        ("the smallest of the trees", Reference("tree", size="small", comparative=True)),
        ("other cat", Reference("cat", other=True)),
        ("the red one", Reference("object", ("red",))),
        ("sky", Reference("sky", background=True)),
        ("the night sky", Reference("night sky", background=True)),
        ("background of the picture", Reference("background", background=True)),
        ("roof of the house", Reference("roof", owner=Reference("house"))),
        ("bus's wheels", Reference("wheel", quantifier="all", owner=Reference("bus"))),
        ("car door", Reference("door", owner=Reference("car"))),
        (
            "petals of the flower on the left",
            Reference("petal", quantifier="all", owner=Reference("flower", sides=("left",))),
        ),
        ("car that is not red", Reference("car", excluded=Reference("car", ("red",), quantifier="all"))),
        (
            "all the cars except the red one",
            Reference("car", quantifier="all", excluded=Reference("car", ("red",))),
        ),
        (
            "all oranges except the yellow orange",
            Reference("orange", quantifier="all", excluded=Reference("orange", ("yellow",))),
        ),
        ("everything except the cat", Reference("background", background=True, excluded=Reference("cat"))),
        ("ball on the grass", Reference("ball")),
    ],
)
def test_meaning(prompt, meaning):
    assert parse(prompt) == meaning


@pytest.mark.parametrize(
    ("prompt", "kind", "anchors"),
    [
        ("cat next to the dog", "next_to", ("dog",)),
        ("box behind the car", "behind", ("car",)),
        ("cat to the left of the dog", "left_of", ("dog",)),
        ("cat on the right side of the dog", "right_of", ("dog",)),
        ("ball between the tree and the house", "between", ("tree", "house")),
        ("car in front of the house", "in_front_of", ("house",)),
        ("laptop on the desk", "touching", ("desk",)),
        ("man sitting on a bench", "touching", ("bench",)),
        ("house with the red roof", "touching", ("roof",)),
        ("star above the tree", "above", ("tree",)),
    ],
)
def test_relations(prompt, kind, anchors):
    (relation,) = parse(prompt).relations
    assert relation.kind == kind
    assert tuple(anchor.noun for anchor in relation.anchors) == anchors


def test_several_things_in_one_prompt():
    assert [each.phrase for each in parse_all("the red car and the blue ball")] == ["red car", "blue ball"]
    assert [each.phrase for each in parse_all("cat . dog")] == ["cat", "dog"]
    assert [each.phrase for each in parse_all("black and white cat")] == ["black white cat"]
    assert len(parse_all("ball between the tree and the house")) == 1


@pytest.mark.parametrize("prompt", ["", "   ", "...", "?", "the", "ball " * 20_000])
def test_empty_and_endless_prompts_are_refused(prompt):
    with pytest.raises(BadInstructionError):
        parse_all(prompt)


@pytest.mark.parametrize(
    ("prompt", "chosen"),
    [
        ("ball on the left", (0,)),
        ("rightmost ball", (3,)),
        ("second ball from the left", (1,)),
        ("second ball from the right", (2,)),
        ("last ball", (3,)),
        ("biggest ball", (2,)),
        ("second biggest ball", (1,)),
        ("smallest ball", (3,)),
        ("ball at the top", (3,)),
        ("ball in the bottom left corner", (0,)),
        ("all balls", (0, 1, 2, 3)),
        ("balls", (0, 1, 2, 3)),
        ("balls on the right", (2, 3)),
        ("two balls on the right", (2, 3)),
        ("big balls", (1, 2)),
    ],
)
def test_choosing_from_a_row(prompt, chosen):
    row = [at(10, 100, 10), at(40, 60, 20), at(80, 60, 24), at(110, 20, 8)]
    choice = choose(parse(prompt), row, SIZE)
    assert choice.chosen == chosen
    assert choice.ambiguous == ()


@pytest.mark.parametrize("shift", [-12, 0, 14])
def test_the_middle_of_three_is_the_one_between_the_others(shift):
    row = [at(20 + shift, 60), at(95 + shift, 62), at(60 + shift, 58)]
    assert choose(parse("ball in the middle"), row, SIZE).chosen == (2,)


def test_several_that_fit_alike_are_ambiguous_and_the_surest_is_taken():
    choice = choose(parse("the cat"), [at(20, 60, score=0.8), at(80, 60, score=0.9)], SIZE)
    assert choice.chosen == (1,)
    assert choice.ambiguous == (0, 1)


def test_of_things_without_a_name_the_largest_is_taken():
    choice = choose(parse("object"), [at(20, 60, score=0.95), at(80, 60, side=30, score=0.9)], SIZE)
    assert (choice.chosen, choice.ambiguous) == ((1,), (0, 1))


def test_one_that_stands_out_is_not_ambiguous():
    pair = [at(20, 60, score=0.4), at(80, 60, score=0.9)]
    assert choose(parse("the cat"), pair, SIZE).ambiguous == ()
    # Scores tell attributes apart more sharply than nouns.
    pair = [at(20, 60, score=0.6), at(80, 60, score=0.9)]
    assert choose(parse("the red cat"), pair, SIZE).ambiguous == ()
    assert choose(parse("the cat"), pair, SIZE).ambiguous == (0, 1)


def test_weak_candidates_do_not_count_for_positions():
    pair = [at(20, 60, score=0.9), at(110, 60, score=0.31)]
    assert choose(parse("cat on the right"), pair, SIZE).chosen == (0,)


def test_a_piece_found_again_inside_a_thing_is_no_second_thing():
    whole = Candidate((10.0, 10.0, 60.0, 60.0), 0.9)
    piece, small = Candidate((12.0, 12.0, 30.0, 30.0), 0.5), Candidate((12.0, 12.0, 30.0, 30.0), 0.8)
    assert choose(parse("both cats"), [whole, piece], SIZE).chosen == (0,)
    assert choose(parse("cat on the left"), [whole, piece], SIZE).chosen == (0,)
    assert choose(parse("both cats"), [whole, small], SIZE).chosen == (0, 1)
    aside = Candidate((50.0, 50.0, 90.0, 90.0), 0.5)
    assert choose(parse("both cats"), [whole, aside], SIZE).chosen == (0, 1)


def test_more_were_asked_for_than_there_are():
    choice = choose(parse("three cats"), [at(20, 60), at(80, 60)], SIZE)
    assert choice.chosen == (0, 1)
    assert "only 2" in (choice.note or "")


def test_fewer_were_asked_for_than_there_are():
    choice = choose(parse("two cats"), [at(20, 60), at(60, 60), at(100, 60)], SIZE)
    assert len(choice.chosen) == 2
    assert choice.ambiguous == (0, 1, 2)


def test_the_other_one_is_not_the_last():
    pair = [at(20, 60), at(80, 60)]
    assert choose(parse("the other cat"), pair, SIZE, last=pair[0].box).chosen == (1,)
    assert choose(parse("the other cat"), pair, SIZE).ambiguous == (0, 1)


def test_relations_ask_for_their_anchors():
    asked: list[str] = []

    def resolve(reference: Reference) -> list[Candidate]:
        asked.append(reference.phrase)
        return [at(100, 60)]

    pair = [at(20, 60), at(80, 60)]
    assert choose(parse("cat next to the big dog"), pair, SIZE, resolve).chosen == (1,)
    assert asked == ["dog"]
    assert choose(parse("cat next to the dog"), pair[:1], SIZE, resolve).chosen == (0,)
    assert asked == ["dog"], "a lone cat needs no dog"


def test_an_anchor_that_is_not_there_leaves_it_open():
    choice = choose(parse("cat next to the dog"), [at(20, 60), at(80, 60)], SIZE, lambda reference: [])
    assert choice.ambiguous == (0, 1)
    assert choice.note


@pytest.mark.parametrize(
    ("prompt", "chosen"),
    [
        ("cat to the left of the dog", (0,)),
        ("cat to the right of the dog", (1,)),
        ("cat above the dog", (2,)),
        ("cat below the dog", (3,)),
        ("cat behind the dog", (2,)),
    ],
)
def test_directions(prompt, chosen):
    around = [at(30, 64), at(98, 64), at(64, 30), at(64, 98)]
    assert choose(parse(prompt), around, SIZE, lambda reference: [at(64, 64, 12)]).chosen == chosen


def test_nothing_is_left_where_all_are_excluded():
    pair = [at(20, 60), at(80, 60)]
    assert choose(parse("car that is not red"), pair, SIZE, lambda reference: pair).chosen == ()
    assert choose(parse("car that is not red"), pair, SIZE, lambda reference: pair[:1]).chosen == (1,)
    assert choose(parse("car"), [], SIZE).chosen == ()


class Truth:
    """A perfect detector of a drawn scene."""

    def __init__(self, scene: Scene, picture: Picture) -> None:
        self.scene, self.picture = scene, picture

    def candidate(self, index: int) -> Candidate:
        mask = self.picture.masks[index]
        return Candidate(mask_box(mask), 1.0, float(mask.sum()))

    def fitting(self, reference: Reference) -> list[int]:
        return [
            thing.index
            for thing in see(self.scene, self.picture)
            if (reference.generic or thing.item.noun == reference.noun)
            and all(word in (thing.item.colour, thing.item.material) for word in reference.attributes)
        ]

    def solve(self, reference: Reference) -> set[int]:
        indices = self.fitting(reference)
        choice = choose(reference, [self.candidate(i) for i in indices], SIZE, self.resolve)
        return {indices[i] for i in choice.chosen}

    def resolve(self, reference: Reference) -> list[Candidate]:
        part = part_named(reference)
        if part is None:
            return [self.candidate(i) for i in self.solve(reference)]
        masks = [
            self.picture.part_mask(i, part)
            for i, item in enumerate(self.scene.items)
            if part in PARTS.get(item.noun, ()) and all(word == item.part_colour(part) for word in reference.attributes)
        ]
        return [Candidate(mask_box(mask)) for mask in masks if mask.any()]

    def answer(self, phrase: str) -> tuple[set[int], str | None]:
        reference = parse(phrase)
        part = part_named(reference)
        if reference.owner is not None:
            return self.solve(reference.owner), part
        if part is not None:
            return {i for i, item in enumerate(self.scene.items) if part in PARTS.get(item.noun, ())}, part
        return self.solve(reference), None


def part_named(reference: Reference) -> str | None:
    names = {word: part for parts in PARTS.values() for part in parts for word in (part, singular(part))}
    return names.get(reference.noun)


def test_referring_expressions_of_the_world_choose_their_objects():
    right = total = 0
    wrong = []
    for seed in range(9_200_000, 9_200_200):
        scene = sample_scene(seed)
        picture = render(scene)
        truth = Truth(scene, picture)
        for expression in world_referring(scene, picture, np.random.default_rng(seed), 6):
            total += 1
            if truth.answer(expression.phrase) == (set(expression.objects), expression.part):
                right += 1
            else:
                wrong.append((seed, expression.phrase))
    assert total > 800
    assert right / total >= 0.99, wrong[:20]
