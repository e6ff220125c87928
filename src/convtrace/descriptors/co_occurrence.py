"""Co-occurrences of pixel differences: the joint statistics of the residual.

Steganalysis and camera forensics look at what a small high-pass filter leaves of a picture, and
count which values stand side by side. The counts hold what a single kernel cannot: which
triples of neighbouring residuals are frequent, along a line, across lines, and between the
colour channels, which a camera's demosaicing ties together and a generator's last layer does not
tie in the same way.
"""

from __future__ import annotations

import functools
import itertools
import os
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from convtrace.descriptors._residuals import (
    FIRST,
    SECOND,
    SQUARE,
    count_channels,
    count_lines,
    magnitude,
    moments,
    rounded,
)
from convtrace.descriptors.base import Description, Descriptor
from convtrace.descriptors.registry import register
from convtrace.errors import ConvtraceError, TraceError

__all__ = ["CoOccurrence"]

_FILTERS = {"first": FIRST, "second": SECOND, "square": SQUARE}
_PLANES = ("y", "rg", "bg")
# The residual of an edge says nothing of a trace.
_LIMIT = 32.0
_LEAST_SIDE = 8


@register("co-occurrence", aliases=("co-occurrences", "cooccurrence", "spam"))
class CoOccurrence(Descriptor):
    """Third-order co-occurrences of rounded pixel differences.

    First and second differences, and what a 3x3 window leaves of its centre, of the luminance
    and of two colour differences (R - G, B - G), rounded to whole grey levels and cut at
    `truncation`. Triples of neighbours are counted along the direction of the difference and
    across it; of R, G and B triples of the three channels at one place. Rows and columns are
    counted together, and so are a triple, its negative and (in a line) its reverse. A number
    is the square root of a share, so that the distance of two vectors is Hellinger's.

    Parameters
    ----------
    truncation : int, default=2
        The largest level, 1 to 4.
    statistics : bool, default=True
        Append the natural logarithm of the mean absolute residual of each plane and filter,
        and the correlations of the 3x3 residual between R, G and B.
    crop : int or None, default=512
        Only the central `crop` by `crop` pixels are measured, None: all of them.
    cache : str, os.PathLike or None, default=None
        A folder in which measured vectors are kept; see `convtrace.descriptors.cache`.
    n_jobs : int or None, default=None
        Threads over pictures, as in scikit-learn: None is one, -1 all cores.
    on_error : {"raise", "nan"}, default="raise"
        Whether a bad picture ends `transform` or leaves a row of NaN.

    References
    ----------
    T. Pevny, P. Bas, J. Fridrich, "Steganalysis by Subtractive Pixel Adjacency Matrix", IEEE
    TIFS 5(2), 2010, doi:10.1109/TIFS.2010.2045842. J. Fridrich, J. Kodovsky, "Rich Models for
    Steganalysis of Digital Images", IEEE TIFS 7(3), 2012, doi:10.1109/TIFS.2012.2190402.
    M. Goljan, J. Fridrich, R. Cogranne, "Rich model for steganalysis of color images", WIFS
    2014, doi:10.1109/WIFS.2014.7084325.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> picture = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    >>> CoOccurrence(truncation=1, statistics=False).transform([picture]).shape
    (1, 192)
    """

    name: ClassVar[str] = "co-occurrence"
    version: ClassVar[str] = "1"

    def __init__(
        self,
        *,
        truncation: int = 2,
        statistics: bool = True,
        crop: int | None = 512,
        cache: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        on_error: str = "raise",
    ) -> None:
        self.truncation = truncation
        self.statistics = statistics
        self.crop = crop
        self.cache = cache
        self.n_jobs = n_jobs
        self.on_error = on_error

    def _check_options(self) -> None:
        super()._check_options()
        if self.truncation not in (1, 2, 3, 4):
            raise ConvtraceError(f"truncation={self.truncation!r}: give 1, 2, 3 or 4")

    def _feature_names(self) -> list[str]:
        lines = _triple_names(self.truncation, reverse=True)
        channels = _triple_names(self.truncation, reverse=False)
        names = []
        for plane in _PLANES:
            for filter_ in _FILTERS:
                directions = ("along",) if filter_ == "square" else ("along", "across")
                for direction in directions:
                    names += [f"co_{plane}_{filter_}_{direction}_{triple}" for triple in lines]
        for filter_ in _FILTERS:
            names += [f"co_rgb_{filter_}_{triple}" for triple in channels]
        if self.statistics:
            names += [f"co_{p}_{f}_log_magnitude" for p in _PLANES for f in _FILTERS]
            names += [f"co_correlation_{pair}" for pair in ("rg", "rb", "gb")]
        return names

    def _measure(self, pixels: NDArray[Any]) -> Description:
        height, width = pixels.shape[:2]
        if min(height, width) < _LEAST_SIDE:
            raise TraceError(
                f"the picture is {width}x{height} pixels; co-occurrences need at least "
                f"{_LEAST_SIDE}x{_LEAST_SIDE}; use a larger picture"
            )
        channels = _channels(pixels)
        red, green, blue = channels
        planes = (
            (red + np.float32(2) * green + blue) * np.float32(0.25),
            red - green,
            blue - green,
        )
        parts = [_plane_counts(plane, filter_, self.truncation) for plane, filter_ in _each(planes)]
        parts += [_channel_counts(channels, each, self.truncation) for each in _FILTERS.values()]
        if self.statistics:
            parts.append(
                np.array([_log_magnitude(plane, filter_) for plane, filter_ in _each(planes)])
            )
            parts.append(_correlations(channels))
        return Description(np.concatenate(parts))


