"""Whether a picture is like anything that a detector was trained on.

Features are laid out along the principal components of the training rows. A picture is
strange where it lies far along the components that were kept, or far from all of them: the
two distances of Hotelling and of Jackson and Mudholkar, each against a limit that few
held-out training rows pass. It says nothing of real or generated, only that the answer to
that question would be a guess.

References
----------
J. Jackson, G. Mudholkar, "Control Procedures for Residuals Associated With Principal
Component Analysis", Technometrics 21(3), 1979, doi:10.1080/00401706.1979.10489779.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from convtrace.errors import ConvtraceError

__all__ = ["Guard", "fit_guard"]

Floats = NDArray[np.float64]

_COMPONENTS = 64
# A feature farther from its mean, in standard deviations, counts as no farther: heavy tails of
# one coefficient are no strange picture.
_FARTHEST = 8.0
_LEAST_ROWS = 200


@dataclass(frozen=True, slots=True, eq=False)
class Guard:
    """Distances of features from the training rows, and the limits of the ordinary.

    Parameters
    ----------
    model : sklearn.pipeline.Pipeline
        A `StandardScaler` and a whitening `PCA`.
    within, beyond : float
        Limits of the root mean square along the components, and of what they leave.
    measured : mapping
        "rate", the share of held-out training rows that is over a limit.
    """

    model: Any
    within: float
    beyond: float
    measured: Mapping[str, float]

    def __post_init__(self) -> None:
        if not (0.0 < self.within < np.inf and 0.0 < self.beyond < np.inf):
            raise ConvtraceError("the limits of a guard must be positive numbers")

    def strangeness(self, X: Floats) -> Floats:
        """Say how far rows lie from what was trained on.

        Parameters
        ----------
        X : numpy.ndarray of shape (n, d)
            Features.

        Returns
        -------
        numpy.ndarray of shape (n,), float64
            The larger of both distances in units of its limit; over 1 is strange.
        """
        within, beyond = _distances(self.model, X)
        larger: Floats = np.maximum(within / self.within, beyond / self.beyond)
        return larger

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the model as JSON values.

        Returns
        -------
        dict
        """
        return {"within": self.within, "beyond": self.beyond, "measured": dict(self.measured)}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any], model: Any) -> Guard:
        """Rebuild a guard from `to_dict` and its model.

        Parameters
        ----------
        state : mapping
            What `to_dict` returned.
        model : sklearn.pipeline.Pipeline
            The model.

        Returns
        -------
        Guard
        """
        return cls(
            model,
            float(state["within"]),
            float(state["beyond"]),
            {str(key): float(value) for key, value in state["measured"].items()},
        )


def fit_guard(
    X: Floats,
    folds: list[tuple[NDArray[np.intp], NDArray[np.intp]]],
    *,
    rate: float = 0.01,
) -> Guard | None:
    """Learn what is ordinary.

    Parameters
    ----------
    X : numpy.ndarray of shape (n, d)
        Features of the training rows.
    folds : list of (train, test)
        From `convtrace.detection.held_out.folds_by_group`; the limits are set on rows that
        the components were not found on.
    rate : float
        The share of held-out rows over either limit, about, 0 to 1.

    Returns
    -------
    Guard or None
        None where there are fewer than 200 rows, or no more than there are features.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = rng.normal(size=(400, 5))
    >>> halves = np.arange(200), np.arange(200, 400)
    >>> guard = fit_guard(rows, [halves, halves[::-1]])
    >>> guard.strangeness(np.array([[0.0] * 5, [7.0] * 5])).round() > 1
    array([False,  True])
    """
    fewest = min(len(train) for train, _ in folds)
    if fewest < max(_LEAST_ROWS // 2, X.shape[1] + 1) or len(X) < _LEAST_ROWS:
        return None
    within, beyond = np.empty(len(X)), np.empty(len(X))
    for train, test in folds:
        within[test], beyond[test] = _distances(_fit(X[train]), X[test])
    # Half of the rate for each of the two.
    limits = [float(np.quantile(each, 1.0 - rate / 2)) for each in (within, beyond)]
    # Where the components leave nothing, rounding is not strange.
    limits = [max(limit, 1e-6) for limit in limits]
    strange = (within > limits[0]) | (beyond > limits[1])
    return Guard(_fit(X), limits[0], limits[1], {"rate": float(strange.mean())})


def _fit(X: Floats) -> Pipeline:
    scaler = StandardScaler().fit(X)
    kept = min(_COMPONENTS, X.shape[1])
    components = PCA(kept, whiten=True, svd_solver="covariance_eigh").fit(_scaled(scaler, X))
    # Stored in half of the bytes; a distance changes in its seventh digit.
    components.components_ = components.components_.astype(np.float32).astype(np.float64)
    return Pipeline([("scale", scaler), ("components", components)])


def _scaled(scaler: Any, X: Floats) -> Floats:
    scaled: Floats = np.clip(scaler.transform(X), -_FARTHEST, _FARTHEST)
    return scaled


def _distances(model: Any, X: Floats) -> tuple[Floats, Floats]:
    scaler, components = (step for _, step in model.steps)
    scaled = _scaled(scaler, X)
    places = components.transform(scaled)
    left = scaled - components.inverse_transform(places)
    return np.sqrt(np.mean(places**2, axis=1)), np.sqrt(np.mean(left**2, axis=1))
