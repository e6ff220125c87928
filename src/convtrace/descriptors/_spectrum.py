"""Spectra of planes of any size, brought to a fixed number of values."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from convtrace.errors import TraceError

__all__ = ["check_side", "log_power", "pool"]

# Of the power of a single grey level's rounding: what lies below is arithmetic, not picture.
_FLOOR = 1e-4


def check_side(pixels: NDArray[Any], least: int, name: str) -> None:
    """Refuse pixels that are too small to be measured.

    Parameters
    ----------
    pixels : ndarray of shape (H, W) or (H, W, 3)
        The picture.
    least : int
        The shortest side that will do.
    name : str
        The descriptor, for the message.

    Raises
    ------
    TraceError
        Where a side is shorter.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < least:
        raise TraceError(
            f"{width}x{height} pixels are too few for {name}; both sides need {least} or more"
        )


def log_power(plane: NDArray[Any]) -> NDArray[np.float64]:
    """Return the logarithm of the power spectrum of a plane without its mean.

    Parameters
    ----------
    plane : ndarray of shape (H, W)
        Grey levels, or anything of that order.

    Returns
    -------
    ndarray of shape (H, W // 2 + 1), float64
        Natural logarithm of the power per pixel; the half plane of `scipy.fft.rfft2`.
    """
    values = np.asarray(plane, dtype=np.float64)
    spectrum = scipy.fft.rfft2(values - values.mean())
    power: NDArray[np.float64] = spectrum.real**2 + spectrum.imag**2
    return np.log(_FLOOR + power / values.size)


def pool(
    half_plane: NDArray[np.float64], width: int, size: int, *, peaks: bool
) -> NDArray[np.float64]:
    """Bring a half plane to a fixed grid of frequencies.

    The cells are centred on the multiples of 1 / `size` cycles a pixel, so that what repeats
    every 2, 4 or 8 pixels falls in the middle of a cell.

    Parameters
    ----------
    half_plane : ndarray of shape (H, W // 2 + 1), float64
        As of `log_power`.
    width : int
        W, which the half plane alone does not tell.
    size : int
        Even number of cells for the whole circle of frequencies.
    peaks : bool
        Whether a cell holds its largest value, or the mean.

    Returns
    -------
    ndarray of shape (size * (size // 2 + 1),), float64
    """
    height = half_plane.shape[0]
    order, starts, counts = _cells(height, width, size)
    values = half_plane.ravel()[order]
    if peaks:
        return np.asarray(np.maximum.reduceat(values, starts), dtype=np.float64)
    return np.asarray(np.add.reduceat(values, starts) / counts, dtype=np.float64)


@lru_cache(maxsize=64)
def _cells(
    height: int, width: int, size: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return frequencies sorted by cell, where each cell begins, and how many it holds."""
    vertical = np.rint(scipy.fft.fftfreq(height) * size).astype(np.intp) % size
    horizontal = np.rint(scipy.fft.rfftfreq(width) * size).astype(np.intp)
    cell = (vertical[:, None] * (size // 2 + 1) + horizontal[None, :]).ravel()
    order = np.argsort(cell, kind="stable").astype(np.intp)
    counts = np.bincount(cell, minlength=size * (size // 2 + 1))
    return order, (np.cumsum(counts) - counts).astype(np.intp), counts.astype(np.intp)
