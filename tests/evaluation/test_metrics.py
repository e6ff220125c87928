"""Metrics by cases that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from convtrace.evaluation import summarise
from convtrace.evaluation.metrics import calibration_error, share


def test_by_hand():
    generated = np.array([True, True, True, False, False])
    probability = np.array([0.9, 0.8, 0.1, 0.2, 0.7])
    found = summarise(generated, probability, np.arange(5))
    assert found["accuracy"][0] == pytest.approx(3 / 5)
    # Three of five are generated, so the threshold is 0.4.
    assert found["accuracy at the base rate"][0] == pytest.approx(3 / 5)
    assert found["accuracy on real"][0] == pytest.approx(1 / 2)
    assert found["accuracy on generated"][0] == pytest.approx(2 / 3)
    assert found["balanced accuracy"][0] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert found["AUC"][0] == pytest.approx(4 / 6)


def test_intervals_hold_the_value_and_widen_with_groups():
    rng = np.random.default_rng(0)
    generated = np.repeat(rng.random(40) < 0.5, 10)
    right = np.repeat(rng.random(40) < 0.8, 10)
    probability = np.where(right == generated, 0.9, 0.1)
    alone = summarise(generated, probability, np.arange(400))["accuracy"]
    grouped = summarise(generated, probability, np.repeat(np.arange(40), 10))["accuracy"]
    assert alone[1] <= alone[0] <= alone[2]
    assert grouped[2] - grouped[1] > 2 * (alone[2] - alone[1])


def test_one_class_has_no_auc():
    found = summarise(np.ones(3, bool), np.array([0.2, 0.6, 0.7]), np.arange(3))
    assert np.isnan(found["AUC"][0])
    assert found["accuracy"][0] == pytest.approx(2 / 3)


def test_share_knows_groups_and_says_something_of_none():
    hits = np.array([True] * 3 + [False] * 97)
    value, low, high = share(hits, np.arange(100))
    # As `scipy.stats.binomtest(3, 100).proportion_ci(method="exact")` has it.
    assert (value, low, high) == pytest.approx((0.03, 0.00622997, 0.08517605))
    grouped = share(np.repeat(hits, 5), np.repeat(np.arange(100), 5))
    assert grouped == pytest.approx((value, low, high))
    none = share(np.zeros(10, dtype=bool), np.arange(10))
    assert none == pytest.approx((0.0, 0.0, 1 - 0.025 ** (1 / 10)))
    assert share(np.ones(10, dtype=bool), np.arange(10))[1:] == pytest.approx((0.025**0.1, 1.0))
    assert np.isnan(share(np.zeros(0, dtype=bool), np.zeros(0))).all()


def test_calibration_error_by_hand():
    generated = np.array([True, False, False, True, True, True])
    probability = np.array([0.1, 0.1, 0.2, 0.9, 0.8, 1.0])
    error, shares = calibration_error(generated, probability, ranges=2)
    # Two photographs count as much as four images.
    low = (1 / 8) / (1 / 8 + 1 / 2)
    assert shares.tolist() == pytest.approx([low, 1.0])
    assert error == pytest.approx(abs(1 / 8 - (0.1 / 8 + 0.3 / 4)) + abs(3 / 8 - 2.7 / 8))


def test_probabilities_that_hold_have_no_calibration_error():
    rng = np.random.default_rng(0)
    probability = rng.random(100_000)
    error, shares = calibration_error(rng.random(100_000) < probability, probability)
    assert error < 0.01
    np.testing.assert_allclose(shares, np.arange(0.05, 1, 0.1), atol=0.03)
    assert calibration_error(rng.random(100_000) < 0.5, probability)[0] > 0.2
