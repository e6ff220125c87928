"""Splits that never put pictures of one group on both sides."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from convtrace.errors import DatasetError

__all__ = ["Fold", "grouped_folds", "train_test_split"]

Fold = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]

_FINEST_SPLIT = 20


def grouped_folds(
    labels: npt.ArrayLike,
    groups: npt.ArrayLike,
    *,
    n_splits: int = 5,
    seed: int = 0,
    strata: npt.ArrayLike | None = None,
) -> list[Fold]:
    """Cut the rows into folds, by whole groups, with the labels spread evenly.

    Parameters
    ----------
    labels : array_like, shape (n,)
        What the folds must each have a share of.
    groups : array_like, shape (n,)
        Rows of one group stay together.
    n_splits : int
        Number of folds, 2 or more.
    seed : int
        Of the shuffle; the same seed gives the same folds.
    strata : array_like, shape (n,), optional
        A finer partition to spread evenly as well, such as the generator. Strata
        with fewer groups than folds are counted with the rest of their label.

    Returns
    -------
    list of (train, test)
        Row numbers, sorted. The tests are disjoint and cover all rows; every
        training side holds every label.

    Raises
    ------
    DatasetError
        If the lengths differ, or a label has fewer groups than there are folds.

    Examples
    --------
    >>> labels = ["real", "fake"] * 6
    >>> groups = [f"scene {i // 2}" for i in range(12)]
    >>> folds = grouped_folds(labels, groups, n_splits=3)
    >>> [len(test) for _, test in folds]
    [4, 4, 4]
    """
    label = _column(labels, "labels")
    group = _column(groups, "groups")
    _same_length(label, group)
    if n_splits < 2:
        raise DatasetError(f"n_splits is {n_splits}; a split needs 2 folds or more")
    _check_groups_per_label(label, group, n_splits)
    spread = label
    if strata is not None:
        stratum = _column(strata, "strata")
        _same_length(label, stratum)
        spread = _joined_strata(label, stratum, group, n_splits)
    rows = np.zeros((len(label), 1))
    # Where no two rows share a group the plain method does the same, far quicker.
    alone = len(np.unique(group)) == len(group)
    method = StratifiedKFold if alone else StratifiedGroupKFold
    splitter = method(n_splits=n_splits, shuffle=True, random_state=seed)
    together = None if alone else group
    with warnings.catch_warnings():
        # A stratum can have enough groups in all, and too few rows in one fold: that is
        # as even as whole groups allow.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        folds = [(train, test) for train, test in splitter.split(rows, spread, together)]
    _check_folds(label, folds)
    return folds


def train_test_split(
    labels: npt.ArrayLike,
    groups: npt.ArrayLike,
    *,
    test_size: float = 0.2,
    seed: int = 0,
    strata: npt.ArrayLike | None = None,
) -> Fold:
    """Cut the rows in two, by whole groups, with the labels spread evenly.

    Parameters
    ----------
    labels, groups, strata : array_like, shape (n,)
        As for `grouped_folds`.
    test_size : float
        Share of the rows to test on, more than 0 and less than 1. It is met as
        nearly as whole groups, and steps of a twentieth or of one over the
        number of groups in the smallest label, allow.
    seed : int
        Of the shuffle.

    Returns
    -------
    (train, test) : tuple of ndarray of int
        Row numbers, sorted.

    Raises
    ------
    DatasetError
        If ``test_size`` is out of range, or a label has fewer than two groups.

    Examples
    --------
    >>> train, test = train_test_split(["a", "b"] * 10, range(20), test_size=0.3)
    >>> len(train), len(test)
    (14, 6)
    """
    if not 0 < test_size < 1:
        raise DatasetError(f"test_size is {test_size:g}; it is a share between 0 and 1")
    label = _column(labels, "labels")
    group = _column(groups, "groups")
    _same_length(label, group)
    fewest = min(len(np.unique(group[label == one])) for one in np.unique(label))
    n_splits = max(2, min(fewest, _FINEST_SPLIT))
    folds = grouped_folds(label, group, n_splits=n_splits, seed=seed, strata=strata)
    wanted = min(max(round(test_size * n_splits), 1), n_splits - 1)
    test = np.sort(np.concatenate([fold[1] for fold in folds[:wanted]]))
    train = np.setdiff1d(np.arange(len(label)), test)
    return train, test


def _column(values: npt.ArrayLike, name: str) -> npt.NDArray[np.generic]:
    column = np.asarray(values)
    if column.ndim != 1 or column.size == 0:
        raise DatasetError(f"{name} must be a list with one entry per row, and not empty")
    return column


def _same_length(one: npt.NDArray[np.generic], other: npt.NDArray[np.generic]) -> None:
    if len(one) != len(other):
        raise DatasetError(f"there are {len(one)} labels, but {len(other)} groups or strata")


def _check_groups_per_label(
    label: npt.NDArray[np.generic], group: npt.NDArray[np.generic], n_splits: int
) -> None:
    for one in np.unique(label):
        count = len(np.unique(group[label == one]))
        if count < n_splits:
            way_out = f"use {count} folds or add pictures" if count > 1 else "add pictures"
            raise DatasetError(
                f"label {one} has {count} separate group{'s' * (count != 1)} of pictures, "
                f"too few for {n_splits} folds; {way_out}"
            )


def _joined_strata(
    label: npt.NDArray[np.generic],
    stratum: npt.NDArray[np.generic],
    group: npt.NDArray[np.generic],
    n_splits: int,
) -> npt.NDArray[np.intp]:
    """Give each pair of label and stratum a number; small ones get their label's own."""
    _, label_number = np.unique(label, return_inverse=True)
    _, stratum_number = np.unique(stratum, return_inverse=True)
    n_labels = int(label_number.max()) + 1
    # 0 .. n_labels - 1 stand for the labels themselves.
    joined: npt.NDArray[np.intp] = n_labels * (1 + stratum_number) + label_number
    for one in np.unique(joined):
        members = joined == one
        if len(np.unique(group[members])) < n_splits:
            joined[members] = one % n_labels
    return joined


def _check_folds(label: npt.NDArray[np.generic], folds: list[Fold]) -> None:
    wanted = len(np.unique(label))
    for train, test in folds:
        if len(test) == 0 or len(np.unique(label[train])) < wanted:
            raise DatasetError(
                f"the groups are too large for {len(folds)} folds: a fold would be empty, or "
                "leave a label out of training; use fewer folds or smaller groups"
            )
