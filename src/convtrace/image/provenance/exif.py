"""EXIF: the directories of a TIFF structure, and what their entries say.

Read here, and not by Pillow, because Pillow warns on the standard error about hostile entries,
and reads values as large as they claim to be.

References
----------
.. [1] JEITA CP-3451, "Exchangeable image file format for digital still cameras: Exif 2.32".
.. [2] Adobe, "TIFF Revision 6.0", section 2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from PIL import ExifTags

from convtrace.image.provenance.blocks import Block, MetadataError
from convtrace.image.provenance.record import Statement, fit_to_read

__all__ = ["Entry", "entries", "in_statements", "inner_blocks"]

_MOST_ENTRIES = 400
_MOST_BYTES = 4 << 20
# Of all values together: any number of entries may point at the same bytes.
_MOST_BYTES_IN_ALL = 16 << 20
_MOST_NUMBERS = 16

# Of the field types of TIFF: struct's letter, and bytes each.
_NUMBERS = {
    1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q",
    18: "Q",
}  # fmt: skip
_FRACTIONS = {5: "II", 10: "ii"}
_TEXT, _UNDEFINED = 2, 7

_EXIF_DIRECTORY, _PLACE_DIRECTORY = 0x8769, 0x8825
_XMP, _IPTC, _C2PA = 700, 33723, 0xCD41
_BLOCKS: Final = {_XMP: "xmp", _IPTC: "iptc", _C2PA: "c2pa"}
_WIDTHS: Final = {3: 2, 4: 4, 8: 2, 9: 4}  # IPTC is often declared as 32-bit numbers
_USER_COMMENT = 0x9286
# Microsoft's titles, UTF-16 in bytes.
_WINDOWS = frozenset((0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F))

_KINDS: Final = {
    **dict.fromkeys(("Make", "Model", "LensMake", "LensModel", "UniqueCameraModel"), "camera"),
    **dict.fromkeys(("Software", "ProcessingSoftware", "HostComputer"), "software"),
    **dict.fromkeys(("DateTime", "DateTimeOriginal", "DateTimeDigitized"), "time"),
    **dict.fromkeys(("Artist", "Copyright", "CameraOwnerName"), "rights"),
}
_TOLD: Final = frozenset(
    (
        *_KINDS,
        *("ImageDescription", "UserComment", "Orientation", "OffsetTimeOriginal", "XPTitle"),
        *("XPComment", "XPAuthor", "XPKeywords", "XPSubject", "ExposureTime", "FNumber"),
        *("ISOSpeedRatings", "FocalLength", "Flash", "LensSpecification", "BodySerialNumber"),
        *("LensSerialNumber", "ImageUniqueID", "ExposureProgram", "SceneType", "FileSource"),
        *("CustomRendered", "CompositeImage", "DocumentName", "ImageHistory"),
    )
)
"""What is of interest; the rest is layout, or blocks of bytes that say nothing to a reader."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a directory.

    Attributes
    ----------
    directory : str
        ``"image"``, ``"exposure"`` or ``"place"``.
    tag : int
        Its number.
    value : str, bytes or tuple
        Text; bytes; or numbers, not more than 16.
    """

    directory: str
    tag: int
    value: str | bytes | tuple[float, ...]

    @property
    def name(self) -> str:
        """Its name by the standard."""
        names = ExifTags.GPSTAGS if self.directory == "place" else ExifTags.TAGS
        return str(names.get(self.tag, f"tag {self.tag}"))


def entries(data: bytes) -> Iterator[Entry]:
    """Read the first directory, and those of the exposure and the place below it.

    Parameters
    ----------
    data : bytes
        A TIFF structure; a BigTIFF too.

    Yields
    ------
    Entry
        Those that can be read; values that point outside the data are left out.

    Raises
    ------
    MetadataError
        Where there is no such structure, it is cut short, or its values are more than 16 MiB.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        raise MetadataError("it does not begin as a TIFF does")
    (magic,) = struct.unpack_from(order + "H", data, 2)
    if magic not in (42, 43):
        raise MetadataError("it does not begin as a TIFF does")
    reader = _Reader(data, order, big=magic == 43)
    (first,) = reader.unpack("Q" if reader.big else "I", 8 if reader.big else 4)
    below: dict[str, int] = {}
    for tag, value in reader.directory(first):
        if tag in (_EXIF_DIRECTORY, _PLACE_DIRECTORY):
            if isinstance(value, tuple) and value:
                below["exposure" if tag == _EXIF_DIRECTORY else "place"] = int(value[0])
            continue
        yield Entry("image", tag, value)
    for name, place in below.items():
        for tag, value in reader.directory(place):
            yield Entry(name, tag, value)


