"""SAM at a tiny size, and `GroundedSegmenter` with a detector and a segmenter that really see flat shapes."""

import json

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from scipy import ndimage

from instructedit_models.errors import (
    BadInstructionError,
    BadParameterError,
    ModelUnavailableError,
    NothingFoundError,
    UnknownWordError,
)
from instructedit_models.sam_model import SamConfig, build_sam
from instructedit_models.segmenter import GroundedSegmenter, SamSegmenter, SearchOptions
from instructedit_models.types import Box, Click, Detection

TINY = SamConfig(image_size=32, patch_size=4, width=16, depth=2, heads=2, window_size=4, prompt_dim=16, decoder_heads=2)
COLOURS = {"red": (220, 40, 40), "blue": (40, 60, 220), "green": (40, 180, 60), "yellow": (240, 210, 40)}
GREY = (128, 128, 128)


def tiny_sam(**options) -> SamSegmenter:
    torch.manual_seed(0)
    return SamSegmenter(build_sam(TINY), **options)


def noise(width: int = 50, height: int = 36, seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("multimask", [False, True])
def test_one_mask_per_box_at_the_size_of_the_picture(multimask):
    masks = tiny_sam(multimask=multimask).masks(noise(), [(5, 5, 30, 30), (0, 0, 50, 36)])
    assert [mask.shape for mask in masks] == [(36, 50), (36, 50)]
    assert all(mask.dtype == bool for mask in masks)
    assert tiny_sam().masks(noise(), []) == []


@pytest.mark.parametrize("size", [(2000, 8), (8, 2000)])
def test_pictures_of_any_shape_are_masked(size):
    image = noise(*size)
    (mask,) = tiny_sam().masks(image, [(0, 0, 8, 8)])
    assert mask.shape == size[::-1]
    assert tiny_sam(clicks=True).mask_at(image, [Click(3, 3)], mask=np.ones(size[::-1], bool)).shape == size[::-1]


def test_an_image_is_embedded_once(monkeypatch):
    segmenter = tiny_sam(cache_size=2)
    embedded = []
    original = segmenter.predictor.set_image
    monkeypatch.setattr(segmenter.predictor, "set_image", lambda pixels: (embedded.append(1), original(pixels)))
    boxes: list[Box] = [(5, 5, 30, 30)]
    first = segmenter.masks(noise(seed=1), boxes)[0]
    segmenter.masks(noise(40, 60, seed=2), boxes)
    again = segmenter.masks(noise(seed=1), boxes)[0]
    assert len(embedded) == 2
    assert np.array_equal(first, again)
    segmenter.masks(noise(seed=3), boxes)
    segmenter.masks(noise(40, 60, seed=2), boxes)
    assert len(embedded) == 4, "only the last two are kept"


def test_saved_weights_load_to_the_same_segmenter(tmp_path):
    segmenter = tiny_sam()
    state = {name: tensor.half() for name, tensor in segmenter.predictor.model.state_dict().items()}
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(ModelUnavailableError, match="config.json"):
        SamSegmenter.from_folder(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(TINY.to_dict()))
    loaded = SamSegmenter.from_folder(tmp_path)
    boxes: list[Box] = [(5, 5, 30, 30)]
    same = segmenter.masks(noise(), boxes)[0] == loaded.masks(noise(), boxes)[0]
    assert same.mean() > 0.98


def test_low_resolution_masks_are_four_times_the_embedding():
    sam = build_sam()
    with torch.no_grad():
        embedding = sam.image_encoder(sam.preprocess(torch.zeros(1, 3, 128, 128)))
        sparse, dense = sam.prompt_encoder(points=None, boxes=torch.tensor([[1.0, 2, 30, 40]]), masks=None)
        masks, quality = sam.mask_decoder(
            image_embeddings=embedding,
            image_pe=sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
    assert embedding.shape == (1, 64, 16, 16)
    assert masks.shape == (1, 1, 64, 64)
    assert quality.shape == (1, 1)


@pytest.mark.parametrize("config", [{"image_size": 30}, {"prompt_dim": 12}, {"size": 3}])
def test_bad_configs_are_one_sentence(config):
    with pytest.raises(BadParameterError):
        build_sam(config)


class FlatDetector:
    """Sees flat squares, discs and windows (yellow squares) of exact colours."""

    WORDS = {"square", "squares", "disc", "discs", "window", "windows", *COLOURS}

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[int, int]]] = []

    def detect(self, image: Image.Image, phrase: str) -> list[Detection]:
        self.asked.append((phrase, image.size))
        found = []
        for part in phrase.split(" . "):
            *attributes, noun = part.split()
            if unknown := [word for word in part.split() if word not in self.WORDS]:
                raise UnknownWordError(f"The detector does not know {unknown[0]!r}.", tuple(unknown))
            for colour, kind, box in shapes(image):
                if kind == noun.removesuffix("s") and set(attributes) <= {colour}:
                    found.append(Detection(box, 0.9, part))
        return found


