"""The readers, on small folders made in the layouts of PIE-Bench and MagicBrush and in the plain one."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.datasets import read_dataset
from instructedit_models.errors import BadImageError, BadMaskError, BadParameterError


def save(path: Path, size: tuple[int, int] = (32, 24), colour: str = "red") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def pie(root: Path, **changes: object) -> Path:
    save(root / "annotation_images" / "1_change_object_80" / "111000000000.jpg", (512, 512))
    entry = {
        "image_path": "1_change_object_80/111000000000.jpg",
        "original_prompt": "a photo of a [cat] on grass",
        "editing_prompt": "a photo of a [dog] on grass",
        "editing_instruction": "Change the cat to a dog",
        "editing_type_id": "1",
        "blended_word": "cat dog",
        "mask": [512 * 10 + 5, 20, 512 * 11 + 5, 20],
    }
    (root / "mapping_file.json").write_text(json.dumps({"111000000000": {**entry, **changes}}))
    return root


def brush(root: Path) -> Path:
    folder = root / "images" / "242679"
    for name in ("242679-input.png", "242679-output1.png", "242679-output2.png"):
        save(folder / name)
    pixels = np.full((24, 32, 4), 255, np.uint8)
    pixels[4:8, 10:20, 3] = 0
    for name in ("242679-mask1.png", "242679-mask2.png"):
        Image.fromarray(pixels).save(folder / name)
    turns = [
        {"input": "242679-input.png", "mask": "242679-mask1.png", "output": "242679-output1.png", "instruction": "a"},
        {"input": "242679-output1.png", "mask": "242679-mask2.png", "output": "242679-output2.png", "instruction": "b"},
    ]
    (root / "edit_sessions.json").write_text(json.dumps({"242679": turns}))
    said = {"242679": {"242679-input.png": "A seat", "242679-output1.png": "A cat on a seat"}}
    (root / "global_descriptions.json").write_text(json.dumps(said))
    return root


def test_pie_bench(tmp_path: Path):
    (sample,) = read_dataset(pie(tmp_path))
    assert (sample.id, sample.instruction) == ("111000000000", "Change the cat to a dog")
    assert sample.input_caption == "a photo of a cat on grass"
    assert sample.edited_caption == "a photo of a dog on grass"
    assert sample.edit_type == "change object"
    assert sample.image.size == (512, 512)
    mask = sample.mask
    assert mask is not None and mask.sum() == 40
    assert mask[10, 5:25].all() and mask[11, 5:25].all() and not mask[10, 25] and not mask[10, 4]


def test_magic_brush(tmp_path: Path):
    first, second = read_dataset(brush(tmp_path))
    assert (first.id, second.id) == ("242679-1", "242679-2")
    assert first.input_caption == "A seat" and first.edited_caption == second.input_caption == "A cat on a seat"
    assert second.edited_caption is None
    assert first.target == second.path
    assert first.mask is not None and first.mask.sum() == 40 and first.mask[4:8, 10:20].all()


def test_a_plain_folder(tmp_path: Path):
    save(tmp_path / "a.png")
    save(tmp_path / "more" / "b.png")
    mask = np.zeros((24, 32), np.uint8)
    mask[:5] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    (tmp_path / "edits.csv").write_text(
        'image,instruction,mask,type\na.png,make the car red,mask.png,part\nmore/b.png,"make it blue, please",,\n'
    )
    first, second = read_dataset(tmp_path)
    assert (first.id, first.edit_type, second.id) == ("001-a", "part", "002-b")
    assert first.mask is not None and first.mask[:5].all() and not first.mask[5:].any()
    assert second.instruction == "make it blue, please" and second.mask is None and second.input_caption is None
    (tmp_path / "edits.csv").unlink()
    (tmp_path / "edits.jsonl").write_text('{"name": "x", "image": "a.png", "instruction": "make the car red"}\n')
    assert [sample.id for sample in read_dataset(tmp_path)] == ["x"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"image": "a.png"}, "'instruction' is missing"),
        ({"image": "", "instruction": "x"}, "'image' is missing"),
        ({"image": "b.png", "instruction": "x"}, "no file"),
        ({"image": "../a.png", "instruction": "x"}, "lies outside"),
        ({"image": "a.png", "instruction": "x", "mask": "/etc/passwd"}, "lies outside"),
        (["a.png"], "'image' is missing"),
    ],
)
def test_a_broken_table_says_where(tmp_path: Path, row: object, words: str):
    save(tmp_path / "set" / "a.png")
    save(tmp_path / "a.png")
    (tmp_path / "set" / "edits.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(BadParameterError, match=f"entry 1: .*{words}"):
        read_dataset(tmp_path / "set")


def test_folders_that_are_no_data_set(tmp_path: Path):
    with pytest.raises(BadParameterError, match="holds no data set"):
        read_dataset(tmp_path)
    (tmp_path / "edits.csv").write_text("image,instruction\n")
    with pytest.raises(BadParameterError, match="asks for no edit"):
        read_dataset(tmp_path)
    (tmp_path / "mapping_file.json").write_text("[]")
    with pytest.raises(BadParameterError, match="should hold a table"):
        read_dataset(tmp_path)
    (tmp_path / "mapping_file.json").write_text("{")
    with pytest.raises(BadParameterError, match="cannot be read"):
        read_dataset(tmp_path)


def test_masks_that_do_not_fit(tmp_path: Path):
    (sample,) = read_dataset(pie(tmp_path / "odd", mask=[1, 2, 3]))
    with pytest.raises(BadMaskError, match="pairs"):
        _ = sample.mask
    save(tmp_path / "a.png")
    save(tmp_path / "small.png", (8, 8))
    (tmp_path / "text.png").write_text("no picture")
    for name, words in (("small.png", "8 x 8"), ("text.png", "cannot be read")):
        (tmp_path / "edits.csv").write_text(f"image,instruction,mask\na.png,x,{name}\ntext.png,x,\n")
        sample, broken = read_dataset(tmp_path)
        with pytest.raises(BadMaskError, match=words):
            _ = sample.mask
        with pytest.raises(BadImageError):
            _ = broken.image
