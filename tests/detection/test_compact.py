"""Small models that predict the same."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neural_network import MLPClassifier

from convtrace.detection import classifiers
from convtrace.detection.compact import _floor_to_single, compact
from convtrace.detection.held_out import class_scores


@pytest.mark.parametrize("name", classifiers.names())
@pytest.mark.parametrize("n_classes", [2, 3])
def test_scores_stay_the_same(name: str, n_classes: int) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(150) % n_classes
    X = rng.normal(size=(150, 5)) + y[:, None] * [1, 0, 0, 1, 0]
    model = classifiers.create(name).fit(X, y)
    probes = rng.normal(size=(400, 5))
    before = class_scores(model, probes)
    assert compact(model) is model
    # Neighbours are weighed by the inverse of their distance, hence the wider tolerance.
    np.testing.assert_allclose(class_scores(model, probes), before, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("centred-lda", LinearDiscriminantAnalysis), ("centred-perceptron", MLPClassifier)],
)
def test_what_is_trained_in_another_way_is_stored_as_the_librarys_own(
    name: str, kind: type
) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(150, 5)), np.arange(150) % 2
    last = compact(classifiers.create(name).fit(X, y)).steps[-1][1]
    assert type(last) is kind
    assert getattr(last, "covariance_", None) is None


@pytest.mark.parametrize("name", ["random-forest", "extra-trees"])
def test_a_forest_sends_every_row_to_the_same_leaf(name: str) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 4)).round(2)
    forest = classifiers.create(name).fit(X, rng.integers(0, 2, 300)).steps[-1][1]
    before = forest.apply(X)
    compact(forest)
    np.testing.assert_array_equal(forest.apply(X), before)


def test_thresholds_are_rounded_down() -> None:
    values = np.random.default_rng(0).normal(size=1000) * 10.0 ** np.arange(-5, 5).repeat(100)
    rounded = _floor_to_single(values)
    assert np.all(rounded <= values)
    np.testing.assert_array_equal(rounded.astype(np.float32), rounded)
    np.testing.assert_allclose(rounded, values, rtol=2e-7)
