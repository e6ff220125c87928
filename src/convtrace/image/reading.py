"""Bytes, files, arrays and PIL images to pictures, safely.

Anything may be handed in: a damaged file, a named pipe, a picture that unpacks to
terabytes. Every failure is one `convtrace.errors.ImageError`, and the pixels come
out as they were stored.

What bounds the time: a decoder that reads piece by piece (JPEG, PNG, GIF, BMP, PPM,
uncompressed TIFF) is cut off at the first piece that it asks for after the limit. The
decoders that take the whole file in one call (WebP, HEIF, AVIF, compressed TIFF)
cannot be interrupted; the limits of pixels and bytes, checked before they start,
bound those. Reading from the disk itself is not timed.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import struct
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from convtrace.errors import ImageError
from convtrace.image import containers
from convtrace.image._quiet import metadata_warnings_ignored
from convtrace.image.jpeg import facts
from convtrace.image.picture import Picture, Pixels
from convtrace.image.provenance import provenance_of

__all__ = ["Limits", "Source", "read"]

Source = str | os.PathLike[str] | bytes | Image.Image | NDArray[Any] | Picture


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one picture may cost.

    Attributes
    ----------
    max_bytes : int
        Size of the encoded picture; checked before it is read.
    max_pixels : int
        Width times height; checked on the header, before anything is decoded.
    max_seconds : float
        Time for decoding; see the module's text for what it can cut off.
    """

    max_bytes: int = 500_000_000
    max_pixels: int = 200_000_000
    max_seconds: float = 30.0


class _OutOfTimeError(Exception):
    """The time limit has passed; of no class that a decoder would catch."""


# What decoders raise on hostile data, Pillow's and their C libraries' alike.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    EOFError,
    MemoryError,
    RuntimeError,
    Warning,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)

# Pillow's own open() compares every picture with a limit that is global to the
# process, and warns; the classes that it would choose among are used directly.
_OPENERS: dict[str, Callable[[io.BytesIO, str], ImageFile.ImageFile]] = {
    "AVIF": AvifImagePlugin.AvifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "PPM": PpmImagePlugin.PpmImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
}
_SUFFIX_FORMATS = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), "JPEG"),
    **dict.fromkeys((".png", ".apng"), "PNG"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **dict.fromkeys((".bmp", ".dib"), "BMP"),
    **dict.fromkeys((".heic", ".heics", ".heif", ".heifs", ".hif"), "HEIF"),
    **dict.fromkeys((".avif", ".avifs"), "AVIF"),
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm"), "PPM"),
    ".webp": "WEBP",
    ".gif": "GIF",
}

# Pixels turned from Pillow's storage into an array at a time, to keep copies small.
_BAND_PIXELS = 1 << 21
# A progressive JPEG may spend a pass over all its pixels on a few hundred bytes, so
# the clock must be looked at more often than Pillow's 64 KiB.
_JPEG_BLOCK = 1 << 13

_ALPHA = "alpha dropped, colours left as stored"
_PREMULTIPLIED = "alpha dropped, colours left multiplied by it as stored"
_CONVERTED = {
    "P": "palette expanded to RGB",
    "PA": "palette expanded to RGB",
    "CMYK": "CMYK converted to RGB by the simple formula, without a colour profile",
    "YCbCr": "YCbCr converted to RGB",
    "HSV": "HSV converted to RGB",
}