def shapes(image: Image.Image) -> list[tuple[str, str, Box]]:
    found: list[tuple[str, str, Box]] = []
    for colour in COLOURS:
        labels, _ = ndimage.label(near(image, colour))
        for window in ndimage.find_objects(labels):
            rows, columns = window
            if min(rows.stop - rows.start, columns.stop - columns.start) < 4:
                continue
            fill = ndimage.binary_fill_holes(near(image, colour)[window]).mean()
            kind = "window" if colour == "yellow" else "square" if fill > 0.93 else "disc"
            found.append((colour, kind, tuple(map(float, (columns.start, rows.start, columns.stop, rows.stop)))))
    return found


def near(image: Image.Image, colour: str) -> np.ndarray:
    difference = np.abs(np.asarray(image, dtype=int) - np.array(COLOURS[colour])).max(axis=2)
    return difference < 40


class FlatSegmenter:
    """Takes the commonest colour in the box that is not the ground, and what it encloses."""

    def masks(self, image: Image.Image, boxes: list[Box]) -> list[np.ndarray]:
        found = []
        for x0, y0, x1, y1 in boxes:
            inside = np.zeros((image.height, image.width), dtype=bool)
            inside[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] = True
            fitting = [near(image, colour) & inside for colour in COLOURS]
            found.append(ndimage.binary_fill_holes(max(fitting, key=np.count_nonzero)))
        return found


class Scene:
    """A picture under construction, with the true mask of every shape."""

    def __init__(self) -> None:
        self.image = Image.new("RGB", (128, 128), GREY)
        self.masks: list[np.ndarray] = []

    def add(self, kind: str, colour: str, box: tuple[int, int, int, int]) -> np.ndarray:
        outline = (box[0], box[1], box[2] - 1, box[3] - 1)
        stamp = Image.new("1", self.image.size)
        for picture, fill in ((self.image, COLOURS[colour]), (stamp, 1)):
            draw = ImageDraw.Draw(picture)
            (draw.ellipse if kind == "disc" else draw.rectangle)(outline, fill=fill)
        self.masks.append(np.array(stamp))
        return self.masks[-1]


def grounded(**options) -> GroundedSegmenter:
    return GroundedSegmenter(FlatDetector(), FlatSegmenter(), **options)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def in_a_row() -> Scene:
    """A red square, a blue square, a green disc, a red disc; left to right."""
    scene = Scene()
    scene.add("square", "red", (6, 60, 36, 90))
    scene.add("square", "blue", (42, 20, 62, 40))
    scene.add("disc", "green", (70, 70, 94, 94))
    scene.add("disc", "red", (100, 20, 116, 36))
    return scene


@pytest.fixture
def row() -> Scene:
    return in_a_row()


@pytest.mark.parametrize(
    ("prompt", "meant"),
    [
        ("blue square", [1]),
        ("square on the left", [0]),
        ("the rightmost disc", [3]),
        ("bigger square", [0]),
        ("squares", [0, 1]),
        ("both discs", [2, 3]),
        ("square that is not red", [1]),
        ("all the discs except the green one", [3]),
        ("square next to the green disc", [1]),
        ("disc to the right of the green disc", [3]),
        ("red square and green disc", [0, 2]),
        ("disc at the top", [3]),
    ],
)
def test_what_a_prompt_means(row, prompt, meant):
    result = grounded().segment(row.image, prompt)
    wanted = np.logical_or.reduce([row.masks[i] for i in meant])
    assert iou(result.mask, wanted) > 0.9
    assert result.ambiguous == ()
    assert sum(region.chosen for region in result.regions) == len(meant)


def test_all_candidates_are_regions_from_left_to_right(row):
    result = grounded().segment(row.image, "disc on the right")
    assert [(region.id, region.chosen) for region in result.regions] == [("r1", False), ("r2", True)]
    assert result.regions[0].box[0] < result.regions[1].box[0]
    for region, mask in zip(result.regions, row.masks[2:], strict=True):
        assert iou(region.mask, mask) > 0.9
        assert region.area == pytest.approx(mask.mean(), rel=0.1)
    assert result.prompt == "disc on the right"


def test_a_tie_is_reported(row):
    result = grounded().segment(row.image, "square")
    assert result.ambiguous == ("r1", "r2")
    assert sum(region.chosen for region in result.regions) == 1


def test_the_other_one_is_not_what_was_edited_last(row):
    result = grounded().segment(row.image, "the other square", exclude=row.masks[0])
    assert iou(result.mask, row.masks[1]) > 0.9
    assert result.ambiguous == ()
    assert grounded().segment(row.image, "the other square").ambiguous == ("r1", "r2")


def test_what_was_found_instead_is_said(row):
    with pytest.raises(NothingFoundError, match=r"No 'yellow disc' was found.*instead: disc \(0\.90\)"):
        grounded().segment(row.image, "yellow disc")
    with pytest.raises(NothingFoundError, match=r"No 'window' was found.*square \(0\.90\)"):
        grounded(object_phrases=("square", "disc")).segment(row.image, "window")
    with pytest.raises(NothingFoundError, match="name something"):
        grounded().segment(Image.new("RGB", (64, 64), GREY), "red disc")
    with pytest.raises(NothingFoundError, match="left out"):
        grounded().segment(row.image, "blue square that is not blue")


