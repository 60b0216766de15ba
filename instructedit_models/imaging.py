"""Reads pictures and masks from files and writes them back; every face, tool and benchmark loads pictures here.

What comes in is upright 8-bit RGB whatever the file holds; what goes out has the file's own mode, alpha, ICC profile
and EXIF again, and the file's own values wherever a pixel was not changed.
"""

import io
import os
import secrets
import struct
import warnings as python_warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from PIL import Image, ImageOps

from instructedit_models.errors import BadImageError, BadMaskError, BadOutputError
from instructedit_models.heif import heif_reader
from instructedit_models.image_metadata import Metadata, embed, encoding_of, read_metadata
from instructedit_models.image_modes import lost_depth, split_alpha, to_native, to_rgb
from instructedit_models.provenance import Provenance

__all__ = [
    "LoadedImage",
    "Signer",
    "check_writable",
    "default_output",
    "load_image",
    "load_mask",
    "save_image",
    "save_mask",
]

MAX_PIXELS = 100_000_000
"""Pictures with more pixels are refused before they are decoded."""
MIN_SIDE = 8
"""Pictures narrower or lower than this are refused."""

_READABLE = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000")
_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".gif": "GIF",
    ".avif": "AVIF",
}
_LOSSY = {"JPEG": "JPEG", "AVIF": "AVIF"}
_ALPHA_FORMATS = {"PNG", "WEBP", "TIFF", "AVIF"}
_DEFAULT_SUFFIXES = {"PNG": ".png", "WEBP": ".webp", "TIFF": ".tif", "BMP": ".bmp"}
"""Formats that keep every byte, and the suffix of a result that the person gave no name."""
_MANY_PIXELS = 4_000_000
"""Larger PNGs are packed fast rather than small: a sixth of the time, an eighth more bytes."""
_LONGEST_RECORD = dict.fromkeys(_FORMATS.values(), 2**20) | {"JPEG": 30_000}
"""Bytes of a provenance record; a JPEG's XMP holds 65,502, the camera's own packet among them."""
_BAD_DATA = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError, MemoryError,
    AssertionError, AttributeError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip
"""What PIL's decoders raise when a file is broken."""


@dataclass(frozen=True)
class LoadedImage:
    """A picture as read from a file.

    Attributes:
        image: PIL RGB, upright.
        alpha: (H, W) uint8, upright, or None where the file has no transparency.
        format: PIL's name of the file format, "PNG", "JPEG" …
        mode: the file's own mode as PIL names it: "RGB", "P", "CMYK", "I;16" …
        icc_profile: the file's colour profile.
        exif: the file's EXIF without its orientation, which has been applied.
        warnings: sentences for the person, e.g. that only the first frame was read.
        native: the same pixels in the file's own mode, upright; `save_image` takes unchanged pixels from it.
        encoding: how the file was compressed (a JPEG's tables), for writing the same format again.
        metadata: everything beside the pixels: the two above, XMP, text, resolution, and an earlier edit's provenance.
    """

    image: Image.Image
    alpha: np.ndarray | None
    format: str
    mode: str
    icc_profile: bytes | None = None
    exif: bytes | None = None
    warnings: list[str] = field(default_factory=list)
    native: Image.Image | None = field(default=None, repr=False, compare=False)
    encoding: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    metadata: Metadata = field(default_factory=Metadata, repr=False, compare=False)

    @property
    def held(self) -> Metadata:
        """All metadata, where a caller set the profile or the EXIF alone too."""
        return replace(self.metadata, icc_profile=self.icc_profile, exif=self.exif)


class Signer(Protocol):
    """Signs a picture file, for `save_image`."""

    def sign(self, data: bytes, form: str, record: Provenance) -> bytes:
        """The file's bytes with a signed manifest in them; `form` is PIL's name of the format."""
        ...


