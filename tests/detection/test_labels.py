"""Labels and weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convtrace.detection.labels import balanced_weights, is_generated
from convtrace.errors import ConvtraceError


@pytest.mark.parametrize(
    "y",
    [
        ["real", "fake", "fake"],
        ["Real", "generated", "FAKE"],
        [0, 1, 1],
        [0.0, 1.0, 1.0],
        [False, True, True],
        np.array([0, 1, 1], dtype=np.uint8),
    ],
)
def test_all_spellings_mean_the_same(y: Any) -> None:
    assert is_generated(y).tolist() == [False, True, True]


@pytest.mark.parametrize("y", [["real", "unsure"], [0, 2], [0.5, 1.0], [[0, 1]]])
def test_other_labels_are_refused(y: Any) -> None:
    with pytest.raises(ConvtraceError, match="label"):
        is_generated(y)


def test_the_classes_count_the_same() -> None:
    generated = np.array([True] * 9 + [False])
    weights = balanced_weights(generated)
    assert weights[generated].sum() == pytest.approx(5)
    assert weights[~generated].sum() == pytest.approx(5)


def test_the_generators_count_the_same_within_their_class() -> None:
    generated = np.array([True] * 8 + [False] * 2)
    generators = np.array(["a"] * 6 + ["b"] * 2 + [""] * 2)
    weights = balanced_weights(generated, generators, balance="generator")
    sums = [weights[rows].sum() for rows in (generators == "a", generators == "b", ~generated)]
    assert sums == pytest.approx([2.5, 2.5, 5.0])


def test_no_balance_is_all_ones_and_others_are_refused() -> None:
    generated = np.array([True, False, False])
    assert balanced_weights(generated, balance="none").tolist() == [1, 1, 1]
    with pytest.raises(ConvtraceError, match="balance='sex'"):
        balanced_weights(generated, balance="sex")
