"""Colour modes of files: how each becomes 8-bit RGB, and how an edited RGB picture becomes the file's own mode again.

Called by `imaging` only.
"""

import numpy as np
from PIL import Image

__all__ = ["NATIVE_MODES", "lost_depth", "split_alpha", "to_native", "to_rgb"]

NATIVE_MODES = {
    "PNG": {"1", "L", "P", "RGB", "I;16"},
    "JPEG": {"L", "RGB", "CMYK"},
    "WEBP": {"RGB"},
    "BMP": {"1", "L", "P", "RGB"},
    "TIFF": {"1", "L", "P", "RGB", "CMYK", "I;16"},
    "GIF": {"L", "P"},
    "AVIF": {"RGB"},
}
"""The modes, as PIL names them, that each format is written in."""

_WITHOUT_ALPHA = {"RGBA": "RGB", "RGBa": "RGB", "RGBX": "RGB", "LA": "L", "La": "L", "PA": "P"}


def split_alpha(picture: Image.Image) -> tuple[Image.Image, np.ndarray | None]:
    """The picture without transparency, colours under it untouched, and its alpha, (H, W) uint8 or None.

    A transparent colour of a palette, grey or RGB picture becomes alpha too.
    """
    if not picture.has_transparency_data or picture.mode.startswith("I"):
        return picture, None
    alpha = np.asarray(picture.convert("RGBA").getchannel("A"))
    if picture.mode in ("RGBa", "La"):
        picture = picture.convert("RGBA")
    mode = _WITHOUT_ALPHA.get(picture.mode, picture.mode)
    return (picture if mode == picture.mode else picture.convert(mode)), alpha


def to_rgb(native: Image.Image) -> tuple[Image.Image, int]:
    """The picture as 8-bit RGB, and the bits per channel that it had.

    A picture that is RGB already is returned itself. 16-bit values are scaled by 255 / 65535; floating-point ones by
    255 where they lie in 0..1, else by 255 over their maximum (at least 255). Raises ValueError for modes that PIL
    cannot convert.
    """
    if native.mode.startswith("I"):
        values = np.asarray(native).astype(np.int64).clip(0)
        top = max(65535, int(values.max(initial=0)))
        grey = (values * 255 + top // 2) // top
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB"), 16 if top == 65535 else 32
    if native.mode == "F":
        floats = np.nan_to_num(np.asarray(native).astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
        largest = float(floats.max(initial=0.0))
        scale = 255.0 if largest <= 1.0 else 255.0 / max(255.0, largest)
        return Image.fromarray(np.rint(floats.clip(0) * scale).astype(np.uint8)).convert("RGB"), 32
    return (native if native.mode == "RGB" else native.convert("RGB")), 8


def to_native(image: Image.Image, before: Image.Image, native: Image.Image, form: str) -> Image.Image:
    """An edited picture in its file's own mode, where the mode holds it and the format takes it, else as RGB.

    Args:
        image: RGB, the edited picture.
        before: RGB, the picture as it was read.
        native: the picture as it was read, in its own mode; pixels that were not changed are taken from it.
        form: the format to be written, a key of `NATIVE_MODES`.
    """
    if native.mode == "RGB" or native.mode not in NATIVE_MODES[form]:
        return image
    rgb = np.asarray(image)
    changed = (rgb != np.asarray(before)).any(axis=-1)
    if not changed.any():
        return native
    if native.mode == "P":
        return _with_palette(rgb) or image
    own = np.array(native)
    if native.mode == "CMYK":
        own[changed] = np.asarray(image.convert("CMYK"))[changed]
        return Image.frombytes("CMYK", native.size, own.tobytes())
    grey = rgb[..., 0]
    if (rgb[changed] != grey[changed][:, None]).any():
        return image
    if native.mode == "1":
        if not np.isin(grey[changed], (0, 255)).all():
            return Image.fromarray(grey)
        own[changed] = grey[changed] > 127
    elif native.mode == "L":
        own[changed] = grey[changed]
    else:
        own[changed] = grey[changed].astype(np.uint16) * 257
    return Image.fromarray(own)


def lost_depth(native: Image.Image | None, out: Image.Image) -> list[str]:
    """A sentence for the person where 16-bit grey is written with 8 bits, for an edit in colour or for the format."""
    if native is None or native.mode != "I;16" or out.mode == native.mode:
        return []
    return [
        "The 16-bit grey picture is written with 8 bits per channel, since an edit in colour or this format needs it; "
        "values outside the edit are rounded."
    ]


def _with_palette(rgb: np.ndarray) -> Image.Image | None:
    """(H, W, 3) uint8 as a palette picture, or None where it has more than 256 colours."""
    codes = rgb.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    colours, indices = np.unique(codes, return_inverse=True)
    if len(colours) > 256:
        return None
    picture = Image.frombytes("P", (rgb.shape[1], rgb.shape[0]), indices.astype(np.uint8).tobytes())
    palette = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1).astype(np.uint8)
    picture.putpalette(palette.tobytes())
    return picture
