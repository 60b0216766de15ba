"""The whole chain on the committed miniature weights: from a sentence to an edited picture."""

import numpy as np
import pytest
from PIL import Image

from agent.api import EditOutcome, EditOverrides, edit_image
from instructedit_models.miniature.rendering import render
from instructedit_models.miniature.world import sample_scene
from instructedit_models.model_sets import ModelSet, load_model_set


@pytest.fixture(scope="module")
def models() -> ModelSet:
    return load_model_set("miniature")


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    """A black cup on a beach, of a seed that no model was trained on."""
    return Image.fromarray(render(sample_scene(9_000_000)).image)


@pytest.fixture(scope="module")
def edited(models: ModelSet, picture: Image.Image) -> EditOutcome:
    return edit_image(picture, "Make the cup green", models=models, llm="offline")


def test_a_sentence_recolours_what_it_names_and_nothing_else(edited: EditOutcome, picture: Image.Image) -> None:
    truth = render(sample_scene(9_000_000)).masks[0]
    assert (edited.mask & truth).sum() / (edited.mask | truth).sum() > 0.8
    before, after = np.asarray(picture), np.asarray(edited.image)
    assert np.array_equal(before[~edited.region], after[~edited.region])
    red, green, blue = np.median(after[truth], axis=0)
    assert green > red + 40 and green > blue + 40


def test_a_second_edit_of_the_picture_pays_no_inversion(
    edited: EditOutcome, models: ModelSet, picture: Image.Image
) -> None:
    options = EditOverrides(encoding_ratio=0.5, retries=0)
    again = edit_image(picture, "Make the cup red", models=models, llm="offline", options=options)
    assert edited.record["edited_caption"] == "Photo of a green cup"
    assert again.record["unet_evaluations"] == 41  # 25 steps, 9 of them unguided


def test_the_small_one_of_two_is_found_beside_the_large_one(models: ModelSet) -> None:
    """Its queries begin where Grounding DINO is surest: on the large one alone, where they are too few."""
    for seed, noun in ((8_400_009, "car"), (8_400_010, "orange"), (8_400_029, "tree"), (8_400_030, "star")):
        image = Image.fromarray(render(sample_scene(seed)).image)
        assert len(models.grounded.segment(image, f"both {noun}s").regions) == 2, seed


def test_a_small_one_is_found_beside_three_large_ones(models: ModelSet) -> None:
    for seed, plural, count in ((8_120_002, "balls", 4), (8_120_028, "boxes", 4), (8_720_009, "cups", 3)):
        image = Image.fromarray(render(sample_scene(seed)).image)
        assert len(models.grounded.segment(image, f"all the {plural}").regions) == count, seed


def test_what_another_colour_fits_better_is_not_meant(models: ModelSet) -> None:
    """The green bus is lower down, and is found as a black one too."""
    image = Image.fromarray(render(sample_scene(8_100_034)).image)
    found = models.grounded.segment(image, "the black bus at the bottom")
    assert found.mask[:, :60].sum() > 0.9 * found.mask.sum()


def test_all_of_one_is_worded_for_one(models: ModelSet, picture: Image.Image) -> None:
    options = EditOverrides(steps=2, retries=0)
    edited = edit_image(picture, "Make all the cups striped", models=models, llm="offline", options=options)
    assert edited.record["edited_caption"] == "Photo of a black striped cup"
