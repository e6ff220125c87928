"""Making a fitted model small without changing what it predicts.

A stored model is compressed, and numbers with zero bits or equal values compress well. What
prediction never reads is cleared, and what it reads with more digits than its input carries
is rounded to single precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

__all__ = ["compact"]


def compact(model: Any) -> Any:
    """Shrink a fitted classifier in place.

    Forests lose what only their feature importances need; their thresholds are rounded
    down to single precision, which separates single-precision inputs exactly as before.
    Leaf votes, support vectors and stored neighbours are rounded to single precision, which
    changes a score in the seventh digit.

    Parameters
    ----------
    model : sklearn.base.BaseEstimator
        A fitted classifier or pipeline.

    Returns
    -------
    sklearn.base.BaseEstimator
        The same object.
    """
    steps = getattr(model, "steps", None)
    last = steps[-1][1] if steps else model
    if isinstance(last, (RandomForestClassifier, ExtraTreesClassifier)):
        for estimator in last.estimators_:
            _compact_tree(estimator.tree_)
    elif isinstance(last, SVC):
        last.support_vectors_ = _to_single(last.support_vectors_)
    elif isinstance(last, KNeighborsClassifier):
        last._fit_X = _to_single(last._fit_X)
    elif isinstance(last, HistGradientBoostingClassifier):
        # A random generator that only a further fit would use; it cannot be stored.
        last._feature_subsample_rng = None
    elif isinstance(last, LinearDiscriminantAnalysis) and last.solver == "lsqr":
        # The square of the number of features, of which a prediction reads nothing.
        last.covariance_ = None
    elif isinstance(last, MLPClassifier):
        # What only a further fit would use, and what it left behind.
        last._optimizer = last._random_state = last._no_improvement_count = None
        last._best_coefs = last._best_intercepts = None
        last.coefs_ = [_to_single(weights) for weights in last.coefs_]
    for plain in (LinearDiscriminantAnalysis, MLPClassifier):
        if steps and isinstance(last, plain) and type(last) is not plain:
            # It was trained in another way, and predicts as its parent does.
            parent = plain()
            parent.__dict__.update(last.__dict__)
            steps[-1] = (steps[-1][0], parent)
    return model


def _compact_tree(tree: Any) -> None:
    leaf = tree.children_left == -1
    # The arrays are views of the tree's own memory.
    tree.threshold[:] = np.where(leaf, 0.0, _floor_to_single(tree.threshold))
    tree.impurity[:] = 0.0
    tree.n_node_samples[:] = 1
    tree.weighted_n_node_samples[:] = 1.0
    tree.value[:] = np.where(leaf[:, None, None], _to_single(tree.value), 0.0)


def _to_single(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values.astype(np.float32).astype(values.dtype)


def _floor_to_single(values: NDArray[np.float64]) -> NDArray[np.float64]:
    rounded = values.astype(np.float32)
    above = rounded > values
    rounded[above] = np.nextafter(rounded[above], np.float32(-np.inf))
    return rounded.astype(np.float64)
