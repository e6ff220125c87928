"""The ranks of features, for a few rows at a time.

`sklearn.preprocessing.QuantileTransformer` goes through its columns in Python, which for one
picture of a thousand features takes longer than all that comes after. The same numbers are
found here in one compiled pass.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import QuantileTransformer

from convtrace.traces._compile import compiled

__all__ = ["ranked_first"]

# What scikit-learn takes for a value on a bound, and where it cuts the normal scores.
_BOUND = 1e-7
_CUT = float(ndtri(1.0 - (_BOUND - np.spacing(1))))


def ranked_first(model: Any, X: NDArray[np.float64]) -> tuple[Any, NDArray[np.float64]]:
    """Take the ranks that a pipeline begins with.

    Parameters
    ----------
    model : sklearn.base.BaseEstimator
        A fitted classifier.
    X : numpy.ndarray of shape (n, d)
        Features, all finite.

    Returns
    -------
    model : sklearn.base.BaseEstimator
        What is left of a pipeline of a `QuantileTransformer` to normal scores and a
        classifier; any other model as it is.
    X : numpy.ndarray of shape (n, d), float64
        What it is to be given.
    """
    steps = model.steps if isinstance(model, Pipeline) else []
    if len(steps) != 2 or not isinstance(steps[0][1], QuantileTransformer):
        return model, X
    ranks = steps[0][1]
    if ranks.output_distribution != "normal":
        return model, X
    out = np.empty(X.shape)
    _shares(
        np.ascontiguousarray(X, dtype=np.float64),
        # Feature by feature, as scikit-learn leaves and skops stores them: nothing is copied.
        np.ascontiguousarray(ranks.quantiles_.T, dtype=np.float64),
        np.ascontiguousarray(ranks.references_, dtype=np.float64),
        out,
    )
    return steps[1][1], np.clip(ndtri(out), -_CUT, _CUT)


@compiled
def _shares(X, quantiles, references, out):  # type: ignore[no-untyped-def]
    """Write the share of training rows below each value; the mean of both sides at ties."""
    last = quantiles.shape[1] - 1
    for i in range(X.shape[0]):
        for j in range(X.shape[1]):
            x = X[i, j]
            if x - _BOUND < quantiles[j, 0]:
                out[i, j] = 0.0
                continue
            if x + _BOUND > quantiles[j, last]:
                out[i, j] = 1.0
                continue
            # The last quantile that is not above x, and the first that is not below it.
            low, high = 0, last
            while low < high:
                middle = (low + high + 1) // 2
                if quantiles[j, middle] <= x:
                    low = middle
                else:
                    high = middle - 1
            below = low
            low, high = 0, last
            while low < high:
                middle = (low + high) // 2
                if quantiles[j, middle] >= x:
                    high = middle
                else:
                    low = middle + 1
            above = low
            if quantiles[j, below] == x:
                out[i, j] = 0.5 * (references[below] + references[above])
            else:
                span = quantiles[j, above] - quantiles[j, below]
                slope = (references[above] - references[below]) / span
                from_below = references[below] + slope * (x - quantiles[j, below])
                from_above = references[above] - slope * (quantiles[j, above] - x)
                out[i, j] = 0.5 * (from_below + from_above)
