"""What encoded bytes are, judged by the bytes and never by the file's name."""

from __future__ import annotations

import zlib

__all__ = ["declared_size", "describe", "has_high_bit_depth_av1", "png_damage", "sniff"]

_PNG = b"\x89PNG\r\n\x1a\n"
_HEIF_BRANDS = frozenset(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
)
_AVIF_BRANDS = frozenset((b"avif", b"avis"))

_PICTURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (_PNG, "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
)
_OTHERS = (
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture, which is not supported"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture, which is not supported"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture, which is not supported"),
    (b"\xff\x0a", "a JPEG XL picture, which is not supported"),
    (b"8BPS", "a Photoshop document"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"\x93NUMPY", "a NumPy array file"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)


def sniff(data: bytes) -> str | None:
    """Name the picture format of encoded bytes.

    Parameters
    ----------
    data : bytes
        The encoded picture; the first 64 bytes decide.

    Returns
    -------
    str or None
        ``"JPEG"``, ``"PNG"``, ``"GIF"``, ``"BMP"``, ``"TIFF"``, ``"WEBP"``,
        ``"PPM"`` (the Netpbm family), ``"HEIF"`` or ``"AVIF"``; None for
        anything else.

    Examples
    --------
    >>> sniff(b"GIF89a..."), sniff(b"hello")
    ('GIF', None)
    """
    for magic, name in _PICTURES:
        if data.startswith(magic):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:1] == b"P" and data[1:2] in b"123456" and data[2:3].isspace():
        return "PPM"
    if data[4:8] == b"ftyp":
        # The major brand, then after a version the compatible ones. A file of
        # major brand mif1 may hold either codec.
        end = min(int.from_bytes(data[:4], "big"), 64)
        brands = [data[8:12], *(data[at : at + 4] for at in range(16, end, 4))]
        if _AVIF_BRANDS & set(brands):
            return "AVIF"
        if _HEIF_BRANDS & set(brands):
            return "HEIF"
    return None


def describe(data: bytes) -> str:
    """Say in plain words what bytes that are no supported picture look like.

    Parameters
    ----------
    data : bytes
        The content of the file.

    Returns
    -------
    str
        ``"it looks like ..."``, or an empty string where nothing is known.

    Examples
    --------
    >>> describe(b"<!DOCTYPE html><html>404</html>")
    'it looks like an HTML page'
    """
    for magic, words in _OTHERS:
        if data.startswith(magic):
            return f"it looks like {words}"
    if data[4:8] == b"ftyp":
        return "it looks like a video"
    if not any(data[:64]):
        return "it begins with zeros only, as a file that was never fully written"
    start = data[:4096]
    if b"\x00" in start:
        return ""
    try:
        text = start.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(start) - 3 or len(data) <= len(start):
            return ""
        text = start[: error.start].decode("utf-8")  # a character cut by the window
    if any(ord(letter) < 32 and not letter.isspace() for letter in text):
        return ""
    lowered = text.lstrip("\ufeff \t\r\n").lower()
    if lowered.startswith("version https://git-lfs"):
        return "it is a Git LFS pointer, not the picture itself; fetch it with git lfs pull"
    if "<svg" in lowered and lowered.startswith("<"):
        return "it looks like an SVG drawing, which has no pixels"
    if lowered.startswith(("<!doctype html", "<html")):
        return "it looks like an HTML page"
    if lowered.startswith("<?xml"):
        return "it looks like an XML file"
    return "it looks like text"


def declared_size(data: bytes) -> tuple[int, int] | None:
    """Read the size that a WebP or GIF claims, before any decoder allocates it.

    Pillow allocates the canvas of these two while it opens them. The decoders of
    the other formats tell their size first and allocate later.

    Parameters
    ----------
    data : bytes
        The encoded picture.

    Returns
    -------
    (int, int) or None
        Width and height; for a GIF the smallest canvas that holds both its
        screen and its first frame. None for other formats or damaged headers.
    """
    if data[:4] == b"RIFF":
        return _webp_size(data)
    if data[:3] == b"GIF":
        return _gif_size(data)
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X" and len(data) >= 30:
        width, height = data[24:27], data[27:30]
        return int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1
    if kind == b"VP8L" and len(data) >= 25:
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and len(data) >= 30:
        width, height = data[26:28], data[28:30]
        return int.from_bytes(width, "little") & 0x3FFF, int.from_bytes(height, "little") & 0x3FFF
    return None


def _gif_size(data: bytes) -> tuple[int, int] | None:
    def number(at: int) -> int:
        return int.from_bytes(data[at : at + 2], "little")

    if len(data) < 13:
        return None
    screen = (number(6), number(8))
    flags = data[10]
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    while at + 10 <= len(data):
        if data[at] == 0x2C:  # the first frame: left, top, width, height
            left, top, width, height = (number(at + place) for place in (1, 3, 5, 7))
            return max(screen[0], left + width), max(screen[1], top + height)
        if data[at] == 0x21:  # an extension: a label, then blocks led by their length
            at += 2
            while at < len(data) and data[at]:
                at += data[at] + 1
        at += 1
    return screen


def png_damage(data: bytes) -> str | None:
    """Check the frame of a PNG: every chunk whole, critical checksums right.

    The decoder stops once it has its last row, so that it misses a damaged
    checksum and a lost end.

    Parameters
    ----------
    data : bytes
        The encoded picture.

    Returns
    -------
    str or None
        What is wrong, in plain words; None for a sound frame.
    """
    view = memoryview(data)
    at = len(_PNG)
    while True:
        if at + 12 > len(data):
            return "the file is cut short"
        length = int.from_bytes(view[at : at + 4], "big")
        end = at + 12 + length
        if end > len(data):
            return "the file is cut short"
        kind = data[at + 4 : at + 8]
        # Bit 5 of the first letter marks the chunks that a decoder may ignore.
        if not kind[0] & 0x20:
            stored = int.from_bytes(view[end - 4 : end], "big")
            if zlib.crc32(view[at + 4 : end - 4]) != stored:
                return f"the PNG data are damaged (wrong checksum of {kind!r})"
        if kind == b"IEND":
            return None
        at = end


def has_high_bit_depth_av1(data: bytes) -> bool:
    """Tell whether an AVIF stores more than 8 bits a sample.

    Parameters
    ----------
    data : bytes
        The encoded picture.

    Returns
    -------
    bool
        The ``high_bitdepth`` flag of the first AV1 configuration box.
    """
    at = data.find(b"av1C", 0, 1 << 16)
    return at >= 0 and len(data) > at + 6 and bool(data[at + 6] & 0x40)