def load_image(path: str | PathLike[str], *, max_pixels: int = MAX_PIXELS) -> LoadedImage:
    """Reads a picture: its first frame, upright, as RGB.

    Args:
        path: the file.
        max_pixels: pictures with more pixels are refused before they are decoded.

    Raises:
        BadImageError: missing, a directory, unreadable, empty, not a picture, cut off, too large or too small.
    """
    file = _readable_file(path)
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore")  # PIL warns of bombs and odd metadata; both are handled here
        try:
            Image.init()
            formats = [form for form in _READABLE if form in Image.OPEN]
            opened = Image.open(file, formats=[*formats, *heif_reader(file, path)])
        except BadImageError:
            raise
        except PermissionError as error:
            raise BadImageError(f"'{path}' may not be read: permission denied.") from error
        except Image.DecompressionBombError as error:
            raise BadImageError(f"'{path}' has too many pixels: at most {max_pixels:,} are accepted.") from error
        except _BAD_DATA as error:
            raise BadImageError(
                f"'{path}' is not a picture that can be read (PNG, JPEG, WebP, GIF, TIFF, BMP, AVIF or HEIC)."
            ) from error
        with opened:
            _check_size(opened.size, path, max_pixels)
            # PIL reads 16-bit colour as 8-bit; only the decoder's raw mode tells.
            deep = any("16" in str(tile[3]) for tile in opened.tile)
            try:
                opened.load()
            except _BAD_DATA as error:
                raise BadImageError(f"'{path}' is damaged: the picture is cut off or its data is broken.") from error
            return _loaded(opened, path, deep)


def save_image(
    image: Image.Image,
    path: str | PathLike[str],
    like: LoadedImage | None = None,
    provenance: Provenance | None = None,
    signer: Signer | None = None,
) -> tuple[str, ...]:
    """Writes a picture whole or not at all; the format follows from the suffix.

    With `like`, the file gets its alpha, ICC profile, EXIF and mode. The mode is kept where that loses nothing: a
    grey file stays grey while the picture is grey, a palette is kept while 256 colours do. Pixels that equal those
    of `like.image` keep the file's own values, so that 16-bit and CMYK pictures are untouched outside an edit.

    Args:
        image: PIL RGB, the size of `like.image`.
        path: .png, .jpg, .webp, .tif, .bmp, .gif or .avif. JPEG and AVIF are lossy, GIF holds at most 256 colours.
        like: the picture that was read, or None for a plain RGB file.
        provenance: how the picture was made, to be embedded; what the input already carried goes into its history.
        signer: signs the file, where the operator has set one up.

    Returns:
        Sentences for the person on what the format could not hold; mostly none.

    Raises:
        BadOutputError: unknown suffix, a directory, no permission, disk full.
        BadImageError: `image` is not of the size of `like.image`.
    """
    target = _output_file(path)
    form = _FORMATS[target.suffix.lower()]
    notes: list[str] = []
    options: dict[str, Any] = {}
    out = image = image if image.mode == "RGB" else image.convert("RGB")
    held, same_colours = Metadata(), True
    if like is not None:
        if like.image.size != image.size:
            raise BadImageError(f"The edited picture is {_size(image)}, the one that was read {_size(like.image)}.")
        out = image if like.native is None else to_native(image, like.image, like.native, form)
        notes += lost_depth(like.native, out)
        held = like.held
        same_colours = like.native is None or out.mode == like.native.mode or like.native.mode == "P"
        if like.format == form and same_colours:
            options |= like.encoding
        if form in _LOSSY:
            notes.append(
                f"{form} compresses anew: pixels outside the edit differ slightly; choose PNG to keep each one."
            )
        if like.alpha is not None and form in _ALPHA_FORMATS:
            out = out.convert("LA" if out.mode in ("1", "L") and form != "WEBP" else "RGBA")
            out.putalpha(Image.fromarray(like.alpha))
        elif like.alpha is not None:
            notes.append(f"{form} cannot hold the picture's transparency: it was left out.")
    record = provenance.after(held.provenance) if provenance is not None else None
    notes += embed(options, form, held, record.text(_LONGEST_RECORD[form]) if record else None, same_colours)
    if form == "AVIF":
        options |= {"quality": 95, "subsampling": "4:4:4"}
    elif form == "WEBP":
        options |= {"lossless": True, "exact": True}
    elif form == "TIFF":
        options |= {"compression": "tiff_deflate"}
    elif form == "JPEG" and "qtables" not in options:
        options |= {"quality": 95, "subsampling": 0}
    elif form == "GIF" and out.mode == "RGB":
        notes.append("GIF holds 256 colours: colours outside the edit may differ slightly.")
    _write(out, target, form, options, (lambda data: signer.sign(data, form, record)) if signer and record else None)
    return tuple(notes)


