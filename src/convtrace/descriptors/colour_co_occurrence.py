"""Co-occurrence matrices of neighbouring values in each colour channel, after Nataraj et al."""

from __future__ import annotations

import os
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from convtrace.descriptors._spectrum import check_side
from convtrace.descriptors.base import Description, Descriptor
from convtrace.descriptors.registry import register
from convtrace.errors import ConvtraceError
from convtrace.image import to_uint8
from convtrace.traces.extraction import planes

__all__ = ["ColourCoOccurrence"]

_LETTERS = "rgb"


@register("colour-co-occurrence", aliases=("color-co-occurrence", "nataraj2019"))
class ColourCoOccurrence(Descriptor):
    """How often two levels are neighbours, for each colour channel.

    Parameters
    ----------
    levels : int, default=16
        The 256 grey levels are cut into so many equal bins. Pairs of horizontal and vertical
        neighbours are counted, whatever their order: ``levels * (levels + 1) / 2`` numbers a
        channel.
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
    Each number is the square root of the share of all pairs, which evens out how far frequent
    and rare pairs vary. The authors hand the three full matrices of 256 by 256 counts to a
    convolutional network.

    References
    ----------
    L. Nataraj, T. M. Mohammed, B. S. Manjunath, S. Chandrasekaran, A. Flenner, J. H. Bappy,
    A. K. Roy-Chowdhury, "Detecting GAN Generated Fake Images Using Co-Occurrence Matrices",
    Electronic Imaging 2019, doi:10.2352/ISSN.2470-1173.2019.5.MWSF-532.

    Examples
    --------
    >>> picture = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    >>> ColourCoOccurrence().describe(picture).shape
    (408,)
    """

    name: ClassVar[str] = "colour-co-occurrence"
    version: ClassVar[str] = "1"

    def __init__(
        self,
        levels: int = 16,
        *,
        crop: int | None = 256,
        cache: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        on_error: str = "raise",
    ) -> None:
        self.levels = levels
        self.crop = crop
        self.cache = cache
        self.n_jobs = n_jobs
        self.on_error = on_error

    def _check_options(self) -> None:
        super()._check_options()
        if not 2 <= self.levels <= 256:
            raise ConvtraceError(f"levels={self.levels!r}: give 2 to 256")

    def _feature_names(self) -> list[str]:
        return [
            f"pairs_{letter}_{low}_{high}"
            for letter in _LETTERS
            for low in range(self.levels)
            for high in range(low, self.levels)
        ]

    def _measure(self, pixels: NDArray[Any]) -> Description:
        check_side(pixels, 2, self.name)
        return Description(
            np.concatenate(
                [_root_shares(plane, self.levels) for plane in planes(to_uint8(pixels), _LETTERS)]
            )
        )


def _root_shares(plane: NDArray[np.uint8], levels: int) -> NDArray[np.float64]:
    level = plane.astype(np.intp) * levels // 256
    counts = np.zeros(levels * levels, dtype=np.intp)
    for one, other in ((level[:, :-1], level[:, 1:]), (level[:-1], level[1:])):
        counts += np.bincount((one * levels + other).ravel(), minlength=levels * levels)
    matrix = counts.reshape(levels, levels)
    either = matrix + matrix.T
    either[np.diag_indices(levels)] = np.diag(matrix)
    shares = either[np.triu_indices(levels)] / counts.sum()
    roots: NDArray[np.float64] = np.sqrt(shares)
    return roots
