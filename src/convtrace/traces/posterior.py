"""The posterior map: how probable it is of each pixel that its neighbours predict it."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from scipy.ndimage import correlate

from convtrace.errors import TraceError
from convtrace.image import Picture, read
from convtrace.traces.extraction import extract, planes
from convtrace.traces.model import UNIFORM_DENSITY
from convtrace.traces.solver import Trace

__all__ = ["posterior_map"]


def posterior_map(
    image: str | os.PathLike[str] | bytes | PIL.Image.Image | NDArray[Any] | Picture,
    *,
    trace: Trace | None = None,
    kernel_size: int = 5,
    channels: str = "rgb",
) -> NDArray[np.float32]:
    """Return the responsibility ``w`` of every pixel that has all its neighbours.

    Parameters
    ----------
    image : path, bytes, PIL.Image.Image, ndarray or Picture
        The picture: all that `convtrace.image.read` takes.
    trace : Trace, optional
        Kernels and sigmas of the channels, for instance of a part of the picture; by
        default those of the whole picture are fitted.
    kernel_size : {3, 5, 7, 9}, default 5
        Side of the kernels that are fitted where no trace is given.
    channels : str, default "rgb"
        As for `convtrace.traces.extract`; as many as the trace has kernels.

    Returns
    -------
    ndarray of shape (C, H - N + 1, W - N + 1), float32
        ``P / (P + p0)``, 0..1, with ``P`` the normal density of the residual.

    Raises
    ------
    ImageError
        If the picture cannot be read.
    TraceError
        If it is smaller than the kernel, or the trace has another number of channels.

    References
    ----------
    A. C. Popescu, H. Farid, "Exposing Digital Forgeries by Detecting Traces of
    Resampling", IEEE Transactions on Signal Processing 53(2), 2005.
    :doi:`10.1109/TSP.2004.839932`

    Examples
    --------
    >>> pixels = np.random.default_rng(0).integers(0, 256, size=(64, 48), dtype=np.uint8)
    >>> found = posterior_map(pixels, kernel_size=3, channels="g")
    >>> found.shape, bool((found >= 0).all() and (found <= 1).all())
    ((1, 62, 46), True)
    """
    picture = read(image)
    chosen = planes(picture.pixels, channels)
    if trace is None:
        trace = extract(picture, kernel_size=kernel_size, channels=channels)
    if len(trace.kernels) != len(chosen):
        raise TraceError(
            f"the trace has {len(trace.kernels)} kernels, but {channels!r} are {len(chosen)} "
            "channels"
        )
    size = trace.kernel_size
    if min(picture.width, picture.height) < size:
        raise TraceError(
            f"a picture of {picture.width}x{picture.height} pixels is smaller than the "
            f"{size}x{size} kernel; use a larger picture or a smaller kernel"
        )
    maps = np.empty(
        (len(chosen), picture.height - size + 1, picture.width - size + 1), dtype=np.float32
    )
    for place, plane in enumerate(chosen):
        if place and plane is chosen[0]:
            # A greyscale picture stands for each of its channels.
            maps[place] = maps[0]
        else:
            maps[place] = _responsibility(plane, trace.kernels[place], float(trace.sigma[place]))
    return maps


def _responsibility(
    plane: NDArray[Any], kernel: NDArray[np.float64], sigma: float
) -> NDArray[np.float32]:
    a = kernel.shape[0] // 2
    grey = np.ascontiguousarray(plane, dtype=np.float32)
    # The residual is the correlation with minus the kernel and one in its centre.
    whole = -kernel
    whole[a, a] = 1.0
    residual = correlate(grey, whole.astype(np.float32), mode="nearest")[
        a : grey.shape[0] - a, a : grey.shape[1] - a
    ]
    density = np.exp(-0.5 * (residual / np.float32(sigma)) ** 2)
    density /= np.float32(sigma * np.sqrt(2.0 * np.pi))
    found: NDArray[np.float32] = density / (density + np.float32(UNIFORM_DENSITY))
    return found
