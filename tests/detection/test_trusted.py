"""What a stored model may hold."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from skops import io as skops_io

from convtrace.detection import classifiers
from convtrace.detection.compact import compact
from convtrace.detection.trusted import foreign_content


@pytest.mark.parametrize("name", classifiers.names())
@pytest.mark.parametrize("n_classes", [2, 3])
def test_all_that_the_classifiers_are_made_of_is_known(name: str, n_classes: int) -> None:
    X = np.random.default_rng(0).normal(size=(60, 4))
    model = compact(classifiers.create(name).fit(X, np.arange(60) % n_classes))
    with zipfile.ZipFile(io.BytesIO(skops_io.dumps(model))) as archive:
        schema = json.loads(archive.read("schema.json"))
    assert foreign_content(schema) == []


@pytest.mark.parametrize("loader", ["FunctionNode", "MethodNode", "PartialNode", None])
def test_known_types_built_in_other_ways_are_foreign(loader: str | None) -> None:
    node = {"__class__": "dict", "__module__": "builtins", "__loader__": loader}
    assert foreign_content({"a": [node]}) == [f"builtins.dict (by {loader})"]


def test_what_the_caller_trusts_is_allowed() -> None:
    node = {"__class__": "Mine", "__module__": "my.package", "__loader__": "ObjectNode"}
    assert foreign_content(node) == ["my.package.Mine"]
    assert foreign_content(node, trusted=["my.package.Mine"]) == []
