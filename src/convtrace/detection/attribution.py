"""Which generator made an image: the second task of the paper.

A classifier of several classes, trained on generated images alone. Its scores become
probabilities by one temperature, fitted on grouped held-out scores, and a generator is named
only from the probability at which held-out attributions were right often enough.

Probabilities are among the generators that it was trained on, whatever made the image. So an
image must also lie near the held-out images of the generator that it is named after: its
Mahalanobis distance to their mean, in the space of the scores, may be no larger than that of
most of them. Otherwise the generator is unknown.

References
----------
C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017 (temperature scaling).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from convtrace.detection.compact import compact
from convtrace.detection.held_out import (
    class_scores,
    fit_model,
    folds_by_group,
    held_out_scores,
)
from convtrace.detection.ranks import ranked_first
from convtrace.errors import ConvtraceError

__all__ = ["Attribution", "Likeness", "fit_attribution"]

_LEAST_ROWS = 20
# The share of held-out images that are near enough to the mean of their own generator.
_OWN = 0.9
_RIDGE = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """Which generators an image is like.

    Parameters
    ----------
    name : str or None
        The generator, if it may be named.
    nearest : tuple of (str, float, float)
        The generators from the likeliest on: name, probability, and distance in units of the
        largest at which it would be named.
    """

    name: str | None
    nearest: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """A fitted classifier of generators.

    Parameters
    ----------
    model : sklearn.base.BaseEstimator
        Classes 0 to K - 1.
    names : tuple of str
        The K generators.
    temperature : float
        What the scores are divided by before the softmax.
    threshold : float or None
        The probability from which a generator is named; None: never.
    centres : numpy.ndarray of shape (K, K), float64
        The mean centred scores of held-out images of each generator.
    precision : numpy.ndarray of shape (K, K), float64
        The inverse of their common covariance.
    reach : float
        The squared distance up to which a generator is named.
    measured : mapping
        Held-out results: accuracy and balanced_accuracy (over all generators alike), named
        (share that is named), accuracy_named.
    """

    model: Any
    names: tuple[str, ...]
    temperature: float
    threshold: float | None
    centres: NDArray[np.float64]
    precision: NDArray[np.float64]
    reach: float
    measured: Mapping[str, float]

    def __post_init__(self) -> None:
        square = (len(self.names), len(self.names))
        if self.centres.shape != square or self.precision.shape != square or not self.reach > 0:
            raise ConvtraceError("the distances of an attribution do not fit its generators")

    def _scores(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        model, ready = ranked_first(self.model, X)
        return class_scores(model, ready)

    def probabilities(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how likely each generator is, given that one of them made the image.

        Parameters
        ----------
        X : numpy.ndarray of shape (n, d)
            Features.

        Returns
        -------
        numpy.ndarray of shape (n, K), float64
            Rows sum to 1.
        """
        return _probabilities(self._scores(X), self.temperature)

    def likeness(self, X: NDArray[np.float64]) -> list[Likeness]:
        """Say which generators images are like, and name one where that is safe.

        Parameters
        ----------
        X : numpy.ndarray of shape (n, d)
            Features.

        Returns
        -------
        list of Likeness
        """
        scores = self._scores(X)
        probabilities = _probabilities(scores, self.temperature)
        distances = _squared_distances(scores, self.centres, self.precision)
        found = []
        for chances, squares in zip(probabilities, distances, strict=True):
            order = np.argsort(-chances, kind="stable")
            best = int(order[0])
            safe = (
                self.threshold is not None
                and chances[best] >= self.threshold
                and squares[best] <= self.reach
            )
            nearest = tuple(
                (self.names[k], float(chances[k]), float(np.sqrt(squares[k] / self.reach)))
                for k in order
            )
            found.append(Likeness(self.names[best] if safe else None, nearest))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the model as JSON values.

        Returns
        -------
        dict
        """
        return {
            "names": list(self.names),
            "temperature": self.temperature,
            "threshold": self.threshold,
            "centres": self.centres.tolist(),
            "precision": self.precision.tolist(),
            "reach": self.reach,
            "measured": dict(self.measured),
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any], model: Any) -> Attribution:
        """Rebuild an attribution from `to_dict` and its model.

        Parameters
        ----------
        state : mapping
            What `to_dict` returned.
        model : sklearn.base.BaseEstimator
            The classifier.

        Returns
        -------
        Attribution
        """
        threshold = state["threshold"]
        return cls(
            model,
            tuple(str(name) for name in state["names"]),
            float(state["temperature"]),
            None if threshold is None else float(threshold),
            np.asarray(state["centres"], dtype=np.float64),
            np.asarray(state["precision"], dtype=np.float64),
            float(state["reach"]),
            {str(key): float(value) for key, value in state["measured"].items()},
        )


def fit_attribution(
    make: Callable[[], Any],
    X: NDArray[np.float64],
    generators: NDArray[np.str_],
    groups: NDArray[np.str_],
    *,
    wanted_accuracy: float = 0.8,
    n_splits: int = 5,
    seed: int = 0,
    n_jobs: int | None = None,
) -> Attribution | None:
    """Fit a classifier of generators on generated images.

    Parameters
    ----------
    make : callable
        Returns the unfitted estimator.
    X : numpy.ndarray of shape (n, d)
        Features of generated images.
    generators : numpy.ndarray of str, shape (n,)
        Which generator made each; rows without a name ("") are left out.
    groups : numpy.ndarray of str, shape (n,)
        Rows of equal group are never on both sides of a split.
    wanted_accuracy : float
        How often a named generator must have been right on held-out images, 0 to 1.
    n_splits, seed, n_jobs : int
        Of the held-out scoring; workers of the fits.

    Returns
    -------
    Attribution or None
        None where there are not two generators with `n_splits` groups of images each; a
        generator with fewer is left out, as it could not be measured.
    """
    named = generators != ""
    X, generators, groups = X[named], generators[named], groups[named]
    usable = [
        str(name)
        for name in np.unique(generators)
        if len(np.unique(groups[generators == name])) >= n_splits
    ]
    if len(usable) < 2:
        return None
    rows = np.isin(generators, usable)
    X, generators, groups = X[rows], generators[rows], groups[rows]
    names, codes = np.unique(generators, return_inverse=True)
    weights = (len(codes) / len(names) / np.bincount(codes))[codes]
    folds = folds_by_group(codes, groups, n_splits=n_splits, seed=seed)
    scores = held_out_scores(make, X, codes, weights, folds, n_jobs=n_jobs)
    temperature = _fit_temperature(scores, codes, weights)
    probabilities = _probabilities(scores, temperature)
    best = probabilities.argmax(axis=1)
    right, top = best == codes, probabilities.max(axis=1)
    centres, precision = _spread(scores, codes, weights)
    distances = _squared_distances(scores, centres, precision)
    reach = float(np.quantile(distances[np.arange(len(codes)), codes], _OWN))
    near = distances[np.arange(len(codes)), best] <= reach
    # The threshold is for those that may be named at all.
    threshold = _naming_threshold(top[near], right[near], weights[near], wanted_accuracy)
    shown = near & (top >= threshold) if threshold is not None else np.zeros(len(top), dtype=bool)
    measured = {
        "n": float(len(codes)),
        "accuracy": float(right.mean()),
        "balanced_accuracy": float(np.average(right, weights=weights)),
        "named": float(np.average(shown, weights=weights)),
        "accuracy_named": float(np.average(right[shown], weights=weights[shown]))
        if shown.any()
        else 0.0,
    }
    model = compact(fit_model(make, X, codes, weights, n_jobs=n_jobs))
    return Attribution(
        model,
        tuple(str(name) for name in names),
        temperature,
        threshold,
        centres,
        precision,
        reach,
        measured,
    )


def _probabilities(scores: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    out: NDArray[np.float64] = softmax(scores / temperature, axis=1)
    return out


def _centred(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    # A constant added to all scores of a row means nothing.
    out: NDArray[np.float64] = scores - scores.mean(axis=1, keepdims=True)
    return out


def _spread(
    scores: NDArray[np.float64], codes: NDArray[np.intp], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean of each generator's centred scores, and their common precision."""
    places = _centred(scores)
    centres = np.stack([places[codes == code].mean(axis=0) for code in range(int(codes.max()) + 1)])
    left = places - centres[codes]
    covariance = (left * (weights / weights.sum())[:, None]).T @ left
    # Centred scores have one dimension less than there are generators.
    ridge = _RIDGE * np.trace(covariance) / len(covariance) + 1e-12
    return centres, np.linalg.inv(covariance + ridge * np.eye(len(covariance)))


