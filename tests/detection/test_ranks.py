"""Ranks as scikit-learn takes them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from convtrace.detection.ranks import ranked_first


@pytest.mark.parametrize("seed", range(4))
def test_the_numbers_are_those_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(600, 7))
    X[:, 1] = np.round(X[:, 1])  # ties
    X[:, 2] = 3.0  # one value
    X[:, 3] = np.where(rng.random(600) < 0.7, 0.0, X[:, 3])  # many zeros
    model = make_pipeline(
        QuantileTransformer(n_quantiles=50, output_distribution="normal", random_state=0),
        LogisticRegression(),
    ).fit(X, rng.integers(2, size=600))
    new = np.concatenate([X[:200], 3 * rng.normal(size=(200, 7)), model[0].quantiles_[:20]])
    left, found = ranked_first(model, new)
    np.testing.assert_allclose(found, model[0].transform(new), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(left.decision_function(found), model.decision_function(new))


def test_other_models_are_left_alone() -> None:
    X = np.random.default_rng(0).normal(size=(20, 2))
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, np.arange(20) % 2)
    left, same = ranked_first(model, X)
    assert left is model
    assert same is X
