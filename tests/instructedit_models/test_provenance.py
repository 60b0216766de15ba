"""Where a picture comes from: written into every format that holds it, read back, apart from what else is there."""

import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from instructedit_models import provenance as made_of
from instructedit_models.imaging import load_image, save_image
from instructedit_models.provenance import Provenance, packet_with, parsed, read_packet, region_data

PIXELS = np.random.default_rng(5).integers(0, 256, (24, 32, 3), dtype=np.uint8)
RECORD = Provenance(
    "instructedit",
    "0.1",
    instruction="make the <red> car & 'bus' blue – \"now\" 把",
    edits=({"input_caption": "Photo of a red car", "edited_caption": "Photo of a blue car", "seed": 0},),
    region={"box": [1, 2, 3, 4], "image_size": [32, 24], "area": 0.1, "sha256": "0" * 64},
    models={"set": "miniature", "revisions": {"unet": "abc"}},
    llm="offline",
    input_pixels="1" * 64,
)
CAMERA = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6" '
    b'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" Iptc4xmpExt:DigitalSourceType="digitalCapture">'
    b'<dc:title>A boat</dc:title></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


@pytest.mark.parametrize("name", ["o.png", "o.jpg", "o.webp", "o.tif", "o.avif"])
def test_every_format_that_holds_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / "in.png"
    Image.fromarray(PIXELS).save(path)
    notes = save_image(Image.fromarray(PIXELS), tmp_path / name, load_image(path), RECORD)
    again = load_image(tmp_path / name)
    assert again.metadata.provenance == RECORD.to_json()
    assert Provenance.from_json(again.metadata.provenance) == RECORD
    marked = f"<Iptc4xmpExt:DigitalSourceType>{made_of.SOURCE_TYPE}<".encode()
    assert again.metadata.xmp and marked in again.metadata.xmp
    assert not any("where the picture comes from" in note for note in notes)
    if name not in ("o.jpg", "o.avif"):
        np.testing.assert_array_equal(np.asarray(again.image), PIXELS)
    save_image(again.image, tmp_path / "twice.png", again, RECORD)
    twice = load_image(tmp_path / "twice.png").metadata
    assert twice.provenance and twice.provenance["history"] == [
        {k: v for k, v in RECORD.to_json().items() if k != "history"}
    ]
    assert twice.xmp and twice.xmp.count(b"<instructedit:provenance>") == 1


@pytest.mark.parametrize("name", ["o.gif", "o.bmp"])
def test_formats_that_do_not_say_so(tmp_path: Path, name: str) -> None:
    path = tmp_path / "in.png"
    Image.fromarray(PIXELS).save(path)
    notes = save_image(Image.fromarray(PIXELS), tmp_path / name, load_image(path), RECORD)
    assert any("where the picture comes from" in note for note in notes)


