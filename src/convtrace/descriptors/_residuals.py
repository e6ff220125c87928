"""The inner loops of co-occurrences: residuals rounded to a few levels, and their counts."""

from __future__ import annotations

import numpy as np

from convtrace.traces._compile import compiled

__all__ = [
    "FIRST",
    "SECOND",
    "SQUARE",
    "count_channels",
    "count_lines",
    "magnitude",
    "moments",
    "rounded",
]

FIRST = 1
"""First difference of two neighbours along an axis."""

SECOND = 2
"""Second difference of three neighbours along an axis."""

SQUARE = 3
"""What a 3x3 window leaves of its centre (Ker and Boehme 2008), of no axis."""

_TALLIES = 4


@compiled(fast=True)
def _residual_row(plane, y, filter_, axis, row):  # type: ignore[no-untyped-def]
    """Write the residuals of one row. Loops of one expression each, so that they are vectorised."""
    width = row.shape[0]
    here = plane[y]
    if filter_ == FIRST:
        after = here[1:] if axis == 1 else plane[y + 1]
        for x in range(width):
            row[x] = after[x] - here[x]
    elif filter_ == SECOND:
        after = here[1:] if axis == 1 else plane[y + 1]
        last = here[2:] if axis == 1 else plane[y + 2]
        for x in range(width):
            row[x] = last[x] - np.float32(2.0) * after[x] + here[x]
    else:
        after, last = plane[y + 1], plane[y + 2]
        for x in range(width):
            edges = here[x + 1] + after[x] + after[x + 2] + last[x + 1]
            corners = here[x] + here[x + 2] + last[x] + last[x + 2]
            row[x] = np.float32(0.5) * edges - np.float32(0.25) * corners - after[x + 1]


@compiled
def _extent(shape, filter_, axis):  # type: ignore[no-untyped-def]
    """Return how many rows and columns of residuals a plane has."""
    if filter_ == SQUARE:
        return shape[0] - 2, shape[1] - 2
    return shape[0] - filter_ * (1 - axis), shape[1] - filter_ * axis


@compiled(fast=True)
def rounded(plane, filter_, axis, truncation, out):  # type: ignore[no-untyped-def]
    """Round residuals to whole levels of -truncation..truncation, stored from 0 on.

    Halves are rounded away from zero, so that a negative picture has negative residuals.

    Parameters
    ----------
    plane : ndarray of shape (H, W), float32
        Grey levels.
    filter_ : int
        `FIRST`, `SECOND` or `SQUARE`.
    axis : int
        0: along columns, 1: along rows. No matter for `SQUARE`.
    truncation : int
        The largest level.
    out : ndarray of shape (H, W), uint8
        Filled from its top left corner.

    Returns
    -------
    height, width : int
        The part of `out` that was filled.
    """
    height, width = _extent(plane.shape, filter_, axis)
    row = np.empty(width, dtype=np.float32)
    most, middle = np.float32(truncation), np.float32(truncation + 0.5)
    for y in range(height):
        _residual_row(plane, y, filter_, axis, row)
        levels = out[y]
        for x in range(width):
            value = row[x]
            # Cut first: what is left fits any integer. The sign is given back to a float, which
            # is vectorised better.
            level = np.float32(np.int32(min(abs(value), most) + np.float32(0.5)))
            levels[x] = np.uint8(np.int32(middle + (level if value > np.float32(0.0) else -level)))
    return height, width


@compiled(fast=True)
def magnitude(plane, filter_, axis, limit):  # type: ignore[no-untyped-def]
    """Return the mean absolute residual, each cut at a limit.

    Parameters
    ----------
    plane, filter_, axis
        As for `rounded`.
    limit : float
        The largest that one residual counts.

    Returns
    -------
    float
    """
    height, width = _extent(plane.shape, filter_, axis)
    row = np.empty(width, dtype=np.float32)
    total = np.float64(0.0)
    for y in range(height):
        _residual_row(plane, y, filter_, axis, row)
        # A row of at most 2^16 pixels of at most `limit`: sums in single precision are as good as
        # exact for residuals of whole and quarter grey levels.
        part = np.float32(0.0)
        for x in range(width):
            part += min(abs(row[x]), limit)
        total += np.float64(part)
    return total / (height * width)


