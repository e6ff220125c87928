"""The spectrum that AutoGAN's classifier looks at, pooled to a fixed size."""

from __future__ import annotations

import os
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from convtrace.descriptors._spectrum import check_side, log_power, pool
from convtrace.descriptors.base import Description, Descriptor
from convtrace.descriptors.registry import register
from convtrace.errors import ConvtraceError
from convtrace.traces.extraction import planes

__all__ = ["AutoganSpectrum"]


@register("autogan-spectrum", aliases=("autogan", "zhang2019"))
class AutoganSpectrum(Descriptor):
    """Logarithm of the Fourier magnitude, pooled to cells of the frequency plane.

    Parameters
    ----------
    size : int, default=24
        Even number of cells for the whole circle of frequencies; half of the plane is kept, as
        the other half mirrors it: ``size * (size / 2 + 1)`` numbers. Pictures need `size`
        pixels a side or more.
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
    The authors hand the whole spectrum of each colour channel to a ResNet-34. Here the mean
    over the three channels' spectra is pooled, for classifiers of vectors.

    References
    ----------
    X. Zhang, S. Karaman, S.-F. Chang, "Detecting and Simulating Artifacts in GAN Fake
    Images", WIFS 2019, doi:10.1109/WIFS47025.2019.9035107.

    Examples
    --------
    >>> picture = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    >>> AutoganSpectrum().describe(picture).shape
    (312,)
    """

    name: ClassVar[str] = "autogan-spectrum"
    version: ClassVar[str] = "1"

    def __init__(
        self,
        size: int = 24,
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
            f"fft{self.size}_{row}_{column}"
            for row in range(self.size)
            for column in range(self.size // 2 + 1)
        ]

    def _measure(self, pixels: NDArray[Any]) -> Description:
        check_side(pixels, self.size, self.name)
        chosen = planes(pixels, "rgb") if pixels.ndim == 3 else [pixels]
        spectrum = np.mean([log_power(plane) for plane in chosen], axis=0)
        return Description(pool(spectrum, pixels.shape[1], self.size, peaks=False))
