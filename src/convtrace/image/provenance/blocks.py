"""Where the metadata lie in a file, by the structure of its container.

A block is found by walking segments, chunks or boxes from the beginning, each led by its
length; bytes that merely look like metadata, in the pixels or behind the end, are not found.

References
----------
.. [1] ITU-T T.81, annex B (JPEG); Adobe, "XMP Specification Part 3: Storage in Files".
.. [2] W3C, "Portable Network Graphics (PNG) Specification (Third Edition)".
.. [3] Google, "WebP Container Specification".
.. [4] ISO/IEC 14496-12 (ISO base media file format).
.. [5] C2PA, "Technical Specification 2.1", appendix A: embedding manifests.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pillow_heif
from PIL import AvifImagePlugin

from convtrace.image._quiet import metadata_warnings_ignored

__all__ = [
    "EXIF_HEAD",
    "MALFORMED",
    "XMP_HEAD",
    "Block",
    "MetadataError",
    "blocks",
    "photoshop",
]

_MOST_BYTES = 4 << 20
"""Larger blocks are not read. A camera's are far smaller."""

_MOST_PARTS = 200_000
"""So many segments or chunks are walked over at most: a PNG has them by 8 KiB of pixels."""


class MetadataError(ValueError):
    """Metadata that cannot be read."""


MALFORMED: Final = (
    MetadataError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    zlib.error,
)
"""What reading hostile metadata may raise, our own code, Pillow's and the C libraries' alike."""


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of metadata, as stored.

    Attributes
    ----------
    kind : str
        ``"exif"`` (a TIFF structure), ``"tiff"`` (the same, a whole file), ``"xmp"``,
        ``"iptc"`` (the data sets), ``"text"``, ``"comment"``, ``"profile"``, ``"c2pa"`` (the
        manifest is told, not read), ``"wrapped"`` (blocks of their own follow), or ``"damage"``
        (the data are a sentence).
    data : bytes
        Its content.
    name : str
        The keyword of a text.
    """

    kind: str
    data: bytes
    name: str = ""


def blocks(data: bytes, format: str) -> Iterator[Block]:
    """Find the metadata of an encoded picture.

    Parameters
    ----------
    data : bytes
        The encoded picture.
    format : str
        Its format, as `convtrace.image.Picture.format`.

    Yields
    ------
    Block
        In the order of the file. For what is damaged or too large, a block of kind
        ``"damage"``.
    """
    walk = _WALKS.get(format)
    if walk is None:
        return
    try:
        for block in walk(data):
            if len(block.data) > _MOST_BYTES and block.kind != "tiff":
                yield _damage(f"{block.kind} of {len(block.data):,} bytes is too large to be read")
            else:
                yield block
    except MALFORMED as error:
        words = " ".join(str(error).split())[:160] or type(error).__name__
        yield _damage(words)


def _damage(words: str) -> Block:
    return Block("damage", words.encode())


# ---------------------------------------------------------------- JPEG

EXIF_HEAD: Final = b"Exif\0"
"""What EXIF in a segment begins with; one more byte, of any value, follows."""

XMP_HEAD: Final = b"http://ns.adobe.com/xap/1.0/\0"
"""What XMP in a segment begins with."""

_XMP_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP = b"Photoshop 3.0\0"


def _jpeg(data: bytes) -> Iterator[Block]:
    has_manifest = False
    for marker, body in _segments(data):
        if marker == 0xE1 and body.startswith(EXIF_HEAD):
            yield Block("exif", body[6:])
        elif marker == 0xE1 and body.startswith(XMP_HEAD):
            yield Block("xmp", body[len(XMP_HEAD) :])
        elif marker == 0xE1 and body.startswith(_XMP_EXTENSION):
            yield _damage("a part of the XMP that is kept in segments of its own is not read")
        elif marker == 0xED and body.startswith(_PHOTOSHOP):
            yield from photoshop(body[len(_PHOTOSHOP) :])
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0\x01"):
            yield Block("profile", body[14:])
        elif marker == 0xFE:
            yield Block("comment", body)
        elif marker == 0xEB and body[:2] == b"JP" and not has_manifest:
            # Of the JUMBF boxes the first tells its type; the manifest store's is "c2pa".
            has_manifest = _is_manifest(body[8:])
            if has_manifest:
                yield Block("c2pa", b"")


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Walk the segments up to the first scan."""
    at = 2
    for _ in range(_MOST_PARTS):
        while at + 1 < len(data) and data[at] == 0xFF and data[at + 1] == 0xFF:
            at += 1  # fill bytes
        if at + 4 > len(data) or data[at] != 0xFF:
            return
        marker = data[at + 1]
        if marker in (0xD9, 0xDA):
            return
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:
            at += 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2 or at + 2 + length > len(data):
            raise MetadataError("a segment of the JPEG is cut short")
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + length