def _each(planes: tuple[NDArray[np.float32], ...]) -> list[tuple[NDArray[np.float32], int]]:
    return [(plane, filter_) for plane in planes for filter_ in _FILTERS.values()]


def _channels(pixels: NDArray[Any]) -> tuple[NDArray[np.float32], ...]:
    if pixels.ndim == 2:
        grey = np.ascontiguousarray(pixels, dtype=np.float32)
        return grey, grey, grey
    return tuple(np.ascontiguousarray(pixels[..., c], dtype=np.float32) for c in range(3))


def _plane_counts(plane: NDArray[np.float32], filter_: int, truncation: int) -> NDArray[np.float64]:
    """Return the roots of the shares of triples in a line, along and across."""
    base = 2 * truncation + 1
    levels = np.empty(plane.shape, dtype=np.uint8)
    along = np.zeros(base**3, dtype=np.int64)
    across = np.zeros(base**3, dtype=np.int64)
    if filter_ == SQUARE:
        height, width = rounded(plane, filter_, 0, truncation, levels)
        for axis in (0, 1):
            count_lines(levels, height, width, axis, base, along)
        return _root_shares(along, truncation, reverse=True)
    for axis in (0, 1):
        height, width = rounded(plane, filter_, axis, truncation, levels)
        count_lines(levels, height, width, axis, base, along)
        count_lines(levels, height, width, 1 - axis, base, across)
    return np.concatenate(
        [_root_shares(counts, truncation, reverse=True) for counts in (along, across)]
    )


def _channel_counts(
    channels: tuple[NDArray[np.float32], ...], filter_: int, truncation: int
) -> NDArray[np.float64]:
    """Return the roots of the shares of triples of R, G and B."""
    base = 2 * truncation + 1
    levels = np.empty((3, *channels[0].shape), dtype=np.uint8)
    counts = np.zeros(base**3, dtype=np.int64)
    for axis in (0,) if filter_ == SQUARE else (0, 1):
        for channel, out in zip(channels, levels, strict=True):
            height, width = rounded(channel, filter_, axis, truncation, out)
        count_channels(levels[0], levels[1], levels[2], height, width, base, counts)
    return _root_shares(counts, truncation, reverse=False)


def _log_magnitude(plane: NDArray[np.float32], filter_: int) -> float:
    axes = (0,) if filter_ == SQUARE else (0, 1)
    mean = sum(magnitude(plane, filter_, axis, np.float32(_LIMIT)) for axis in axes) / len(axes)
    # A twentieth of a grey level keeps a flat plane finite.
    return float(np.log(mean + 0.05))


def _correlations(channels: tuple[NDArray[np.float32], ...]) -> NDArray[np.float64]:
    """Return how the 3x3 residuals of R and G, R and B, G and B go together, -1 to 1."""
    means, products = moments(*channels, np.float32(16.0))
    covariances = products - np.outer(means, means)
    norms = np.sqrt(np.maximum(np.diag(covariances), 0.0))
    return np.array(
        [
            # Flat channels are not correlated; the added variance keeps the quotient finite.
            covariances[i, j] / (norms[i] * norms[j] + 1e-3)
            for i, j in ((0, 1), (0, 2), (1, 2))
        ]
    )


def _root_shares(
    counts: NDArray[np.int64], truncation: int, *, reverse: bool
) -> NDArray[np.float64]:
    places, number = _orbits(truncation, reverse)
    merged = np.bincount(places, weights=counts, minlength=number)
    roots: NDArray[np.float64] = np.sqrt(merged / max(int(counts.sum()), 1))
    return roots


@functools.cache
def _orbits(truncation: int, reverse: bool) -> tuple[NDArray[np.intp], int]:
    """Return which triples are counted together: the place of each, and how many there are."""
    places: dict[tuple[int, ...], int] = {}
    for triple in itertools.product(range(-truncation, truncation + 1), repeat=3):
        same = _same(triple, reverse)
        places.setdefault(min(same), len(places))
    in_order = [
        places[min(_same(triple, reverse))]
        for triple in itertools.product(range(-truncation, truncation + 1), repeat=3)
    ]
    return np.array(in_order, dtype=np.intp), len(places)


def _same(triple: tuple[int, ...], reverse: bool) -> list[tuple[int, ...]]:
    negative = tuple(-value for value in triple)
    return [triple, negative, *([triple[::-1], negative[::-1]] if reverse else [])]


@functools.cache
def _triple_names(truncation: int, *, reverse: bool) -> tuple[str, ...]:
    names: dict[int, str] = {}
    triples = itertools.product(range(-truncation, truncation + 1), repeat=3)
    for place, triple in zip(_orbits(truncation, reverse)[0], triples, strict=True):
        names.setdefault(int(place), "".join(f"{value:+d}" for value in triple))
    return tuple(names[place] for place in range(len(names)))
