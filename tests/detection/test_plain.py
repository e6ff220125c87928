"""Models of plain arrays, read without skops: the same objects as by skops, and no others."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from typing import Any

import numpy as np
import pytest
from skops import io as skops_io

from convtrace.detection import classifiers
from convtrace.detection.compact import compact
from convtrace.detection.plain import PROTOCOL, plain_models
from convtrace.detection.storage import _models_to_bytes
from convtrace.detection.trusted import TYPES

# What is read here; trees, losses and support vectors are left to skops.
PLAIN = {
    "brief-perceptron",
    "centred-lda",
    "centred-perceptron",
    "lda",
    "multilayer-perceptron",
    "ranked-lda",
    "shrunken-centred-lda",
}


def read(data: bytes, **changes: Any) -> Any:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return plain_models(archive, json.loads(archive.read("schema.json")) | changes)


@pytest.mark.parametrize("name", classifiers.names())
@pytest.mark.parametrize("n_classes", [2, 3])
def test_it_is_what_skops_would_have_read(name: str, n_classes: int) -> None:
    X = np.random.default_rng(0).normal(size=(60, 4))
    model = compact(classifiers.create(name).fit(X, np.arange(60) % n_classes))
    data = _models_to_bytes({"model": model})
    found = read(data)
    if name not in PLAIN:
        assert found is None
        return
    expected = skops_io.loads(data, trusted=list(TYPES))
    assert _models_to_bytes(found) == _models_to_bytes(expected) == data
    np.testing.assert_array_equal(found["model"].predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    "content",
    [
        {"a": {1: "one"}},
        {"a": {1, 2}},
        {"a": np.array([None, 1], dtype=object)},
        {"a": np.uint8(3)},
        {"a": np.sum},
        {"a": slice(2)},
    ],
)
def test_what_only_skops_can_tell_is_left_to_it(content: Any) -> None:
    assert read(skops_io.dumps(content)) is None


def test_plain_values_keep_their_types() -> None:
    content = {"n": 1, "x": 0.5, "none": None, "text": "a", "list": [True], "pair": (1, "b")}
    content |= {"number": np.float64(2.5), "flag": np.bool_(True), "array": np.arange(3)}
    found = read(skops_io.dumps(content))
    assert repr(found) == repr(content)


def test_another_version_of_the_format_is_left_to_skops() -> None:
    data = skops_io.dumps({"n": 1})
    assert read(data) == {"n": 1}
    assert read(data, protocol=PROTOCOL + 1) is None
    assert read(data, protocol=None) is None


def test_the_bundled_detector_needs_no_skops() -> None:
    code = "import sys; from convtrace.detection import bundled; bundled(); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert "sklearn" in done.stdout.split()
    assert "skops" not in done.stdout.split()
