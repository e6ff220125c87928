"""What a JPEG container says of its own compression.

The quantisation tables, the sampling factors and the kind of coding are read by
walking the markers; no pixel is decoded. Most writers scale the two example
tables of the standard by a quality from 1 to 100, the way the Independent JPEG
Group's library does, so the quality can be read back from the tables.

References
----------
.. [1] ITU-T Recommendation T.81 | ISO/IEC 10918-1, annexes B and K.
.. [2] Independent JPEG Group, ``jcparam.c``: ``jpeg_quality_scaling``.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["JpegFacts", "facts", "standard_table"]

Table = tuple[int, ...]

# T.81 tables K.1 and K.2, row by row.
_LUMA = (
    *(16, 11, 10, 16, 24, 40, 51, 61),
    *(12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77),
    *(24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101),
    *(72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA = (
    *(17, 18, 24, 47, 99, 99, 99, 99),
    *(18, 21, 26, 66, 99, 99, 99, 99),
    *(24, 26, 56, 99, 99, 99, 99, 99),
    *(47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 32),
)
# The place in the zigzag sequence of each coefficient, row by row.
_ZIGZAG = (
    *(0, 1, 5, 6, 14, 15, 27, 28),
    *(2, 4, 7, 13, 16, 26, 29, 42),
    *(3, 8, 12, 17, 25, 30, 41, 43),
    *(9, 11, 18, 24, 31, 40, 44, 53),
    *(10, 19, 23, 32, 39, 45, 52, 54),
    *(20, 22, 33, 38, 46, 51, 55, 60),
    *(21, 34, 37, 47, 50, 56, 59, 61),
    *(35, 36, 48, 49, 57, 58, 62, 63),
)
_QUALITIES = range(1, 101)

_SOI, _EOI, _SOS, _DQT, _TEM = 0xD8, 0xD9, 0xDA, 0xDB, 0x01
_RESTARTS = frozenset(range(0xD0, 0xD8))
# C4, C8 and CC lie among the frame markers but define Huffman tables, an
# extension and arithmetic conditioning.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})

_SUBSAMPLING = {
    (1, 1): "4:4:4",
    (2, 1): "4:2:2",
    (2, 2): "4:2:0",
    (1, 2): "4:4:0",
    (4, 1): "4:1:1",
    (4, 2): "4:1:0",
}


@dataclass(frozen=True, slots=True)
class JpegFacts:
    """The compression of one JPEG picture.

    Attributes
    ----------
    quality : int
        The IJG quality, 1 to 100, whose luma and chroma tables together come
        nearest to the stored ones. Exact for writers that scale the standard
        tables; otherwise the nearest by least squares of the logarithms of
        the table entries, that is by mean ratio and not by absolute size.
    luma_quality : int
        The same from the first table alone.
    chroma_quality : int or None
        The same from the second table alone; None where there is no second
        table. The chroma tables of qualities 1, 2 and 3 are equal; of equals
        the one nearest to `luma_quality` is given.
    standard_tables : bool
        Whether every stored table equals the IJG table of `quality`.
    subsampling : str
        ``"4:4:4"``, ``"4:2:2"``, ``"4:2:0"``, ``"4:4:0"``, ``"4:1:1"``,
        ``"4:1:0"``; ``"4:0:0"`` for greyscale; otherwise the sampling factors
        of the components, as ``"2x2,1x2,1x2"``.
    progressive : bool
        Whether the coding is progressive rather than sequential.
    tables : tuple of tuple of int
        The distinct quantisation tables in the order in which the components
        use them (luma first), 64 entries each, row by row of the 8x8 block.
    """

    quality: int
    luma_quality: int
    chroma_quality: int | None
    standard_tables: bool
    subsampling: str
    progressive: bool
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class _Component:
    horizontal: int
    vertical: int
    table: int


def standard_table(quality: int, *, chroma: bool = False) -> Table:
    """Return the IJG quantisation table of a quality.

    Parameters
    ----------
    quality : int
        1 to 100.
    chroma : bool
        The table of the colour differences instead of that of the luminance.

    Returns
    -------
    tuple of int
        64 entries from 1 to 255, row by row of the 8x8 block.

    Raises
    ------
    ValueError
        If the quality is not from 1 to 100.

    Examples
    --------
    >>> standard_table(50)[:4]
    (16, 11, 10, 16)
    >>> set(standard_table(100, chroma=True))
    {1}
    """
    if quality not in _QUALITIES:
        raise ValueError(f"JPEG quality {quality} is not from 1 to 100")
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    base = _CHROMA if chroma else _LUMA
    return tuple(min(max((entry * scale + 50) // 100, 1), 255) for entry in base)


def facts(data: bytes) -> JpegFacts | None:
    """Read the compression of a JPEG from its container.

    Parameters
    ----------
    data : bytes
        The encoded picture, whole or at least up to its first scan.

    Returns
    -------
    JpegFacts or None
        None where the data are no JPEG, or lack the tables or the frame header.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> stream = io.BytesIO()
    >>> Image.new("RGB", (16, 16)).save(stream, "JPEG", quality=83, subsampling="4:2:2")
    >>> found = facts(stream.getvalue())
    >>> found.quality, found.subsampling, found.standard_tables
    (83, '4:2:2', True)
    >>> facts(b"no JPEG") is None
    True
    """
    tables, components, progressive = _walk(data)
    wanted = dict.fromkeys(component.table for component in components)
    if not wanted or any(number not in tables for number in wanted):
        return None
    used = tuple(tables[number] for number in wanted)
    luma, chroma = used[0], used[1] if len(used) > 1 else None

    luma_errors = _errors(luma, chroma=False)
    luma_quality = _nearest(luma_errors)
    if chroma is None:
        quality, chroma_quality = luma_quality, None
    else:
        chroma_errors = _errors(chroma, chroma=True)
        chroma_quality = _nearest(chroma_errors, close_to=luma_quality)
        quality = _nearest(luma_errors + chroma_errors, close_to=luma_quality)
    return JpegFacts(
        quality=quality,
        luma_quality=luma_quality,
        chroma_quality=chroma_quality,
        standard_tables=all(
            table == standard_table(quality, chroma=place > 0) for place, table in enumerate(used)
        ),
        subsampling=_subsampling(components),
        progressive=progressive,
        tables=used,
    )


def _walk(data: bytes) -> tuple[dict[int, Table], list[_Component], bool]:
    """Collect tables and components up to the first scan; stop quietly at damage."""
    tables: dict[int, Table] = {}
    components: list[_Component] = []
    progressive = False
    if data[:2] != bytes((0xFF, _SOI)):
        return tables, components, progressive
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            break
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte before the marker
            at += 1
            continue
        if marker in _RESTARTS or marker in {_TEM, _SOI}:  # markers without a length
            at += 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in {_SOS, _EOI} or length < 2:
            break
        body = data[at + 4 : at + 2 + length]
        if marker == _DQT:
            tables.update(_quantisation(body))
        elif marker in _FRAMES and not components:
            components = _frame(body)
            progressive = marker in _PROGRESSIVE
        at += 2 + length
    return tables, components, progressive


def _quantisation(body: bytes) -> dict[int, Table]:
    """Read the tables of one DQT segment; it may hold several."""
    found: dict[int, Table] = {}
    at = 0
    while at < len(body):
        wide, number = body[at] >> 4, body[at] & 15
        size = 128 if wide else 64
        raw = body[at + 1 : at + 1 + size]
        if wide > 1 or len(raw) < size:
            break
        entries = np.frombuffer(raw, dtype=">u2" if wide else "u1")
        if not entries.all():  # T.81 forbids zeros: the table is damaged
            break
        found[number] = tuple(int(entry) for entry in entries[list(_ZIGZAG)])
        at += 1 + size
    return found


def _frame(body: bytes) -> list[_Component]:
    """Read the components of a frame header; none if it is damaged."""
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        return []
    found = []
    for at in range(6, 6 + 3 * body[5], 3):
        horizontal, vertical = body[at + 1] >> 4, body[at + 1] & 15
        if not (1 <= horizontal <= 4 and 1 <= vertical <= 4):
            return []
        found.append(_Component(horizontal, vertical, body[at + 2]))
    return found


def _subsampling(components: list[_Component]) -> str:
    """Name the chroma subsampling the way that video does."""
    if len(components) == 1:
        return "4:0:0"
    first, *rest = components
    # In CMYK and YCCK the fourth component is sampled like the first.
    chroma = {(each.horizontal, each.vertical) for each in rest[:2]}
    if len(chroma) == 1:
        horizontal, vertical = chroma.pop()
        if first.horizontal % horizontal == 0 and first.vertical % vertical == 0:
            ratio = (first.horizontal // horizontal, first.vertical // vertical)
            if ratio in _SUBSAMPLING:
                return _SUBSAMPLING[ratio]
    return ",".join(f"{each.horizontal}x{each.vertical}" for each in components)


@functools.cache
def _log_tables(chroma: bool) -> NDArray[np.float64]:
    """Return the logarithms of the 100 standard tables, (100, 64)."""
    rows = [standard_table(quality, chroma=chroma) for quality in _QUALITIES]
    return np.log(np.array(rows, dtype=np.float64))


def _errors(table: Table, *, chroma: bool) -> NDArray[np.float64]:
    """Return the mean squared log ratio of a table to each standard one, (100,)."""
    difference = _log_tables(chroma) - np.log(np.array(table, dtype=np.float64))
    return np.asarray((difference**2).mean(axis=1))


def _nearest(errors: NDArray[np.float64], *, close_to: int | None = None) -> int:
    """Return the quality of least error; of equals the one nearest to another."""
    ties = np.flatnonzero(errors == errors.min()) + 1
    if close_to is None:
        return int(ties[0])
    return int(ties[np.abs(ties - close_to).argmin()])
