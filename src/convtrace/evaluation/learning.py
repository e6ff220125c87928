"""Nested grouped cross-validation: what is chosen is chosen inside the training folds.

A candidate is a set of features and a classifier. In every outer fold the candidates are
compared by grouped cross-validation of its training part alone; the best is fitted to the
whole training part and scores the test part, which had no say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from convtrace.detection import classifiers
from convtrace.detection.held_out import class_scores, fit_model, folds_by_group, held_out_scores
from convtrace.detection.labels import balanced_weights
from convtrace.errors import DatasetError

__all__ = [
    "Candidate",
    "Comparison",
    "Nested",
    "balanced_accuracy",
    "best",
    "compare",
    "first_of_equals",
    "fit_and_score",
    "held_out",
    "margins",
    "nested",
    "score_chosen",
]

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]
Features = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A set of features and a classifier.

    Attributes
    ----------
    features : str
        Which features, a key of the mapping that `nested` is given.
    classifier : str
        Name in `convtrace.detection.classifiers`.
    options : mapping
        Parameters of its last step, as for ``set_params``.
    label : str
        What the classifier is called in tables; its name if empty.
    """

    features: str
    classifier: str
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    label: str = ""

    @property
    def title(self) -> str:
        """Name of the classifier for tables."""
        return self.label or self.classifier

    def make(self, seed: int, rows: int | None = None) -> Any:
        """Return the unfitted classifier.

        Parameters
        ----------
        seed : int
            Of whatever is random in it.
        rows : int, optional
            How many it will be fitted to: it can ask no more neighbours than that.

        Returns
        -------
        sklearn.pipeline.Pipeline
        """
        model = classifiers.create(self.classifier, seed=seed)
        model.set_params(**{f"classifier__{key}": v for key, v in self.options.items()})
        asked = model.get_params().get("classifier__n_neighbors")
        if rows is not None and asked is not None and asked > rows:
            model.set_params(classifier__n_neighbors=rows)
        return model


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """How well each candidate did inside the training parts.

    Attributes
    ----------
    folds : tuple of (train, test)
        The outer folds.
    merits : tuple of ndarray of shape (candidates, inner folds), float64
        For each outer fold, from its training part alone.
    """

    folds: tuple[Fold, ...]
    merits: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Nested:
    """Held-out scores of what nested cross-validation chose.

    Attributes
    ----------
    scores : ndarray of shape (n, K), float64
        As of `convtrace.detection.held_out.class_scores`.
    chosen : tuple of Candidate
        The choice of each outer fold.
    folds : tuple of (train, test)
        The outer folds.
    """

    scores: NDArray[np.float64]
    chosen: tuple[Candidate, ...]
    folds: tuple[Fold, ...]

    @property
    def predicted(self) -> NDArray[np.intp]:
        """The class with the highest score."""
        return np.asarray(self.scores.argmax(axis=1), dtype=np.intp)


def margins(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the score of the second of two classes over the first.

    Parameters
    ----------
    scores : ndarray of shape (n, 2), float64
        As of `convtrace.detection.held_out.class_scores`.

    Returns
    -------
    ndarray of shape (n,), float64
        Above 0 where the second class is called.
    """
    return np.asarray(scores[:, 1] - scores[:, 0], dtype=np.float64)


def balanced_accuracy(codes: NDArray[np.intp], predicted: NDArray[np.intp]) -> float:
    """Return the mean over classes of the share that is called right.

    Parameters
    ----------
    codes, predicted : ndarray of int, shape (n,)
        The truth and what was said.

    Returns
    -------
    float
        0 to 1.

    Examples
    --------
    >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]))
    0.5
    """
    right = codes == predicted
    return float(np.mean([right[codes == code].mean() for code in np.unique(codes)]))


def fit_and_score(
    candidate: Candidate,
    X_train: NDArray[np.float64],
    codes_train: NDArray[np.intp],
    X_test: NDArray[np.float64],
    *,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Fit a candidate to some rows, classes of equal weight, and score others.

    Parameters
    ----------
    candidate : Candidate
        Whose classifier is fitted.
    X_train, X_test : ndarray of shape (n, d) and (m, d), float64
        Features.
    codes_train : ndarray of int, shape (n,)
        Classes 0 to K - 1.
    seed : int, default 0
        Of the classifier.

    Returns
    -------
    ndarray of shape (m, K), float64

    Raises
    ------
    DatasetError
        If there are too few rows to learn from.
    """
    _check_enough(codes_train)
    model = fit_model(
        partial(candidate.make, seed, len(X_train)),
        X_train,
        codes_train,
        _weights(codes_train),
        n_jobs=1,
    )
    return class_scores(model, X_test)


