"""Models of arrays and plain values, read from a file of skops without importing skops.

skops lists all of scikit-learn's estimators when it is imported, a fifth of the time in which
`convtrace scan` answers for one picture. A detector of discriminants and perceptrons needs nothing
of that: its file is JSON that names a few classes, and arrays. Any other file is left to skops.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import LabelBinarizer, QuantileTransformer, StandardScaler

__all__ = ["CLASSES", "PROTOCOL", "plain_models"]

PROTOCOL = 2
"""The version of skops's format that is read here."""

CLASSES: Mapping[str, type] = MappingProxyType(
    {
        f"{each.__module__}.{each.__qualname__}": each
        for each in (
            LabelBinarizer,
            LinearDiscriminantAnalysis,
            MLPClassifier,
            PCA,
            Pipeline,
            QuantileTransformer,
            StandardScaler,
        )
    }
)
"""The classes whose objects are made, by full name."""

_KEYS: Mapping[str, type] = MappingProxyType({"builtins.str": str})
_NUMBERS: Mapping[str, type] = MappingProxyType(
    {
        f"numpy.{each.__name__}": each
        for each in (np.bool_, np.float32, np.float64, np.int32, np.int64)
    }
)


Node = Mapping[str, Any]


class _NotPlainError(Exception):
    """There is something in the file that only skops can read."""


def plain_models(archive: zipfile.ZipFile, schema: Node) -> Any | None:
    """Rebuild what a skops file holds, if it is plain.

    Parameters
    ----------
    archive : zipfile.ZipFile
        The file.
    schema : mapping
        Its parsed ``schema.json``.

    Returns
    -------
    object or None
        What `skops.io.load` would return; None where only skops can tell, which is also where the
        format is of another version than `PROTOCOL`.

    Examples
    --------
    >>> import io, json, zipfile
    >>> from skops.io import dumps
    >>> archive = zipfile.ZipFile(io.BytesIO(dumps({"scale": StandardScaler(), "n": 3})))
    >>> plain_models(archive, json.loads(archive.read("schema.json")))
    {'scale': StandardScaler(), 'n': 3}
    """
    if schema.get("protocol") != PROTOCOL:
        return None
    try:
        return _Reader(archive).made(schema)
    except _NotPlainError:
        return None


class _Reader:
    """Makes what the nodes of a schema stand for, each object once."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._found: dict[int, Any] = {}
        self._loaders: dict[str, Callable[[Node], Any]] = {
            "DictNode": self._mapping,
            "JsonNode": self._value,
            "ListNode": self._list,
            "NdArrayNode": self._array,
            "ObjectNode": self._object,
            "TupleNode": self._tuple,
        }

    def made(self, node: Node) -> Any:
        """Return the object of a node."""
        number = node.get("__id__")
        if number is not None and number in self._found:
            return self._found[number]
        make = self._loaders.get(node["__loader__"])
        if make is None:
            raise _NotPlainError
        found = make(node)
        if number is not None:
            self._found[number] = found
        return found

    def _mapping(self, node: Node) -> dict[Any, Any]:
        _known(node, {"builtins.dict": dict})
        kinds = [_known(kind, _KEYS) for kind in node["key_types"]["content"]]
        # JSON has the keys as text, and their types lie beside them.
        return {
            kind(key): self.made(value)
            for kind, (key, value) in zip(kinds, node["content"].items(), strict=True)
        }

    def _list(self, node: Node) -> list[Any]:
        _known(node, {"builtins.list": list})
        return [self.made(each) for each in node["content"]]

    def _tuple(self, node: Node) -> tuple[Any, ...]:
        _known(node, {"builtins.tuple": tuple})
        return tuple(self.made(each) for each in node["content"])

    def _value(self, node: Node) -> Any:
        return json.loads(node["content"])

    def _array(self, node: Node) -> Any:
        if node["type"] != "numpy":
            raise _NotPlainError
        stored = np.load(io.BytesIO(self._archive.read(node["file"])), allow_pickle=False)
        if _full_name(node) == "numpy.ndarray":
            return stored
        return _known(node, _NUMBERS)(stored)

    def _object(self, node: Node) -> Any:
        kind = _known(node, CLASSES)
        if "content" not in node:
            raise _NotPlainError
        instance: Any = object.__new__(kind)
        # scikit-learn's own, which warns where another version of it had made the object.
        instance.__setstate__(self.made(node["content"]))
        return instance


def _full_name(node: Node) -> str:
    return f"{node['__module__']}.{node['__class__']}"


def _known(node: Node, kinds: Mapping[str, type]) -> type:
    found = kinds.get(_full_name(node))
    if found is None:
        raise _NotPlainError
    return found
