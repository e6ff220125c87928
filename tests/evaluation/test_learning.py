"""Nested choice: inside the training folds alone, by either rule."""

from __future__ import annotations

import numpy as np
import pytest

from convtrace.evaluation.learning import (
    Candidate,
    balanced_accuracy,
    best,
    first_of_equals,
    nested,
    nested_by_rules,
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


def test_rules_are_applied_to_the_same_comparison():
    features, codes, groups = _data(signal=0.3)
    first, top = nested_by_rules(
        (first_of_equals, best), CANDIDATES, features, codes, groups, seed=3
    )
    alone = nested(CANDIDATES, features, codes, groups, seed=3)
    np.testing.assert_array_equal(top.scores, alone.scores)
    assert top.chosen == alone.chosen
    order = [CANDIDATES.index(one) for one in first.chosen]
    assert all(a <= CANDIDATES.index(b) for a, b in zip(order, top.chosen, strict=True))


@pytest.mark.parametrize(
    ("merits", "first", "top"),
    [
        ([[0.70, 0.80, 0.90], [0.72, 0.82, 0.92]], 0, 1),
        ([[0.50, 0.50, 0.50], [0.90, 0.90, 0.91]], 1, 1),
        ([[0.7], [0.8]], 1, 1),
    ],
)
def test_differences_within_one_standard_error_choose_nothing(merits, first, top):
    assert first_of_equals(np.array(merits)) == first
    assert best(np.array(merits)) == top
