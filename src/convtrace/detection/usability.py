"""Pictures that cannot be judged, whatever their trace says."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAST_SIDE", "LEAST_USABLE", "problems", "usable_share"]

LEAST_SIDE = 64
"""Pictures with a shorter side, in pixels, get no verdict unless a detector says otherwise."""

LEAST_USABLE = 0.02
"""Pictures in which a smaller share of the pixels is usable get no verdict."""

_BLACK, _WHITE = 1, 254


def usable_share(pixels: NDArray[Any]) -> float:
    """Return the share of pixels from which a trace can be learnt.

    Flat areas fit any kernel whose coefficients sum to one, and clipped ones carry the clip,
    so a pixel counts where it differs from its right or lower neighbour and is not clipped.

    Parameters
    ----------
    pixels : numpy.ndarray of shape (H, W) or (H, W, 3)
        Grey levels on the 0..255 scale.

    Returns
    -------
    float
        0 to 1; of the channel where it is greatest.

    Examples
    --------
    >>> import numpy as np
    >>> usable_share(np.full((64, 64, 3), 128, dtype=np.uint8))
    0.0
    """
    if min(pixels.shape[:2]) < 2:
        return 0.0
    planes = [pixels] if pixels.ndim == 2 else [pixels[..., c] for c in range(pixels.shape[2])]
    return max(_usable(np.ascontiguousarray(plane)) for plane in planes)


def _usable(plane: NDArray[Any]) -> float:
    here = plane[:-1, :-1]
    varied = (here != plane[:-1, 1:]) | (here != plane[1:, :-1])
    unclipped = (here >= _BLACK) & (here <= _WHITE)
    return int(np.count_nonzero(varied & unclipped)) / here.size


def problems(
    pixels: NDArray[Any],
    *,
    width: int,
    height: int,
    regularized: bool,
    converged: bool,
    least_side: int = LEAST_SIDE,
) -> tuple[str, ...]:
    """Say why a picture cannot be judged.

    Parameters
    ----------
    pixels : numpy.ndarray of shape (H, W) or (H, W, 3)
        What was measured.
    width, height : int
        Size of the whole picture in pixels.
    regularized, converged : bool
        What the descriptor said; see `convtrace.descriptors.Description`.
    least_side : int
        The shorter side, in pixels, that a picture needs for a verdict.

    Returns
    -------
    tuple of str
        Plain sentences; empty where nothing is wrong.
    """
    found = []
    if min(width, height) < least_side:
        found.append(
            f"The picture is {width}x{height} pixels: too small, this detector judges none with a "
            f"side under {least_side} pixels. Look for a larger copy."
        )
    share = usable_share(pixels)
    if share < LEAST_USABLE:
        found.append(
            f"The picture is nearly flat or clipped: only {share:.1%} of its pixels vary, "
            "too few to judge by."
        )
    elif regularized:
        found.append(
            "The picture's pixels depend on each other exactly (a drawing, a screen shot or a "
            "repeated pattern), so its trace is not determined."
        )
    elif not converged:
        found.append("The fit of the trace did not come to an end, so it cannot be judged by.")
    return tuple(found)