def held_out(
    candidate: Candidate,
    features: Features,
    codes: NDArray[np.intp],
    folds: Sequence[Fold],
    *,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Score each row by the candidate fitted to the folds without it.

    Parameters
    ----------
    candidate : Candidate
        Features and classifier.
    features : mapping of str to ndarray of shape (n, d), float64
        By name.
    codes : ndarray of int, shape (n,)
        Classes 0 to K - 1.
    folds : sequence of (train, test)
        Which cover all rows.
    seed : int, default 0
        Of the classifier.

    Returns
    -------
    ndarray of shape (n, K), float64

    Raises
    ------
    DatasetError
        If a fold leaves too few rows to learn from.
    """
    for train, _ in folds:
        _check_enough(codes[train])
    fewest = min(len(train) for train, _ in folds)
    return held_out_scores(
        partial(candidate.make, seed, fewest),
        features[candidate.features],
        codes,
        _weights(codes),
        list(folds),
        n_jobs=1,
    )


def nested(
    candidates: Sequence[Candidate],
    features: Features,
    codes: NDArray[np.intp],
    groups: NDArray[Any],
    *,
    seed: int = 0,
    outer: int = 5,
    inner: int = 3,
    parts: int | None = None,
    strata: NDArray[Any] | None = None,
) -> Nested:
    """Choose among candidates inside each training part, and score the test part.

    Parameters
    ----------
    candidates : sequence of Candidate
        The first of equals wins.
    features : mapping of str to ndarray of shape (n, d), float64
        By name.
    codes : ndarray of int, shape (n,)
        Classes 0 to K - 1.
    groups : ndarray of shape (n,)
        Rows that are never on both sides of a split.
    seed : int, default 0
        Of the folds and classifiers.
    outer, inner : int
        Folds.
    parts : int, optional
        How many of the inner folds are scored; all by default. One makes it an inner
        hold-out, for large tables.
    strata : ndarray of shape (n,), optional
        A finer partition to be spread evenly.

    Returns
    -------
    Nested

    Raises
    ------
    DatasetError
        Where a class has too few groups.
    """
    found = compare(
        candidates,
        features,
        codes,
        groups,
        seed=seed,
        outer=outer,
        inner=inner,
        parts=parts,
        strata=strata,
    )
    chosen = [candidates[best(merits)] for merits in found.merits]
    return score_chosen(chosen, features, codes, found.folds, seed=seed)


def compare(
    candidates: Sequence[Candidate],
    features: Features,
    codes: NDArray[np.intp],
    groups: NDArray[Any],
    *,
    seed: int = 0,
    outer: int = 5,
    inner: int = 3,
    parts: int | None = None,
    strata: NDArray[Any] | None = None,
) -> Comparison:
    """Compare candidates inside the training part of each outer fold.

    Parameters
    ----------
    candidates, features, codes, groups, seed, outer, inner, parts, strata
        As for `nested`.

    Returns
    -------
    Comparison

    Raises
    ------
    DatasetError
        Where a class has too few groups.
    """
    folds = folds_by_group(codes, groups, n_splits=outer, seed=seed, strata=strata)
    merits = []
    for train, _ in folds:
        if len(candidates) == 1:
            merits.append(np.zeros((1, 1)))
            continue
        within = {name: X[train] for name, X in features.items()}
        splits = folds_by_group(
            codes[train],
            groups[train],
            n_splits=inner,
            seed=seed + 1,
            strata=None if strata is None else strata[train],
        )[:parts]
        merits.append(
            np.array([_merits(one, within, codes[train], splits, seed) for one in candidates])
        )
    return Comparison(tuple(folds), tuple(merits))


def score_chosen(
    chosen: Sequence[Candidate],
    features: Features,
    codes: NDArray[np.intp],
    folds: Sequence[Fold],
    *,
    seed: int = 0,
) -> Nested:
    """Score the test part of each fold by the candidate that was chosen for it.

    Parameters
    ----------
    chosen : sequence of Candidate
        One a fold.
    features, codes, seed
        As for `nested`.
    folds : sequence of (train, test)
        Which cover all rows.

    Returns
    -------
    Nested
    """
    scores = np.empty((len(codes), int(codes.max()) + 1))
    for one, (train, test) in zip(chosen, folds, strict=True):
        X = features[one.features]
        scores[test] = fit_and_score(one, X[train], codes[train], X[test], seed=seed)
    return Nested(scores, tuple(chosen), tuple(folds))


def best(merits: NDArray[np.float64]) -> int:
    """Choose the candidate with the highest mean merit; the first of exact equals.

    Parameters
    ----------
    merits : ndarray of shape (candidates, folds), float64
        How well each did in each inner fold.

    Returns
    -------
    int

    Examples
    --------
    >>> best(np.array([[0.8, 0.8], [0.9, 0.8]]))
    1
    """
    return int(np.argmax(merits.mean(axis=1)))


def first_of_equals(merits: NDArray[np.float64]) -> int:
    """Choose the first candidate that is within one standard error of the best.

    Differences below the noise of the inner folds choose nothing, so that the order in which
    the candidates were declared decides. The error is that of the difference in the same folds:
    how hard a fold is says nothing of either.

    Parameters
    ----------
    merits : ndarray of shape (candidates, folds), float64
        How well each did in each inner fold.

    Returns
    -------
    int

    References
    ----------
    L. Breiman, J. Friedman, R. Olshen, C. Stone, "Classification and Regression Trees", 1984,
    section 3.4.3.

    Examples
    --------
    >>> first_of_equals(np.array([[0.85, 0.86], [0.8, 1.0], [0.1, 0.1]]))
    0
    """
    behind = merits[best(merits)] - merits
    folds = merits.shape[1]
    errors = behind.std(axis=1, ddof=1) / np.sqrt(folds) if folds > 1 else np.zeros(len(merits))
    return int(np.flatnonzero(behind.mean(axis=1) <= errors)[0])


def _check_enough(codes: NDArray[np.intp]) -> None:
    """Refuse what no classifier can be fitted to."""
    classes = len(np.unique(codes))
    if classes < 2 or len(codes) <= classes:
        raise DatasetError(
            f"{len(codes)} training picture{'s' * (len(codes) != 1)} of {classes} "
            f"class{'es' * (classes != 1)} are too few to learn from; add pictures"
        )


def _merits(
    candidate: Candidate,
    features: Features,
    codes: NDArray[np.intp],
    folds: Sequence[Fold],
    seed: int,
) -> list[float]:
    """Return the merit in each fold."""
    X = features[candidate.features]
    return [
        _merit(codes[b], fit_and_score(candidate, X[a], codes[a], X[b], seed=seed))
        for a, b in folds
    ]


def _merit(codes: NDArray[np.intp], scores: NDArray[np.float64]) -> float:
    """Return the mean of balanced accuracy and, for two classes, AUC."""
    merit = balanced_accuracy(codes, scores.argmax(axis=1))
    if scores.shape[1] > 2 or len(np.unique(codes)) < 2:
        return merit
    # Many candidates are right alike on few pictures; the order of the scores tells them apart.
    return (merit + float(roc_auc_score(codes, margins(scores)))) / 2


def _weights(codes: NDArray[np.intp]) -> NDArray[np.float64]:
    if int(codes.max()) > 1:
        return np.ones(len(codes))
    return np.asarray(balanced_weights(codes == 1), dtype=np.float64)
