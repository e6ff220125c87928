"""The Expectation-Maximization fit as published, in float64, to be read in one sitting.

This is the oracle that the production solver is tested against. It is slow: it
builds the whole design matrix and takes plain EM passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convtrace.errors import TraceError
from convtrace.traces.model import (
    SIGMA_FLOOR,
    START_SIGMA,
    UNIFORM_DENSITY,
    offsets,
)

__all__ = ["ReferenceFit", "design", "expectation", "fit"]


@dataclass(frozen=True, slots=True)
class ReferenceFit:
    """What the reference found for one channel.

    Attributes
    ----------
    kernel : ndarray of shape (N, N), float64
        The coefficients; the centre is 0.
    sigma : float
        Standard deviation of the residual under the first class, in grey levels.
    weight : float
        Mean responsibility of the first class, 0..1.
    log_likelihood : float
        Mean over the pixels of ``log(P + p0)``, in nats.
    iterations : int
        EM passes taken.
    converged : bool
        Whether the largest change of a coefficient fell under the tolerance.
    """

    kernel: NDArray[np.float64]
    sigma: float
    weight: float
    log_likelihood: float
    iterations: int
    converged: bool


def design(channel: ArrayLike, kernel_size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the neighbours of every interior pixel, and the pixels themselves.

    Parameters
    ----------
    channel : array_like of shape (H, W)
        Grey levels on the 0..255 scale.
    kernel_size : int
        Odd side N of the kernel.

    Returns
    -------
    neighbours : ndarray of shape ((H - N + 1) * (W - N + 1), N * N - 1), float64
        One row a pixel, columns in the order of `convtrace.traces.model.offsets`.
    pixels : ndarray of shape ((H - N + 1) * (W - N + 1),), float64
        The pixels to be predicted.

    Raises
    ------
    TraceError
        If the channel is smaller than the kernel.
    """
    image = np.asarray(channel, dtype=np.float64)
    a = kernel_size // 2
    height, width = image.shape[0] - 2 * a, image.shape[1] - 2 * a
    if height < 1 or width < 1:
        raise TraceError(
            f"a channel of {image.shape[1]}x{image.shape[0]} pixels is smaller than the "
            f"{kernel_size}x{kernel_size} kernel"
        )
    columns = [
        image[a + s : a + s + height, a + t : a + t + width].ravel()
        for s, t in offsets(kernel_size)
    ]
    return np.stack(columns, axis=1), image[a : a + height, a : a + width].ravel()


def expectation(
    residual: NDArray[np.float64], sigma: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """E step: density of each residual under the first class, and its responsibility.

    Parameters
    ----------
    residual : ndarray, float64
        ``I - k * I`` in grey levels.
    sigma : float
        Standard deviation of the residual under the first class.

    Returns
    -------
    density, responsibility : ndarray, float64
        ``P = Normal(r; 0, sigma^2)`` and ``w = P / (P + p0)``.
    """
    density = np.exp(-0.5 * (residual / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
    return density, density / (density + UNIFORM_DENSITY)


def fit(
    channel: ArrayLike,
    kernel_size: int,
    *,
    tolerance: float = 1e-5,
    max_iterations: int = 1000,
    start: Literal["least-squares", "random"] = "least-squares",
    seed: int = 0,
) -> ReferenceFit:
    """Fit the kernel of one channel by plain Expectation-Maximization.

    Parameters
    ----------
    channel : array_like of shape (H, W)
        Grey levels on the 0..255 scale.
    kernel_size : int
        Odd side N of the kernel.
    tolerance : float, default 1e-5
        Stop when no coefficient changes by more.
    max_iterations : int, default 1000
        Stop after so many passes in any case.
    start : {"least-squares", "random"}, default "least-squares"
        Ordinary least squares, or coefficients drawn from a standard normal
        distribution and scaled to sum to 1, as in the paper.
    seed : int, default 0
        Seed of the random start.

    Returns
    -------
    ReferenceFit
        The kernel and how it was reached.

    Raises
    ------
    TraceError
        If the channel is smaller than the kernel.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> image = rng.uniform(0, 255, size=(64, 64))
    >>> image[:, 1:-1] = (image[:, :-2] + image[:, 2:]) / 2
    >>> fit(image, 3).kernel.shape
    (3, 3)
    """
    neighbours, pixels = design(channel, kernel_size)
    k: NDArray[np.float64]
    if start == "random":
        k = np.random.default_rng(seed).standard_normal(int(neighbours.shape[1]))
        k = np.asarray(k / np.sum(k), dtype=np.float64)
        sigma = START_SIGMA
    else:
        k = np.asarray(np.linalg.lstsq(neighbours, pixels, rcond=None)[0], dtype=np.float64)
        sigma = max(float(np.sqrt(np.mean((pixels - neighbours @ k) ** 2))), SIGMA_FLOOR)

    converged = False
    iterations = 0
    while not converged and iterations < max_iterations:
        iterations += 1
        # E step: how likely is each pixel predicted by its neighbours?
        _, w = expectation(pixels - neighbours @ k, sigma)
        # M step: weighted least squares, then the weighted spread of what is left.
        weighted = neighbours * w[:, np.newaxis]
        update = _solve(weighted.T @ neighbours, weighted.T @ pixels)
        residual = pixels - neighbours @ update
        total = float(w.sum())
        if total > 0:
            sigma = max(float(np.sqrt((w * residual**2).sum() / total)), SIGMA_FLOOR)
        converged = bool(np.max(np.abs(update - k)) < tolerance)
        k = update

    density, w = expectation(pixels - neighbours @ k, sigma)
    kernel = np.insert(k, k.size // 2, 0.0).reshape(kernel_size, kernel_size)
    likelihood = float(np.mean(np.log(density + UNIFORM_DENSITY)))
    return ReferenceFit(kernel, sigma, float(w.mean()), likelihood, iterations, converged)


def _solve(normal: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve the normal equations; of many solutions take the one of least norm."""
    try:
        factor = np.linalg.cholesky(normal)
    except np.linalg.LinAlgError:
        return _least_norm(normal, right)
    if np.min(np.diag(factor)) ** 2 < 1e-12 * np.max(np.diag(normal)):
        return _least_norm(normal, right)
    return np.asarray(np.linalg.solve(normal, right), dtype=np.float64)


def _least_norm(normal: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.lstsq(normal, right, rcond=1e-12)[0], dtype=np.float64)