def _squared_distances(
    scores: NDArray[np.float64], centres: NDArray[np.float64], precision: NDArray[np.float64]
) -> NDArray[np.float64]:
    apart = _centred(scores)[:, None, :] - centres[None, :, :]
    out: NDArray[np.float64] = np.einsum("nki,ij,nkj->nk", apart, precision, apart)
    return out


def _fit_temperature(
    scores: NDArray[np.float64], codes: NDArray[np.intp], weights: NDArray[np.float64]
) -> float:
    rows = np.arange(len(codes))

    def loss(log_temperature: float) -> float:
        chosen = _probabilities(scores, float(np.exp(log_temperature)))[rows, codes]
        return float(-np.average(np.log(np.maximum(chosen, 1e-12)), weights=weights))

    found = minimize_scalar(loss, bounds=(-5.0, 5.0), method="bounded")
    return float(np.exp(found.x))


def _naming_threshold(
    top: NDArray[np.float64],
    right: NDArray[np.bool_],
    weights: NDArray[np.float64],
    wanted: float,
) -> float | None:
    """Return the least probability above which held-out naming was right often enough."""
    order = np.argsort(-top, kind="stable")
    shares = np.cumsum((weights * right)[order]) / np.cumsum(weights[order])
    last_of_ties = np.append(top[order][1:] != top[order][:-1], True)
    enough = (shares >= wanted) & last_of_ties & (np.arange(1, len(top) + 1) >= _LEAST_ROWS)
    return float(top[order][np.nonzero(enough)[0][-1]]) if enough.any() else None
