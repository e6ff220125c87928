"""Facts from a picture's header: nothing here decodes pixels.

An audit looks at thousands of files, and what it asks for (format, size,
compression, metadata) stands before the pixels. Metadata behind them, such as
text at the end of a PNG, is not seen.
"""

from __future__ import annotations

import stat
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pillow_heif
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
from convtrace.image import JpegFacts, jpeg
from convtrace.image.containers import sniff

__all__ = ["Header", "read_header"]

# Image.open() would refuse large pictures by a limit that is global to the process;
# a header costs the same whatever the size, so the classes are used directly.
_OPENERS: Final[dict[str, Callable[[str], ImageFile.ImageFile]]] = {
    "AVIF": AvifImagePlugin.AvifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "PPM": PpmImagePlugin.PpmImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
}
# What Pillow's header parsers raise on damaged files.
_PARSER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    EOFError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
)
_FIRST_BYTES = 1 << 16
_XMP_TAG, _EXIF_TAG = 700, 34665
_PNG_XMP = "XML:com.adobe.xmp"


@dataclass(frozen=True, slots=True)
class Header:
    """What a file tells before its pixels.

    Parameters
    ----------
    format : str
        ``"JPEG"``, ``"PNG"``, ... judged by the bytes.
    mode : str
        Pillow's name of the colour mode.
    width, height : int
        In pixels, as stored.
    nbytes : int
        Size of the file.
    jpeg : JpegFacts or None
        Compression, for JPEG files.
    exif, icc, xmp, c2pa, dpi, comment : bool
        Whether the file carries each kind of metadata (``c2pa``: a manifest of
        content credentials; ``comment``: a free comment).
    text_keys : tuple of str
        Keywords of a PNG's text chunks, sorted.
    make, software : str
        Of EXIF or TIFF tags; empty if not told.
    """

    format: str
    mode: str
    width: int
    height: int
    nbytes: int
    jpeg: JpegFacts | None
    exif: bool
    icc: bool
    xmp: bool
    c2pa: bool
    dpi: bool
    comment: bool
    text_keys: tuple[str, ...]
    make: str
    software: str


def read_header(path: Path) -> Header:
    """Read the header of a picture file.

    Parameters
    ----------
    path : Path
        A regular file.

    Returns
    -------
    Header

    Raises
    ------
    ImageError
        If the file cannot be opened, is no picture, or its header is damaged.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.jpg"
    >>> Image.new("RGB", (64, 48)).save(path, quality=90)
    >>> header = read_header(path)
    >>> header.format, header.width, header.jpeg.quality, header.exif
    ('JPEG', 64, 90, False)
    """
    name = str(path)
    try:
        status = path.stat()
        # Opening a named pipe would wait for a writer, perhaps for ever.
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(name, "not a regular file")
        with path.open("rb") as file:
            start = file.read(_FIRST_BYTES)
    except OSError as error:
        raise ImageError(name, f"cannot be opened ({error.strerror or error})") from error
    if not start:
        raise ImageError(name, "the file is empty", "copy or download it again")
    found = sniff(start)
    if found is None:
        raise ImageError(name, "not a picture of a known format")
    try:
        if found == "HEIF":
            return _read_heif(name, status.st_size)
        with _OPENERS[found](name) as image:
            compression = _jpeg_facts(path, start) if found == "JPEG" else None
            return _header(image, found, status.st_size, compression)
    except _PARSER_ERRORS as error:
        raise ImageError(
            name, f"the {found} header is damaged ({type(error).__name__})", "get the file again"
        ) from error


def _read_heif(name: str, nbytes: int) -> Header:
    file = pillow_heif.open_heif(name)
    info: dict[str, Any] = dict(file.info)
    make, software = _exif_names(info.get("exif") or b"")
    return Header(
        format="HEIF",
        mode=str(file.mode),
        width=int(file.size[0]),
        height=int(file.size[1]),
        nbytes=nbytes,
        jpeg=None,
        exif=bool(info.get("exif")),
        icc=bool(info.get("icc_profile")),
        xmp=bool(info.get("xmp")),
        c2pa=False,
        dpi=False,
        comment=False,
        text_keys=(),
        make=make,
        software=software,
    )


def _header(
    image: ImageFile.ImageFile, found: str, nbytes: int, compression: JpegFacts | None
) -> Header:
    info = image.info
    # image.getexif() and image.text may decode the pixels of a PNG: info does not.
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tags = image.tag_v2
        exif, xmp = _EXIF_TAG in tags, _XMP_TAG in tags
        make = str(tags.get(ExifTags.Base.Make, "")).strip()
        software = str(tags.get(ExifTags.Base.Software, "")).strip()
    else:
        exif, xmp = bool(info.get("exif")), bool(info.get("xmp") or info.get(_PNG_XMP))
        make, software = _exif_names(info.get("exif") or b"")
    is_png = found == "PNG"
    text_keys = sorted(
        str(key)
        for key, value in info.items()
        if is_png and isinstance(value, str) and key != _PNG_XMP
    )
    return Header(
        format=found,
        mode=image.mode,
        width=image.width,
        height=image.height,
        nbytes=nbytes,
        jpeg=compression,
        exif=exif,
        icc=bool(info.get("icc_profile")),
        xmp=xmp,
        c2pa=_has_c2pa(image),
        dpi="dpi" in info,
        comment=bool(info.get("comment")),
        text_keys=tuple(text_keys),
        make=make,
        software=software,
    )


def _exif_names(data: bytes) -> tuple[str, str]:
    """Return the maker and the software of EXIF data, empty where they cannot be read."""
    exif = Image.Exif()
    try:
        exif.load(data)
        names = [exif.get(ExifTags.Base.Make), exif.get(ExifTags.Base.Software)]
    except _PARSER_ERRORS:
        # Damaged EXIF is common in old photographs and no reason to lose the rest.
        return "", ""
    make, software = ("" if one is None else str(one).strip("\0 ") for one in names)
    return make, software


def _has_c2pa(image: ImageFile.ImageFile) -> bool:
    """Look for the boxes of content credentials in JPEG and PNG files."""
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        return any(marker == "APP11" and b"jumb" in data[:64] for marker, data in image.applist)
    if isinstance(image, PngImagePlugin.PngImageFile):
        return any(chunk[0] == b"caBX" for chunk in image.private_chunks)
    return False


def _jpeg_facts(path: Path, start: bytes) -> JpegFacts | None:
    """Read the compression; only long metadata makes this look past the first bytes."""
    facts = jpeg.facts(start)
    if facts is None and len(start) == _FIRST_BYTES:
        facts = jpeg.facts(path.read_bytes())
    return facts
