"""The unmodified openai client against a server on a free port."""

import base64
import io
import json
import time

import numpy as np
import openai
import pytest
from PIL import Image

pytest.importorskip("uvicorn")

from tests.agent.faces.server.live import live
from tests.agent.service.tiny import opened, picture
from tests.tools.tiny_models import COLOURS


@pytest.fixture
def address(service):
    with live(service) as made:
        yield made


@pytest.fixture
def client(address):
    with openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as made:
        yield made


def pixels(data: str) -> np.ndarray:
    return np.asarray(opened(base64.b64decode(data)).convert("RGB"))


def named(data: bytes) -> io.BytesIO:
    file = io.BytesIO(data)
    file.name = "picture.png"
    return file


def test_the_client_edits_finds_and_varies(client, service, models) -> None:
    result = client.images.edit(
        image=named(picture("red", "blue")), prompt="Make the blue box green", model="gpt-image-1"
    )
    assert (pixels(result.data[0].b64_json)[32, 68] == COLOURS["green"]).all()
    assert result.output_format == "png" and result.size == "96x64"
    assert service.shelf.count() == 0 and list(service.shelf.folder.iterdir()) == []
    more = client.images.edit(
        image=named(picture("red", "blue")), prompt="Make the blue box green", n=3, size="192x128", output_format="webp"
    )
    assert len(more.data) == 3 and opened(base64.b64decode(more.data[0].b64_json)).size == (192, 128)
    assert [options.seed for options in models.editor.calls] == [0, 0, 1, 2]


def test_a_mask_is_transparent_where_it_edits(client) -> None:
    mask = Image.new("RGBA", (96, 64), (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (2, 2, 12, 12))
    buffer = io.BytesIO()
    mask.save(buffer, "PNG")
    result = client.images.edit(
        image=named(picture("red", "blue")), mask=named(buffer.getvalue()), prompt="Make the box green"
    )
    made = pixels(result.data[0].b64_json)
    assert (made[5, 5] == COLOURS["green"]).all() and (made[32, 68] == COLOURS["blue"]).all()


def test_several_fits_take_the_best_and_say_so(client) -> None:
    result = client.images.edit(image=named(picture("red", "blue", "red")), prompt="Make the red box green")
    assert any("fits 2 things" in one for one in result.model_extra["instructedit"]["warnings"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"prompt": "Make the star green"}, "star"),
        ({"prompt": " "}, "empty"),
        ({"response_format": "url"}, "b64_json"),
        ({"n": 9}, "n is 1 to 4"),
        ({"size": "100x100"}, "another shape"),
        ({"image": named(b"no picture")}, "not a picture"),
        ({"mask": named(picture("red"))}, "no fully transparent"),
        ({"extra_body": {"image_url": "http://127.0.0.1/secret"}}, "no field"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(client, given, words) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client.images.edit(**({"image": named(picture("red", "blue")), "prompt": "Make the blue box green"} | given))
    assert caught.value.status_code in (400, 422) and words in caught.value.body["message"]


def test_a_client_that_hangs_up_cancels_its_edit(client, service, models) -> None:
    models.editor.go.clear()
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=1.0).images.edit(
            image=named(picture("red", "blue")), prompt="Make the blue box green"
        )
    until = time.monotonic() + 30
    while service.jobs.counts() != {"cancelled": 1}:
        assert time.monotonic() < until, service.jobs.counts()
        time.sleep(0.05)


def test_the_same_key_gives_the_same_answer(client, models) -> None:
    headers = {"Idempotency-Key": "k1"}
    one, two = (
        client.images.edit(image=named(picture("red", "blue")), prompt="Make the blue box green", extra_headers=headers)
        for _ in range(2)
    )
    assert json.loads(one.model_dump_json()) == json.loads(two.model_dump_json()) and len(models.editor.calls) == 1
