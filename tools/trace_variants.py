"""Relatives of the convolutional trace, as one descriptor for `trace_study.py`.

None of them is in the package: the study tells why. Each is a pure function from the pixels
of a picture to numbers; the descriptor lays them side by side.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from convtrace import traces
from convtrace.descriptors.base import Description, Descriptor
from convtrace.traces.model import SIGMA_FLOOR, offsets
from convtrace.traces.reference import expectation

F64 = NDArray[np.float64]

# JPEG's colour planes out of red, green and blue (ITU-T T.871).
_JPEG_PLANES = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
)
_MIDDLE = 128.0
_WINDOW = 64
_TEXTURED = 4
_FARTHEST = 1e4
_PERIODS = (2, 4, 8)
_PASSES, _TOLERANCE = 40, 1e-3
# So that the equal channels of a grey picture share what either could explain.
_RIDGE = 1e-6
_LEAST_POWER = 1e-9


def _numbers(trace: traces.Trace) -> F64:
    """Return the kernels of a trace and what the fit says of them."""
    statistics = np.stack([np.log(trace.sigma), trace.weight, trace.log_likelihood], axis=1)
    return np.concatenate([trace.vector, statistics.ravel()])


def stored_planes(pixels: NDArray[Any]) -> F64:
    """Return the trace (N=5) of luminance and the two colour differences that JPEG stores."""
    planes = pixels.astype(np.float64) @ _JPEG_PLANES.T + np.array([0.0, _MIDDLE, _MIDDLE])
    return _numbers(traces.fit([*np.moveaxis(planes, -1, 0)], 5))


def across_channels(pixels: NDArray[Any]) -> F64:
    """Return kernels (N=3) that predict each channel from its neighbours and the other channels.

    26 coefficients a channel: eight of its own, nine of either other; the same E and M steps.
    """
    values = pixels.astype(np.float64)
    height, width = values.shape[0] - 2, values.shape[1] - 2
    shifted = [
        values[1 + s : 1 + s + height, 1 + t : 1 + t + width] for s, t in offsets(3).tolist()
    ]
    centre = values[1:-1, 1:-1]
    found = []
    for channel in range(3):
        others = [other for other in range(3) if other != channel]
        columns = [plane[..., channel] for plane in shifted]
        columns += [plane[..., other] for other in others for plane in (*shifted, centre)]
        neighbours = np.stack([column.ravel() for column in columns], axis=1)
        found.append(_expectation_maximization(neighbours, centre[..., channel].ravel()))
    return np.concatenate(found)


def _expectation_maximization(neighbours: F64, pixels: F64) -> F64:
    """Return kernel, log sigma and mean responsibility of any neighbours, by plain passes."""
    w = np.ones(len(pixels))
    k, sigma = np.zeros(neighbours.shape[1]), 0.0
    for _ in range(_PASSES):
        weighted = neighbours * w[:, np.newaxis]
        normal = weighted.T @ neighbours
        normal[np.diag_indices_from(normal)] += _RIDGE * np.trace(normal) / len(normal)
        update = np.linalg.solve(normal, weighted.T @ pixels)
        residual = pixels - neighbours @ update
        spread = float(w @ residual**2) / max(float(w.sum()), 1e-9)
        sigma = max(float(np.sqrt(spread)), SIGMA_FLOOR)
        _, w = expectation(residual, sigma)
        moved = float(np.abs(update - k).max())
        k = update
        if moved < _TOLERANCE:
            break
    return np.concatenate([k, [np.log(sigma), float(w.mean())]])


def of_residual(pixels: NDArray[Any]) -> F64:
    """Return the trace (N=3) of what the trace (N=3) leaves unexplained."""
    left = residuals(pixels)[1:-1, 1:-1] + _MIDDLE
    return _numbers(traces.fit([*np.moveaxis(left, -1, 0)], 3))


def residuals(pixels: NDArray[Any]) -> F64:
    """Return each channel minus its prediction by its own kernel (N=3)."""
    kernels = traces.extract(pixels, kernel_size=3).kernels
    values = pixels.astype(np.float64)
    predicted = [
        ndimage.correlate(values[..., channel], kernel, mode="mirror")
        for channel, kernel in enumerate(kernels)
    ]
    return values - np.stack(predicted, axis=-1)


def lattices(pixels: NDArray[Any]) -> F64:
    """Return mean and spread of the traces (N=3) of every second pixel, over the four phases."""
    found = np.array(
        [
            _numbers(traces.extract(np.ascontiguousarray(pixels[i::2, j::2]), kernel_size=3))
            for i in (0, 1)
            for j in (0, 1)
        ]
    )
    return np.concatenate([found.mean(axis=0), found.std(axis=0)])


def phases(pixels: NDArray[Any]) -> F64:
    """Return how the variance of the residual changes with the place modulo 2, 4 and 8.

    Amplitudes of the Fourier transform of the log variance over the places, which no shift of
    the grid changes, without the mean and one of each conjugate pair.
    """
    squares = residuals(pixels)[1:-1, 1:-1] ** 2
    found = []
    for period in _PERIODS:
        rows, columns = (side // period for side in squares.shape[:2])
        cut = squares[: rows * period, : columns * period]
        cells = cut.reshape(rows, period, columns, period, -1)
        variance = np.log(cells.mean(axis=(0, 2)) + SIGMA_FLOOR**2)
        amplitude = np.abs(np.fft.fft2(variance, axes=(0, 1))) / period**2
        found.append(amplitude[_halves(period)].ravel())
    return np.concatenate(found)


def _halves(period: int) -> NDArray[np.bool_]:
    """Tell which frequencies to keep: not the mean, and one of each conjugate pair."""
    row, column = np.indices((period, period))
    opposite = (-row % period) * period + (-column % period)
    here = row * period + column
    return (here <= opposite) & (here > 0)


def peaks(pixels: NDArray[Any]) -> F64:
    """Return the logarithm of the largest power in 8x4 cells of the posterior map's spectrum."""
    power, _ = traces.spectrum(traces.posterior_map(pixels, kernel_size=3), segment=_WINDOW)
    # The spectrum of real numbers is the same on both sides of the centre.
    half = np.log(power + _LEAST_POWER)[:, len(power) // 2 :]
    cells = [np.array_split(row, 4, axis=1) for row in np.array_split(half, 8, axis=0)]
    return np.array([cell.max() for row in cells for cell in row])


def windows(pixels: NDArray[Any]) -> F64:
    """Return middle and spread of the traces (N=5) of windows of 64 pixels.

    The middle is the median: once of all windows, once of the four with the largest sigma,
    of which a JPEG compression leaves most.
    """
    found = np.array([_numbers(traces.extract(part, kernel_size=5)) for part in _parts(pixels)])
    # A flat window hardly determines its kernel.
    found = np.clip(found, -_FARTHEST, _FARTHEST)
    # Log sigma of green; the statistics of a channel stand together, after the kernels.
    sigma = found[:, 3 * 24 + 3]
    textured = found[np.argsort(-sigma, kind="stable")[:_TEXTURED]]
    low, middle, high = np.percentile(found, (25, 50, 75), axis=0)
    return np.concatenate([middle, high - low, np.median(textured, axis=0)])


def _parts(pixels: NDArray[Any]) -> Iterator[NDArray[Any]]:
    height, width = pixels.shape[:2]
    for top in range(0, max(height - _WINDOW, 0) + 1, _WINDOW):
        for left in range(0, max(width - _WINDOW, 0) + 1, _WINDOW):
            yield np.ascontiguousarray(pixels[top : top + _WINDOW, left : left + _WINDOW])


VARIANTS: dict[str, Callable[[NDArray[Any]], F64]] = {
    "stored": stored_planes,
    "across": across_channels,
    "residual": of_residual,
    "lattice": lattices,
    "phase": phases,
    "peak": peaks,
    "window": windows,
}
"""The relatives by the beginning of their columns' names."""


class TraceVariants(Descriptor):
    """All relatives side by side, of the central `crop` by `crop` pixels.

    Parameters
    ----------
    crop, cache, n_jobs, on_error
        As for every descriptor.
    """

    name: ClassVar[str] = "trace-variants"
    version: ClassVar[str] = "1"

    def __init__(
        self,
        *,
        crop: int | None = 256,
        cache: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        on_error: str = "raise",
    ) -> None:
        self.crop = crop
        self.cache = cache
        self.n_jobs = n_jobs
        self.on_error = on_error

    def _feature_names(self) -> list[str]:
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        return [f"{name}_{place}" for name, f in VARIANTS.items() for place in range(len(f(noise)))]

    def _measure(self, pixels: NDArray[Any]) -> Description:
        colour = pixels if pixels.ndim == 3 else np.repeat(pixels[..., np.newaxis], 3, axis=2)
        return Description(np.concatenate([f(colour) for f in VARIANTS.values()]))