def default_output(source: str | PathLike[str], loaded: LoadedImage) -> tuple[Path, str | None]:
    """Where a result goes that the person gave no name: beside the input, in its format where that loses nothing.

    Returns:
        The path, and a sentence for the person where the format is another one.
    """
    path = Path(source)
    stem = path.with_name(f"{path.stem}_edited")
    if loaded.format in _DEFAULT_SUFFIXES:
        kept = _FORMATS.get(path.suffix.lower()) == loaded.format
        return stem.with_name(stem.name + (path.suffix if kept else _DEFAULT_SUFFIXES[loaded.format])), None
    note = f"The result is a PNG: {loaded.format} would change pixels outside the edit; -o {stem.name}.jpg writes JPEG."
    return stem.with_name(f"{stem.name}.png"), note


def load_mask(path: str | PathLike[str], size: tuple[int, int]) -> np.ndarray:
    """Reads a mask: white (128 and above) may be edited, black and transparent may not.

    Args:
        path: any picture file; an index map of zeros and ones is understood too.
        size: (width, height) of the picture that the mask is for.

    Returns:
        (H, W) bool, True = may be edited.

    Raises:
        BadImageError: the file cannot be read as a picture.
        BadMaskError: it has another size.
    """
    loaded = load_image(path)
    if loaded.image.size != tuple(size):
        raise BadMaskError(f"The mask '{path}' is {_size(loaded.image)}, but the picture is {size[0]} x {size[1]}.")
    values = np.asarray(loaded.image.convert("L"))
    mask = values > 0 if values.max() <= 1 else values >= 128
    return mask if loaded.alpha is None else mask & (loaded.alpha >= 128)


def save_mask(mask: np.ndarray, path: str | PathLike[str]) -> None:
    """Writes a mask, (H, W) bool, as a 1-bit picture (white = True); JPEG, WebP and GIF get 8-bit grey.

    Raises:
        BadOutputError: as `save_image`.
    """
    target = _output_file(path)
    form = _FORMATS[target.suffix.lower()]
    picture = Image.fromarray(mask.astype(np.uint8) * 255)
    if form in ("PNG", "TIFF", "BMP"):
        picture = picture.convert("1", dither=Image.Dither.NONE)
    elif form == "WEBP":
        picture = picture.convert("RGB")
    _write(picture, target, form, {"lossless": True} if form == "WEBP" else {})


def check_writable(path: str | PathLike[str]) -> None:
    """Checks that a picture can be written to `path`, before any work is done for it; writes nothing.

    Raises:
        BadOutputError: unknown suffix, a directory, a missing parent, no permission.
    """
    _output_file(path)


def _readable_file(path: str | PathLike[str]) -> Path:
    file = Path(path)
    try:
        if file.is_dir():
            raise BadImageError(f"'{path}' is a directory, not a picture.")
        if not file.exists():
            raise BadImageError(f"There is no file '{path}'.")
        if not file.is_file():
            raise BadImageError(f"'{path}' is not an ordinary file.")
        if file.stat().st_size == 0:
            raise BadImageError(f"'{path}' is empty (0 bytes).")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadImageError(f"'{path}' cannot be read: {reason}.") from error
    return file


