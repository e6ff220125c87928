"""Scores of pictures by models that never saw their group.

A model's scores on its own training rows say nothing. Here the rows are split by group (the
same photograph, person, video or source, and every degraded copy of a picture), each part is
scored by a model trained on the others, and all that the detector later says about its
accuracy comes from these scores.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import has_fit_parameter
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from convtrace.datasets import grouped_folds

__all__ = ["HeldOut", "class_scores", "fit_model", "folds_by_group", "held_out_scores"]

# Keeps the logarithm of a forest's or a neighbours' vote of 0 or 1 finite, yet in order.
_SOFTENING = 0.01

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """What the grouped held-out scoring of a detector gave, one entry a row that was scored.

    Parameters
    ----------
    generated : numpy.ndarray of bool, shape (n,)
        The truth.
    scores, probabilities : numpy.ndarray of float64, shape (n,)
        The score before calibration, and the probability of being generated.
    weights : numpy.ndarray of float64, shape (n,)
        How much each row counts.
    folds : numpy.ndarray of int, shape (n,)
        In which fold each row was held out.
    generators, conditions, groups : numpy.ndarray of str, shape (n,)
        As they were given; empty strings where they were not.
    only_scored : numpy.ndarray of bool, shape (n,)
        Which rows nothing was learnt from.
    """

    generated: NDArray[np.bool_]
    scores: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    weights: NDArray[np.float64]
    folds: NDArray[np.intp]
    generators: NDArray[np.str_]
    conditions: NDArray[np.str_]
    groups: NDArray[np.str_]
    only_scored: NDArray[np.bool_]


def folds_by_group(
    labels: NDArray[Any],
    groups: NDArray[Any],
    *,
    n_splits: int = 5,
    seed: int = 0,
    strata: NDArray[Any] | None = None,
) -> list[Fold]:
    """Split rows into folds by whole groups; fewer folds where groups are few.

    Parameters
    ----------
    labels, groups : numpy.ndarray of shape (n,)
        Classes, and what stays together.
    n_splits : int
        How many folds at most.
    seed : int
        Of the shuffling.
    strata : numpy.ndarray of shape (n,), optional
        A finer partition to spread evenly.

    Returns
    -------
    list of (train, test)
        Arrays of row indices.

    Raises
    ------
    DatasetError
        Where a class has a single group, so that it cannot be held out.
    """
    fewest = min(len(np.unique(groups[labels == value])) for value in np.unique(labels))
    splits = max(2, min(n_splits, fewest))
    return grouped_folds(labels, groups, n_splits=splits, seed=seed, strata=strata)


@cache
def _threadpools() -> ThreadpoolController:
    return ThreadpoolController()


def _one_openmp_thread() -> AbstractContextManager[Any]:
    """Keep OpenMP to one thread.

    Its threads wait for each other in busy loops: on two cores beside another process
    gradient boosting was seen to take fifty times as long with two threads as with one.
    """
    limited: AbstractContextManager[Any] = _threadpools().limit(limits=1, user_api="openmp")
    return limited


def fit_model(
    make: Callable[[], Any],
    X: NDArray[np.float64],
    y: NDArray[Any],
    weights: NDArray[np.float64],
    *,
    blocks: NDArray[np.str_] | None = None,
    n_jobs: int | None = None,
) -> Any:
    """Fit a fresh classifier, weighted where it knows weights.

    Parameters
    ----------
    make : callable
        Returns the unfitted estimator.
    X : numpy.ndarray of shape (n, d)
        Features.
    y : numpy.ndarray of shape (n,)
        Classes.
    weights : numpy.ndarray of shape (n,)
        Row weights; linear discriminants and nearest neighbours have no use for them.
    blocks : numpy.ndarray of str, shape (n,), optional
        Rows that belong together, for classifiers that compare rows within them alone.
    n_jobs : int or None
        Workers, for models that can use them while fitting.

    Returns
    -------
    sklearn.base.BaseEstimator
        Fitted; it predicts with one worker, which is faster for few rows.
    """
    model = make()
    parallel = [key for key in model.get_params() if key == "n_jobs" or key.endswith("__n_jobs")]
    model.set_params(**dict.fromkeys(parallel, n_jobs))
    steps = getattr(model, "steps", None)
    last = steps[-1][1] if steps else model
    prefix = f"{steps[-1][0]}__" if steps else ""
    further: dict[str, NDArray[Any]] = {"sample_weight": weights}
    if blocks is not None:
        further["blocks"] = blocks
    taken = {f"{prefix}{key}": v for key, v in further.items() if has_fit_parameter(last, key)}
    with _one_openmp_thread(), warnings.catch_warnings():
        # The perceptron is trained for a fixed number of epochs, and ranks take what rows
        # there are; both would complain of it.
        warnings.filterwarnings("ignore", "n_quantiles", UserWarning)
        warnings.filterwarnings("ignore", "Stochastic Optimizer", ConvergenceWarning)
        model.fit(X, y, **taken)
    model.set_params(**dict.fromkeys(parallel))
    return model


def class_scores(model: Any, X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Score rows for each class on an unbounded scale.

    Parameters
    ----------
    model : sklearn.base.BaseEstimator
        A fitted classifier of K >= 2 classes.
    X : numpy.ndarray of shape (n, d)
        Features.

    Returns
    -------
    numpy.ndarray of shape (n, K), float64
        Its decision function, or else the logarithm of its (softened) probabilities. For two
        classes the difference of the columns is the usual score or log-odds.
    """
    if hasattr(model, "decision_function"):
        with _one_openmp_thread():
            scores = np.asarray(model.decision_function(X), dtype=np.float64)
        return scores if scores.ndim == 2 else np.stack([-scores / 2, scores / 2], axis=1)
    votes = np.asarray(model.predict_proba(X), dtype=np.float64)
    softened: NDArray[np.float64] = np.log(_SOFTENING + (1 - 2 * _SOFTENING) * votes)
    return softened


def held_out_scores(
    make: Callable[[], Any],
    X: NDArray[np.float64],
    codes: NDArray[np.intp],
    weights: NDArray[np.float64],
    folds: list[Fold],
    *,
    blocks: NDArray[np.str_] | None = None,
    n_jobs: int | None = None,
) -> NDArray[np.float64]:
    """Score each row by a model trained on the folds without it.

    Parameters
    ----------
    make : callable
        Returns the unfitted estimator.
    X : numpy.ndarray of shape (n, d)
        Features.
    codes : numpy.ndarray of int, shape (n,)
        Classes 0 to K - 1.
    weights : numpy.ndarray of shape (n,)
        Row weights.
    folds : list of (train, test)
        From `folds_by_group`.
    blocks : numpy.ndarray of str, shape (n,), optional
        As for `fit_model`.
    n_jobs : int or None
        Workers for the fits.

    Returns
    -------
    numpy.ndarray of shape (n, K), float64
        As of `class_scores`.
    """
    out = np.empty((len(codes), int(codes.max()) + 1))
    for train, test in folds:
        model = fit_model(
            make,
            X[train],
            codes[train],
            weights[train],
            blocks=None if blocks is None else blocks[train],
            n_jobs=n_jobs,
        )
        out[test] = class_scores(model, X[test])
    return out
