"""Mean logarithms of DCT coefficients, after Frank et al."""

from __future__ import annotations

import os
from typing import Any, ClassVar

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from convtrace.descriptors._spectrum import check_side
from convtrace.descriptors.base import Description, Descriptor
from convtrace.descriptors.registry import register
from convtrace.errors import ConvtraceError
from convtrace.traces.extraction import planes

__all__ = ["DctStatistics"]

# Of the order of the rounding of pixels; keeps the logarithm of a flat block finite.
_FLOOR = 0.1


@register("dct", aliases=("dct-statistics", "frank2020"))
class DctStatistics(Descriptor):
    """Mean logarithm of the size of each DCT coefficient of blocks.

    Parameters
    ----------
    block : int, default=16
        Side of the blocks in pixels; they do not overlap, and what is left over at the right
        and lower edges is not used. There are ``block * block`` numbers a channel.
    channels : str, default="luminance"
        "rgb", "luminance", or a subset such as "g".
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
    The authors transform the whole picture, of one size for all, and hand every coefficient to
    the classifier. The mean over blocks is of fixed length for pictures of any size, and still
    shows what repeats every 2, 4, 8 or 16 pixels.

    References
    ----------
    J. Frank, T. Eisenhofer, L. Schönherr, A. Fischer, D. Kolossa, T. Holz, "Leveraging
    Frequency Analysis for Deep Fake Image Recognition", ICML 2020, arXiv:2003.08685.

    Examples
    --------
    >>> picture = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    >>> DctStatistics(block=8).describe(picture).shape
    (64,)
    """

    name: ClassVar[str] = "dct"
    version: ClassVar[str] = "1"

    def __init__(
        self,
        block: int = 16,
        *,
        channels: str = "luminance",
        crop: int | None = 256,
        cache: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        on_error: str = "raise",
    ) -> None:
        self.block = block
        self.channels = channels
        self.crop = crop
        self.cache = cache
        self.n_jobs = n_jobs
        self.on_error = on_error

    def _check_options(self) -> None:
        super()._check_options()
        if self.block < 2:
            raise ConvtraceError(f"block={self.block!r}: give 2 or more pixels")
        planes(np.zeros((1, 1, 3)), self.channels)

    def _feature_names(self) -> list[str]:
        letters = ("y",) if self.channels.lower() == "luminance" else tuple(self.channels.lower())
        return [
            f"dct{self.block}_{letter}_{row}_{column}"
            for letter in letters
            for row in range(self.block)
            for column in range(self.block)
        ]

    def _measure(self, pixels: NDArray[Any]) -> Description:
        check_side(pixels, self.block, self.name)
        return Description(
            np.concatenate(
                [_mean_logarithm(plane, self.block) for plane in planes(pixels, self.channels)]
            )
        )


def _mean_logarithm(plane: NDArray[Any], block: int) -> NDArray[np.float64]:
    rows, columns = plane.shape[0] // block, plane.shape[1] // block
    whole = np.asarray(plane[: rows * block, : columns * block], dtype=np.float64)
    blocks = whole.reshape(rows, block, columns, block).swapaxes(1, 2)
    coefficients = scipy.fft.dctn(blocks, axes=(2, 3), norm="ortho")
    mean: NDArray[np.float64] = np.log(_FLOOR + np.abs(coefficients)).mean(axis=(0, 1)).ravel()
    return mean
