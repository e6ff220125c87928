"""From a picture to its trace: which channels, then the fit."""

from __future__ import annotations

import os
from dataclasses import fields
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from convtrace.errors import TraceError
from convtrace.image import Picture, read
from convtrace.traces.solver import MAX_PASSES, TOLERANCE, Trace, fit

__all__ = ["FIELDS", "extract", "planes", "repeat"]

FIELDS = tuple(field.name for field in fields(Trace))
"""What a trace has of each channel."""

# Luma of ITU-R BT.601, the Y of JPEG.
_LUMA = (0.299, 0.587, 0.114)
_PLANES = "rgb"


def planes(pixels: NDArray[Any], channels: str = "rgb") -> list[NDArray[Any]]:
    """Return the channels of a picture to be fitted.

    Parameters
    ----------
    pixels : ndarray of shape (H, W) or (H, W, 3)
        Grey levels on the 0..255 scale.
    channels : str, default "rgb"
        ``"luminance"`` (the luma of ITU-R BT.601, not rounded), or letters out of
        ``"rgb"``. A picture of one channel stands for each of its three.

    Returns
    -------
    list of ndarray of shape (H, W)
        One a channel: views, but for the luminance of a colour picture, float32.

    Raises
    ------
    TraceError
        If the channels are none of these.

    Examples
    --------
    >>> [plane.shape for plane in planes(np.zeros((4, 5, 3)), "rb")]
    [(4, 5), (4, 5)]
    """
    name = channels.lower()
    if name == "luminance":
        if pixels.ndim == 2:
            return [pixels]
        luma = np.zeros(pixels.shape[:2], np.float32)
        for index, share in enumerate(_LUMA):
            luma += np.float32(share) * pixels[..., index]
        return [luma]
    if not name or len(set(name)) != len(name) or not set(name) <= set(_PLANES):
        raise TraceError(
            f"channels {channels!r} are not known; take 'rgb', letters out of it, or 'luminance'"
        )
    if pixels.ndim == 2:
        return [pixels] * len(name)
    return [pixels[..., _PLANES.index(letter)] for letter in name]


def extract(
    image: str | os.PathLike[str] | bytes | PIL.Image.Image | NDArray[Any] | Picture,
    *,
    kernel_size: int = 5,
    channels: str = "rgb",
    tolerance: float = TOLERANCE,
    max_passes: int = MAX_PASSES,
    threads: int = 1,
) -> Trace:
    """Extract the convolutional trace of a picture.

    Parameters
    ----------
    image : path, bytes, PIL.Image.Image, ndarray or Picture
        The picture: all that `convtrace.image.read` takes. Arrays have grey levels on
        the 0..255 scale and shape (H, W) or (H, W, 3).
    kernel_size : {3, 5, 7, 9}, default 5
        Side N of the kernel in pixels.
    channels : str, default "rgb"
        ``"rgb"``, letters out of it, or ``"luminance"``. A picture of one channel is
        fitted once and stands for each of its three.
    tolerance : float, default 1e-6
        A step that moves no coefficient by more is the last.
    max_passes : int, default 300
        Passes after which a channel is given up as not converged.
    threads : int, default 1
        Channels fitted at once.

    Returns
    -------
    Trace
        One kernel a channel.

    Raises
    ------
    ImageError
        If the picture cannot be read.
    TraceError
        If it is smaller than the kernel, or an option is out of range.

    Examples
    --------
    >>> image = np.random.default_rng(0).integers(0, 256, size=(64, 64, 3), dtype=np.uint8)
    >>> extract(image, kernel_size=3).kernels.shape
    (3, 3, 3)
    """
    pixels = read(image).pixels
    chosen = planes(pixels, channels)
    options = {"tolerance": tolerance, "max_passes": max_passes, "threads": threads}
    if pixels.ndim == 2 and len(chosen) > 1:
        single = fit(chosen[:1], kernel_size, **options)  # type: ignore[arg-type]
        return repeat(single, len(chosen))
    return fit(chosen, kernel_size, **options)  # type: ignore[arg-type]


def repeat(trace: Trace, times: int) -> Trace:
    """Let the trace of one channel stand for several.

    Parameters
    ----------
    trace : Trace
        Of one channel.
    times : int
        How many.

    Returns
    -------
    Trace
    """
    return Trace(*(np.repeat(getattr(trace, name), times, axis=0) for name in FIELDS))
