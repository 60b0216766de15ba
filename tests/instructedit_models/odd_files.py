"""Malformed and odd picture files, made on the spot: name -> bytes. Each gives a picture or one sentence."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

RNG = np.random.default_rng(11)
NOISE = RNG.integers(0, 256, (40, 56, 3), dtype=np.uint8)
SMOOTH = Image.fromarray(NOISE[:5, :7]).resize((56, 40), Image.Resampling.BICUBIC)


def encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes, check: int | None = None) -> bytes:
    checksum = zlib.crc32(kind + data) if check is None else check
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png(*chunks: bytes, size: tuple[int, int] = (9, 9), depth: int = 8, colour: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IEND", b"")


def rows(height: int = 9, width: int = 27) -> bytes:
    return zlib.compress((b"\0" + bytes(width)) * height)


def deep_png() -> bytes:
    values = RNG.integers(0, 65536, (9, 9, 3), dtype=np.uint16).astype(">u2")
    data = b"".join(b"\0" + row.tobytes() for row in values)
    return png(chunk(b"IDAT", zlib.compress(data)), depth=16)


def exif(orientation: int, broken: bool = False) -> bytes:
    made = Image.Exif()
    made[0x0112] = orientation
    data = made.tobytes()
    return data[: len(data) // 2] + b"\xff" * 9 if broken else data


def frames(form: str) -> bytes:
    more = [Image.new("RGB", (16, 16), colour) for colour in ("blue", "green", "white")]
    return encoded(Image.new("RGB", (16, 16), "red"), form, save_all=True, append_images=more)


def malformed() -> Iterator[tuple[str, bytes]]:
    """Files that no reader should take, or that it may take with a broken part left out."""
    yield "nothing", b""
    yield "one byte", b"\x89"
    yield "zeros", bytes(5_000)
    yield "random bytes", RNG.integers(0, 256, 4_000, dtype=np.uint8).tobytes()
    yield "text", b"This is a letter.\n" * 40
    yield "html", b"<!doctype html><title>404</title>"
    yield "svg", b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
    yield "pdf", b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF"
    yield "eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\nshowpage\n"
    yield "zip", b"PK\x03\x04" + bytes(60)
    yield "elf", b"\x7fELF" + bytes(60)
    yield "mp4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(200)
    yield "heic without a picture", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(300)
    yield "avif without a picture", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(300)
    yield "webp without a picture", b"RIFF\x24\0\0\0WEBPVP8 " + bytes(24)
    yield "png signature alone", b"\x89PNG\r\n\x1a\n"
    yield "png without data", png()
    yield "png with bad checksum", png(chunk(b"IDAT", rows(), check=7))
    yield "png with bad deflate", png(chunk(b"IDAT", b"\x78\x9c" + bytes(40)))
    yield "png with too few rows", png(chunk(b"IDAT", rows(4)))
    yield "png of no width", png(chunk(b"IDAT", rows()), size=(0, 9))
    yield "png of negative width", png(chunk(b"IDAT", rows()), size=(2**31, 9))
    yield "png bomb", png(chunk(b"IDAT", rows()), size=(60_000, 60_000))
    yield "png of unknown depth", png(chunk(b"IDAT", rows()), depth=7)
    yield "png of unknown colour", png(chunk(b"IDAT", rows()), colour=9)
    yield "png palette without colours", png(chunk(b"IDAT", rows(9, 9)), colour=3)
    yield "png text bomb", png(chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(9_000_000))), chunk(b"IDAT", rows()))
    yield "png with huge chunk length", b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 2**31 - 1) + b"IHDR" + bytes(30)
    yield "png with bad exif", png(chunk(b"eXIf", b"II*\0\xff\xff\xff\xff"), chunk(b"IDAT", rows()))
    yield "png with bad profile", png(chunk(b"iCCP", b"x\0\0garbage"), chunk(b"IDAT", rows()))
    yield "png with nested text", png(chunk(b"iTXt", b"instructedit\0\0\0\0\0" + b"[" * 9_000), chunk(b"IDAT", rows()))
    yield "jpeg start alone", b"\xff\xd8\xff"
    yield "jpeg without frame", b"\xff\xd8\xff\xd9"
    yield "jpeg bomb", b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03\x01\x22\0\x02\x11\x01\x03\x11\x01" + bytes(50)
    data = encoded(SMOOTH, "JPEG")
    yield "jpeg cut in its header", data[:90]
    yield "jpeg cut in its scan", data[: len(data) - 200]
    yield "jpeg with bad exif", encoded(SMOOTH, "JPEG", exif=exif(6, broken=True))
    yield "jpeg with bad profile", encoded(SMOOTH, "JPEG", icc_profile=b"\0" * 80)
    yield "jpeg with odd xmp", encoded(SMOOTH, "JPEG", xmp=b"<x:xmpmeta><rdf:RDF></rdf:RDF><instructedit:provenance>{")
    yield "gif header alone", b"GIF89a\x09\0\x09\0\0\0\0"
    yield "gif cut", encoded(SMOOTH, "GIF")[:300]
    yield "gif of no size", b"GIF89a\0\0\0\0\0\0\0;"
    yield "tiff header alone", b"II*\0\x08\0\0\0"
    yield "tiff with endless directories", b"II*\0\x08\0\0\0\0\0\x08\0\0\0" + bytes(40)
    yield "tiff with a directory outside", b"MM\0*\x7f\xff\xff\xff" + bytes(40)
    yield "tiff cut", encoded(SMOOTH, "TIFF")[:900]
    yield "bmp header alone", b"BM" + bytes(20)
    yield "bmp of negative height", encoded(SMOOTH, "BMP")[:22] + struct.pack("<i", -(2**31)) + bytes(90)
    yield "bmp cut", encoded(SMOOTH, "BMP")[:700]
    yield "ppm with a bad number", b"P6 9 nine 255\n" + bytes(300)
    yield "ppm bomb", b"P6 99999 99999 255\n" + bytes(300)
    yield "ppm cut", b"P6 9 9 255\n" + bytes(9)
    yield "webp cut", encoded(SMOOTH, "WEBP")[:60]
    yield "one pixel", encoded(Image.new("RGB", (1, 1)), "PNG")
    yield "thin line", encoded(Image.new("RGB", (900, 2)), "PNG")


def odd() -> Iterator[tuple[str, bytes]]:
    """Files that are strange and right: each is read."""
    picture = Image.fromarray(NOISE)
    for value in (2, 3, 4, 5, 6, 7, 8):
        yield f"orientation {value}", encoded(picture, "JPEG", exif=exif(value))
    yield "orientation 99", encoded(picture, "JPEG", exif=exif(99))
    yield "1 bit", encoded(picture.convert("1"), "PNG")
    yield "grey", encoded(picture.convert("L"), "PNG")
    yield "grey jpeg", encoded(picture.convert("L"), "JPEG")
    yield "grey with alpha", encoded(picture.convert("LA"), "PNG")
    yield "alpha", encoded(picture.convert("RGBA"), "PNG")
    yield "alpha webp", encoded(picture.convert("RGBA"), "WEBP")
    yield "palette", encoded(picture.quantize(17), "PNG")
    yield "transparent palette", encoded(picture.quantize(17), "PNG", transparency=b"\0\x80\xff")
    yield "transparent colour", encoded(picture, "PNG", transparency=(1, 2, 3))
    yield "16-bit grey", encoded(Image.fromarray(RNG.integers(0, 65536, (40, 56), dtype=np.uint16)), "PNG")
    yield "16-bit colour", deep_png()
    yield "32-bit tiff", encoded(Image.fromarray(RNG.integers(0, 2**20, (40, 56), dtype=np.int32)), "TIFF")
    yield "float tiff", encoded(Image.fromarray(RNG.random((40, 56), dtype=np.float32)), "TIFF")
    yield "cmyk jpeg", encoded(picture.convert("CMYK"), "JPEG")
    yield "cmyk tiff", encoded(picture.convert("CMYK"), "TIFF")
    yield "lab tiff", encoded(ImageCms.profileToProfile(
        picture, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    ), "TIFF")  # fmt: skip
    yield "ycbcr tiff", encoded(picture.convert("YCbCr"), "TIFF", compression="jpeg")
    yield "progressive jpeg", encoded(picture, "JPEG", progressive=True)
    yield (
        "srgb profile",
        encoded(picture, "PNG", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()),
    )
    yield "animated gif", frames("GIF")
    yield "animated webp", frames("WEBP")
    yield "animated png", frames("PNG")
    yield "animated avif", frames("AVIF")
    yield "pages of a tiff", frames("TIFF")
    yield "two pictures in one jpeg", frames("MPO")
    yield "avif", encoded(picture, "AVIF")
    yield "jpeg 2000", encoded(picture, "JPEG2000")
    yield "ppm", encoded(picture, "PPM")
    yield "pgm of 16 bits", b"P5 9 9 65535\n" + bytes(162)
    yield "bmp", encoded(picture, "BMP")
    yield "interlaced text", encoded(picture, "PNG", pnginfo=_text())
    yield "very wide", encoded(Image.new("RGB", (9_000, 8)), "PNG")
    yield "very high", encoded(Image.new("L", (8, 9_000)), "PNG")
    yield "bytes after the end", encoded(picture, "PNG") + b"more" * 99


def _text() -> PngImagePlugin.PngInfo:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("Comment", "\xe9 \x80 latin", zip=True)
    chunks.add_itxt("Title", "题\n" * 50)
    return chunks
