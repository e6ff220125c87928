"""The classifiers, by name.

Each entry is a factory ``(seed) -> scikit-learn estimator`` that is ready for raw features:
what needs scaling brings its scaling. The settings keep the models small enough to be
shipped, so forests have a limit on their leaves. None of them calibrates itself; the
detector does, from grouped held-out scores (`convtrace.detection.calibration`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from sklearn.svm import SVC, LinearSVC

from convtrace.descriptors.registry import Registry

__all__ = ["CLASSIFIERS", "create", "names", "register"]

Factory = Callable[[int], Any]

_BRIEF: dict[str, Any] = {
    "hidden_layer_sizes": (256, 128),
    "alpha": 1.0,
    "batch_size": 512,
    "max_iter": 8,
}

CLASSIFIERS: Registry[Factory] = Registry("classifier", "convtrace.classifiers")


def register(name: str, *, aliases: tuple[str, ...] = ()) -> Callable[[Factory], Factory]:
    """Register the decorated factory as a classifier.

    Parameters
    ----------
    name : str
        The name by which `create` finds it.
    aliases : tuple of str
        Other names for it.

    Returns
    -------
    callable
        The decorator; it returns what it was given.
    """

    def decorate(factory: Factory) -> Factory:
        CLASSIFIERS.add(name, factory, aliases=aliases)
        return factory

    return decorate


def names() -> list[str]:
    """Return the names of all classifiers.

    Returns
    -------
    list of str
    """
    return CLASSIFIERS.names()


def create(name: str, *, seed: int = 0) -> Any:
    """Make an unfitted classifier.

    Parameters
    ----------
    name : str
        One of `names`, or an alias.
    seed : int
        Of whatever is random in it.

    Returns
    -------
    sklearn.base.BaseEstimator

    Raises
    ------
    UnknownNameError
        Where no classifier has the name.

    Examples
    --------
    >>> create("rf").steps[-1][0]
    'classifier'
    """
    return CLASSIFIERS.get(name)(seed)


def _scaled(classifier: Any) -> Pipeline:
    return Pipeline([("scale", StandardScaler()), ("classifier", classifier)])


@register("random-forest", aliases=("rf", "forest"))
def random_forest(seed: int) -> Pipeline:
    """Random forest; trees need no scaling.

    Parameters
    ----------
    seed : int
        Of the trees.

    Returns
    -------
    sklearn.pipeline.Pipeline
    """
    forest = RandomForestClassifier(
        300, max_leaf_nodes=512, min_samples_leaf=2, max_features="sqrt", random_state=seed
    )
    return Pipeline([("classifier", forest)])


@register("extra-trees", aliases=("et", "extremely-randomized-trees"))
def extra_trees(seed: int) -> Pipeline:
    """Extremely randomized trees.

    Parameters
    ----------
    seed : int
        Of the trees.

    Returns
    -------
    sklearn.pipeline.Pipeline
    """
    forest = ExtraTreesClassifier(
        300, max_leaf_nodes=512, min_samples_leaf=2, max_features=0.3, random_state=seed
    )
    return Pipeline([("classifier", forest)])


@register("hist-gradient-boosting", aliases=("hgb", "gradient-boosting", "boosting"))
def hist_gradient_boosting(seed: int) -> Pipeline:
    """Gradient boosting over histograms.

    Parameters
    ----------
    seed : int
        Of the binning.

    Returns
    -------
    sklearn.pipeline.Pipeline
    """
    boosting = HistGradientBoostingClassifier(
        learning_rate=0.06,
        max_iter=500,
        max_leaf_nodes=31,
        max_features=0.3,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=seed,
    )
    return Pipeline([("classifier", boosting)])


@register("svm", aliases=("rbf-svm", "svm-rbf", "svc"))
def svm(seed: int) -> Pipeline:  # noqa: ARG001
    """Support vector machine with a Gaussian (RBF) kernel.

    Parameters
    ----------
    seed : int
        Not used: the fit has nothing random.

    Returns
    -------
    sklearn.pipeline.Pipeline
    """
    return _scaled(SVC(C=10.0, kernel="rbf", gamma="scale", cache_size=500))


@register("linear-svm", aliases=("svm-linear", "linear-svc"))
def linear_svm(seed: int) -> Pipeline:
    """Linear support vector machine.

    Parameters
    ----------
    seed : int
        Of the coordinate order.

    Returns
    -------
    sklearn.pipeline.Pipeline
    """
    return _scaled(LinearSVC(C=0.1, dual=False, max_iter=5000, random_state=seed))


@register("lda", aliases=("linear-discriminant-analysis", "shrinkage-lda"))
def lda(seed: int) -> Pipeline:  # noqa: ARG001
    """Linear discriminant analysis with Ledoit-Wolf shrinkage.

    Parameters
    ----------
    seed : int
        Not used: the fit has nothing random.

    Returns
    -------
    sklearn.pipeline.Pipeline
    """
    return _scaled(LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))


@register("knn", aliases=("k-nn", "k-nearest-neighbours", "k-nearest-neighbors"))
def knn(seed: int) -> Pipeline:  # noqa: ARG001
    """K nearest neighbours of standardised features, K = 5, weighted by distance.

    Parameters
    ----------
    seed : int
        Not used: the fit has nothing random.

    Returns
    -------
    sklearn.pipeline.Pipeline
    """
    # Brute force: trees of points gain nothing in tens of dimensions, and cannot be stored.
    return _scaled(KNeighborsClassifier(5, weights="distance", algorithm="brute"))


@register("multilayer-perceptron", aliases=("mlp", "perceptron", "neural-network"))
def multilayer_perceptron(seed: int) -> Pipeline:
    """Two hidden layers over features made normal by their ranks.

    Ranks tame the heavy tails of kernels: a coefficient far outside what was trained on
    counts as the largest seen, no more.

    Parameters
    ----------
    seed : int
        Of the weights, the batches and the sample that the ranks are of.

    Returns
    -------
    sklearn.pipeline.Pipeline
    """
    network = MLPClassifier((256, 128), alpha=1e-2, max_iter=40, random_state=seed)
    return _ranked(network, seed)


@register("brief-perceptron", aliases=("brief-mlp",))
def brief_perceptron(seed: int) -> Pipeline:
    """Like the multilayer perceptron, with a tenth of its steps and strong weight decay.

    For tens of thousands of rows. It fits its training rows less closely, and carries over better
    to cameras and generators that are not among them (``docs/detector.md``).

    Parameters
    ----------
    seed : int
        As for `multilayer_perceptron`.

    Returns
    -------
    sklearn.pipeline.Pipeline
    """
    return _ranked(MLPClassifier(**_BRIEF, random_state=seed), seed)


def centred(
    X: NDArray[np.float64], y: NDArray[Any], blocks: NDArray[Any] | None
) -> NDArray[np.float64]:
    """Move blocks of rows to where they have in common what does not tell the classes apart.

    Blocks differ in cameras, subjects and compression, and hold the classes in different shares,
    so that part of what tells their classes apart tells the blocks apart, and fails on a new one.

    Parameters
    ----------
    X : numpy.ndarray of shape (n, d)
        Features.
    y : numpy.ndarray of shape (n,)
        Classes.
    blocks : numpy.ndarray of shape (n,), or None
        Names of blocks; None moves nothing.

    Returns
    -------
    numpy.ndarray of shape (n, d)
        Each block moved so that the middle of its two class means is zero, or its only one (a fixed
        effect of the block).

    Examples
    --------
    >>> X = np.array([[1.0], [3.0], [11.0], [13.0]])
    >>> centred(X, np.array([0, 1, 0, 1]), np.array(["a", "a", "b", "b"])).ravel().tolist()
    [-1.0, 1.0, -1.0, 1.0]
    """
    if blocks is None:
        return X
    moved = np.array(X, dtype=np.float64)
    for block in np.unique(blocks):
        rows = blocks == block
        means = [X[rows & (y == each)].mean(axis=0) for each in np.unique(y[rows])]
        moved[rows] -= np.mean(means, axis=0)
    return moved


class CentredDiscriminants(LinearDiscriminantAnalysis):  # type: ignore[misc]
    """Linear discriminants of what tells the classes apart within blocks of rows; see `centred`."""

    def fit(
        self, X: NDArray[np.float64], y: NDArray[Any], blocks: NDArray[Any] | None = None
    ) -> CentredDiscriminants:
        """Fit the discriminants.

        Parameters
        ----------
        X : numpy.ndarray of shape (n, d)
            Features.
        y : numpy.ndarray of shape (n,)
            Classes.
        blocks : numpy.ndarray of shape (n,), optional
            Names of blocks; all rows are one without them.

        Returns
        -------
        CentredDiscriminants
            Itself.
        """
        super().fit(centred(X, y, blocks), y)
        return self


class CentredPerceptron(MLPClassifier):  # type: ignore[misc]
    """A perceptron of what tells the classes apart within blocks of rows; see `centred`."""

    def fit(
        self,
        X: NDArray[np.float64],
        y: NDArray[Any],
        sample_weight: NDArray[np.float64] | None = None,
        blocks: NDArray[Any] | None = None,
    ) -> CentredPerceptron:
        """Fit the perceptron.

        Parameters
        ----------
        X : numpy.ndarray of shape (n, d)
            Features.
        y : numpy.ndarray of shape (n,)
            Classes.
        sample_weight : numpy.ndarray of shape (n,), optional
            How much each row counts.
        blocks : numpy.ndarray of shape (n,), optional
            Names of blocks; all rows are one without them.

        Returns
        -------
        CentredPerceptron
            Itself.
        """
        super().fit(centred(X, y, blocks), y, sample_weight=sample_weight)
        return self


@register("centred-perceptron")
def centred_perceptron(seed: int) -> Pipeline:
    """Like ``brief-perceptron``, learnt within domains and compressions alone.

    Parameters
    ----------
    seed : int
        As for `multilayer_perceptron`.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Without blocks (`Detector.fit(domains=)` makes them) it is ``brief-perceptron``.
    """
    return _ranked(CentredPerceptron(**_BRIEF, random_state=seed), seed)


@register("ranked-lda", aliases=("ranked-linear-discriminant-analysis",))
def ranked_lda(seed: int) -> Pipeline:
    """Shrinkage linear discriminants of features made normal by their ranks.

    Parameters
    ----------
    seed : int
        Of the sample that the ranks are of.

    Returns
    -------
    sklearn.pipeline.Pipeline
    """
    return _ranked(LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.01), seed)


@register("centred-lda", aliases=("within-domain-lda",))
def centred_lda(seed: int) -> Pipeline:
    """Shrinkage linear discriminants of ranks, learnt within domains and compressions alone.

    Parameters
    ----------
    seed : int
        Of the sample that the ranks are of.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Without blocks (`Detector.fit(domains=)` makes them) it is ``ranked-lda``.
    """
    return _ranked(CentredDiscriminants(solver="lsqr", shrinkage=0.01), seed)


@register("shrunken-centred-lda")
def shrunken_centred_lda(seed: int) -> Pipeline:
    """Like ``centred-lda``, with most of the covariance shrunk away.

    For numbers that tell subjects apart before anything else, as those of pretrained networks: what
    is left weighs each nearly by itself, and carries over better to domains that are not known
    (``docs/detector.md``).

    Parameters
    ----------
    seed : int
        Of the sample that the ranks are of.

    Returns
    -------
    sklearn.pipeline.Pipeline
    """
    return _ranked(CentredDiscriminants(solver="lsqr", shrinkage=0.3), seed)


def _ranked(classifier: Any, seed: int) -> Pipeline:
    ranks = QuantileTransformer(
        n_quantiles=500, output_distribution="normal", subsample=20_000, random_state=seed
    )
    return Pipeline([("scale", ranks), ("classifier", classifier)])
