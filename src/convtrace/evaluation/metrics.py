"""Figures of merit with intervals that know of groups."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta
from sklearn.metrics import roc_auc_score

__all__ = [
    "METRICS",
    "Interval",
    "calibration_error",
    "interval",
    "resample",
    "share",
    "spread",
    "summarise",
]

Interval = tuple[float, float, float]
Metric = Callable[[NDArray[np.bool_], NDArray[np.float64]], float]


def _accuracy(generated: NDArray[np.bool_], probability: NDArray[np.float64]) -> float:
    return float(np.mean((probability >= 0.5) == generated))


def _base_rate_accuracy(generated: NDArray[np.bool_], probability: NDArray[np.float64]) -> float:
    # Probabilities are for classes of equal weight; Bayes moves the threshold to the shares.
    return float(np.mean((probability >= 1 - np.mean(generated)) == generated))


def _on_real(generated: NDArray[np.bool_], probability: NDArray[np.float64]) -> float:
    return float(np.mean(probability[~generated] < 0.5)) if (~generated).any() else float("nan")


def _on_generated(generated: NDArray[np.bool_], probability: NDArray[np.float64]) -> float:
    return float(np.mean(probability[generated] >= 0.5)) if generated.any() else float("nan")


def _balanced(generated: NDArray[np.bool_], probability: NDArray[np.float64]) -> float:
    return (_on_real(generated, probability) + _on_generated(generated, probability)) / 2


def _auc(generated: NDArray[np.bool_], probability: NDArray[np.float64]) -> float:
    if generated.all() or not generated.any():
        return float("nan")
    return float(roc_auc_score(generated, probability))


METRICS: dict[str, Metric] = {
    "accuracy": _accuracy,
    "accuracy at the base rate": _base_rate_accuracy,
    "balanced accuracy": _balanced,
    "AUC": _auc,
    "accuracy on real": _on_real,
    "accuracy on generated": _on_generated,
}
"""Metrics of (truth, probability of being generated).

The threshold is 0.5; for the accuracy at the base rate it is the share of real pictures, as
fits probabilities that hold for as many real pictures as generated ones.
"""


def calibration_error(
    generated: NDArray[np.bool_], probability: NDArray[np.float64], *, ranges: int = 10
) -> tuple[float, NDArray[np.float64]]:
    """Return the expected calibration error, and the reliability diagram that it sums up.

    Parameters
    ----------
    generated : ndarray of bool, shape (n,)
        The truth; both classes are there.
    probability : ndarray of shape (n,), float64
        Probability of being generated where both classes are as likely beforehand, 0 to 1.
    ranges : int, default 10
        Ranges of equal width.

    Returns
    -------
    error : float
        Mean distance of the share of generated pictures from the mean probability, over the
        ranges, each counting as much as its pictures; both classes have the same weight.
    shares : ndarray of shape (ranges,), float64
        Of generated pictures in each range; NaN where there is none.

    References
    ----------
    M. Naeini, G. Cooper, M. Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian
    Binning", AAAI 2015, doi:10.1609/aaai.v29i1.9602.

    Examples
    --------
    >>> error, shares = calibration_error(np.array([False, True]), np.array([0.25, 0.75]), ranges=2)
    >>> error, shares.tolist()
    (0.25, [0.0, 1.0])
    """
    weights = np.where(generated, 0.5 / max(generated.sum(), 1), 0.5 / max((~generated).sum(), 1))
    place = np.minimum((probability * ranges).astype(np.intp), ranges - 1)

    def summed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(place, values, minlength=ranges).astype(np.float64)

    mass = summed(weights)
    with np.errstate(invalid="ignore"):
        shares = summed(weights * generated) / mass
    error = float(np.abs(summed(weights * (generated - probability))).sum())
    return error, shares


def interval(
    metric: Metric,
    generated: NDArray[np.bool_],
    probability: NDArray[np.float64],
    groups: NDArray[Any],
    *,
    draws: int = 200,
    seed: int = 0,
) -> Interval:
    """Return a metric with its 95% interval, by resampling whole groups.

    Parameters
    ----------
    metric : callable
        One of `METRICS`.
    generated : ndarray of bool, shape (n,)
        The truth.
    probability : ndarray of shape (n,), float64
        Probability of being generated.
    groups : ndarray of shape (n,)
        Pictures that are not independent of each other share a group.
    draws : int, default 200
        Bootstrap samples.
    seed : int, default 0
        Of the samples.

    Returns
    -------
    value, low, high : float
        NaN where a class is missing.
    """
    value = metric(generated, probability)
    drawn = resample(metric, generated, probability, groups, draws=draws, seed=seed)
    return spread(value, drawn)


def resample(
    metric: Metric,
    generated: NDArray[np.bool_],
    probability: NDArray[np.float64],
    groups: NDArray[Any],
    *,
    draws: int = 200,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return a metric of bootstrap samples of whole groups.

    Parameters
    ----------
    metric, generated, probability, groups, draws, seed
        As for `interval`.

    Returns
    -------
    ndarray of shape (draws,), float64
        NaN where a sample lacks a class.
    """
    members = _members(groups)
    rng = np.random.default_rng(seed)
    drawn = np.empty(draws)
    for place in range(draws):
        rows = np.concatenate([members[i] for i in rng.integers(0, len(members), len(members))])
        # Half of the metrics are of one class alone, which a small sample can lack.
        with np.errstate(invalid="ignore"):
            drawn[place] = metric(generated[rows], probability[rows])
    return drawn


