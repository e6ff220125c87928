"""From headers to what the audit's classifiers look at, one function per kind of fact."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from convtrace.datasets.headers import Header

__all__ = [
    "bytes_per_pixel",
    "colour_mode",
    "file_format",
    "jpeg_compression",
    "metadata",
    "normalised_name",
    "published_format",
    "published_parts",
    "size",
]

Floats = npt.NDArray[np.float64]

_MAX_CATEGORIES = 20
_DIGITS = re.compile(r"\d+")
_PUBLISHED = re.compile(r"^(?P<family>.*?)(?:-q(?P<quality>\d+(?:\.\d+)?))?$", re.IGNORECASE)


def file_format(headers: Sequence[Header]) -> Floats:
    """Return the format of each file, one-hot, shape (n, formats)."""
    return _one_hot([one.format for one in headers])


def colour_mode(headers: Sequence[Header]) -> Floats:
    """Return Pillow's colour mode of each file, one-hot, shape (n, modes)."""
    return _one_hot([one.mode for one in headers])


def size(headers: Sequence[Header]) -> Floats:
    """Return width, height, pixels and width over height, shape (n, 4)."""
    return np.array(
        [[h.width, h.height, h.width * h.height, h.width / max(h.height, 1)] for h in headers],
        dtype=np.float64,
    ).reshape(len(headers), 4)


def jpeg_compression(headers: Sequence[Header]) -> Floats:
    """Return quality, tables, coding and subsampling of JPEG files, shape (n, 5 + k).

    Every header must be that of a JPEG with readable tables.
    """
    facts = [one.jpeg for one in headers if one.jpeg is not None]
    numbers = [
        [
            one.quality,
            one.luma_quality,
            -1.0 if one.chroma_quality is None else one.chroma_quality,
            one.standard_tables,
            one.progressive,
        ]
        for one in facts
    ]
    table = np.array(numbers, dtype=np.float64).reshape(len(facts), 5)
    return np.hstack([table, _one_hot([one.subsampling for one in facts])])


def bytes_per_pixel(headers: Sequence[Header]) -> Floats:
    """Return the file's size over its number of pixels, shape (n, 1)."""
    return np.array(
        [[one.nbytes / max(one.width * one.height, 1)] for one in headers], dtype=np.float64
    ).reshape(len(headers), 1)


def metadata(headers: Sequence[Header]) -> Floats:
    """Return which metadata each file carries, and the commonest makers and programs."""
    flags = [[h.exif, h.icc, h.xmp, h.c2pa, h.dpi, h.comment, len(h.text_keys)] for h in headers]
    return np.hstack(
        [
            np.array(flags, dtype=np.float64).reshape(len(headers), 7),
            _one_hot([one.make for one in headers]),
            _one_hot([one.software for one in headers]),
            _one_hot([",".join(one.text_keys) for one in headers]),
        ]
    )


def published_format(values: Sequence[str]) -> Floats:
    """Return a manifest's column ``format`` as family, one-hot, and quality (or -1)."""
    parts = [published_parts(value) for value in values]
    quality = np.array([[q] for _, q in parts], dtype=np.float64).reshape(len(values), 1)
    return np.hstack([_one_hot([family for family, _ in parts]), quality])


def published_parts(value: str) -> tuple[str, float]:
    """Split ``jpeg-q75`` into family and quality; the quality is -1 if there is none.

    Examples
    --------
    >>> published_parts("jpeg-q75"), published_parts("tile:PNG")
    (('jpeg', 75.0), ('tile:png', -1.0))
    """
    match = _PUBLISHED.match(value.strip())
    if match is None or match["quality"] is None:
        return value.strip().casefold(), -1.0
    return match["family"].casefold(), float(match["quality"])


def normalised_name(path: Path) -> str:
    """Return the file's name without folder, suffix and numbers, between marks.

    Folders and suffixes are left out because they tell the label and the format,
    runs of digits become one 0 because a counter says nothing about a class.

    Examples
    --------
    >>> normalised_name(Path("fake/IMG_0231-seed7.png"))
    '^IMG_0-seed0$'
    """
    return f"^{_DIGITS.sub('0', path.stem)}$"


def _one_hot(values: Sequence[str]) -> Floats:
    """Mark the commonest values in a column each; the rest has no mark."""
    common = [value for value, _ in Counter(values).most_common(_MAX_CATEGORIES)]
    marks = np.array([[value == one for one in common] for value in values], dtype=np.float64)
    return marks.reshape(len(values), len(common))