def read(
    source: Source,
    *,
    limits: Limits | None = None,
    name: str | None = None,
    provenance: bool = False,
) -> Picture:
    """Read a picture, its pixels exactly as stored.

    Parameters
    ----------
    source : path, bytes, PIL.Image.Image, ndarray or Picture
        A string is a path, bytes are an encoded picture. An array is (H, W),
        (H, W, 1), (H, W, 3) or (H, W, 4) of uint8, uint16 (divided by 257),
        bool (0 and 255) or floats on the 0..255 scale. A `Picture` is returned
        as it is. A C-contiguous uint8 array of one or three channels is not
        copied.
    limits : Limits, optional
        How much the picture may cost. The default is ``Limits()``.
    name : str, optional
        What encoded bytes are called, in errors and in the picture.
    provenance : bool, default False
        Whether to read, too, what the file says of its origin. The pixels are the same
        either way.

    Returns
    -------
    Picture
        The first frame, without alpha, neither rotated nor colour-converted;
        ``notes`` says what was left out. The decoder of HEIF alone applies the
        rotation that its container prescribes.

    Raises
    ------
    ImageError
        For everything that can be wrong, with the name, the reason and the way
        out. Damaged JPEG data between intact markers cannot be told from a
        sound file, and neither can a picture cut off under
        ``PIL.ImageFile.LOAD_TRUNCATED_IMAGES``; in the second case a note says so.

    Notes
    -----
    Safe to call from several threads. A picture of 100 megapixels of 8-bit RGB
    takes 300 MB, and while it is decoded 700 MB besides the encoded bytes.

    Floats whose maximum is at most 1 are refused (unless all zero): they are
    most likely on the 0..1 scale, on which the model of the trace is not valid.

    Examples
    --------
    >>> import numpy as np
    >>> picture = read(np.full((4, 6, 4), 7, dtype=np.uint8))
    >>> picture.pixels.shape, picture.notes
    ((4, 6, 3), ('alpha dropped, colours left as stored',))
    """
    limits = Limits() if limits is None else limits
    if isinstance(source, Picture):
        return source
    if isinstance(source, np.ndarray):
        return _from_array(source, limits)
    if isinstance(source, Image.Image):
        return _from_pil(source, limits)
    if isinstance(source, bytes | bytearray | memoryview):
        name = "<bytes>" if name is None else name
        if len(source) > limits.max_bytes:
            raise _too_many_bytes(name, len(source), limits)
        return _from_bytes(bytes(source), name, limits, provenance=provenance)
    if isinstance(source, str | os.PathLike):
        path = os.fsdecode(source)
        return _from_bytes(_file_bytes(path, limits), path, limits, provenance=provenance)
    raise ImageError(
        f"<{type(source).__name__}>",
        "not something that a picture can be read from",
        "give a path, encoded bytes, a PIL image or a NumPy array",
    )


# ---------------------------------------------------------------- files


def _file_bytes(name: str, limits: Limits) -> bytes:
    """Read a regular file whole; refuse whatever could block or overflow."""
    try:
        # Looked at before it is opened: opening a device may have effects, and
        # opening a pipe waits for a writer.
        _check_file(name, os.stat(name), limits)  # noqa: PTH116, Path turns "" into "."
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(name, flags), "rb") as file:
            status = os.fstat(file.fileno())
            _check_file(name, status, limits)
            # One byte more than there should be tells a file that still grows.
            data = file.read(status.st_size + 1)
    except FileNotFoundError as error:
        raise ImageError(name, "no such file", "check the spelling of the path") from error
    except PermissionError as error:
        hint = "change its permissions or run as a user who may read it"
        raise ImageError(name, "permission denied", hint) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError(name, f"the file cannot be read ({reason})") from error
    if len(data) != status.st_size:
        raise ImageError(name, "the file changed while it was read", "try again")
    return data


def _check_file(name: str, status: os.stat_result, limits: Limits) -> None:
    mode = status.st_mode
    if stat.S_ISDIR(mode):
        if not os.access(name, os.R_OK | os.X_OK):
            raise PermissionError
        raise ImageError(name, "a folder, not a picture", "name the pictures in it")
    if not stat.S_ISREG(mode):
        kinds = {
            stat.S_IFIFO: "a named pipe",
            stat.S_IFSOCK: "a socket",
            stat.S_IFCHR: "a device",
            stat.S_IFBLK: "a device",
        }
        kind = kinds.get(stat.S_IFMT(mode), "a special file")
        raise ImageError(name, f"{kind}, not a picture", "name a regular file")
    if status.st_size > limits.max_bytes:
        raise _too_many_bytes(name, status.st_size, limits)


def _too_many_bytes(name: str, size: int, limits: Limits) -> ImageError:
    reason = f"{size:,} bytes are more than the limit of {limits.max_bytes:,}"
    return ImageError(name, reason, "raise max_bytes to read it")


def _check_pixels(name: str, width: int, height: int, most: int) -> None:
    if width * height > most:
        reason = f"{width} x {height} pixels are more than the limit of {most:,}"
        raise ImageError(name, reason, "raise max_pixels to read it, if you trust it")


# ---------------------------------------------------------------- encoded pictures