def spread(value: float, drawn: NDArray[np.float64]) -> Interval:
    """Return a value with the middle 95% of bootstrap samples.

    Parameters
    ----------
    value : float
        Of all pictures.
    drawn : ndarray of float64
        Of the samples; those that are not finite do not count.

    Returns
    -------
    value, low, high : float
        NaN for the bounds where nothing is left.

    Examples
    --------
    >>> spread(0.5, np.linspace(0, 1, 101))
    (0.5, 0.025, 0.975)
    """
    finite = drawn[np.isfinite(drawn)]
    if not len(finite) or not np.isfinite(value):
        return value, float("nan"), float("nan")
    low, high = np.quantile(finite, [0.025, 0.975])
    return value, float(low), float(high)


def share(hits: NDArray[np.bool_], groups: NDArray[Any]) -> Interval:
    """Return how many of some pictures were hit, with an exact 95% interval.

    That of Clopper and Pearson, with as many trials as there are groups: pictures of one group say
    no more than one picture. Unlike the bootstrap it says something of a share of zero.

    Parameters
    ----------
    hits : ndarray of bool, shape (n,)
        Of each picture.
    groups : ndarray of shape (n,)
        Pictures that are not independent of each other share a group.

    Returns
    -------
    value, low, high : float
        0 to 1; NaN where there is no picture.

    References
    ----------
    C. Clopper, E. Pearson, "The Use of Confidence or Fiducial Limits Illustrated in the Case of the
    Binomial", Biometrika 26(4), 1934, doi:10.1093/biomet/26.4.404.

    Examples
    --------
    >>> value, low, high = share(np.zeros(100, dtype=bool), np.arange(100))
    >>> value, low, round(high, 3)
    (0.0, 0.0, 0.036)
    """
    if not len(hits):
        return float("nan"), float("nan"), float("nan")
    value, trials = float(hits.mean()), len(np.unique(groups))
    count = value * trials
    low = float(beta.ppf(0.025, count, trials - count + 1)) if count > 0 else 0.0
    high = float(beta.ppf(0.975, count + 1, trials - count)) if count < trials else 1.0
    return value, low, high


def _members(groups: NDArray[Any]) -> list[NDArray[np.intp]]:
    """Return the rows of each group."""
    _, codes = np.unique(groups, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(codes.max() + 2))
    return [order[a:b] for a, b in itertools.pairwise(starts)]


def summarise(
    generated: NDArray[np.bool_],
    probability: NDArray[np.float64],
    groups: NDArray[Any],
    *,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return all metrics with their intervals.

    Parameters
    ----------
    generated, probability, groups : ndarray
        As for `interval`.
    seed : int, default 0
        Of the bootstrap.

    Returns
    -------
    dict of str to (value, low, high)
    """
    return {
        name: interval(metric, generated, probability, groups, seed=seed)
        for name, metric in METRICS.items()
    }