def _is_manifest(box: bytes) -> bool:
    """Tell whether a JUMBF superbox is a C2PA manifest store, by its description box."""
    return box[4:8] == b"jumb" and box[12:16] == b"jumd" and box[16:20] == b"c2pa"


def photoshop(body: bytes) -> Iterator[Block]:
    """Find IPTC data sets among Photoshop's image resources.

    Parameters
    ----------
    body : bytes
        The resources, one after the other.

    Yields
    ------
    Block
    """
    at = 0
    while body[at : at + 4] == b"8BIM":
        number = int.from_bytes(body[at + 4 : at + 6], "big")
        # A name led by its length, filled up to an even number of bytes.
        name = body[at + 6] + 1
        start = at + 6 + name + name % 2
        size = int.from_bytes(body[start : start + 4], "big")
        if number == 0x0404:
            yield Block("iptc", body[start + 4 : start + 4 + size])
        at = start + 4 + size + size % 2


# ---------------------------------------------------------------- PNG


def _png(data: bytes) -> Iterator[Block]:
    at = 8
    for _ in range(_MOST_PARTS):
        if at + 12 > len(data):
            return
        length = int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        if at + 12 + length > len(data):
            raise MetadataError("a chunk of the PNG is cut short")
        reader = _PNG_CHUNKS.get(kind)
        if reader is not None:
            if length > _MOST_BYTES:
                yield _damage(f"a chunk {kind.decode()} of {length:,} bytes is too large")
            else:
                try:
                    yield reader(data[at + 8 : at + 8 + length])
                except MALFORMED as error:
                    yield _damage(f"a chunk {kind.decode()} cannot be read ({error})")
        if kind == b"IEND":
            return
        at += 12 + length
    yield _damage("the PNG has too many chunks to look at them all")


def _text(body: bytes) -> Block:
    key, _, text = body.partition(b"\0")
    # Latin-1 by the standard; but programs write UTF-8, which is rarely good Latin-1.
    return Block("text", _utf8_or_latin1(text), _keyword(key))


def _compressed_text(body: bytes) -> Block:
    key, _, rest = body.partition(b"\0")
    return Block("text", _utf8_or_latin1(_inflated(rest[1:])), _keyword(key))


def _international_text(body: bytes) -> Block:
    key, _, rest = body.partition(b"\0")
    is_compressed = rest[:1] == b"\x01"
    _, _, text = rest[2:].partition(b"\0")  # the language
    _, _, text = text.partition(b"\0")  # the keyword in that language
    text = _inflated(text) if is_compressed else text
    name = _keyword(key)
    return Block("xmp", text) if name == "XML:com.adobe.xmp" else Block("text", text, name)


def _keyword(key: bytes) -> str:
    return key[:79].decode("latin-1")


def _utf8_or_latin1(text: bytes) -> bytes:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1").encode("utf-8")
    return text


def _inflated(data: bytes) -> bytes:
    inflate = zlib.decompressobj()
    found = inflate.decompress(data, _MOST_BYTES)
    if inflate.unconsumed_tail:
        raise MetadataError(f"it unpacks to more than {_MOST_BYTES:,} bytes")
    return found


_PNG_CHUNKS: dict[bytes, Callable[[bytes], Block]] = {
    b"tEXt": _text,
    b"zTXt": _compressed_text,
    b"iTXt": _international_text,
    b"eXIf": lambda body: Block("exif", body),
    b"iCCP": lambda body: Block("profile", body.partition(b"\0")[2][1:]),
    b"caBX": lambda _: Block("c2pa", b""),
}


# ---------------------------------------------------------------- WebP, GIF, TIFF


