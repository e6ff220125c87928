"""The classifiers, by name.

Each entry is a factory ``(seed) -> scikit-learn estimator`` that is ready for raw features:
what needs scaling brings its scaling. The settings keep the models small enough to be
shipped, so forests have a limit on their leaves. None of them calibrates itself; the
detector does, from grouped held-out scores (`convtrace.detection.calibration`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
    network = MLPClassifier((256, 128), alpha=1.0, batch_size=512, max_iter=8, random_state=seed)
    return _ranked(network, seed)


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


def _ranked(classifier: Any, seed: int) -> Pipeline:
    ranks = QuantileTransformer(
        n_quantiles=500, output_distribution="normal", subsample=20_000, random_state=seed
    )
    return Pipeline([("scale", ranks), ("classifier", classifier)])
