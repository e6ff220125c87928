"""The spectrum of a posterior map, and the periods that stand out in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import maximum_filter, median_filter
from scipy.special import gammainccinv, gammaincinv

from convtrace.errors import TraceError

__all__ = ["LEAST_SEGMENT", "Peak", "find_peaks", "spectrum"]

LEAST_SEGMENT = 32
"""Maps with a shorter side, in pixels, have no spectrum: too few frequencies."""

_SEGMENT = 256
# Around each frequency: wide enough to bridge a peak, narrow against the slope of the rest.
_NEIGHBOURHOOD = 13
# The chance that noise without any period shows a peak somewhere.
_FALSE_ALARM = 1e-3
# What a peak must have over its surroundings, however many segments were averaged.
_LEAST_RATIO = 4.0
# Half-overlapping Hann windows: each segment counts for this much of an independent one.
_INDEPENDENT_SHARE = 0.35
# Slow changes of the picture's content, not periods: below this frequency nothing is sought.
_LEAST_FREQUENCY = 1.0 / 24.0


@dataclass(frozen=True, slots=True)
class Peak:
    """A period that stands out.

    Attributes
    ----------
    vertical, horizontal : float
        Cycles a pixel down and across; vertical 0 to 0.5, horizontal -0.5 to 0.5. Each
        stands for its mirror image as well.
    strength : float
        Power over the median power around it.
    """

    vertical: float
    horizontal: float
    strength: float


def spectrum(maps: ArrayLike, *, segment: int = _SEGMENT) -> tuple[NDArray[np.float64], int]:
    """Return the power spectrum of posterior maps by Welch's method.

    Parameters
    ----------
    maps : array_like of shape (H, W) or (C, H, W)
        Responsibilities, 0..1.
    segment : int, default 256
        Side of the half-overlapping squares that are averaged; smaller maps take the
        largest multiple of 8 that fits, so that the periods of JPEG fall on whole bins.

    Returns
    -------
    power : ndarray of shape (S, S), float64
        Mean power of segments and channels, frequency 0 in the centre, row and column
        ``S // 2``; frequencies are in cycles a pixel from -0.5 to 0.5.
    segments : int
        How many squares were averaged.

    Raises
    ------
    TraceError
        If a side is under `LEAST_SEGMENT` pixels.

    References
    ----------
    P. Welch, "The use of fast Fourier transform for the estimation of power spectra",
    IEEE Transactions on Audio and Electroacoustics 15(2), 1967.
    :doi:`10.1109/TAU.1967.1161901`

    Examples
    --------
    >>> stripes = np.tile([0.0, 1.0], (64, 32))
    >>> power, segments = spectrum(stripes)
    >>> power.shape, segments, np.unravel_index(int(power.argmax()), power.shape)[1].item()
    ((64, 64), 1, 0)
    """
    planes = np.asarray(maps)
    planes = planes[None] if planes.ndim == 2 else planes
    height, width = planes.shape[1:]
    side = min(segment, height, width) // 8 * 8
    if side < LEAST_SEGMENT:
        raise TraceError(
            f"a map of {width}x{height} pixels is too small for a spectrum; a side needs "
            f"{LEAST_SEGMENT} pixels"
        )
    taper = np.hanning(side + 1)[:-1]
    window = np.outer(taper, taper)
    power = np.zeros((side, side))
    corners = [(top, left) for top in _starts(height, side) for left in _starts(width, side)]
    for top, left in corners:
        for plane in planes:
            square = plane[top : top + side, left : left + side].astype(np.float64)
            power += np.abs(np.fft.fft2((square - square.mean()) * window)) ** 2
    return np.fft.fftshift(power) / (len(corners) * len(planes)), len(corners)


def _starts(length: int, side: int) -> range:
    return range(0, length - side + 1, side // 2)


def find_peaks(power: NDArray[np.float64], segments: int = 1, *, most: int = 12) -> list[Peak]:
    """Find the frequencies whose power stands out from what surrounds them.

    Parameters
    ----------
    power : ndarray of shape (S, S), float64
        From `spectrum`.
    segments : int, default 1
        How many squares were averaged: the more, the less noise varies.
    most : int, default 12
        The strongest so many are returned.

    Returns
    -------
    list of Peak
        Strongest first; of a peak and its mirror image only one. In noise without a period
        one is found with a probability of about 0.001.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> noise = rng.random((256, 256))
    >>> find_peaks(*spectrum(noise))
    []
    >>> noise[:, ::8] += 0.5
    >>> sorted({round(abs(peak.horizontal) * 8) for peak in find_peaks(*spectrum(noise))})
    [1, 2, 3, 4]
    """
    side = len(power)
    background = median_filter(power, size=_NEIGHBOURHOOD, mode="wrap")
    ratio = power / np.maximum(background, np.finfo(np.float64).tiny)
    ratio[background <= 0] = 0.0
    # Averaged periodograms of noise are gamma distributed around their mean.
    shape = max(1.0, _INDEPENDENT_SHARE * segments)
    alarm = _FALSE_ALARM / (side * side / 2)
    limit = float(gammainccinv(shape, alarm) / gammaincinv(shape, 0.5))
    limit = max(limit, _LEAST_RATIO)
    frequency = np.fft.fftshift(np.fft.fftfreq(side))
    rows, columns = np.meshgrid(frequency, frequency, indexing="ij")
    upper = _one_of_each_pair(rows, columns)
    found = (
        (ratio >= limit)
        & (ratio == maximum_filter(ratio, size=5, mode="wrap"))
        & (np.hypot(rows, columns) >= _LEAST_FREQUENCY)
        & upper
    )
    places = np.argwhere(found)
    order = np.argsort(-ratio[found], kind="stable")[:most]
    return [
        Peak(abs(float(rows[i, j])), _signed(columns[i, j], rows[i, j]), float(ratio[i, j]))
        for i, j in places[order]
    ]


def _one_of_each_pair(rows: NDArray[Any], columns: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark one of each two frequencies that mirror each other; -0.5 is its own mirror."""
    row_edge = (rows == 0) | (rows == -0.5)
    chosen: NDArray[np.bool_] = np.where(row_edge, (columns >= 0) | (columns == -0.5), rows > 0)
    return chosen


def _signed(column: float, row: float) -> float:
    """Write -0.5 as 0.5, and the horizontal frequency for a vertical one that is positive."""
    value = abs(float(column)) if column == -0.5 or row in (0.0, -0.5) else float(column)
    return value + 0.0