def _webp(data: bytes) -> Iterator[Block]:
    at = 12
    for _ in range(_MOST_PARTS):
        if at + 8 > len(data):
            return
        kind = data[at : at + 4]
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + length] if kind in _RIFF_CHUNKS else b""
        if kind == b"EXIF":
            # Some writers keep the head that JPEG needs.
            yield Block("exif", body[6:] if body.startswith(EXIF_HEAD) else body)
        elif kind == b"XMP ":
            yield Block("xmp", body)
        elif kind == b"ICCP":
            yield Block("profile", body)
        elif kind == b"C2PA":
            yield Block("c2pa", b"")
        at += 8 + length + length % 2


_RIFF_CHUNKS = frozenset((b"EXIF", b"XMP ", b"ICCP"))


def _gif(data: bytes) -> Iterator[Block]:
    flags = data[10]
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    for _ in range(_MOST_PARTS):
        mark = data[at : at + 1]
        if mark == b"\x2c":
            flags = data[at + 9]
            at += 10 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
            at = _after_sub_blocks(data, at + 1)  # after the code size
        elif mark == b"\x21":
            label, at = data[at + 1], at + 2
            if label == 0xFF and data[at + 1 : at + 12] == b"XMP DataXMP":
                # Stored as it is, with a trailer of 257 bytes that makes it look like blocks.
                end = _after_sub_blocks(data, at)
                yield Block("xmp", data[at + 12 : max(at + 12, end - 258)])
            elif label == 0xFF and data[at + 1 : at + 12] == b"C2PA_GIF\x01\0\0":
                yield Block("c2pa", b"")
            elif label == 0xFE:
                yield Block("comment", _sub_blocks(data, at))
            at = _after_sub_blocks(data, at)
        else:
            return


def _after_sub_blocks(data: bytes, at: int) -> int:
    while data[at]:
        at += data[at] + 1
    return at + 1


def _sub_blocks(data: bytes, at: int) -> bytes:
    parts, size = [], 0
    while data[at] and size <= _MOST_BYTES:
        parts.append(data[at + 1 : at + 1 + data[at]])
        size += data[at]
        at += data[at] + 1
    return b"".join(parts)


def _tiff(data: bytes) -> Iterator[Block]:
    # EXIF is made as a TIFF is, so one reader reads both.
    yield Block("tiff", data)


# ---------------------------------------------------------------- HEIF, AVIF

_C2PA_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


def _heif(data: bytes) -> Iterator[Block]:
    file = pillow_heif.open_heif(data, convert_hdr_to_8bit=False)
    yield from _of_info(file[file.primary_index].info)
    yield from _boxes(data)


def _avif(data: bytes) -> Iterator[Block]:
    with metadata_warnings_ignored():
        # Pillow reads the orientation as it opens the file.
        opened = AvifImagePlugin.AvifImageFile(io.BytesIO(data), "")
    with opened as image:
        yield from _of_info(image.info)
    yield from _boxes(data)


def _of_info(info: dict[Any, Any]) -> Iterator[Block]:
    exif = info.get("exif") or b""
    if exif:
        yield Block("exif", exif[6:] if exif.startswith(EXIF_HEAD) else exif)
    if info.get("xmp"):
        yield Block("xmp", info["xmp"])
    if info.get("icc_profile"):
        yield Block("profile", info["icc_profile"])


def _boxes(data: bytes) -> Iterator[Block]:
    """Look for a manifest among the outermost boxes."""
    at = 0
    for _ in range(_MOST_PARTS):
        if at + 8 > len(data):
            return
        size = int.from_bytes(data[at : at + 4], "big")
        kind, head = data[at + 4 : at + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        box = data[at + head : at + head + 28] if kind == b"uuid" else b""
        if box[:16] == _C2PA_UUID and box[20:] == b"manifest":  # after version and flags
            yield Block("c2pa", b"")
        if size < head:  # 0: to the end of the file; else damaged
            return
        at += size


_WALKS: dict[str, Callable[[bytes], Iterator[Block]]] = {
    "AVIF": _avif,
    "GIF": _gif,
    "HEIF": _heif,
    "JPEG": _jpeg,
    "PNG": _png,
    "TIFF": _tiff,
    "WEBP": _webp,
}
