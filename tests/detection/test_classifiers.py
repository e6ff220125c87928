"""The registry of classifiers."""

from __future__ import annotations

import numpy as np
import pytest

from convtrace.descriptors import UnknownNameError
from convtrace.detection import classifiers

from_the_issue = {
    "random-forest",
    "svm",
    "linear-svm",
    "lda",
    "knn",
    "hist-gradient-boosting",
    "extra-trees",
    "multilayer-perceptron",
}


def test_all_classifiers_are_there() -> None:
    assert from_the_issue <= set(classifiers.names())


@pytest.mark.parametrize("name", sorted(from_the_issue))
@pytest.mark.parametrize("n_classes", [2, 3])
def test_each_learns_raw_features_of_any_scale(name: str, n_classes: int) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(90) % n_classes
    X = rng.normal(size=(90, 4)) * [1, 1e3, 1, 1] + 6.0 * y[:, None] * [1, 0, 0, 0]
    model = classifiers.create(name, seed=1).fit(X, y)
    assert (model.predict(X) == y).mean() > 0.9


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("RF", "random-forest"),
        ("k-nn", "knn"),
        ("rbf_svm", "svm"),
        ("hgb", "hist-gradient-boosting"),
    ],
)
def test_aliases(alias: str, name: str) -> None:
    assert classifiers.CLASSIFIERS.resolve(alias) == name


def test_an_unknown_classifier_gets_a_guess() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'random-forest'"):
        classifiers.create("random-forrest")
