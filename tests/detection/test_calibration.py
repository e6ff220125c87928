"""Probabilities, limits and what they promise."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from convtrace.detection.calibration import (
    Calibration,
    Rates,
    ScoreMap,
    Unseen,
    calibrate,
    error_rate_limits,
    fit_isotonic,
    fit_sigmoid,
)
from convtrace.errors import ConvtraceError


def scored(n: int = 4000, *, slope: float = 1.7, intercept: float = -0.4, seed: int = 0):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    scores = rng.normal(scale=2, size=n)
    return scores, rng.random(n) < expit(slope * scores + intercept)


def test_the_sigmoid_finds_what_made_the_labels() -> None:
    scores, generated = scored(40000)
    found = fit_sigmoid(100 + 50 * scores, generated, np.ones(40000))
    assert found.first[0] * 50 == pytest.approx(1.7, rel=0.05)
    assert found.second[0] + 100 * found.first[0] == pytest.approx(-0.4, abs=0.05)


@pytest.mark.parametrize("fit", [fit_sigmoid, fit_isotonic])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_no_map_ever_falls(fit, sign: float) -> None:  # type: ignore[no-untyped-def]
    scores, generated = scored(500)
    found = fit(sign * scores, generated, np.ones(500))
    probabilities = found(np.linspace(-9, 9, 1001))
    assert np.all(np.diff(probabilities) >= 0)
    assert 0 < probabilities[0] <= probabilities[-1] < 1
    if sign < 0:  # a score that points the wrong way tells nothing
        assert np.ptp(probabilities) < 0.2


def test_isotonic_probabilities_are_rates() -> None:
    scores, generated = scored(40000)
    probabilities = fit_isotonic(scores, generated, np.ones(40000))(scores)
    for low in (0.1, 0.4, 0.7):
        rows = (probabilities >= low) & (probabilities < low + 0.2)
        assert generated[rows].mean() == pytest.approx(probabilities[rows].mean(), abs=0.01)


def test_separate_classes_keep_a_finite_slope() -> None:
    generated = np.arange(20) >= 10
    found = fit_sigmoid(np.where(generated, 5.0, -5.0), generated, np.ones(20))
    assert 0.8 < found(np.array([5.0]))[0] < 0.99


def test_weights_move_the_prior() -> None:
    generated = np.arange(1000) < 100
    scores = np.random.default_rng(0).normal(size=1000)
    plain = fit_sigmoid(scores, generated, np.ones(1000))(np.zeros(1))[0]
    even = fit_sigmoid(scores, generated, np.where(generated, 9.0, 1.0))(np.zeros(1))[0]
    assert plain == pytest.approx(0.1, abs=0.02)
    assert even == pytest.approx(0.5, abs=0.03)


values = st.lists(st.integers(0, 40).map(lambda k: k / 40), min_size=1, max_size=60)


@settings(deadline=None)
@given(real=values, generated=values, rate=st.sampled_from([0.0, 0.05, 0.2, 0.5]))
def test_the_limits_keep_their_promise(
    real: list[float], generated: list[float], rate: float
) -> None:
    low, high = error_rate_limits(
        np.array(real), np.array(generated), false_positive_rate=rate, miss_rate=rate
    )
    assert low <= high
    assert np.mean(np.array(real) >= high) <= rate + 1e-9
    # At a limit that serves both, "generated" goes first.
    called_real = (np.array(generated) <= low) & (np.array(generated) < high)
    assert np.mean(called_real) <= rate + 1e-9


def test_the_limits_are_no_wider_than_they_must_be() -> None:
    real, generated = np.linspace(0, 0.8, 1001), np.linspace(0.2, 1, 1001)
    low, high = error_rate_limits(real, generated, false_positive_rate=0.05)
    assert np.mean(real >= high) == pytest.approx(0.05, abs=0.002)
    assert np.mean(generated <= low) == pytest.approx(0.05, abs=0.002)


def test_heavy_rows_count_for_more() -> None:
    real = np.array([0.1] * 199 + [0.9])
    generated = np.full(100, 0.95)
    heavy = np.array([1.0] * 199 + [99.0])
    assert error_rate_limits(real, generated)[1] < 0.9
    assert error_rate_limits(real, generated, real_weights=heavy)[1] > 0.9


def test_few_held_out_pictures_give_wide_limits() -> None:
    """A further picture counts as one of them: of 50, none may pass at a rate of 1%."""
    real = np.linspace(0, 0.6, 50)
    assert error_rate_limits(real, np.linspace(0.4, 1, 50))[1] > 0.6


def test_a_further_picture_is_called_the_other_no_more_often_than_stated() -> None:
    """The promise of split conformal prediction, on average over what was held out."""
    rng = np.random.default_rng(0)
    wrong = []
    for _ in range(300):
        _, high = error_rate_limits(
            rng.normal(size=150), rng.normal(4, 1, 150), false_positive_rate=0.05
        )
        wrong.append(np.mean(rng.normal(size=200) >= high))
    assert np.mean(wrong) <= 0.055


def test_pictures_of_unseen_domains_widen_the_limits() -> None:
    scores, generated = scored()
    ones = np.ones(len(scores))
    alone = calibrate(scores, generated, ones)
    worse = np.random.default_rng(3).permutation(scores)
    both = calibrate(scores, generated, ones, unseen=Unseen(worse, generated))
    assert both.low < alone.low
    assert both.high >= alone.high
    assert both.measured["unseen_misses"] <= 0.1
    assert both.measured["unseen_false_positives"] <= 0.05
    assert both.measured["unseen_auc"] == pytest.approx(0.5, abs=0.1)
    assert both.measured["unsure"] > alone.measured["unsure"]
    assert "unseen_auc" not in alone.measured


def test_no_generator_is_called_real_more_often_than_stated() -> None:
    """One in thirty of the images looks real, and all of these are of one generator."""
    scores, generated = scored()
    generators = np.where(generated, "others", "")
    images = np.flatnonzero(generated)
    missed = images[: len(images) // 30]
    scores[missed] = np.random.default_rng(5).choice(scores[~generated], len(missed))
    generators[missed] = "hard"
    ones = np.ones(len(scores))
    alone = calibrate(scores, generated, ones)
    called_real = alone.probability(scores[missed]) <= alone.low
    assert np.mean(called_real) > 0.5
    assert "worst_misses" not in alone.measured
    by = calibrate(scores, generated, ones, generators=generators)
    called_real = by.probability(scores[missed]) <= by.low
    assert np.mean(called_real) <= 0.25
    assert by.measured["worst_misses"] == pytest.approx(np.mean(called_real))
    assert by.low < alone.low
    assert by.high == alone.high
    # Images of unknown generators, and generators of a few images, say nothing.
    for few in (np.where(generators == "hard", "", generators), np.full(len(scores), "")):
        assert calibrate(scores, generated, ones, generators=few).low == alone.low
    few = generators.copy()
    few[missed[4:]] = "others"
    assert calibrate(scores, generated, ones, generators=few).low > by.low


def test_nor_where_its_domain_was_left_out() -> None:
    scores, generated = scored()
    generators = np.where(generated, np.where(np.arange(len(scores)) % 2, "a", "b"), "")
    foreign = scores.copy()
    missed = generators == "b"
    foreign[missed] = np.random.default_rng(5).choice(scores[~generated], int(missed.sum()))
    rates = Rates(unseen_miss=0.5)
    ones = np.ones(len(scores))
    unseen = [Unseen(foreign, generated), Unseen(foreign, generated, generators)]
    alone, by = (
        calibrate(scores, generated, ones, generators=generators, unseen=each, rates=rates)
        for each in unseen
    )
    assert np.mean(alone.probability(foreign[missed]) <= alone.low) > 0.25
    called_real = np.mean(by.probability(foreign[missed]) <= by.low)
    assert called_real <= 0.25
    assert by.measured["unseen_worst_misses"] == pytest.approx(called_real)
    assert by.high == alone.high
    assert by.measured["cleared"] < alone.measured["cleared"]
    assert alone.unseen_at_most(0.0) is None
    share = by.unseen_at_most(float(np.median(foreign[missed])))
    assert share == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_a_calibration_survives_json(method: str) -> None:
    scores, generated = scored()
    generators = np.where(generated, "one", "")
    unseen = Unseen(scores[::-1].copy(), generated, generators)
    made = calibrate(
        scores,
        generated,
        np.ones(len(scores)),
        method=method,
        generators=generators,
        unseen=unseen,
    )
    again = Calibration.from_dict(json.loads(json.dumps(made.to_dict())))
    np.testing.assert_array_equal(again.probability(scores), made.probability(scores))
    assert (again.low, again.high, again.measured) == (made.low, made.high, dict(made.measured))
    np.testing.assert_array_equal(again.real_quantiles, made.real_quantiles)
    assert again.hardest_quantiles is not None
    np.testing.assert_array_equal(again.hardest_quantiles, made.hardest_quantiles)
    assert again.unseen_quantiles is not None
    np.testing.assert_array_equal(again.unseen_quantiles, made.unseen_quantiles)


def test_what_is_measured_is_right() -> None:
    scores, generated = scored()
    made = calibrate(
        scores, generated, np.ones(len(scores)), rates=Rates(false_positive=0.1, miss=0.1)
    )
    probabilities = made.probability(scores)
    labels = np.array([made.label(float(p)) for p in probabilities])
    assert np.mean(labels[~generated] == "generated") <= 0.1
    assert np.mean(labels[generated] == "real") <= 0.1
    unsure = (np.mean(labels[generated] == "unsure") + np.mean(labels[~generated] == "unsure")) / 2
    assert made.measured["unsure"] == pytest.approx(unsure)
    assert made.measured["n_real"] == (~generated).sum()
    right = (
        np.mean(probabilities[generated] >= 0.5) + np.mean(probabilities[~generated] < 0.5)
    ) / 2
    assert made.measured["balanced_accuracy"] == pytest.approx(right)


def test_shares_come_from_the_held_out_scores() -> None:
    scores, generated = scored()
    made = calibrate(scores, generated, np.ones(len(scores)))
    for score in (-3.0, 0.0, 1.3):
        assert made.real_at_least(score) == pytest.approx(
            np.mean(scores[~generated] >= score), abs=0.01
        )
        assert made.generated_at_most(score) == pytest.approx(
            np.mean(scores[generated] <= score), abs=0.01
        )
    assert made.real_at_least(1e9) == 0
    assert made.generated_at_most(1e9) == 1


def test_nonsense_is_refused() -> None:
    with pytest.raises(ConvtraceError, match="calibration='beta'"):
        calibrate(np.zeros(2), np.array([True, False]), np.ones(2), method="beta")
    with pytest.raises(ConvtraceError, match=r"false_positive=0\.6"):
        error_rate_limits(np.zeros(1), np.ones(1), false_positive_rate=0.6)
    with pytest.raises(ConvtraceError, match="slope"):
        ScoreMap("sigmoid", np.array([-1.0]), np.array([0.0]))
    with pytest.raises(ConvtraceError, match="finite"):
        ScoreMap("isotonic", np.array([0.0, np.nan]), np.array([0.0, 1.0]))
    with pytest.raises(ConvtraceError, match="'spline'"):
        ScoreMap("spline", np.zeros(1), np.zeros(1))