def _output_file(path: str | PathLike[str]) -> Path:
    try:
        return _checked_output(Path(os.path.realpath(path)), path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadOutputError(f"'{path}' cannot be written: {reason}.") from error


def _checked_output(file: Path, path: str | PathLike[str]) -> Path:
    if file.is_dir():
        raise BadOutputError(f"'{path}' is a directory; name a file such as '{Path(path) / 'out.png'}'.")
    if file.suffix.lower() not in _FORMATS:
        raise BadOutputError(f"'{path}' has no suffix of a picture; use one of {', '.join(_FORMATS)}.")
    if not file.parent.is_dir():
        raise BadOutputError(f"The directory '{Path(path).parent}' does not exist; make it first.")
    if file.exists() and not file.is_file():
        raise BadOutputError(f"'{path}' is not an ordinary file and cannot be replaced.")
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise BadOutputError(f"The directory '{Path(path).parent}' may not be written to: permission denied.")
    return file


def _check_size(size: tuple[int, int], path: str | PathLike[str], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise BadImageError(
            f"'{path}' is {width} x {height}, {width * height:,} pixels; at most {max_pixels:,} are accepted."
        )
    if min(width, height) < MIN_SIDE:
        raise BadImageError(f"'{path}' is {width} x {height}; a picture needs at least {MIN_SIDE} x {MIN_SIDE} pixels.")


def _size(image: Image.Image) -> str:
    return f"{image.width} x {image.height}"


def _loaded(opened: Image.Image, path: str | PathLike[str], deep: bool) -> LoadedImage:
    notes = []
    frames = getattr(opened, "n_frames", 1)
    mode = opened.mode
    form = "JPEG" if opened.format in ("JPEG", "MPO") else opened.format or "PNG"
    if frames > 1 and opened.format not in ("MPO", "HEIF"):
        notes.append(f"The picture is animated or has {frames} pages: only the first was read.")
    elif frames > 1 and opened.format == "HEIF":
        notes.append(f"The file holds {frames} pictures: only the main one was read.")
    encoding = encoding_of(opened)
    try:
        # In place, so that large pictures are not held twice.
        ImageOps.exif_transpose(opened, in_place=True)
        held = read_metadata(opened)
    except _BAD_DATA:
        held = Metadata(icc_profile=opened.info.get("icc_profile") or None)
        notes.append("The picture's EXIF is broken: it was left out.")
    try:
        native, alpha = split_alpha(opened)
        image, bits = to_rgb(native)
    except _BAD_DATA as error:
        raise BadImageError(f"'{path}' has colours of mode {mode}, which are not supported.") from error
    if bits > 8:
        notes.append(f"The picture has {bits} bits per channel: the edit itself is made with 8.")
    elif deep:
        notes.append("The picture has 16 bits per channel: it is read and written with 8.")
    return LoadedImage(image, alpha, form, mode, held.icc_profile, held.exif, notes, native, encoding, held)


def _write(
    image: Image.Image,
    target: Path,
    form: str,
    options: dict[str, Any],
    sign: Callable[[bytes], bytes] | None = None,
) -> None:
    """Writes to a temporary name beside the target, then renames."""
    temporary = target.with_name(f".{target.name[:80]}.{secrets.token_hex(4)}.partial")
    # PIL falls back to the metadata that the picture was read with; only what `options` names may be written.
    clean = image
    if image.info:
        clean = image.copy()
        clean.info.clear()
    try:
        if sign is not None:
            buffer = io.BytesIO()
            _encode(clean, buffer, form, options)
            temporary.write_bytes(sign(buffer.getvalue()))
        else:
            with temporary.open("xb") as file:
                _encode(clean, file, form, options)
        os.replace(temporary, target)
    except (OSError, ValueError, KeyError, SystemError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadOutputError(f"'{target}' could not be written: {reason}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def _encode(image: Image.Image, file: BinaryIO, form: str, options: dict[str, Any]) -> None:
    many = form == "PNG" and image.width * image.height > _MANY_PIXELS
    fast = {"compress_level": 1, "compress_type": zlib.Z_RLE} if many else {}
    image.save(file, format=form, **options, **fast)
