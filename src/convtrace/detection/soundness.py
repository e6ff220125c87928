"""Whether the numbers inside a loaded model can be computed with.

A type being harmless does not make its content so: scikit-learn follows the node indices of
a tree, and LIBSVM the counts of its support vectors, without looking whether they lead out
of memory. What they follow is checked here once, when a model is loaded.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from convtrace.errors import ModelError

__all__ = ["check_guard", "check_model"]


def check_model(model: Any, n_features: int, *, classes: int) -> None:
    """Refuse a model whose content does not fit together.

    Parameters
    ----------
    model : sklearn.base.BaseEstimator
        A loaded classifier or pipeline.
    n_features : int
        How many features it must take.
    classes : int
        How many classes, numbered from 0, it must tell apart.

    Raises
    ------
    ModelError
        Where it takes another number of features, or an index in it leads nowhere.
    """
    if not hasattr(model, "predict"):
        raise ModelError(f"a {type(model).__name__} is no classifier")
    steps = [step for _, step in model.steps] if isinstance(model, Pipeline) else [model]
    for step in steps:
        if getattr(step, "n_features_in_", None) != n_features:
            raise ModelError(f"a {type(step).__name__} in it does not take {n_features} features")
    last = steps[-1]
    _require(np.array_equal(last.classes_, np.arange(classes)), f"a {type(last).__name__}")
    if isinstance(last, (RandomForestClassifier, ExtraTreesClassifier)):
        for estimator in last.estimators_:
            _check_tree(estimator, n_features, classes)
    elif isinstance(last, HistGradientBoostingClassifier):
        for iteration in last._predictors:
            for predictor in iteration:
                _check_predictor(predictor, n_features)
    elif isinstance(last, SVC):
        _check_svc(last, n_features)
    elif isinstance(last, MLPClassifier):
        _check_perceptron(last, n_features)


def check_guard(model: Any, n_features: int) -> None:
    """Refuse the model of a guard whose content does not fit together.

    Parameters
    ----------
    model : sklearn.pipeline.Pipeline
        A loaded scaler with components.
    n_features : int
        How many features it must take.

    Raises
    ------
    ModelError
        Where its parts are others, or of other shapes.
    """
    what = "the guard"
    _require(isinstance(model, Pipeline) and len(model.steps) == 2, what)
    scaler, components = (step for _, step in model.steps)
    _require(isinstance(scaler, StandardScaler) and isinstance(components, PCA), what)
    _require(scaler.mean_.shape == scaler.scale_.shape == (n_features,), what)
    kept = len(components.components_)
    _require(components.components_.shape == (kept, n_features), what)
    _require(components.mean_.shape == (n_features,), what)
    _require(components.explained_variance_.shape == (kept,) and components.whiten, what)


def _require(sound: Any, what: str) -> None:
    if not sound:
        raise ModelError(f"{what} in it does not fit together")


def _check_tree(estimator: Any, n_features: int, n_classes: int) -> None:
    tree = estimator.tree_
    what = "a decision tree"
    _require(estimator.n_features_in_ == n_features and tree.n_features == n_features, what)
    # The arrays below are views of as many nodes as the tree claims to have.
    _require(0 < tree.node_count <= tree.capacity, what)
    _require(tree.value.shape == (tree.node_count, 1, n_classes), what)
    left, right = tree.children_left, tree.children_right
    inner = left != -1
    _require(np.array_equal(inner, right != -1), what)
    own = np.arange(tree.node_count)[inner]
    # A child always comes after its parent, so a walk down must end.
    for child in (left[inner], right[inner]):
        _require(np.all(child > own) and np.all(child < tree.node_count), what)
    feature = tree.feature[inner]
    _require(np.all(feature >= 0) and np.all(feature < n_features), what)


def _check_predictor(predictor: Any, n_features: int) -> None:
    nodes = predictor.nodes
    what = "a boosted tree"
    _require(nodes.ndim == 1 and len(nodes) > 0, what)
    inner = nodes["is_leaf"] == 0
    own = np.arange(len(nodes))[inner]
    for side in ("left", "right"):
        child = nodes[side][inner].astype(np.int64)
        _require(np.all(child > own) and np.all(child < len(nodes)), what)
    feature = nodes["feature_idx"][inner].astype(np.int64)
    _require(np.all(feature >= 0) and np.all(feature < n_features), what)
    _require(not np.any(nodes["is_categorical"]), what)


def _check_svc(svc: Any, n_features: int) -> None:
    what = "a support vector machine"
    counts = svc._n_support
    n_classes = len(svc.classes_)
    pairs = n_classes * (n_classes - 1) // 2
    _require(counts.shape == (n_classes,) and np.all(counts >= 0), what)
    total = int(counts.sum())
    _require(svc.support_vectors_.shape == (total, n_features), what)
    _require(svc.support_.shape == (total,), what)
    _require(svc._dual_coef_.shape == (n_classes - 1, total), what)
    _require(svc.dual_coef_.shape == (n_classes - 1, total), what)
    _require(svc._intercept_.shape == (pairs,), what)
    _require(svc.kernel == "rbf" and not svc._sparse, what)


def _check_perceptron(network: Any, n_features: int) -> None:
    what = "a multilayer perceptron"
    outputs = 1 if len(network.classes_) == 2 else len(network.classes_)
    widths = [n_features, *network.hidden_layer_sizes, outputs]
    _require(network.n_layers_ == len(widths), what)
    shapes = list(pairwise(widths))
    _require([weights.shape for weights in network.coefs_] == shapes, what)
    _require([each.shape for each in network.intercepts_] == [(n,) for n in widths[1:]], what)
