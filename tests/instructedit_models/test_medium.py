"""Captions get the picture's own medium where nobody named one, and where it is clear."""

import numpy as np
import pytest
from PIL import Image

from instructedit_models.errors import BadParameterError, UnknownWordError
from instructedit_models.medium import Media, in_medium_of, in_own_medium
from instructedit_models.recipes import SETS, read_recipe

MEDIA = Media(("photo", "pencil drawing"), margin=0.1)
PLAN = ("Photo of a cat", "photo of a tiger")


class GreyScorer:
    """Grey pictures are drawings, coloured ones photos; says what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def similarity(self, images: list[Image.Image], texts: list[str]) -> np.ndarray:
        self.asked += texts
        if any("daguerreotype" in text for text in texts):
            raise UnknownWordError("The text encoder does not know 'daguerreotype'.", ("daguerreotype",))
        rows = []
        for image in images:
            colour = np.asarray(image).astype(float).std(axis=2).mean() / 50
            rows.append([1 - colour if "drawing" in text else colour for text in texts])
        return np.array(rows, np.float32)


def picture(colour: tuple[int, int, int]) -> Image.Image:
    return Image.new("RGB", (40, 30), colour)


def test_a_drawing_is_called_a_drawing() -> None:
    captions = in_own_medium(PLAN, picture((90, 90, 90)), MEDIA, GreyScorer())
    assert captions == ("Pencil drawing of a cat", "Pencil drawing of a tiger")


def test_a_photo_stays_one() -> None:
    assert in_own_medium(PLAN, picture((200, 40, 40)), MEDIA, GreyScorer()) == PLAN


def test_in_doubt_nothing_changes() -> None:
    doubtful = picture((137, 90, 80))
    fits = GreyScorer().similarity([doubtful], ["photo", "drawing"])[0]
    assert 0 < fits[1] - fits[0] < MEDIA.margin
    assert in_own_medium(PLAN, doubtful, MEDIA, GreyScorer()) == PLAN


@pytest.mark.parametrize("captions", [("Painting of a cat", "Painting of a dog"), ("a cat", "a dog"), ("photo", "dog")])
def test_a_medium_that_was_named_is_kept(captions: tuple[str, str]) -> None:
    scorer = GreyScorer()
    assert in_own_medium(captions, picture((90, 90, 90)), MEDIA, scorer) == captions
    assert not scorer.asked


def test_a_set_without_media_asks_nobody() -> None:
    scorer = GreyScorer()
    assert in_own_medium(PLAN, picture((90, 90, 90)), Media(), scorer) == PLAN
    assert not scorer.asked


def test_words_that_the_encoder_does_not_know_change_nothing() -> None:
    media = Media(("daguerreotype",))
    assert in_own_medium(PLAN, picture((90, 90, 90)), media, GreyScorer()) == PLAN


def test_a_set_says_what_its_captions_begin_with(tmp_path) -> None:
    assert "painting" in read_recipe(SETS / "miniature.toml").media.words
    mine = tmp_path / "mine.toml"
    mine.write_text('schema = 1\nextends = "miniature"\n[captions]\nmedia = ["photo", "etching"]\nmargin = 0.2\n')
    assert read_recipe(mine).media == Media(("photo", "etching"), 0.2)
    for wrong in ("media = 3", "media = [3]", "margin = 2", 'words = ["photo"]'):
        mine.write_text(f'schema = 1\nextends = "miniature"\n[captions]\n{wrong}\n')
        with pytest.raises(BadParameterError, match="captions"):
            read_recipe(mine)


@pytest.mark.parametrize(
    ("before", "caption", "wanted"),
    [
        (("Painting of a cat", "Painting of a dog"), "Photo of a red dog", "Painting of a red dog"),
        (("A pencil drawing of a cat", "A pencil drawing of a dog"), "a photo of a cow", "A pencil drawing of a cow"),
        (("Painting of a cat", "Painting of a dog"), "Drawing of a red dog", "Drawing of a red dog"),
        (("Photo of a cat", "Painting of a cat"), "Photo of a dog", "Photo of a dog"),
        (("a cat", "a dog"), "Photo of a dog", "Photo of a dog"),
    ],
)
def test_another_wording_keeps_the_medium(before: tuple[str, str], caption: str, wanted: str) -> None:
    assert in_medium_of(caption, before) == wanted
