"""The azimuthally averaged power spectrum of Durall et al."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from convtrace.descriptors._spectrum import check_side, log_power
from convtrace.descriptors.base import Description, Descriptor
from convtrace.descriptors.registry import register
from convtrace.errors import ConvtraceError
from convtrace.traces.extraction import planes

__all__ = ["RadialSpectrum"]

_LEAST_SIDE = 32


@register("radial-spectrum", aliases=("radial", "durall2020"))
class RadialSpectrum(Descriptor):
    """Power of the luminance by distance from frequency zero.

    Parameters
    ----------
    length : int, default=128
        Numbers: the averages over rings one frequency step wide, from the lowest frequency to
        the corner of the spectrum, interpolated to this length.
    crop : int or None, default=256
        Only the central `crop` by `crop` pixels are measured, None: all of them.
    cache : str, os.PathLike or None, default=None
        A folder in which measured vectors are kept.
    n_jobs : int or None, default=None
        Threads over pictures.
    on_error : {"raise", "nan"}, default="raise"
        Whether a bad picture ends `transform` or leaves a row of NaN.

    Notes
    -----
    Each value is the mean natural logarithm of the power, less that of the lowest ring, so
    that contrast does not count; the authors' code divides by the power at frequency zero.

    References
    ----------
    R. Durall, M. Keuper, J. Keuper, "Watch Your Up-Convolution: CNN Based Generative Deep
    Neural Networks Are Failing to Reproduce Spectral Distributions", CVPR 2020,
    doi:10.1109/CVPR42600.2020.00791.

    Examples
    --------
    >>> picture = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    >>> RadialSpectrum().describe(picture).shape
    (128,)
    """

    name: ClassVar[str] = "radial-spectrum"
    version: ClassVar[str] = "1"

    def __init__(
        self,
        length: int = 128,
        *,
        crop: int | None = 256,
        cache: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        on_error: str = "raise",
    ) -> None:
        self.length = length
        self.crop = crop
        self.cache = cache
        self.n_jobs = n_jobs
        self.on_error = on_error

    def _check_options(self) -> None:
        super()._check_options()
        if self.length < 2:
            raise ConvtraceError(f"length={self.length!r}: give 2 or more")

    def _feature_names(self) -> list[str]:
        return [f"radial_{index:03d}" for index in range(self.length)]

    def _measure(self, pixels: NDArray[Any]) -> Description:
        check_side(pixels, _LEAST_SIDE, self.name)
        (luminance,) = planes(pixels, "luminance")
        power = log_power(luminance)
        ring, weight, counts = _rings(*luminance.shape)
        means = np.bincount(ring, weights=weight * power.ravel())[1:] / counts[1:]
        at = np.linspace(0, len(means) - 1, self.length)
        profile = np.interp(at, np.arange(len(means)), means)
        return Description(profile - profile[0])


@lru_cache(maxsize=64)
def _rings(
    height: int, width: int
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Return the ring of each frequency, how often it stands for itself, and each ring's sum."""
    vertical, horizontal = scipy.fft.fftfreq(height), scipy.fft.rfftfreq(width)
    radius = np.hypot(vertical[:, None], horizontal[None, :])
    ring = np.rint(radius * min(height, width)).ravel().astype(np.intp)
    # The other half of the plane mirrors all columns but the first and, if W is even, the last.
    twice = np.full(len(horizontal), 2.0)
    twice[0] = 1.0
    if width % 2 == 0:
        twice[-1] = 1.0
    weight = np.broadcast_to(twice, radius.shape).ravel()
    counts = np.bincount(ring, weights=weight).astype(np.float64)
    return ring, weight, counts
