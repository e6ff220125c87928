r"""The probabilistic model of the convolutional trace: its constants and its two classes.

For one colour channel :math:`I` with values on the 0..255 scale and an odd
kernel size :math:`N = 2a + 1`, each pixel belongs to one of two classes, with
equal prior probability:

* :math:`M_1`, predicted by its neighbours,
  :math:`I[x, y] = \sum_{(s, t) \neq (0, 0)} k[s, t]\, I[x + s, y + t] + n`
  with :math:`n \sim \mathcal{N}(0, \sigma^2)`;
* :math:`M_2`, not predicted, uniform on the 256 grey levels.

The scale and the uniform density belong together: with pixels on [0, 1] and
:math:`p_0 = 1/256` every responsibility is about 1, and Expectation-Maximization
collapses to ordinary least squares.

References
----------
.. [1] A. C. Popescu and H. Farid, "Exposing Digital Forgeries by Detecting
   Traces of Resampling", IEEE Trans. Signal Process. 53(2), 2005.
   :doi:`10.1109/TSP.2004.839932`
.. [2] L. Guarnera, O. Giudice, S. Battiato, "Fighting Deepfake by Exposing the
   Convolutional Traces on Images", IEEE Access 8, 2020.
   :doi:`10.1109/ACCESS.2020.3023037`
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convtrace.errors import TraceError

__all__ = [
    "KERNEL_SIZES",
    "LARGEST_LEVEL",
    "SIGMA_FLOOR",
    "START_SIGMA",
    "UNIFORM_DENSITY",
    "check_kernel_size",
    "check_levels",
    "offsets",
]

KERNEL_SIZES = (3, 5, 7, 9)
"""The kernel sizes that can be fitted."""

UNIFORM_DENSITY = 1.0 / 256.0
"""Density of a grey level under the second class, for pixels on the 0..255 scale."""

LARGEST_LEVEL = 1e9
"""Largest pixel that is fitted. Sums over the powers of much larger ones overflow."""

SIGMA_FLOOR = 0.05
"""Smallest standard deviation in grey levels.

Rounding to whole grey levels alone leaves a residual of standard deviation of at
least ``sqrt(1/12) = 0.29``, so the floor is out of reach of natural pictures. It
keeps the likelihood bounded on synthetic ones that neighbours predict exactly
(constant or two-valued areas), where sigma would otherwise run to zero.
"""

START_SIGMA = 5.0
"""Standard deviation in grey levels that a random start begins with."""


def check_kernel_size(kernel_size: int) -> int:
    """Return a kernel size, or say which ones there are.

    Parameters
    ----------
    kernel_size : int
        Side of the kernel in pixels.

    Returns
    -------
    int
        The same number, as a plain ``int``.

    Raises
    ------
    TraceError
        If it is not one of `KERNEL_SIZES`.

    Examples
    --------
    >>> check_kernel_size(5)
    5
    """
    if isinstance(kernel_size, bool) or kernel_size not in KERNEL_SIZES:
        sizes = ", ".join(map(str, KERNEL_SIZES))
        raise TraceError(f"kernel size {kernel_size!r} cannot be fitted; choose one of {sizes}")
    return int(kernel_size)


def check_levels(pixels: NDArray[np.float32]) -> None:
    """Refuse pixels that cannot be summed over.

    Parameters
    ----------
    pixels : ndarray of any shape but empty, float32
        Grey levels.

    Raises
    ------
    TraceError
        If one is not a finite number, or beyond `LARGEST_LEVEL` on either side.
    """
    # These need no array of flags, and are not a number where a pixel is none.
    if not max(float(pixels.max()), -float(pixels.min())) <= LARGEST_LEVEL:
        raise TraceError(
            "a channel holds values that are not finite numbers, or beyond "
            f"{LARGEST_LEVEL:.0e}; grey levels are on the 0..255 scale"
        )


def offsets(kernel_size: int) -> NDArray[np.intp]:
    """Return the neighbours of a pixel in the order of the coefficients.

    Parameters
    ----------
    kernel_size : int
        Odd side N of the kernel.

    Returns
    -------
    ndarray of shape (N * N - 1, 2), intp
        Row and column offset of each neighbour, row by row, without the centre.

    Examples
    --------
    >>> offsets(3).tolist()
    [[-1, -1], [-1, 0], [-1, 1], [0, -1], [0, 1], [1, -1], [1, 0], [1, 1]]
    """
    a = check_kernel_size(kernel_size) // 2
    steps = range(-a, a + 1)
    return np.array([(s, t) for s in steps for t in steps if (s, t) != (0, 0)], dtype=np.intp)