def test_an_unknown_attribute_is_left_out_and_said_but_an_unknown_noun_is_not(row):
    result = grounded().segment(row.image, "shiny green disc")
    assert iou(result.mask, row.masks[2]) > 0.9
    assert "'shiny'" in (result.note or "")
    with pytest.raises(UnknownWordError):
        grounded().segment(row.image, "red tiger")
    with pytest.raises(BadInstructionError):
        grounded().segment(row.image, " . ")


def test_the_background_is_what_the_objects_leave(row):
    segmenter = grounded(object_phrases=("square", "disc"))
    for prompt in ("background", "grass", "the night sky"):
        result = segmenter.segment(row.image, prompt)
        assert iou(result.mask, ~np.logical_or.reduce(row.masks)) > 0.98
        assert [region.chosen for region in result.regions] == [True]
    everything = segmenter.segment(row.image, "everything except the blue square")
    assert iou(everything.mask, ~row.masks[1]) > 0.98


def test_the_red_one_may_be_any_object(row):
    result = grounded(object_phrases=("square", "disc")).segment(row.image, "the green one")
    assert iou(result.mask, row.masks[2]) > 0.9


def test_a_class_is_every_noun_in_it_where_the_detector_knows_but_some_nouns(row):
    segmenter = grounded(object_phrases=("square", "disc"))
    assert iou(segmenter.segment(row.image, "all shapes").mask, np.logical_or.reduce(row.masks)) > 0.9
    leftmost = segmenter.segment(row.image, "shape on the left")
    assert iou(leftmost.mask, row.masks[0]) > 0.9
    assert {region.phrase for region in leftmost.regions} == {"square", "disc"}
    assert segmenter.segment(row.image, "red shape").ambiguous == ("r1", "r2")
    with pytest.raises(UnknownWordError):
        grounded().segment(row.image, "shape")  # an open detector is asked for the word itself


@pytest.fixture
def houses() -> tuple[Scene, list[np.ndarray]]:
    """A red square with two windows, a blue one with one, and a window on its own."""
    scene = Scene()
    scene.add("square", "red", (4, 50, 50, 96))
    scene.add("square", "blue", (74, 50, 114, 90))
    windows = [
        scene.add("square", "yellow", box)
        for box in ((12, 60, 20, 68), (32, 60, 42, 70), (84, 60, 98, 74), (60, 4, 70, 14))
    ]
    return scene, windows


def test_a_part_is_all_its_instances_on_the_owner_that_is_meant(houses):
    scene, windows = houses
    detector = FlatDetector()
    segmenter = GroundedSegmenter(detector, FlatSegmenter())
    for prompt in ("windows of the red square", "red square's window", "windows of the square on the left"):
        result = segmenter.segment(scene.image, prompt)
        assert iou(result.mask, windows[0] | windows[1]) > 0.8
        assert len(result.regions) == 2
    # Parts are looked for in an enlarged crop.
    assert [size for phrase, size in detector.asked if phrase == "windows"] == [(128, 128)] * 2


def test_a_part_may_be_chosen_among_its_kind(houses):
    scene, windows = houses
    result = grounded().segment(scene.image, "right window of the red square")
    assert iou(result.mask, windows[1]) > 0.8


def test_a_part_of_an_owner_that_is_not_clear(houses):
    scene, windows = houses
    result = grounded().segment(scene.image, "windows of the square")
    assert result.ambiguous == ("r1", "r2")
    assert iou(result.regions[0].mask, windows[0] | windows[1]) > 0.8
    assert iou(result.regions[1].mask, windows[2]) > 0.8


def test_a_part_without_owner(houses):
    scene, windows = houses
    known = grounded(parts={"square": ("windows",)}).segment(scene.image, "windows")
    assert iou(known.mask, windows[0] | windows[1] | windows[2]) > 0.8
    plain = grounded().segment(scene.image, "windows")
    assert iou(plain.mask, np.logical_or.reduce(windows)) > 0.8


def test_a_part_that_is_not_there(houses):
    scene, _ = houses
    with pytest.raises(NothingFoundError, match="'red window' was found on the blue square"):
        grounded().segment(scene.image, "red window of the blue square")


def test_owners_are_told_apart_by_their_parts():
    scene = Scene()
    wanted = scene.add("square", "red", (4, 50, 50, 96))
    scene.add("square", "yellow", (12, 60, 20, 68))
    scene.add("square", "red", (74, 50, 114, 90))
    for parts in ({}, {"square": ("windows",)}):
        result = grounded(parts=parts).segment(scene.image, "the square with the yellow window")
        assert iou(result.mask, wanted) > 0.9
        assert result.ambiguous == ()


def test_refining_keeps_the_choice(row):
    plain = grounded().segment(row.image, "blue square")
    refined = grounded(options=SearchOptions(refine=True)).segment(row.image, "blue square")
    assert iou(plain.mask, refined.mask) > 0.9
    assert [region.box for region in plain.regions] == [region.box for region in refined.regions]
