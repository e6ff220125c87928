"""IPTC-IIM: the older captions of news agencies.

References
----------
.. [1] IPTC, "Information Interchange Model, version 4.2".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from convtrace.image.provenance.blocks import MetadataError
from convtrace.image.provenance.record import Statement, fit_to_read

__all__ = ["in_statements"]

_MOST_SETS = 500
_APPLICATION_RECORD = 2
_NAMES: Final = {
    5: ("Title", "other"),
    55: ("Date created", "time"),
    65: ("Originating program", "software"),
    70: ("Program version", "software"),
    80: ("By-line", "rights"),
    105: ("Headline", "other"),
    110: ("Credit", "rights"),
    115: ("Source", "rights"),
    116: ("Copyright notice", "rights"),
    120: ("Caption", "other"),
    122: ("Caption writer", "rights"),
}


def in_statements(data: bytes) -> Iterator[Statement]:
    """Say what the data sets of the application record say.

    Parameters
    ----------
    data : bytes
        The data sets, one after the other.

    Yields
    ------
    Statement

    Raises
    ------
    MetadataError
        Where a data set is cut short.

    Examples
    --------
    >>> [one.value for one in in_statements(bytes([28, 2, 110, 0, 3]) + b"AFP")]
    ['AFP']
    """
    at, utf8 = 0, False
    for _ in range(_MOST_SETS):
        if data[at : at + 1] != b"\x1c":
            return
        if at + 5 > len(data):
            raise MetadataError("IPTC is cut short")
        record, number = data[at + 1], data[at + 2]
        size = int.from_bytes(data[at + 3 : at + 5], "big")
        if size & 0x8000:
            raise MetadataError("IPTC with an extended data set is not read further")
        value = data[at + 5 : at + 5 + size]
        if len(value) < size:
            raise MetadataError("IPTC is cut short")
        at += 5 + size
        if (record, number) == (1, 90):
            utf8 = value == b"\x1b%G"
        elif record == _APPLICATION_RECORD and number in _NAMES:
            name, kind = _NAMES[number]
            yield Statement("IPTC", name, fit_to_read(_text(value, utf8=utf8)), kind)


def _text(value: bytes, *, utf8: bool) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("utf-8", "replace") if utf8 else value.decode("latin-1")
