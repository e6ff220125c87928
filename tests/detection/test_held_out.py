"""Held-out scores: no group is ever on both sides."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from convtrace.detection import classifiers
from convtrace.detection.held_out import (
    class_scores,
    fit_model,
    folds_by_group,
    held_out_scores,
)
from convtrace.errors import DatasetError


class Spy(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Remembers which rows, told by their first feature, it was trained on and asked about."""

    log: list[tuple[set[float], set[float]]]

    def __init__(self, log: Any = None) -> None:
        self.log = log

    def fit(self, X: NDArray[Any], y: NDArray[Any], sample_weight: Any = None) -> Spy:
        self.classes_ = np.unique(y)
        self.n_features_in_ = X.shape[1]
        self.seen_ = set(X[:, 0].tolist())
        self.weights_ = sample_weight
        return self

    def decision_function(self, X: NDArray[Any]) -> NDArray[Any]:
        self.log.append((self.seen_, set(X[:, 0].tolist())))
        return X[:, 0]


def test_no_group_is_on_both_sides() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 25, 200)
    codes = groups % 2
    X = groups[:, None].astype(float)
    log: list[tuple[set[float], set[float]]] = []
    folds = folds_by_group(codes, groups.astype(str), n_splits=5, seed=1)
    scores = held_out_scores(partial(Spy, log), X, codes, np.ones(200), folds)
    assert len(log) == 5
    assert all(not seen & asked for seen, asked in log)
    assert set().union(*(asked for _, asked in log)) == set(groups.tolist())
    np.testing.assert_array_equal(scores[:, 1] - scores[:, 0], X[:, 0])


def test_few_groups_make_fewer_folds() -> None:
    codes = np.array([0, 0, 0, 1, 1, 1, 1])
    groups = np.array(["a", "b", "c", "d", "e", "f", "f"])
    assert len(folds_by_group(codes, groups, n_splits=5)) == 3


def test_a_class_in_one_group_cannot_be_held_out() -> None:
    with pytest.raises(DatasetError):
        folds_by_group(np.array([0, 0, 1, 1]), np.array(["a", "a", "b", "c"]))


@pytest.mark.parametrize("name", classifiers.names())
def test_scores_rank_as_the_classifier_does(name: str) -> None:
    rng = np.random.default_rng(0)
    for n_classes in (2, 3):
        y = np.arange(60) % n_classes
        X = rng.normal(size=(60, 3)) + 3.0 * np.eye(3)[y]
        model = fit_model(partial(classifiers.create, name), X, y, np.ones(60), n_jobs=2)
        scores = class_scores(model, X)
        assert scores.shape == (60, n_classes)
        assert np.isfinite(scores).all()
        assert (scores.argmax(axis=1) == model.predict(X)).mean() > 0.98


def test_weights_reach_classifiers_that_know_them() -> None:
    X, y, weights = np.zeros((4, 1)), np.array([0, 1, 0, 1]), np.arange(4.0)
    spy = fit_model(partial(Spy, []), X, y, weights)
    assert spy.weights_ is weights
    heavy = np.where(y == 1, 9.0, 1.0)
    forest = fit_model(partial(classifiers.create, "random-forest"), X, y, heavy)
    assert forest.predict_proba(X)[0, 1] > 0.8
    assert forest.steps[-1][1].n_jobs is None
