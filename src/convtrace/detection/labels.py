"""What rows are labelled with, and how much each of them counts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convtrace.errors import ConvtraceError

__all__ = ["BALANCES", "CLASSES", "balanced_weights", "even_classes", "is_generated"]

CLASSES = ("real", "generated")
"""The order of the columns of probabilities."""

BALANCES = ("none", "class", "generator")
"""The ways to weigh rows that `balanced_weights` knows."""

_MEANINGS = {
    "real": False,
    "0": False,
    "false": False,
    "fake": True,
    "generated": True,
    "1": True,
    "true": True,
}


def is_generated(y: Any) -> NDArray[np.bool_]:
    """Understand labels.

    Parameters
    ----------
    y : array-like of shape (n,)
        "real" or "fake" ("generated" means the same), or 0 and 1, or False and True.

    Returns
    -------
    numpy.ndarray of bool, shape (n,)

    Raises
    ------
    ConvtraceError
        Where a label is none of these.

    Examples
    --------
    >>> is_generated(["real", "fake"])
    array([False,  True])
    """
    values = np.asarray(y)
    if values.ndim != 1:
        raise ConvtraceError(f"labels must be a list, one for each picture; got {values.shape}")
    if values.dtype.kind == "f" and np.all(np.isin(values, (0.0, 1.0))):
        values = values.astype(int)
    out = np.empty(len(values), dtype=bool)
    for index, value in enumerate(values):
        meaning = _MEANINGS.get(str(value).strip().lower())
        if meaning is None:
            raise ConvtraceError(
                f"label {str(value)!r} (row {index}) is unknown; give 'real' or 'fake', or 0 or 1"
            )
        out[index] = meaning
    return out


def balanced_weights(
    generated: NDArray[np.bool_],
    generators: NDArray[np.str_] | None = None,
    *,
    balance: str = "class",
) -> NDArray[np.float64]:
    """Weigh rows so that big sets do not drown small ones.

    Parameters
    ----------
    generated : numpy.ndarray of bool, shape (n,)
        Whether each row is of a generated image.
    generators : numpy.ndarray of str, shape (n,), optional
        The generator of each generated row.
    balance : {"none", "class", "generator"}
        "none": all rows count 1. "class": real and generated count the same in total.
        "generator": as well, and within the generated each generator counts the same.

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
        They sum to n.

    Examples
    --------
    >>> balanced_weights(np.array([True, False, False, False])).round(2)
    array([2.  , 0.67, 0.67, 0.67])
    """
    if balance not in BALANCES:
        raise ConvtraceError(f"balance={balance!r}: give one of {', '.join(BALANCES)}")
    weights = np.ones(len(generated))
    if balance == "none":
        return weights
    if balance == "generator" and generators is not None:
        for name in np.unique(generators[generated]):
            rows = generated & (generators == name)
            weights[rows] = 1.0 / rows.sum()
    for rows in (generated, ~generated):
        weights[rows] *= len(generated) / 2 / max(weights[rows].sum(), 1e-300)
    return weights


def even_classes(generated: NDArray[np.bool_], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale the weights of each class so that both classes weigh the same together.

    Parameters
    ----------
    generated : numpy.ndarray of bool, shape (n,)
        The truth.
    weights : numpy.ndarray of float64, shape (n,)
        Row weights, not negative. What rows of a class weigh beside each other stays.

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
        Of the same sum, where rows of both classes have weight.

    Examples
    --------
    >>> even_classes(np.array([False, True, True]), np.array([1.0, 3.0, 4.0])).tolist()
    [4.0, 1.7142857142857142, 2.2857142857142856]
    """
    half = float(weights.sum()) / 2
    sums = [float(weights[generated == value].sum()) for value in (False, True)]
    scales = [half / max(total, 1e-300) for total in sums]
    scaled: NDArray[np.float64] = weights * np.where(generated, scales[1], scales[0])
    return scaled
