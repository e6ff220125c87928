"""Uniform local binary patterns."""

from __future__ import annotations

import os
from functools import cache as once
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from convtrace.descriptors._spectrum import check_side
from convtrace.descriptors.base import Description, Descriptor
from convtrace.descriptors.registry import register
from convtrace.traces.extraction import planes

__all__ = ["LocalBinaryPatterns"]

# Once around the pixel, so that neighbouring bits are neighbouring pixels.
_RING = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
_BINS = 59


@register("local-binary-patterns", aliases=("lbp",))
class LocalBinaryPatterns(Descriptor):
    """Shares of the 59 uniform patterns of the eight nearest neighbours.

    Each neighbour that is at least as bright as the pixel gives a bit. The 58 patterns with at
    most two changes around the ring have a bin each, all others share the last.

    Parameters
    ----------
    channels : str, default="rgb"
        "rgb", "luminance", or a subset such as "g"; 59 numbers each.
    crop : int or None, default=256
        Only the central `crop` by `crop` pixels are measured, None: all of them.
    cache : str, os.PathLike or None, default=None
        A folder in which measured vectors are kept.
    n_jobs : int or None, default=None
        Threads over pictures.
    on_error : {"raise", "nan"}, default="raise"
        Whether a bad picture ends `transform` or leaves a row of NaN.

    References
    ----------
    T. Ojala, M. Pietikäinen, T. Mäenpää, "Multiresolution Gray-Scale and Rotation Invariant
    Texture Classification with Local Binary Patterns", IEEE TPAMI 24(7), 2002,
    doi:10.1109/TPAMI.2002.1017623.

    Examples
    --------
    >>> picture = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    >>> shares = LocalBinaryPatterns(channels="g").describe(picture)
    >>> shares.shape, bool(np.isclose(shares.sum(), 1))
    ((59,), True)
    """

    name: ClassVar[str] = "local-binary-patterns"
    version: ClassVar[str] = "1"

    def __init__(
        self,
        *,
        channels: str = "rgb",
        crop: int | None = 256,
        cache: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        on_error: str = "raise",
    ) -> None:
        self.channels = channels
        self.crop = crop
        self.cache = cache
        self.n_jobs = n_jobs
        self.on_error = on_error

    def _check_options(self) -> None:
        super()._check_options()
        planes(np.zeros((1, 1, 3)), self.channels)

    def _feature_names(self) -> list[str]:
        letters = ("y",) if self.channels.lower() == "luminance" else tuple(self.channels.lower())
        return [f"lbp_{letter}_{index:02d}" for letter in letters for index in range(_BINS)]

    def _measure(self, pixels: NDArray[Any]) -> Description:
        check_side(pixels, 3, self.name)
        return Description(np.concatenate([_shares(p) for p in planes(pixels, self.channels)]))


@once
def _bins() -> NDArray[np.intp]:
    """Return the bin of each of the 256 patterns."""
    patterns = np.arange(256)
    rotated = (patterns >> 1) | ((patterns & 1) << 7)
    changes = np.bitwise_count((patterns ^ rotated).astype(np.uint8))
    bins = np.full(256, _BINS - 1, dtype=np.intp)
    uniform = changes <= 2
    bins[uniform] = np.arange(np.count_nonzero(uniform))
    return bins


def _shares(plane: NDArray[Any]) -> NDArray[np.float64]:
    height, width = plane.shape
    centre = plane[1:-1, 1:-1]
    code = np.zeros(centre.shape, dtype=np.uint8)
    for bit, (row, column) in enumerate(_RING):
        neighbour = plane[1 + row : height - 1 + row, 1 + column : width - 1 + column]
        code |= (neighbour >= centre).astype(np.uint8) << np.uint8(bit)
    counts = np.bincount(_bins()[code.ravel()], minlength=_BINS)
    shares: NDArray[np.float64] = counts / code.size
    return shares
