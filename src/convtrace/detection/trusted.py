"""What a stored model may hold, by name; anything else is refused unread.

skops asks before it builds a type that it does not know, but trusts all of scikit-learn's
estimators and NumPy's and SciPy's functions by itself. Here the whole schema of a file is checked
first, against the types of the classifiers of `convtrace.detection.classifiers` and nothing more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sklearn._loss._loss import CyHalfBinomialLoss, CyHalfMultinomialLoss

__all__ = ["LOADERS", "TYPES", "foreign_content"]

LOADERS = frozenset(
    {
        "CachedNode",
        "DictNode",
        "DTypeNode",
        "JsonNode",
        "ListNode",
        "LossNode",
        "NdArrayNode",
        "ObjectNode",
        "TreeNode",
        "TupleNode",
        "TypeNode",
    }
)
"""The ways in which skops may rebuild a part; none of them calls a function of the file's."""

_LOSSES = (CyHalfBinomialLoss, CyHalfMultinomialLoss)

TYPES = frozenset(
    {
        "builtins.dict",
        "builtins.list",
        "builtins.str",
        "builtins.tuple",
        "numpy.bool",
        "numpy.bool_",
        "numpy.dtype",
        "numpy.float32",
        "numpy.float64",
        "numpy.int32",
        "numpy.int64",
        "numpy.intp",
        "numpy.ndarray",
        "numpy.uint8",
        "numpy.uint32",
        "numpy.uint64",
        "sklearn._loss._loss.CyHalfBinomialLoss",
        "sklearn._loss._loss.CyHalfMultinomialLoss",
        # As they call themselves: before scikit-learn 1.9 of a module `_loss`, which is theirs once
        # they are imported.
        *(f"{each.__module__}.{each.__name__}" for each in _LOSSES),
        "sklearn._loss.link.Interval",
        "sklearn._loss.link.LogitLink",
        "sklearn._loss.link.MultinomialLogit",
        "sklearn._loss.loss.HalfBinomialLoss",
        "sklearn._loss.loss.HalfMultinomialLoss",
        "sklearn.decomposition._pca.PCA",
        "sklearn.discriminant_analysis.LinearDiscriminantAnalysis",
        "sklearn.ensemble._forest.ExtraTreesClassifier",
        "sklearn.ensemble._forest.RandomForestClassifier",
        "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.neighbors._classification.KNeighborsClassifier",
        "sklearn.neural_network._multilayer_perceptron.MLPClassifier",
        "sklearn.pipeline.Pipeline",
        "sklearn.preprocessing._data.QuantileTransformer",
        "sklearn.preprocessing._data.StandardScaler",
        "sklearn.preprocessing._label.LabelBinarizer",
        "sklearn.preprocessing._label.LabelEncoder",
        "sklearn.svm._classes.LinearSVC",
        "sklearn.svm._classes.SVC",
        "sklearn.tree._classes.DecisionTreeClassifier",
        "sklearn.tree._classes.ExtraTreeClassifier",
        "sklearn.tree._tree.Tree",
    }
)
"""The types that a stored model may hold, a few more than skops trusts by itself; the indices of
trees are checked after loading, see `convtrace.detection.soundness`. A new classifier adds its own
here, or its users name them when they load."""


def foreign_content(schema: Any, *, trusted: Iterable[str] = ()) -> list[str]:
    """List what is in the schema of a skops file and should not be.

    Parameters
    ----------
    schema : object
        The parsed ``schema.json``.
    trusted : iterable of str
        Full names of types that may be there besides `TYPES`.

    Returns
    -------
    list of str
        Full names of types, and ways to rebuild them, sorted.

    Examples
    --------
    >>> foreign_content({"__module__": "os", "__class__": "system", "__loader__": "TypeNode"})
    ['os.system']
    """
    allowed = TYPES | set(trusted)
    found = set()
    for node in _nodes(schema):
        name = f"{node.get('__module__')}.{node.get('__class__')}"
        loader = node.get("__loader__")
        if loader != "CachedNode" and name not in allowed:
            found.add(name)
        if loader not in LOADERS:
            found.add(f"{name} (by {loader})")
    return sorted(found)


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if "__loader__" in item or "__class__" in item:
                yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
