"""The convolutional trace as a descriptor: the method that the package is named for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from convtrace import traces
from convtrace.descriptors.base import Description, Descriptor
from convtrace.descriptors.registry import register
from convtrace.errors import ConvtraceError
from convtrace.traces.model import check_kernel_size, offsets

__all__ = ["ConvolutionalTraces"]

_STATISTICS = ("log_sigma", "weight", "log_likelihood")


@register("convolutional-traces", aliases=("ct", "trace", "traces", "convolutional-trace"))
class ConvolutionalTraces(Descriptor):
    """Convolutional traces of pictures, as a scikit-learn transformer.

    Parameters
    ----------
    kernel_size : int or sequence of int, default=(3, 5, 7)
        The odd kernel sizes N; the traces of all of them lie side by side, each
        ``channels * (N*N - 1)`` numbers.
    channels : str, default="rgb"
        "rgb", "luminance", or a subset such as "g".
    crop : int or None, default=256
        Only the central `crop` by `crop` pixels are measured, None: all of them.
    statistics : bool, default=True
        Append, for each kernel size and channel, the natural logarithm of sigma, the mean
        responsibility of the predicted model (0 to 1) and the mean log-likelihood per pixel.
    cache : str, os.PathLike or None, default=None
        A folder in which measured vectors are kept; see `convtrace.descriptors.cache`.
    n_jobs : int or None, default=None
        Threads over pictures, as in scikit-learn: None is one, -1 all cores.
    on_error : {"raise", "nan"}, default="raise"
        Whether a bad picture ends `transform` or leaves a row of NaN.

    References
    ----------
    L. Guarnera, O. Giudice, S. Battiato, "Fighting Deepfake by Exposing the Convolutional
    Traces on Images", IEEE Access 8 (2020), arXiv:2008.04095.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> pictures = [rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(2)]
    >>> descriptor = ConvolutionalTraces(kernel_size=3, channels="g", statistics=False)
    >>> descriptor.transform(pictures).shape
    (2, 8)
    >>> descriptor.get_feature_names_out()[:2].tolist()
    ['ct3_g_-1_-1', 'ct3_g_-1_+0']
    """

    name: ClassVar[str] = "convolutional-traces"
    version: ClassVar[str] = "1"

    def __init__(
        self,
        kernel_size: int | Sequence[int] = (3, 5, 7),
        *,
        channels: str = "rgb",
        crop: int | None = 256,
        statistics: bool = True,
        cache: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        on_error: str = "raise",
    ) -> None:
        self.kernel_size = kernel_size
        self.channels = channels
        self.crop = crop
        self.statistics = statistics
        self.cache = cache
        self.n_jobs = n_jobs
        self.on_error = on_error

    def _sizes(self) -> tuple[int, ...]:
        given = self.kernel_size
        sizes = (given,) if isinstance(given, (int, np.integer)) else tuple(given)
        if not sizes or len(set(sizes)) != len(sizes):
            raise ConvtraceError(f"kernel_size={given!r}: name each kernel size once, e.g. (3, 5)")
        return tuple(check_kernel_size(size) for size in sizes)

    def _channel_names(self) -> tuple[str, ...]:
        return ("y",) if self.channels == "luminance" else tuple(self.channels)

    def _check_options(self) -> None:
        super()._check_options()
        self._sizes()
        letters = self.channels
        if letters != "luminance" and (
            not letters or not set(letters) <= set("rgb") or len(set(letters)) != len(letters)
        ):
            raise ConvtraceError(
                f"channels={letters!r}: give 'rgb', 'luminance' or letters out of 'rgb'"
            )

    def measuring_options(self) -> dict[str, Any]:
        """Return the options that the numbers depend on, as JSON values.

        Returns
        -------
        dict
        """
        return {**super().measuring_options(), "kernel_size": list(self._sizes())}

    def _feature_names(self) -> list[str]:
        names = []
        for size in self._sizes():
            names += [
                f"ct{size}_{channel}_{row:+d}_{column:+d}"
                for channel in self._channel_names()
                for row, column in offsets(size).tolist()
            ]
            if self.statistics:
                names += [
                    f"ct{size}_{channel}_{statistic}"
                    for channel in self._channel_names()
                    for statistic in _STATISTICS
                ]
        return names

    def _measure(self, pixels: NDArray[Any]) -> Description:
        parts: list[NDArray[np.float64]] = []
        regularized, converged = False, True
        for size in self._sizes():
            trace = traces.extract(pixels, kernel_size=size, channels=self.channels)
            parts.append(trace.vector)
            if self.statistics:
                # The solver keeps sigma above a floor, so the logarithm is finite.
                statistics = [np.log(trace.sigma), trace.weight, trace.log_likelihood]
                parts.append(np.stack(statistics, axis=1).ravel())
            regularized |= bool(np.any(trace.regularized))
            converged &= bool(np.all(trace.converged))
        return Description(np.concatenate(parts), regularized, converged)