class _Reader:
    """Numbers at places of the data, in its byte order."""

    def __init__(self, data: bytes, order: str, *, big: bool) -> None:
        self._data = data
        self._order = order
        self._left = _MOST_BYTES_IN_ALL
        self.big = big

    def unpack(self, form: str, at: int) -> tuple[int, ...]:
        try:
            return struct.unpack_from(self._order + form, self._data, at)
        except struct.error as error:
            raise MetadataError("a directory is cut short") from error

    def directory(self, at: int) -> Iterator[tuple[int, str | bytes | tuple[float, ...]]]:
        (count,) = self.unpack("Q" if self.big else "H", at)
        if count > _MOST_ENTRIES:
            raise MetadataError(f"a directory claims {count} entries")
        at += 8 if self.big else 2
        size, inline = (20, 8) if self.big else (12, 4)
        for place in range(at, at + count * size, size):
            tag, kind = self.unpack("HH", place)
            (number,) = self.unpack("Q" if self.big else "I", place + 4)
            if tag in _BLOCKS:
                kind, number = _UNDEFINED, number * _WIDTHS.get(kind, 1)
            value = self._value(kind, number, place + size - inline, inline)
            if value is not None:
                yield tag, value

    def _value(
        self, kind: int, number: int, at: int, inline: int
    ) -> str | bytes | tuple[float, ...] | None:
        form = _NUMBERS.get(kind) or _FRACTIONS.get(kind) or "B"
        each = struct.calcsize("<" + form)
        size = each * number
        if size > _MOST_BYTES:
            return None
        if size > inline:
            (at,) = self.unpack("Q" if self.big else "I", at)
        raw = self._data[at : at + size]
        if len(raw) < size:
            return None
        self._left -= size
        if self._left < 0:
            raise MetadataError(f"its values are more than {_MOST_BYTES_IN_ALL:,} bytes")
        if kind == _TEXT:
            return raw.partition(b"\0")[0].decode("utf-8", "replace")
        # Byte values of more than a few numbers are text or blocks.
        if kind == _UNDEFINED or (kind == 1 and number > _MOST_NUMBERS):
            return raw
        if kind in _NUMBERS:
            number = min(number, _MOST_NUMBERS)
            return struct.unpack_from(f"{self._order}{number}{form}", raw)
        if kind in _FRACTIONS:
            number = min(number, _MOST_NUMBERS)
            parts = struct.unpack_from(f"{self._order}{form * number}", raw)
            pairs = zip(parts[::2], parts[1::2], strict=True)
            return tuple(above / below if below else float("nan") for above, below in pairs)
        return None


def in_statements(data: bytes) -> Iterator[Statement]:
    """Say what EXIF says; of the place only that it is there.

    Parameters
    ----------
    data : bytes
        A TIFF structure.

    Yields
    ------
    Statement

    Raises
    ------
    MetadataError
        Where it cannot be read to the end.
    """
    has_place = False
    for entry in entries(data):
        if entry.directory == "place":
            # Where somebody was is not repeated in every report.
            if entry.name in ("GPSLatitude", "GPSLongitude") and not has_place:
                has_place = True
                yield Statement("EXIF", "GPS position", "present", "place")
            continue
        name = entry.name
        if name not in _TOLD:
            continue
        value = _in_words(entry)
        if value:
            yield Statement("EXIF", name, fit_to_read(value), _KINDS.get(name, "other"))


def inner_blocks(data: bytes) -> Iterator[Block]:
    """Find the blocks that a TIFF keeps as entries: XMP, IPTC, a C2PA manifest.

    Parameters
    ----------
    data : bytes
        A TIFF structure.

    Yields
    ------
    Block
    """
    for entry in entries(data):
        if entry.directory == "image" and entry.tag in _BLOCKS and isinstance(entry.value, bytes):
            kind = _BLOCKS[entry.tag]
            yield Block(kind, b"" if kind == "c2pa" else entry.value)


def _in_words(entry: Entry) -> str:
    value = entry.value
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, tuple):
        return ", ".join(f"{one:.6g}" for one in value)
    if entry.tag == _USER_COMMENT:
        return _user_comment(value)
    if entry.tag in _WINDOWS:
        return value.decode("utf-16-le", "replace").strip("\0 ")
    try:
        return value.decode("utf-8").strip("\0 ")
    except UnicodeDecodeError:
        return ""


def _user_comment(value: bytes) -> str:
    """Decode a comment by the eight bytes that name its characters."""
    code, text = value[:8], value[8:]
    if code == b"UNICODE\0":
        # UTF-16 of either byte order, whatever that of the directory: writers disagree.
        ways = [text.decode(f"utf-16-{end}", "replace") for end in ("be", "le")]
        return max(ways, key=lambda way: sum(one.isascii() for one in way)).strip("\0 ")
    if code in (b"ASCII\0\0\0", bytes(8)):
        return text.decode("utf-8", "replace").strip("\0 ")
    return value.decode("utf-8", "replace").strip("\0 ") if code.isascii() else ""