def test_the_same_record_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        save_image(Image.fromarray(PIXELS), tmp_path / name, None, RECORD)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_the_camera_s_own_packet_and_text_stay(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a boat"
    path = tmp_path / "phone.jpg"
    Image.fromarray(PIXELS).save(path, xmp=CAMERA, exif=exif, dpi=(300, 300))
    loaded = load_image(path)
    assert loaded.image.size == (24, 32)
    save_image(loaded.image, tmp_path / f"o.{suffix}", loaded, RECORD)
    held = load_image(tmp_path / f"o.{suffix}").metadata
    assert held.xmp and b"<dc:title>A boat</dc:title>" in held.xmp
    assert b"digitalCapture" not in held.xmp and b'tiff:Orientation="6"' not in held.xmp
    assert held.provenance == RECORD.to_json()
    with Image.open(tmp_path / f"o.{suffix}") as written:
        assert written.size == (24, 32) and written.getexif()[0x010E] == "a boat"
        if suffix != "webp":
            assert [round(float(side)) for side in written.info["dpi"]] == [300, 300]


def test_text_of_a_png_stays(tmp_path: Path) -> None:
    from PIL import PngImagePlugin

    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("Author", "A. Painter")
    chunks.add_itxt("Title", "Schöne 车")
    Image.fromarray(PIXELS).save(tmp_path / "in.png", pnginfo=chunks)
    loaded = load_image(tmp_path / "in.png")
    save_image(loaded.image, tmp_path / "o.png", loaded, RECORD)
    assert load_image(tmp_path / "o.png").metadata.text == {"Author": "A. Painter", "Title": "Schöne 车"}


def test_a_packet_too_long_for_jpeg(tmp_path: Path) -> None:
    long = CAMERA.replace(b"A boat", b"A boat " * 9_400)
    Image.fromarray(PIXELS).save(tmp_path / "in.webp", xmp=long, lossless=True)
    loaded = load_image(tmp_path / "in.webp")
    notes = save_image(loaded.image, tmp_path / "o.jpg", loaded, RECORD)
    assert any("too long for JPEG" in note for note in notes)
    assert load_image(tmp_path / "o.jpg").metadata.provenance == RECORD.to_json()


def test_history_is_bounded() -> None:
    record = RECORD
    for _ in range(60):
        record = RECORD.after(record.to_json())
    assert len(record.history) == made_of.MAX_HISTORY
    assert len(record.text(4_000)) <= 4_000 and parsed(record.text(4_000))["instruction"] == RECORD.instruction
    assert len(record.text(900)) <= 900 and parsed(record.text(900))["software"] == "instructedit"


@settings(deadline=None, max_examples=40)
@given(st.text(max_size=60), st.binary(max_size=60))
def test_any_words_in_any_packet(words: str, junk: bytes) -> None:
    record = Provenance("instructedit", "0.1", instruction=words)
    text = record.text()
    assert read_packet(packet_with(text, None)) == record.to_json()
    assert read_packet(packet_with(text, CAMERA)) == record.to_json()
    assert read_packet(packet_with(text, junk)) == record.to_json()
    assert packet_with(None, CAMERA.replace(b"A boat", junk)) is not None
    parsed(words)
    read_packet(b"<instructedit:provenance>" + junk + b"</instructedit:provenance>")


@pytest.mark.parametrize(
    "text",
    ["", "no", "[]", "3", '{"schema": "1"}', '{"schema": 1, "edits": 7}', '{"schema": 1, "history": [3]}', "[" * 9000],
)
def test_what_others_wrote_is_no_record(text: str) -> None:
    assert parsed(text) is None


def test_a_region_as_data() -> None:
    region = np.zeros((10, 20), bool)
    assert region_data(region) is None
    region[2:4, 5:9] = True
    data = region_data(region)
    assert data and (data["box"], data["image_size"], data["area"]) == ([5, 2, 9, 4], [20, 10], 0.04)
    other = region.copy()
    other[3, 5] = False
    assert region_data(other)["sha256"] != data["sha256"]  # type: ignore[index]


def _certificates(folder: Path) -> tuple[Path, Path]:
    """A root of our own and a certificate that it issued for signing."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now = datetime.datetime.now(datetime.UTC)
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))

    def name(words: str) -> object:
        return x509.Name(
            [
                x509.NameAttribute(x509.NameOID.COMMON_NAME, words),
                x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "A Test"),
            ]
        )

    def issued(subject: str, public: object, root: bool) -> bytes:
        usage = dict.fromkeys(
            "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign "
            "crl_sign encipher_only decipher_only".split(),
            False,
        ) | ({"key_cert_sign": True, "crl_sign": True} if root else {"digital_signature": True})
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("Root"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=root, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**usage), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        )
        if not root:
            purpose = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(purpose, critical=False)
        return builder.sign(root_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    chain, private = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(issued("Signer", key.public_key(), False) + issued("Root", root_key.public_key(), True))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return chain, private


def test_a_signed_manifest_is_valid_and_tampering_shows(tmp_path: Path) -> None:
    pytest.importorskip("c2pa")
    from instructedit_models.c2pa_signing import C2paSigner, read_manifest

    signer = C2paSigner(*_certificates(tmp_path))
    for name in ("o.png", "o.jpg"):
        save_image(Image.fromarray(PIXELS), tmp_path / name, None, RECORD, signer)
        manifest = read_manifest(tmp_path / name)
        assert manifest and manifest["validation_state"] == "Valid"
        active = manifest["manifests"][manifest["active_manifest"]]
        ours = next(one for one in active["assertions"] if one["label"] == "org.instructedit.provenance")
        assert ours["data"]["instruction"] == RECORD.instruction
        assert load_image(tmp_path / name).metadata.provenance == RECORD.to_json()
        assert (tmp_path / name).stat().st_size < 60_000
    np.testing.assert_array_equal(np.asarray(load_image(tmp_path / "o.png").image), PIXELS)
    data = bytearray((tmp_path / "o.jpg").read_bytes())
    data[-40] ^= 0xFF
    (tmp_path / "o.jpg").write_bytes(data)
    tampered = read_manifest(tmp_path / "o.jpg")
    assert tampered and tampered["validation_state"] == "Invalid"
    save_image(Image.fromarray(PIXELS), tmp_path / "o.bmp", None, RECORD, signer)
    assert read_manifest(tmp_path / "o.bmp") is None


def test_a_key_that_does_not_sign(tmp_path: Path) -> None:
    pytest.importorskip("c2pa")
    from instructedit_models.c2pa_signing import C2paSigner
    from instructedit_models.errors import BadParameterError, ModelUnavailableError

    (tmp_path / "no.pem").write_text("nothing")
    (tmp_path / "bad.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    for name, kind in (
        ("no.pem", BadParameterError),
        ("missing.pem", BadParameterError),
        ("bad.pem", ModelUnavailableError),
    ):
        with pytest.raises(kind):
            save_image(
                Image.fromarray(PIXELS), tmp_path / "o.png", None, RECORD, C2paSigner(tmp_path / name, tmp_path / name)
            )
        assert not (tmp_path / "o.png").exists() and not list(tmp_path.glob(".*"))
