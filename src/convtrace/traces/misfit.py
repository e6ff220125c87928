"""Where a picture fits its own kernels worse than its texture explains."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from convtrace.errors import TraceError

__all__ = ["misfit_map"]

_LIMIT = 64.0
# Keeps the logarithm of a flat area's contrast finite, and apart from that of rounding.
_FLAT = 0.3


def misfit_map(
    responsibilities: NDArray[np.float32], pixels: NDArray[Any], *, window: int = 33
) -> NDArray[np.float64]:
    """Compare each part of a picture with parts that are as rich in texture.

    One kernel is fitted to the whole picture. A part with another history, such as a square that
    was pasted, is predicted worse by it; but so is every textured part. So the local mean of
    ``1 - w`` is regressed on the local contrast (a parabola of its logarithm, least squares over
    the picture), and what is left is the map.

    Parameters
    ----------
    responsibilities : ndarray of shape (C, H, W), float32
        Of `convtrace.traces.posterior_map`.
    pixels : ndarray of shape (H + N - 1, W + N - 1[, C])
        The pixels of the map, on the scale 0..255, with the border that it lacks.
    window : int, default 33
        Side of the square of pixels over which is averaged.

    Returns
    -------
    ndarray of shape (H, W), float64
        In standard deviations of the picture's own map; positive where the kernel predicts worse
        than the texture explains. 0 everywhere where there is nothing to compare.

    Raises
    ------
    TraceError
        If map and pixels do not fit each other.

    Examples
    --------
    >>> from convtrace.traces import posterior_map
    >>> rng = np.random.default_rng(0)
    >>> smooth = rng.normal(size=(130, 130)).cumsum(axis=0).cumsum(axis=1)
    >>> pixels = np.clip(128 + 100 * smooth / np.abs(smooth).max(), 0, 255)
    >>> pixels[40:80, 40:80] = rng.integers(100, 110, (40, 40))
    >>> pixels = pixels.astype(np.uint8)
    >>> found = misfit_map(posterior_map(pixels, kernel_size=3, channels="g"), pixels)
    >>> bool(found[45:75, 45:75].mean() > found.mean())
    True
    """
    border = pixels.shape[0] - responsibilities.shape[1]
    shape = tuple(side + border for side in responsibilities.shape[1:])
    if border < 0 or border % 2 or pixels.shape[:2] != shape:
        raise TraceError(
            f"a map of {responsibilities.shape[1:]} does not belong to pixels of {pixels.shape[:2]}"
        )
    down, across = (slice(border // 2, border // 2 + side) for side in responsibilities.shape[1:])
    unlike = uniform_filter(1.0 - responsibilities.mean(axis=0, dtype=np.float64), window)
    grey = pixels.astype(np.float64)
    contrast = np.log(_contrast(grey.mean(axis=2) if grey.ndim == 3 else grey, window) + _FLAT)
    levels = contrast[down, across].ravel()
    basis = np.stack([np.ones_like(levels), levels, levels**2], axis=1)
    explained = basis @ np.linalg.lstsq(basis, unlike.ravel(), rcond=None)[0]
    left: NDArray[np.float64] = unlike - explained.reshape(unlike.shape)
    deviation = float(left.std())
    # Below that it is the rounding of the sums.
    return left / deviation if deviation > 1e-6 else np.zeros_like(left)


def _contrast(grey: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Return the local mean of the differences to the neighbours on the right and below."""
    right = np.abs(np.diff(grey, axis=1, append=grey[:, -1:]))
    below = np.abs(np.diff(grey, axis=0, append=grey[-1:]))
    found: NDArray[np.float64] = uniform_filter(np.minimum(right + below, _LIMIT), window)
    return found
