"""Indices that lead nowhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convtrace.detection import classifiers
from convtrace.detection.soundness import check_model
from convtrace.errors import ModelError


def fitted(name: str) -> Any:
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    return classifiers.create(name).fit(rng.normal(size=(120, 4)) + y[:, None], y)


@pytest.mark.parametrize("name", classifiers.names())
def test_fitted_models_are_sound(name: str) -> None:
    check_model(fitted(name), 4, classes=2)
    with pytest.raises(ModelError, match="does not take 5 features"):
        check_model(fitted(name), 5, classes=2)
    with pytest.raises(ModelError, match="does not fit together"):
        check_model(fitted(name), 4, classes=3)


@pytest.mark.parametrize(
    ("field", "value"),
    [("children_left", 10**6), ("children_right", 0), ("feature", 4), ("feature", -7)],
)
def test_a_tree_that_leads_out_of_memory_or_in_circles(field: str, value: int) -> None:
    model = fitted("random-forest")
    getattr(model.steps[-1][1].estimators_[3].tree_, field)[0] = value
    with pytest.raises(ModelError, match="a decision tree"):
        check_model(model, 4, classes=2)


@pytest.mark.parametrize(("field", "value"), [("left", 10**6), ("right", 0), ("feature_idx", 4)])
def test_a_boosted_tree_that_leads_out_of_memory(field: str, value: int) -> None:
    model = fitted("hist-gradient-boosting")
    model.steps[-1][1]._predictors[2][0].nodes[field][0] = value
    with pytest.raises(ModelError, match="a boosted tree"):
        check_model(model, 4, classes=2)


def test_support_vectors_that_are_not_there() -> None:
    model = fitted("svm")
    model.steps[-1][1]._n_support = model.steps[-1][1]._n_support + 1000
    with pytest.raises(ModelError, match="a support vector machine"):
        check_model(model, 4, classes=2)


def test_a_perceptron_whose_layers_do_not_meet() -> None:
    model = fitted("multilayer-perceptron")
    network = model.steps[-1][1]
    network.coefs_[1] = network.coefs_[1][:-1]
    with pytest.raises(ModelError, match="a multilayer perceptron"):
        check_model(model, 4, classes=2)


def test_what_is_no_classifier() -> None:
    with pytest.raises(ModelError, match="dict is no classifier"):
        check_model({}, 4, classes=2)
