"""The inner loops of co-occurrences: residuals rounded to a few levels, and their counts."""

from __future__ import annotations

import numpy as np

from convtrace.traces._compile import compiled

__all__ = ["FIRST", "SECOND", "SQUARE", "count_channels", "count_lines", "magnitude", "rounded"]

FIRST = 1
"""First difference of two neighbours along an axis."""

SECOND = 2
"""Second difference of three neighbours along an axis."""

SQUARE = 3
"""What a 3x3 window leaves of its centre (Ker and Boehme 2008), of no axis."""


@compiled(fast=True)
def _residual(plane, y, x, filter_, axis):  # type: ignore[no-untyped-def]
    down = 1 - axis
    if filter_ == FIRST:
        return plane[y + down, x + axis] - plane[y, x]
    if filter_ == SECOND:
        return (
            plane[y + 2 * down, x + 2 * axis]
            - np.float32(2.0) * plane[y + down, x + axis]
            + plane[y, x]
        )
    edges = plane[y, x + 1] + plane[y + 1, x] + plane[y + 1, x + 2] + plane[y + 2, x + 1]
    corners = plane[y, x] + plane[y, x + 2] + plane[y + 2, x] + plane[y + 2, x + 2]
    return np.float32(0.5) * edges - np.float32(0.25) * corners - plane[y + 1, x + 1]


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
    for y in range(height):
        for x in range(width):
            value = _residual(plane, y, x, filter_, axis)
            level = min(int(abs(value) + np.float32(0.5)), truncation)
            out[y, x] = truncation + level if value > 0 else truncation - level
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
    total = 0.0
    for y in range(height):
        for x in range(width):
            total += min(abs(_residual(plane, y, x, filter_, axis)), limit)
    return total / (height * width)


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
    down = 1 - axis
    for y in range(height - 2 * down):
        for x in range(width - 2 * axis):
            first = levels[y, x]
            second = levels[y + down, x + axis]
            third = levels[y + 2 * down, x + 2 * axis]
            counts[(first * base + second) * base + third] += 1


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
    for y in range(height):
        for x in range(width):
            counts[(red[y, x] * base + green[y, x]) * base + blue[y, x]] += 1