class _TimedStream(io.BytesIO):
    """Encoded bytes that can no longer be read once the time is over."""

    def __init__(self, data: bytes, seconds: float) -> None:
        super().__init__(data)
        self._end = time.monotonic() + seconds

    def _check(self) -> None:
        if time.monotonic() >= self._end:
            raise _OutOfTimeError

    def read(self, size: int | None = -1, /) -> bytes:
        self._check()
        return super().read(size)

    def readline(self, size: int | None = -1, /) -> bytes:
        self._check()
        return super().readline(size)

    def readinto(self, buffer: Any, /) -> int:
        self._check()
        return super().readinto(buffer)


def _from_bytes(data: bytes, name: str, limits: Limits, *, provenance: bool) -> Picture:
    if not data:
        raise ImageError(name, "the file is empty", "copy or download it again")
    found = containers.sniff(data)
    if found is None:
        guess = containers.describe(data)
        reason = "not a picture" + (f": {guess}" if guess else "")
        hint = "give JPEG, PNG, WebP, TIFF, BMP, GIF, HEIC, AVIF or PPM"
        raise ImageError(name, reason, hint)

    notes = []
    expected = _SUFFIX_FORMATS.get(PurePath(name).suffix.lower(), found)
    if expected != found:
        notes.append(f"named {PurePath(name).suffix} but holds {found}")
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        notes.append("Pillow is set to accept truncated pictures: a cut file goes unnoticed")

    try:
        stream = _TimedStream(data, limits.max_seconds)
        stream.read(0)
        if found == "HEIF":
            pixels, mode, more = _decode_heif(data, name, limits)
            orientation = 1
        else:
            pixels, mode, orientation, more = _decode(stream, found, data, name, limits)
    except _OutOfTimeError as error:
        reason = f"decoding took longer than {limits.max_seconds:g} s"
        raise ImageError(name, reason, "raise max_seconds to read it") from error
    except _DECODER_ERRORS as error:
        raise _damaged(name, found, error) from error
    return Picture(
        pixels=pixels,
        name=name,
        format=found,
        mode=mode,
        sha256=hashlib.sha256(data).hexdigest(),
        nbytes=len(data),
        jpeg=facts(data),
        notes=(*notes, *more),
        orientation=orientation,
        provenance=provenance_of(data, found) if provenance else None,
    )


def _damaged(name: str, found: str, error: BaseException) -> ImageError:
    if isinstance(error, MemoryError):
        return ImageError(name, "not enough memory to decode it", "free memory or scale it down")
    words = " ".join(str(error).split())[:160] or type(error).__name__
    lowered = words.lower()
    cut = "truncated" in lowered or "end of file" in lowered or "not enough" in lowered
    reason = "the file is cut short" if cut else f"the {found} data cannot be decoded"
    hint = "copy or download it again" if cut else "it may be damaged: copy or download it again"
    return ImageError(name, f"{reason} ({words})", hint)


def _decode(
    stream: _TimedStream, found: str, data: bytes, name: str, limits: Limits
) -> tuple[Pixels, str, int, list[str]]:
    """Decode with one of Pillow's decoders, after checking what the header claims."""
    if size := containers.declared_size(data):
        most = limits.max_pixels
        if found == "GIF" and Image.MAX_IMAGE_PIXELS is not None:
            # Above this Pillow's GIF decoder warns on its own account.
            most = min(most, Image.MAX_IMAGE_PIXELS)
        _check_pixels(name, *size, most)
    if found == "PNG" and (damage := containers.png_damage(data)):
        raise ImageError(name, damage, "copy or download it again")

    with metadata_warnings_ignored():
        opened = _OPENERS[found](stream, "")
    with opened as image:
        _check_pixels(name, *image.size, limits.max_pixels)
        image.decodermaxblock = _JPEG_BLOCK if found == "JPEG" else image.decodermaxblock
        notes = _container_notes(image, found, data)
        orientation = None
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            _check_tiff(image, name)
            # Pillow turns a TIFF upright as it loads it; without the tag it does not.
            orientation = _orientation(image)
            image.getexif().pop(ExifTags.Base.Orientation, None)
            # With the storage given, Pillow skips its own limit, which is not ours.
            stored = (image.tag_v2[256], image.tag_v2[257])
            image.im = Image.new(image.mode, stored).im
        image.load()
        if orientation is None:
            orientation = _orientation(image)
        mode = image.mode
        pixels, more = _pixels(image, name, _full_scale(image, found))
    return pixels, mode, orientation, [*notes, *more]


