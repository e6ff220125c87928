"""Paired tests of whether one method is better than another on the same pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from convtrace.evaluation.metrics import METRICS, Interval, resample, spread

__all__ = ["holm", "mcnemar", "paired_difference", "verdict"]


def mcnemar(right: NDArray[np.bool_], other_right: NDArray[np.bool_]) -> float:
    """Return the p-value of McNemar's exact test that two methods err equally often.

    Parameters
    ----------
    right, other_right : ndarray of bool, shape (n,)
        Whether each method was right about each picture.

    Returns
    -------
    float
        Two-sided; 1 where the methods never disagree.

    References
    ----------
    Q. McNemar, "Note on the sampling error of the difference between correlated proportions
    or percentages", Psychometrika 12, 1947, doi:10.1007/BF02295996.

    Examples
    --------
    >>> mcnemar(np.array([True] * 6), np.array([False] * 6))
    0.03125
    """
    alone = int(np.count_nonzero(right & ~other_right))
    other_alone = int(np.count_nonzero(other_right & ~right))
    if alone + other_alone == 0:
        return 1.0
    return float(binomtest(alone, alone + other_alone).pvalue)


def paired_difference(
    generated: NDArray[np.bool_],
    called: NDArray[np.bool_],
    other_called: NDArray[np.bool_],
    groups: NDArray[Any],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Interval:
    """Return the difference in balanced accuracy with its 95% interval.

    The groups are resampled once for both methods, so that what makes a picture hard counts
    for neither.

    Parameters
    ----------
    generated : ndarray of bool, shape (n,)
        The truth.
    called, other_called : ndarray of bool, shape (n,)
        What each method called generated.
    groups : ndarray of shape (n,)
        Pictures that are not independent of each other share a group.
    draws : int, default 1000
        Bootstrap samples.
    seed : int, default 0
        Of the samples.

    Returns
    -------
    value, low, high : float
        Above 0 where the first is better.
    """
    metric = METRICS["balanced accuracy"]
    one, other = (
        (
            metric(generated, said.astype(np.float64)),
            resample(metric, generated, said.astype(np.float64), groups, draws=draws, seed=seed),
        )
        for said in (called, other_called)
    )
    return spread(one[0] - other[0], one[1] - other[1])


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for having made many tests, by Holm's step-down procedure.

    Parameters
    ----------
    p_values : sequence of float
        Of the single tests.

    Returns
    -------
    list of float
        In the same order; none above 1.

    References
    ----------
    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6(2), 1979.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(order))
    worst = 0.0
    for place, index in enumerate(order):
        worst = max(worst, min(1.0, p_values[index] * (len(order) - place)))
        adjusted[index] = worst
    return [float(value) for value in adjusted]


def verdict(difference: Interval, p_value: float, *, level: float = 0.05) -> str:
    """Say in a word what a paired test found.

    Parameters
    ----------
    difference : (value, low, high)
        As of `paired_difference`.
    p_value : float
        Adjusted for the number of tests.
    level : float, default 0.05
        Of significance.

    Returns
    -------
    {"better", "worse", "no difference shown"}
        Only where both the interval and the test say so is one better.

    Examples
    --------
    >>> verdict((0.1, 0.05, 0.2), 0.001), verdict((-0.1, -0.2, 0.1), 0.001)
    ('better', 'no difference shown')
    """
    _, low, high = difference
    if p_value < level and low > 0:
        return "better"
    if p_value < level and high < 0:
        return "worse"
    return "no difference shown"