@compiled(fast=True)
def moments(red, green, blue, limit):  # type: ignore[no-untyped-def]
    """Return means of the 3x3 residuals of three channels, and of their products.

    Parameters
    ----------
    red, green, blue : ndarray of shape (H, W), float32
        Grey levels.
    limit : float
        Residuals are cut at it and at its negative.

    Returns
    -------
    means : ndarray of shape (3,), float64
    products : ndarray of shape (3, 3), float64
    """
    height, width = _extent(red.shape, SQUARE, 0)
    rows = np.empty((3, width), dtype=np.float32)
    means, products = np.zeros(3), np.zeros((3, 3))
    for y in range(height):
        _residual_row(red, y, SQUARE, 0, rows[0])
        _residual_row(green, y, SQUARE, 0, rows[1])
        _residual_row(blue, y, SQUARE, 0, rows[2])
        for i in range(3):
            total = np.float32(0.0)
            for x in range(width):
                rows[i, x] = min(max(rows[i, x], -limit), limit)
                total += rows[i, x]
            means[i] += total
            for j in range(i + 1):
                total = np.float32(0.0)
                for x in range(width):
                    total += rows[i, x] * rows[j, x]
                products[i, j] += total
    for i in range(3):
        for j in range(i):
            products[j, i] = products[i, j]
    return means / (height * width), products / (height * width)


@compiled
def count_lines(levels, height, width, axis, base, counts):  # type: ignore[no-untyped-def]
    """Count the triples of three residuals in a line.

    Parameters
    ----------
    levels : ndarray of shape (H, W), uint8
        From `rounded`.
    height, width : int
        The part that counts.
    axis : int
        Of the line.
    base : int
        The number of levels.
    counts : ndarray of shape (base ** 3,), int64
        Added to.
    """
    triples, tallies = np.empty(width, np.uint16), np.zeros((_TALLIES, len(counts)), np.int64)
    down = 1 - axis
    for y in range(height - 2 * down):
        first = levels[y, : width - 2 * axis]
        second = levels[y + down, axis : width - axis]
        third = levels[y + 2 * down, 2 * axis : width]
        _count_row(first, second, third, base, triples, tallies)
    counts += tallies.sum(axis=0)


@compiled
def count_channels(red, green, blue, height, width, base, counts):  # type: ignore[no-untyped-def]
    """Count the triples of the residuals of three channels at one place.

    Parameters
    ----------
    red, green, blue : ndarray of shape (H, W), uint8
        From `rounded`.
    height, width : int
        The part that counts.
    base : int
        The number of levels.
    counts : ndarray of shape (base ** 3,), int64
        Added to.
    """
    triples, tallies = np.empty(width, np.uint16), np.zeros((_TALLIES, len(counts)), np.int64)
    for y in range(height):
        _count_row(red[y, :width], green[y, :width], blue[y, :width], base, triples, tallies)
    counts += tallies.sum(axis=0)


@compiled
def _count_row(first, second, third, base, triples, tallies):  # type: ignore[no-untyped-def]
    """Count the triples of three rows, by turns in one of several tallies.

    Neighbours are often alike, and a count that was just written takes a while to be read again.
    """
    width = len(first)
    # 16 bits hold the triples of up to 9 levels, and are vectorised.
    levels = np.uint16(base)
    for x in range(width):
        pair = np.uint16(np.uint16(first[x]) * levels + np.uint16(second[x]))
        triples[x] = np.uint16(pair * levels + np.uint16(third[x]))
    even = width - width % _TALLIES
    for x in range(0, even, _TALLIES):
        tallies[0, triples[x]] += 1
        tallies[1, triples[x + 1]] += 1
        tallies[2, triples[x + 2]] += 1
        tallies[3, triples[x + 3]] += 1
    for x in range(even, width):
        tallies[0, triples[x]] += 1
