"""The spectrum of the p-map of a fixed linear predictor, after Kirchner."""

from __future__ import annotations

import os
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from convtrace.descriptors._spectrum import check_side, log_power, pool
from convtrace.descriptors.base import Description, Descriptor
from convtrace.descriptors.registry import register
from convtrace.errors import ConvtraceError
from convtrace.traces.extraction import planes

__all__ = ["PMapSpectrum"]

# Kirchner's predictor: each pixel from its eight neighbours.
_PREDICTOR = np.array([[-0.25, 0.5, -0.25], [0.5, 0.0, 0.5], [-0.25, 0.5, -0.25]])
_MARGIN = 1


@register("p-map-spectrum", aliases=("p-map", "kirchner2008"))
class PMapSpectrum(Descriptor):
    """Peaks in the spectrum of how well a fixed filter predicts each pixel.

    A pixel is predicted by a 3x3 filter of fixed coefficients; the p-map is
    ``exp(-residual**2)`` with the residual in grey levels. What was resampled is predicted
    better at regular places, which shows as peaks in the map's spectrum.

    Parameters
    ----------
    size : int, default=16
        Even number of cells for the whole circle of frequencies, each holding the largest
        logarithm of the power in it: ``size * (size / 2 + 1)`` numbers.
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
    M. Kirchner, "Fast and Reliable Resampling Detection by Spectral Analysis of Fixed Linear
    Predictor Residue", ACM Multimedia and Security 2008, doi:10.1145/1411328.1411333.

    Examples
    --------
    >>> picture = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    >>> PMapSpectrum().describe(picture).shape
    (144,)
    """

    name: ClassVar[str] = "p-map-spectrum"
    version: ClassVar[str] = "1"

    def __init__(
        self,
        size: int = 16,
        *,
        crop: int | None = 256,
        cache: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        on_error: str = "raise",
    ) -> None:
        self.size = size
        self.crop = crop
        self.cache = cache
        self.n_jobs = n_jobs
        self.on_error = on_error

    def _check_options(self) -> None:
        super()._check_options()
        if self.size < 2 or self.size % 2:
            raise ConvtraceError(f"size={self.size!r}: give an even number of cells, 2 or more")

    def _feature_names(self) -> list[str]:
        return [
            f"pmap{self.size}_{row}_{column}"
            for row in range(self.size)
            for column in range(self.size // 2 + 1)
        ]

    def _measure(self, pixels: NDArray[Any]) -> Description:
        check_side(pixels, self.size + 2 * _MARGIN, self.name)
        (luminance,) = planes(pixels, "luminance")
        values = np.asarray(luminance, dtype=np.float64)
        residual = values - ndimage.correlate(values, _PREDICTOR, mode="mirror")
        # The mirrored border would be predicted by other neighbours than the rest.
        inner = residual[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
        p_map = np.exp(-(inner**2))
        spectrum = log_power(p_map)
        return Description(pool(spectrum, p_map.shape[1], self.size, peaks=True))
