"""Nested choice: inside the training folds alone."""

from __future__ import annotations

import numpy as np
import pytest

from convtrace.errors import DatasetError
from convtrace.evaluation.learning import (
    Candidate,
    balanced_accuracy,
    best,
    compare,
    first_of_equals,
    fit_and_score,
    nested,
    score_chosen,
)

CANDIDATES = [
    Candidate(name, classifier) for name in ("noise", "signal") for classifier in ("lda", "knn")
]


def _data(signal: float):
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1], 60)
    features = {
        "noise": rng.normal(size=(120, 5)),
        "signal": rng.normal(size=(120, 5)) + signal * codes[:, None],
    }
    return features, codes, np.arange(120) // 2


def test_what_tells_is_chosen_in_every_fold():
    features, codes, groups = _data(signal=2.0)
    found = nested(CANDIDATES, features, codes, groups)
    assert {one.features for one in found.chosen} == {"signal"}
    assert balanced_accuracy(codes, found.predicted) > 0.9


def test_choosing_from_noise_gives_chance():
    _, codes, groups = _data(signal=0.0)
    many = {str(i): np.random.default_rng(i).normal(size=(120, 5)) for i in range(20)}
    found = nested([Candidate(name, "lda") for name in many], many, codes, groups)
    # Chosen by the outer folds, the best of twenty would be far above.
    assert balanced_accuracy(codes, found.predicted) < 0.6


def test_comparing_and_scoring_apart_is_the_same_as_at_once():
    features, codes, groups = _data(signal=0.3)
    found = compare(CANDIDATES, features, codes, groups, seed=3)
    assert [merits.shape for merits in found.merits] == [(4, 3)] * 5
    chosen = [CANDIDATES[best(merits)] for merits in found.merits]
    apart = score_chosen(chosen, features, codes, found.folds, seed=3)
    at_once = nested(CANDIDATES, features, codes, groups, seed=3)
    np.testing.assert_array_equal(apart.scores, at_once.scores)
    assert apart.chosen == at_once.chosen


def test_test_rows_have_no_say_in_the_comparison():
    features, codes, groups = _data(signal=0.3)
    found = compare(CANDIDATES, features, codes, groups, seed=3)
    _, test = found.folds[0]
    spoiled = {name: X.copy() for name, X in features.items()}
    for X in spoiled.values():
        X[test] = 1e3
    again = compare(CANDIDATES, spoiled, codes, groups, seed=3)
    np.testing.assert_array_equal(found.merits[0], again.merits[0])
    assert any((a != b).any() for a, b in zip(found.merits[1:], again.merits[1:], strict=True))


def test_a_single_candidate_is_not_compared():
    features, codes, groups = _data(signal=2.0)
    found = compare(CANDIDATES[:1], features, codes, groups)
    assert all((merits == 0).all() for merits in found.merits)


@pytest.mark.parametrize(
    ("merits", "first"),
    [
        ([[0.70, 0.90, 0.80], [0.72, 0.88, 0.83]], 0),
        # Always a little better, however hard the fold.
        ([[0.70, 0.80, 0.90], [0.72, 0.82, 0.921]], 1),
        ([[0.7], [0.8]], 1),
    ],
)
def test_differences_within_one_standard_error_choose_nothing(merits, first):
    assert first_of_equals(np.array(merits)) == first


@pytest.mark.parametrize(
    ("merits", "top"),
    [
        ([[0.70, 0.80, 0.90], [0.72, 0.82, 0.92]], 1),
        ([[0.90, 0.90, 0.90], [0.85, 0.90, 0.95]], 0),
        ([[0.7], [0.8]], 1),
    ],
)
def test_the_highest_mean_is_best_and_the_first_of_equals(merits, top):
    assert best(np.array(merits)) == top


def test_neighbours_are_no_more_than_rows():
    many = Candidate("x", "knn", {"n_neighbors": 13})
    assert many.make(0, 7).get_params()["classifier__n_neighbors"] == 7
    assert many.make(0, 70).get_params()["classifier__n_neighbors"] == 13
    features, codes, groups = _data(signal=2.0)
    rows = np.r_[0:4, 60:64]
    few = {"signal": features["signal"][rows]}
    found = nested(
        [Candidate("signal", "knn", {"n_neighbors": 13})], few, codes[rows], groups[rows]
    )
    assert np.isfinite(found.scores).all()


@pytest.mark.parametrize("codes", [[0, 1], [1, 1, 1]])
def test_too_few_rows_are_named(codes):
    rows = np.zeros((len(codes), 2))
    with pytest.raises(DatasetError, match=f"{len(codes)} training pictures of . class.* too few"):
        fit_and_score(Candidate("x", "lda"), rows, np.array(codes), rows)