def _container_notes(image: ImageFile.ImageFile, found: str, data: bytes) -> list[str]:
    """Say what the container holds beyond the pixels that will come out."""
    notes = []
    if getattr(image, "is_animated", False) or "mp" in image.info:
        notes.append("only the first of several frames read")
    raw_modes = [args if isinstance(args, str) else str(args[0]) for *_, args in image.tile if args]
    reduced = any(";16" in raw for raw in raw_modes) and not image.mode.startswith(("I", "F"))
    if reduced or (found == "AVIF" and containers.has_high_bit_depth_av1(data)):
        notes.append("samples of more than 8 bits reduced to 8 by the decoder")
    return notes


def _check_tiff(image: TiffImagePlugin.TiffImageFile, name: str) -> None:
    """Refuse a raw photograph, whose first picture is a small preview."""
    kind = image.tag_v2.get(254, 0)
    if 50706 in image.tag_v2 or (isinstance(kind, int) and kind & 1):
        reason = "a camera's raw file or a reduced preview, not a finished picture"
        raise ImageError(name, reason, "develop it to TIFF, PNG or JPEG first")


def _full_scale(image: Image.Image, found: str | None) -> float | None:
    """Return the largest sample of the integer modes of more than 8 bits."""
    if image.mode.startswith("I;16"):
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            bits = image.tag_v2.get(258, (16,))
            return float(2 ** int(bits[0]) - 1)
        return 65535.0
    # Pillow scales Netpbm samples of more than 8 bits to 16 and keeps them in 32.
    return 65535.0 if image.mode == "I" and found == "PPM" else None


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 where it is absent, out of range or unreadable."""
    try:
        with metadata_warnings_ignored():
            value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except _DECODER_ERRORS:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _pixels(
    image: Image.Image, name: str, full_scale: float | None
) -> tuple[Pixels, tuple[str, ...]]:
    """Copy a loaded image band by band into an array, without alpha."""
    mode = image.mode
    wide = mode.startswith("I;16") or mode in {"I", "F"}
    if mode == "LAB":
        hint = "convert it to RGB with its colour profile first"
        raise ImageError(name, "Lab colours are not RGB", hint)
    if mode == "I" and full_scale is None:
        hint = "save it as 8-bit or unsigned 16-bit"
        raise ImageError(name, "32-bit integer samples have no defined scale", hint)

    notes = []
    if mode in _CONVERTED:
        notes.append(_CONVERTED[mode])
    if mode in {"LA", "PA", "RGBA"} or "transparency" in image.info:
        notes.append(_ALPHA)
    if mode in {"La", "RGBa"}:
        notes.append(_PREMULTIPLIED)
    if mode == "1":
        notes.append("1-bit samples scaled to 0 and 255")
    if full_scale is not None:
        notes.append(f"samples scaled from 0..{full_scale:.0f} to 0..255")

    # Of the storage, for a TIFF that says it lies on its side.
    width, height = image.im.size
    grey = wide or mode in {"1", "L", "LA", "La"}
    shape = (height, width) if grey else (height, width, 3)
    out: Pixels = np.empty(shape, np.float32) if wide else np.empty(shape, np.uint8)
    rows = max(1, _BAND_PIXELS // width)
    for top in range(0, height, rows):
        band = image.crop((0, top, width, min(top + rows, height)))
        band.info.clear()  # a colour key would make Pillow's conversions warn
        samples = np.asarray(band.convert("RGB") if mode in _CONVERTED else band)
        part = out[top : top + rows]
        if mode == "1":
            np.multiply(samples, np.uint8(255), out=part, casting="unsafe")
        elif full_scale is not None:
            np.divide(samples, np.float32(full_scale / 255), out=part, casting="unsafe")
        elif grey:
            part[...] = samples if samples.ndim == 2 else samples[..., 0]
        else:
            part[...] = samples[..., :3]
    if mode == "F":
        _check_floats(out, name)
    return out, tuple(notes)


def _decode_heif(data: bytes, name: str, limits: Limits) -> tuple[Pixels, str, list[str]]:
    """Decode the primary picture of a HEIF at its full bit depth."""
    file = pillow_heif.open_heif(data, convert_hdr_to_8bit=False, hdr_to_16bit=False)
    image = file[file.primary_index]
    width, height = image.size
    _check_pixels(name, width, height, limits.max_pixels)
    samples = np.asarray(image)
    notes = []
    if len(file) > 1:
        notes.append("only the first of several frames read")
    exif = Image.Exif()
    exif.load(image.info["exif"] or b"")
    if exif.get(ExifTags.Base.Orientation, 1) != 1:
        notes.append("turned as the HEIF container prescribes")
    if samples.ndim == 3:
        if samples.shape[2] in {2, 4}:
            notes.append(_PREMULTIPLIED if image.premultiplied_alpha else _ALPHA)
        samples = samples[..., 0] if samples.shape[2] < 3 else samples[..., :3]
    mode = str(image.mode)
    if samples.dtype == np.uint8:
        return np.array(samples, order="C"), mode, notes
    full_scale = 2 ** int(image.info["bit_depth"]) - 1
    notes.append(f"samples scaled from 0..{full_scale} to 0..255")
    return _scaled(samples, full_scale / 255), mode, notes


# ---------------------------------------------------------------- pictures in memory


def _from_pil(image: Image.Image, limits: Limits) -> Picture:
    name = "<PIL image>"
    _check_size(name, image.width, image.height, limits)
    try:
        image.load()
        found = image.format or "PIL image"
        pixels, notes = _pixels(image, name, _full_scale(image, found))
        orientation = _orientation(image)
    except _DECODER_ERRORS as error:
        raise _damaged(name, image.format or "PIL image", error) from error
    return _in_memory(pixels, name, found, image.mode, notes, orientation)


def _from_array(array: NDArray[Any], limits: Limits) -> Picture:
    name = "<array>"
    if array.ndim not in {2, 3} or (array.ndim == 3 and array.shape[2] not in {1, 3, 4}):
        reason = f"an array of shape {array.shape} is not a picture"
        raise ImageError(name, reason, "give (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)")
    _check_size(name, array.shape[1], array.shape[0], limits)

    notes: list[str] = []
    samples = array
    if samples.ndim == 3:
        if samples.shape[2] == 4:
            notes.append(_ALPHA)
        samples = samples[..., 0] if samples.shape[2] == 1 else samples[..., :3]
    pixels: Pixels
    if samples.dtype == np.uint8:
        pixels = np.ascontiguousarray(samples)
    elif samples.dtype == np.bool_:
        pixels = np.multiply(samples, np.uint8(255), dtype=np.uint8, order="C")
        notes.append("1-bit samples scaled to 0 and 255")
    elif samples.dtype.kind == "u" and samples.dtype.itemsize == 2:
        pixels = _scaled(samples, 257)
        notes.append("samples scaled from 0..65535 to 0..255")
    elif samples.dtype.kind == "f":
        pixels = samples.astype(np.float32, order="C")
        _check_floats(pixels, name)
    else:
        reason = f"samples of type {array.dtype} have no defined scale"
        raise ImageError(name, reason, "convert with .astype(numpy.uint8), range 0..255")
    return _in_memory(pixels, name, "array", str(array.dtype), tuple(notes), 1)


def _scaled(samples: NDArray[Any], divisor: float) -> NDArray[np.float32]:
    pixels = np.empty(samples.shape, dtype=np.float32)
    np.divide(samples, np.float32(divisor), out=pixels, casting="unsafe")
    return pixels


def _check_size(name: str, width: int, height: int, limits: Limits) -> None:
    if not (width and height):
        raise ImageError(name, f"a picture of {width} x {height} has no pixels")
    _check_pixels(name, width, height, limits.max_pixels)


def _check_floats(pixels: Pixels, name: str) -> None:
    """Refuse floats that are not on the 0..255 scale, on which the model is valid."""
    low, high = float(pixels.min()), float(pixels.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ImageError(name, "samples that are not finite", "replace NaN and infinity first")
    if low < 0 or high > 255:
        reason = f"float samples from {low:g} to {high:g} leave the 0..255 scale"
        raise ImageError(name, reason, "rescale or clip them to 0..255")
    if 0 < high <= 1:
        reason = f"float samples up to {high:g} look like the 0..1 scale"
        raise ImageError(name, reason, "multiply by 255: the scale is 0..255")


def _in_memory(
    pixels: Pixels, name: str, found: str, mode: str, notes: tuple[str, ...], orientation: int
) -> Picture:
    digest = hashlib.sha256(f"{pixels.dtype} {pixels.shape} ".encode())
    digest.update(pixels.data)
    return Picture(
        pixels=pixels,
        name=name,
        format=found,
        mode=mode,
        sha256=digest.hexdigest(),
        nbytes=pixels.nbytes,
        jpeg=None,
        notes=notes,
        orientation=orientation,
    )
