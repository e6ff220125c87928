"""The registry of classifiers."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from convtrace.descriptors import UnknownNameError
from convtrace.detection import classifiers
from convtrace.detection.held_out import fit_model

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


def test_centred_discriminants_learn_nothing_from_what_tells_blocks_apart() -> None:
    """In one block nearly all rows are of one class, and blocks differ in the second number."""
    rng = np.random.default_rng(0)
    blocks = np.repeat(["a", "b"], 400)
    y = (rng.random(800) < np.where(blocks == "a", 0.1, 0.9)).astype(int)
    X = rng.normal(size=(800, 2))
    X[:, 0] += y
    X[:, 1] += 5.0 * (blocks == "b")
    plain, centred = (
        fit_model(partial(classifiers.create, name, seed=0), X, y, np.ones(800), blocks=blocks)
        for name in ("ranked-lda", "centred-lda")
    )
    slopes = [model.steps[-1][1].coef_[0] for model in (plain, centred)]
    assert slopes[0][1] > slopes[0][0]
    assert abs(slopes[1][1]) < 0.2 * slopes[1][0]
    # Without blocks it is the same classifier.
    alone = fit_model(partial(classifiers.create, "centred-lda", seed=0), X, y, np.ones(800))
    np.testing.assert_array_equal(alone.decision_function(X), plain.decision_function(X))


def test_a_centred_perceptron_learns_within_blocks() -> None:
    rng = np.random.default_rng(2)
    blocks = np.repeat(["a", "b"], 800)
    y = (rng.random(1600) < np.where(blocks == "a", 0.1, 0.9)).astype(int)
    X = rng.normal(size=(1600, 2)) + np.stack([2.0 * y, 5.0 * (blocks == "b")], axis=1)
    plain, centred = (
        fit_model(partial(classifiers.create, name, seed=0), X, y, np.ones(1600), blocks=blocks)
        for name in ("brief-perceptron", "centred-perceptron")
    )
    # Two rows in the middle of the classes, one in each block.
    between = np.array([[1.0, 0.0], [1.0, 5.0]])
    jumps = [np.ptp(model.predict_proba(between)[:, 1]) for model in (plain, centred)]
    assert jumps[1] < 0.5 * jumps[0]
    alone = fit_model(
        partial(classifiers.create, "centred-perceptron", seed=0), X, y, np.ones(1600)
    )
    np.testing.assert_array_equal(alone.predict_proba(X), plain.predict_proba(X))


def test_a_block_of_one_class_is_centred_too() -> None:
    rng = np.random.default_rng(1)
    blocks, y = np.repeat(["a", "b"], 200), np.repeat([0, 1, 0], [100, 100, 200])
    X = rng.normal(size=(400, 2)) + np.where(y[:, None] == 1, [2.0, 0.0], 0.0)
    X[blocks == "b"] += [0.0, 50.0]
    model = classifiers.CentredDiscriminants(solver="lsqr").fit(X, y, blocks=blocks)
    assert abs(model.coef_[0, 1]) < 0.2 * model.coef_[0, 0]
    # The rows given stay as they were.
    assert X[blocks == "b", 1].mean() > 40
