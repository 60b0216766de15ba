"""Broken pictures through every route that takes one: a sentence and a 4xx, never a 5xx, and nothing is kept."""

import io
import struct
import zlib

import pytest
from PIL import Image

from tests.agent.service.tiny import picture
from tests.instructedit_models.odd_files import malformed

PNG = {"Content-Type": "image/png"}


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _bomb(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(b"\0" * 99)) + _chunk(b"IEND", b"")
    )


def _jpeg() -> bytes:
    return picture(form="JPEG")


CASES = {
    "text": b"hello, I am no picture",
    "html": b"<html><img src='http://127.0.0.1/'></html>",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
    "pdf": b"%PDF-1.4\n1 0 obj\n",
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) (r) file\n",
    "zip": b"PK\x03\x04" + b"\0" * 60,
    "png head alone": b"\x89PNG\r\n\x1a\n",
    "png cut": picture()[:90],
    "png with bits turned": picture()[:60] + bytes(b ^ 0x5A for b in picture()[60:]),
    "jpeg cut": _jpeg()[: len(_jpeg()) // 3],
    "jpeg head alone": b"\xff\xd8\xff\xe0",
    "gif nonsense": b"GIF89a" + b"\xff" * 40,
    "webp nonsense": b"RIFF\x10\0\0\0WEBPVP8 " + b"\0" * 8,
    "tiff that points at itself": b"II*\0\x08\0\0\0\x01\0" + b"\x11\x01\x04\0\x01\0\0\0\x08\0\0\0" + b"\x08\0\0\0",
    "bomb": _bomb(60_000, 60_000),
    "wide bomb": _bomb(2**31 - 1, 8),
    "no pixels": _bomb(0, 0),
    "tiny": _bomb(4, 4),
    "zeros": b"\0" * 4096,
    "a path": b"/etc/passwd",
    "a url": b"http://169.254.169.254/latest/meta-data/",
}


def test_broken_pictures_are_refused_everywhere(client, service) -> None:
    key = client.post("/v1/conversations", content=picture("red", "blue"), headers=PNG).json()["id"]
    for name, data in CASES.items():
        edit = {"image": ("a.png", picture("red")), "mask": (name, data)}
        words = {"prompt": "Make the box green"}
        for answer in (
            client.post("/v1/conversations", content=data, headers=PNG),
            client.post("/v1/conversations", files={"image": (name, data, "image/png")}),
            client.post(f"/v1/conversations/{key}/masks", content=data, headers=PNG),
            client.post("/v1/images/edits", files={"image": (name, data)}, data=words),
            client.post("/v1/images/edits", files=edit, data=words),
        ):
            assert answer.status_code == 400, (name, answer.text)
            error = answer.json()["error"]
            assert error["kind"] in ("bad_image", "bad_mask") and "/tmp" not in error["message"], name
    assert service.shelf.count() == 1 and len(list(service.shelf.folder.iterdir())) == 1


def test_the_corpus_of_malformed_files_breaks_nothing(client) -> None:
    for name, data in malformed():
        answer = client.post("/v1/conversations", content=data, headers=PNG)
        assert answer.status_code in (201, 400), (name, answer.text)  # 201 where what is broken was beside the pixels


def test_masks_of_other_sizes_and_empty_ones_are_refused(client) -> None:
    key = client.post("/v1/conversations", content=picture("red", "blue"), headers=PNG).json()["id"]
    for size, colour in (((95, 64), 255), ((96, 64), 0)):
        buffer = io.BytesIO()
        Image.new("L", size, colour).save(buffer, "PNG")
        answer = client.post(f"/v1/conversations/{key}/masks", content=buffer.getvalue(), headers=PNG)
        assert answer.status_code == 400 and answer.json()["error"]["kind"] == "bad_mask"
    assert client.get(f"/v1/conversations/{key}/masks/own_1").status_code == 404
    missing = client.post(f"/v1/conversations/{key}/masks?image_id=image_9", content=picture("red"), headers=PNG)
    assert missing.status_code == 400


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # half a file is left to be collected
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x\r\n",
        b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n',
        b"--x\r\nContent-Disposition: form-data\r\n\r\nabc\r\n--x--\r\n",
        b"\0" * 500,
    ],
)
def test_broken_forms_are_refused(client, body) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    for path in ("/v1/conversations", "/v1/images/edits"):
        assert 400 <= client.post(path, content=body, headers=headers).status_code < 500
        assert 400 <= client.post(path, content=body, headers={"Content-Type": "multipart/form-data"}).status_code < 500
