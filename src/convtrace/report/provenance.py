"""What a file says of its own origin: EXIF, XMP, text chunks, comments.

Anyone can write anything there, or take it away, so a verdict makes no use of it; it is
listed for the reader, who can ask further.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pillow_heif
from PIL import ExifTags, Image, ImageFile

from convtrace.report.text import shown

__all__ = ["Entry", "provenance"]

_MOST_ENTRIES = 300
# Written by programs that generate images: Stable Diffusion's web interfaces, ComfyUI,
# InvokeAI, NovelAI.
_GENERATOR_KEYS = frozenset(
    {"parameters", "prompt", "workflow", "sd-metadata", "invokeai_metadata", "dream", "generation"}
)
_GROUPS = {
    "EXIF": None,
    "EXIF, exposure": ExifTags.IFD.Exif,
    "EXIF, position": ExifTags.IFD.GPSInfo,
}
# Pointers to the tables of their own, and blocks of bytes that say nothing to a reader.
_UNTOLD = frozenset(
    {"ExifOffset", "GPSInfo", "MakerNote", "PrintImageMatching", "ExifInteroperabilityOffset"}
)
_C2PA = (b"c2pa", b"jumb")
_MALFORMED = (
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
    Image.DecompressionBombError,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that the file says.

    Attributes
    ----------
    group : str
        Where it stands, for instance ``"EXIF"``, ``"XMP"``, ``"PNG text"``.
    name, value : str
        What it says; untrusted text, without characters that hide.
    telling : bool
        Programs that generate images write such an entry.
    """

    group: str
    name: str
    value: str
    telling: bool = False


def provenance(data: bytes, format: str) -> tuple[Entry, ...]:
    """List what the file of a picture says of its origin.

    Parameters
    ----------
    data : bytes
        The encoded picture.
    format : str
        Its format, as `convtrace.image.Picture.format`.

    Returns
    -------
    tuple of Entry
        Empty where it says nothing. Damaged metadata are passed over, and an entry says so.

    Examples
    --------
    >>> from PIL import PngImagePlugin
    >>> stream, chunks = io.BytesIO(), PngImagePlugin.PngInfo()
    >>> chunks.add_text("parameters", "a cat, Steps: 20")
    >>> Image.new("RGB", (8, 8)).save(stream, "PNG", pnginfo=chunks)
    >>> provenance(stream.getvalue(), "PNG")
    (Entry(group='PNG text', name='parameters', value='a cat, Steps: 20', telling=True),)
    """
    found: list[Entry] = []
    try:
        for entry in _entries(data, format):
            found.append(entry)
            if len(found) == _MOST_ENTRIES:
                found.append(Entry("file", "more", f"only the first {_MOST_ENTRIES} are listed"))
                break
    except _MALFORMED as error:
        words = " ".join(str(error).split())[:160] or type(error).__name__
        found.append(Entry("file", "metadata", f"could not be read to the end ({shown(words)})"))
    if all(mark in data for mark in _C2PA):
        found.append(
            Entry("C2PA", "manifest", "the file seems to hold content credentials; not verified")
        )
    return tuple(found)


def _entries(data: bytes, format: str) -> Iterator[Entry]:
    if format == "HEIF":
        info: Mapping[Any, Any] = pillow_heif.open_heif(data).info
        exif = Image.Exif()
        exif.load(info.get("exif") or b"")
        yield from _exif(exif)
        yield from _info(info)
        return
    Image.init()
    if format not in Image.OPEN:
        return
    # Not by Image.open: it warns of every large picture, for the whole process.
    with Image.OPEN[format][0](io.BytesIO(data), "") as image:
        yield from _exif(image.getexif())
        yield from _info(image.info)
        yield from _text_chunks(image)


def _exif(exif: Image.Exif) -> Iterator[Entry]:
    for group, table in _GROUPS.items():
        names = ExifTags.GPSTAGS if table is ExifTags.IFD.GPSInfo else ExifTags.TAGS
        for tag, value in (exif if table is None else exif.get_ifd(table)).items():
            name = names.get(tag, f"tag {tag}")
            if name not in _UNTOLD:
                yield Entry(group, name, _in_words(value))


def _info(info: Mapping[Any, Any]) -> Iterator[Entry]:
    if info.get("xmp"):
        yield Entry("XMP", "packet", _in_words(info["xmp"], most=6000))
    if info.get("comment"):
        yield Entry("file", "comment", _in_words(info["comment"]))
    if info.get("icc_profile"):
        yield Entry("file", "colour profile", f"{len(info['icc_profile']):,} bytes")
    if info.get("dpi"):
        yield Entry(
            "file", "resolution", " x ".join(f"{float(one):g}" for one in info["dpi"]) + " dpi"
        )


def _text_chunks(image: ImageFile.ImageFile) -> Iterator[Entry]:
    # A PNG may have text after the pixels, so asking for it decodes them.
    for key, value in getattr(image, "text", {}).items():
        if key != "XML:com.adobe.xmp":
            yield Entry(
                "PNG text", shown(str(key)), _in_words(value), key.lower() in _GENERATOR_KEYS
            )


def _in_words(value: Any, *, most: int = 2000) -> str:
    if isinstance(value, bytes):
        try:
            return shown(value.decode("utf-8").strip("\0 "), most=most)
        except UnicodeDecodeError:
            return f"{len(value):,} bytes"
    if isinstance(value, tuple):
        return shown(", ".join(_in_words(one) for one in value), most=most)
    return shown(str(value).strip("\0 "), most=most)
