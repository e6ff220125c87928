"""Rows that are left out by where they come from, and rows that only ever train.

Folds by group keep the same photograph apart from itself; they do not keep the same camera or
generator apart. Scores of models that saw nothing of a row's domain tell what is to be expected
of a picture from elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convtrace.detection.held_out import Fold
from convtrace.errors import ConvtraceError

__all__ = ["HeldOutVerdicts", "blocks_of", "domain_folds", "with_auxiliary"]


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutVerdicts:
    """What the verdicts on the held-out rows of a detector rest on, one entry a row.

    Parameters
    ----------
    low, high : numpy.ndarray of float64, shape (n,)
        The limits of the verdicts, set without the row's fold.
    unseen_probabilities : numpy.ndarray of float64, shape (n,), or None
        Of models that saw nothing of the row's domain; None where no domains were given.
    judged : numpy.ndarray of bool, shape (n,)
        Which rows are of pictures that are large enough for a verdict; the others have no part in
        the probabilities and limits.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    unseen_probabilities: NDArray[np.float64] | None
    judged: NDArray[np.bool_]


def blocks_of(domains: NDArray[np.str_], conditions: NDArray[np.str_]) -> NDArray[np.str_]:
    """Return the names of the blocks that rows are compared within.

    Parameters
    ----------
    domains, conditions : numpy.ndarray of str, shape (n,)
        Where each row comes from, and its compression.

    Returns
    -------
    numpy.ndarray of str, shape (n,)
    """
    return np.char.add(np.char.add(domains, "|"), conditions)


def with_auxiliary(
    folds: list[Fold],
    chosen: NDArray[np.intp],
    auxiliary: NDArray[np.intp],
    groups: NDArray[Any],
) -> list[Fold]:
    """Let rows that only ever train take part in folds.

    Parameters
    ----------
    folds : list of (train, test)
        Of the rows that are measured: places in `chosen`.
    chosen, auxiliary : numpy.ndarray of int
        Which rows of the whole are measured, and which only train.
    groups : numpy.ndarray of shape (n,)
        Of all rows.

    Returns
    -------
    list of (train, test)
        Rows of the whole; an auxiliary row does not train where its group is tested.
    """
    found = []
    for train, test in folds:
        apart = ~np.isin(groups[auxiliary], groups[chosen[test]])
        found.append((np.concatenate([chosen[train], auxiliary[apart]]), chosen[test]))
    return found


def domain_folds(
    domains: NDArray[np.str_],
    groups: NDArray[Any],
    codes: NDArray[np.intp],
    measured: NDArray[np.bool_],
) -> list[Fold]:
    """Leave out each domain in turn.

    Parameters
    ----------
    domains, groups : numpy.ndarray of str, shape (n,)
        Of all rows.
    codes : numpy.ndarray of int, shape (n,)
        Classes.
    measured : numpy.ndarray of bool, shape (n,)
        The rows that are tested; the others only train.

    Returns
    -------
    list of (train, test)
        One for each domain: what neither lies in it nor shares a group with what is tested.

    Raises
    ------
    ConvtraceError
        Where there are fewer than three domains, or leaving one out leaves a single class.
    """
    found = []
    for domain in np.unique(domains[measured]):
        inside = domains == domain
        test = np.nonzero(inside & measured)[0]
        train = np.nonzero(~inside & ~np.isin(groups, np.unique(groups[test])))[0]
        found.append((train, test))
    if len(found) < 3 or any(len(np.unique(codes[train])) < 2 for train, _ in found):
        raise ConvtraceError(
            "domains: give three or more, such that both classes are left whichever is left out"
        )
    return found
