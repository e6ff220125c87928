"""The detector, on features and on pictures."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from convtrace.descriptors import UnknownNameError
from convtrace.detection import Detector, classifiers, recipes
from convtrace.detection.calibration import calibrate
from convtrace.detection.conditions import of_small, of_window
from convtrace.errors import ConvtraceError, ImageError, ModelError


def fit(rows: Any, recipe: Any = "lda", **options: Any) -> Detector:
    return Detector(recipe, **{"n_splits": 4, **options}).fit(
        rows.X, rows.y, groups=rows.groups, generators=rows.generators, conditions=rows.conditions
    )


@pytest.mark.parametrize("recipe", ["lda", "svm", "hist-gradient-boosting", "svm+lda"])
def test_it_tells_unseen_rows_apart(rows: Any, recipe: str) -> None:
    detector = fit(rows, recipe, attribution=False, false_positive_rate=0.05)
    rng = np.random.default_rng(9)
    far = np.concatenate([rng.normal(size=(50, 8)), rng.normal(size=(50, 8))])
    # As the generated rows of training; farther out the guard would keep silent.
    far[50:, :4] += 1.2
    far[50:, 4] += 3.0
    probabilities = detector.predict_proba(far)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert detector.classes_.tolist() == ["real", "generated"]
    assert roc_auc_score(np.arange(100) >= 50, probabilities[:, 1]) > 0.95
    labels = detector.predict(far)
    assert set(labels) <= {"real", "generated", "unsure"}
    assert np.mean(labels[:50] == "generated") < 0.15
    assert np.mean(labels[50:] == "generated") > 0.7
    assert len(detector.members_) == recipe.count("+") + 1


def test_held_out_error_rates_are_as_promised(fitted: Detector) -> None:
    held_out = fitted.held_out_
    assert held_out is not None
    for condition, made in fitted.condition_calibrations_.items():
        rows = held_out.conditions == condition
        probabilities = made.probability(held_out.scores[rows])
        labels = np.array([made.label(float(p)) for p in probabilities])
        generated = held_out.generated[rows]
        assert np.mean(labels[~generated] == "generated") <= 0.01
        assert np.mean(labels[generated] == "real") <= 0.05
        assert made.measured["unsure"] > 0
    assert set(fitted.condition_calibrations_) == {"lossless", "jpeg-70-84"}


def test_domains_left_out_widen_the_limits_and_auxiliary_rows_are_not_measured(
    rows: Any,
) -> None:
    count = len(rows.y)
    domains = np.char.add("d", (np.unique(rows.groups, return_inverse=True)[1] % 4).astype(str))
    alone = fit(rows, attribution=False)
    helped = Detector("lda", attribution=False).fit(
        np.concatenate([rows.X, rows.X[rows.y == "fake"] + 0.1]),
        np.concatenate([rows.y, rows.y[rows.y == "fake"]]),
        groups=np.concatenate([rows.groups, rows.groups[rows.y == "fake"]]),
        domains=np.concatenate([domains, domains[rows.y == "fake"]]),
        auxiliary=np.arange(count + (rows.y == "fake").sum()) >= count,
    )
    assert alone.held_out_verdicts_ is not None
    assert alone.held_out_verdicts_.unseen_probabilities is None
    assert helped.held_out_verdicts_ is not None
    assert helped.held_out_verdicts_.unseen_probabilities is not None
    assert helped.held_out_ is not None
    assert len(helped.held_out_.generated) == count
    assert np.isfinite(helped.held_out_verdicts_.unseen_probabilities).all()
    assert helped.calibration_.measured["unseen_false_positives"] <= 0.05
    assert helped.calibration_.measured["unseen_misses"] <= 0.1
    assert helped.card_.training["auxiliary_rows"] == (rows.y == "fake").sum()
    with pytest.raises(ConvtraceError, match="three or more"):
        Detector("lda").fit(rows.X, rows.y, domains=np.where(np.arange(count) % 2, "a", "b"))


def test_rows_that_are_only_scored_teach_nothing(rows: Any) -> None:
    count = len(rows.y)
    domains = np.char.add("d", (np.unique(rows.groups, return_inverse=True)[1] % 4).astype(str))
    options = {"n_splits": 4, "attribution": False}
    alone = Detector("lda", **options).fit(
        rows.X, rows.y, groups=rows.groups, conditions=rows.conditions, domains=domains
    )
    some = np.arange(0, count, 3)
    # The same rows again, one of them with the wrong truth: it would be noticed.
    twice = np.concatenate([np.arange(count), some])
    truth = rows.y[twice].copy()
    truth[count] = "fake" if truth[count] == "real" else "real"
    told = Detector("lda", **options).fit(
        rows.X[twice],
        truth,
        groups=rows.groups[twice],
        conditions=rows.conditions[twice],
        domains=domains[twice],
        only_scored=np.arange(len(twice)) >= count,
    )
    np.testing.assert_array_equal(told.decision_function(rows.X), alone.decision_function(rows.X))
    assert told.calibration_.to_dict() == alone.calibration_.to_dict()
    assert told.guard_ is not None
    assert alone.guard_ is not None
    assert told.guard_.to_dict() == alone.guard_.to_dict()
    assert told.card_.training == alone.card_.training
    held_out, verdicts = told.held_out_, told.held_out_verdicts_
    assert held_out is not None
    assert verdicts is not None
    assert held_out.only_scored.sum() == len(some)
    # Scored as their copies are: by the models, the calibration and the limits of their fold.
    for found in (
        held_out.scores, held_out.probabilities, held_out.folds, verdicts.low, verdicts.high,
        verdicts.unseen_probabilities,
    ):  # fmt: skip
        assert found is not None
        np.testing.assert_allclose(found[count:], found[some], rtol=1e-9)
    with pytest.raises(ConvtraceError, match="no training row"):
        Detector("lda", **options).fit(
            rows.X,
            rows.y,
            groups=np.where(np.arange(count) == 0, "alone", rows.groups),
            only_scored=np.arange(count) == 0,
        )


def test_windows_have_limits_of_their_own(rows: Any) -> None:
    count = len(rows.y)
    options = {"n_splits": 4, "attribution": False}
    alone = Detector("lda", **options).fit(
        rows.X, rows.y, groups=rows.groups, conditions=rows.conditions
    )
    # Windows of real photographs look generated.
    told = Detector("lda", **options).fit(
        np.concatenate([rows.X, rows.X + 1.0]),
        np.concatenate([rows.y, rows.y]),
        groups=np.concatenate([rows.groups, rows.groups]),
        conditions=np.concatenate([rows.conditions, np.char.add("window-of-", rows.conditions)]),
        only_scored=np.arange(2 * count) >= count,
    )
    for condition in ("lossless", "jpeg-70-84"):
        before, after = (each.calibration_for(condition) for each in (alone, told))
        assert before.to_dict() == after.to_dict()
        window = told.calibration_for(of_window(condition))
        scores = told.decision_function(rows.X[(rows.y == "real")] + 1.0)
        assert np.mean(window.probability(scores) >= window.high) <= 0.02
        assert np.mean(after.probability(scores) >= after.high) > 0.1
        assert alone.calibration_for(of_window(condition)) is before
    assert told.calibration_for(of_window("other-lossy")) is told.calibration_for(of_window(""))
    titles = [table.title for table in told.card_.results]
    assert "Windows of pictures, by compression" in titles
    assert "Windows of pictures, by compression" not in [t.title for t in alone.card_.results]


def test_the_number_of_threads_does_not_matter() -> None:
    """Sums that are rounded otherwise would grow into another perceptron."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 1085))  # no multiple of what a processor adds at once
    y = np.where(X[:, 0] > 0, "fake", "real")
    found = []
    for threads in (1, 2):
        with threadpool_limits(limits=threads, user_api="blas"):
            fitted = Detector("multilayer-perceptron", n_splits=2, attribution=False).fit(X, y)
        found.append(fitted.decision_function(X))
    np.testing.assert_array_equal(found[0], found[1])


def test_a_picture_unlike_all_that_was_trained_on_is_unsure(fitted: Detector, rows: Any) -> None:
    assert fitted.guard_ is not None
    far = rows.X[:1] + 100.0
    assert fitted.guard_.strangeness(far)[0] > 1
    assert fitted.predict(far).tolist() == ["unsure"]
    assert np.mean(fitted.guard_.strangeness(rows.X) > 1) < 0.03


def test_no_row_has_a_part_in_its_own_held_out_probability(rows: Any) -> None:
    """The rows of a fold are mapped by what the other folds alone give."""
    fitted = fit(rows, per_condition=False)
    held_out = fitted.held_out_
    assert held_out is not None
    first = held_out.folds == 0
    kept = calibrate(
        held_out.scores[~first], held_out.generated[~first], held_out.weights[~first]
    ).probability(held_out.scores)
    np.testing.assert_allclose(held_out.probabilities[first], kept[first], rtol=1e-9)
    assert not np.allclose(held_out.probabilities[~first], kept[~first], rtol=1e-9)


def test_each_condition_has_its_own_probabilities(fitted: Detector, rows: Any) -> None:
    clean = fitted.predict_proba(rows.X, conditions=["lossless"] * len(rows.X))[:, 1]
    hard = fitted.predict_proba(rows.X, conditions=["jpeg-70-84"] * len(rows.X))[:, 1]
    unknown = fitted.predict_proba(rows.X, conditions=["jpeg-1-69"] * len(rows.X))
    assert np.std(clean) > np.std(hard)
    np.testing.assert_array_equal(unknown, fitted.predict_proba(rows.X))
    pooled = fit(rows, per_condition=False)
    np.testing.assert_array_equal(
        pooled.predict_proba(rows.X, conditions=rows.conditions), pooled.predict_proba(rows.X)
    )


def test_probabilities_hold_in_a_condition_of_other_shares_than_the_whole() -> None:
    rng = np.random.default_rng(0)
    count = 3000
    conditions = np.where(np.arange(count) % 2, "lossless", "jpeg-70-84")
    share = np.where(conditions == "lossless", 0.8, 0.4)
    fake = rng.random(count) < share
    X = rng.normal(size=(count, 3)) + 0.8 * fake[:, None]
    for balance in ("class", "generator"):
        detector = Detector("lda", attribution=False, balance=balance).fit(
            X, np.where(fake, "fake", "real"), conditions=conditions
        )
        held_out = detector.held_out_
        assert held_out is not None
        for condition in np.unique(conditions):
            rows = conditions == condition
            # Both classes are taken to be as likely beforehand, whatever the share of the rows.
            means = [held_out.probabilities[rows & (fake == each)].mean() for each in (False, True)]
            assert np.mean(means) == pytest.approx(0.5, abs=0.02)


def test_no_group_is_ever_on_both_sides(rows: Any) -> None:
    log: list[tuple[set[str], set[str]]] = []

    class Spy(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Spy:
            self.classes_, self.n_features_in_ = np.unique(y), X.shape[1]
            self.seen_ = set(X[:, 0].tolist())
            return self

        def decision_function(self, X: NDArray[Any]) -> NDArray[Any]:
            log.append((self.seen_, set(X[:, 0].tolist())))
            return X[:, 1]

    classifiers.register("spy")(lambda seed: Spy())  # noqa: ARG005
    try:
        numbers = np.unique(rows.groups, return_inverse=True)[1]
        X = np.column_stack([numbers.astype(float), rows.X])
        Detector("spy", attribution=False).fit(X, rows.y, groups=rows.groups)
    finally:
        classifiers.CLASSIFIERS.remove("spy")
    assert len(log) == 5
    assert all(not seen & asked for seen, asked in log)


def test_a_leak_between_groups_would_show() -> None:
    """Copies of noise are learnt by heart; held out by group they tell nothing."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(60, 8)).repeat(5, axis=0)
    y = np.where(np.arange(60) % 2 == 0, "real", "fake").repeat(5)
    groups = np.arange(60).repeat(5)
    grouped = Detector("knn").fit(noise, y, groups=groups)
    leaking = Detector("knn").fit(noise, y)
    assert grouped.calibration_.measured["auc"] < 0.7
    assert leaking.calibration_.measured["auc"] > 0.95


def test_the_same_seed_gives_the_same_detector(rows: Any) -> None:
    def probabilities(seed: int, n_jobs: int | None = None) -> NDArray[np.float64]:
        detector = Detector(
            "random-forest", n_splits=2, attribution=False, random_state=seed, n_jobs=n_jobs
        )
        return detector.fit(rows.X[:100], rows.y[:100]).predict_proba(rows.X)

    np.testing.assert_array_equal(probabilities(1), probabilities(1, n_jobs=2))
    assert not np.array_equal(probabilities(1), probabilities(2))


def test_labels_of_any_kind_and_frames_give_the_same(rows: Any, fitted: Detector) -> None:
    pandas = pytest.importorskip("pandas")
    again = Detector("lda", n_splits=4).fit(
        pandas.DataFrame(rows.X),
        (rows.y == "fake").astype(int),
        groups=list(rows.groups),
        generators=list(rows.generators),
        conditions=pandas.Series(rows.conditions),
    )
    np.testing.assert_array_equal(
        again.predict_proba(pandas.DataFrame(rows.X)), fitted.predict_proba(rows.X)
    )


def test_it_names_generators(rows: Any, fitted: Detector) -> None:
    fake = rows.y == "fake"
    names, probabilities = fitted.attribute(rows.X[fake])
    assert names == ("alpha", "beta", "gamma")
    assert np.mean(np.array(names)[probabilities.argmax(axis=1)] == rows.generators[fake]) > 0.9
    without = Detector("lda", attribution=False).fit(rows.X, rows.y)
    with pytest.raises(ModelError, match="knows no generators"):
        without.attribute(rows.X)


def test_balance_and_weights_count(rows: Any) -> None:
    keep = (rows.y == "real") | (np.arange(len(rows.y)) % 10 == 1)
    X, y = rows.X[keep], rows.y[keep]
    plain = Detector("svm", balance="none", attribution=False).fit(X, y)
    even = Detector("svm", attribution=False).fit(X, y)
    weighted = Detector("svm", balance="none", attribution=False).fit(
        X, y, sample_weight=np.where(y == "fake", 5.0, 1.0)
    )
    means = [each.predict_proba(X)[:, 1].mean() for each in (plain, even, weighted)]
    assert means[0] < means[2] <= means[1] + 0.1
    assert means[0] < means[1]


def test_the_card_counts_and_measures(fitted: Detector) -> None:
    card = fitted.card_
    assert card.training["rows"] == 600
    assert card.training["groups"] == 150
    assert card.training["per_generator"] == {"alpha": 100, "beta": 100, "gamma": 100}
    assert card.training["per_condition"] == {"jpeg-70-84": 300, "lossless": 300}
    assert [row[0] for row in card.results[0].rows] == [
        "all",
        "no JPEG compression",
        "JPEG quality 70 to 84",
    ]
    assert card.recipe["classifier"] == "lda"


def test_recipes_by_name_and_by_hand() -> None:
    named = Detector("ct5-svm")._resolved_recipe()
    assert named == recipes.get("ct5-svm")
    assert Detector(recipes.get("ct5-svm"))._resolved_recipe() == named
    own = Detector("ct5-svm", degradations=["jpeg-75"], descriptor_params={"kernel_size": 7})
    assert own._resolved_recipe().degradations == ("jpeg-75",)
    assert own._resolved_recipe().descriptor_params == {"kernel_size": 7}
    assert clone(own).get_params() == own.get_params()


@pytest.mark.parametrize(
    ("recipe", "error"),
    [
        ("random-forrest", "did you mean 'random-forest'"),
        ("svm+svn", "no classifier is called 'svn'"),
    ],
)
def test_an_unknown_recipe_is_told(rows: Any, recipe: str, error: str) -> None:
    with pytest.raises(UnknownNameError, match=error):
        Detector(recipe).fit(rows.X, rows.y)


def test_wrong_data_is_told_in_a_line(rows: Any, fitted: Detector) -> None:
    with pytest.raises(NotFittedError):
        Detector().predict(rows.X)
    with pytest.raises(ConvtraceError, match="both real"):
        Detector().fit(rows.X, ["real"] * 600)
    with pytest.raises(ConvtraceError, match="600 rows but 2 labels"):
        Detector().fit(rows.X, ["real", "fake"])
    with pytest.raises(ConvtraceError, match="groups must have one entry"):
        Detector().fit(rows.X, rows.y, groups=["a"])
    with pytest.raises(ConvtraceError, match="not negative"):
        Detector().fit(rows.X, rows.y, sample_weight=-np.ones(600))
    with pytest.raises(ConvtraceError, match="twice"):
        Detector("svm+rbf-svm").fit(rows.X, rows.y)
    with pytest.raises(ConvtraceError, match="trained on 8"):
        fitted.predict(rows.X[:, :3])
    hollow = rows.X.copy()
    hollow[7, 2] = np.nan
    with pytest.raises(ConvtraceError, match=r"row 7 .*not finite"):
        fitted.predict(hollow)


# ---------------------------------------------------------------------- pictures


def test_pictures_are_degraded_alike_and_kept_in_one_group(picture_detector: Detector) -> None:
    held_out = picture_detector.held_out_
    assert held_out is not None
    assert len(held_out.generated) == 48
    assert set(held_out.conditions) == {"lossless", "jpeg-85-94"}
    for group in np.unique(held_out.groups):
        assert len(set(held_out.folds[held_out.groups == group])) == 1
    assert picture_detector.calibration_.measured["auc"] > 0.9


def test_verdicts_on_pictures(
    picture_detector: Detector, make_pictures: Any, tmp_path: Path
) -> None:
    for kind, label in (("real", "real"), ("fake", "generated")):
        pixels = make_pictures(kind, 1, seed=7)[0]
        Image.fromarray(pixels).save(tmp_path / f"{kind}.png")
        verdict = picture_detector.verdict(tmp_path / f"{kind}.png")
        assert verdict.label == label
        assert verdict.path == str(tmp_path / f"{kind}.png")
        assert verdict.error is None
        assert all(reason.endswith(".") for reason in verdict.reasons)
        text = " ".join(verdict.reasons)
        assert "it was tested on" in text
        assert "no JPEG compression" in text
        assert "central 64x64 of its 72x72" in text
        probability = picture_detector.predict_proba([pixels])[0, 1]
        assert verdict.probability == pytest.approx(probability, abs=1e-12)


def test_the_quality_of_a_jpeg_is_a_reason(picture_detector: Detector, make_pictures: Any) -> None:
    buffer = io.BytesIO()
    Image.fromarray(make_pictures("real", 1, seed=7)[0]).save(buffer, "JPEG", quality=90)
    verdict = picture_detector.verdict(buffer.getvalue())
    assert "JPEG of quality about 90" in " ".join(verdict.reasons)


def test_small_and_flat_pictures_get_no_verdict(
    picture_detector: Detector, make_pictures: Any
) -> None:
    small = picture_detector.verdict(make_pictures("fake", 1)[0][:40, :40])
    assert small.label == "unsure"
    assert "too small" in small.reasons[0]
    assert small.generator is None
    flat = picture_detector.verdict(np.full((80, 80, 3), 200, np.uint8))
    assert flat.label == "unsure"
    assert "nearly flat" in flat.reasons[0]
    # What held-out pictures said does not hold for such ones.
    for verdict in (small, flat):
        assert "tests were of other kinds of pictures" in verdict.reasons[1]
        assert "of 100" not in " ".join(verdict.reasons)


def test_the_least_side_is_the_detectors_own(
    picture_detector: Detector, make_pictures: Any, tmp_path: Path
) -> None:
    picture = make_pictures("fake", 1, seed=3)[0]
    assert "too small" not in picture_detector.verdict(picture).reasons[0]
    stricter = Detector.from_dict(
        picture_detector.to_dict(), picture_detector.models(), picture_detector.card_
    ).set_params(least_side=73)
    stricter.save(tmp_path / "stricter.convtrace")
    verdict = Detector.load(tmp_path / "stricter.convtrace").verdict(picture)
    assert verdict.label == "unsure"
    assert "72x72 pixels: too small" in verdict.reasons[0]
    assert "under 73 pixels" in verdict.reasons[0]
    assert verdict.probability == picture_detector.verdict(picture).probability


def test_pictures_too_small_for_a_verdict_set_no_limits(rows: Any) -> None:
    count = len(rows.y)
    real = rows.y == "real"
    some = np.flatnonzero(real)[::3]
    options = {"n_splits": 4, "attribution": False, "least_side": 128}
    arguments = {
        "y": np.concatenate([rows.y, rows.y[some]]),
        "groups": np.concatenate([rows.groups, rows.groups[some]]),
        "conditions": np.concatenate([rows.conditions, rows.conditions[some]]),
    }
    # Photographs that were scaled down look generated.
    X = np.concatenate([rows.X, rows.X[some] + 1.5])
    sides = np.where(np.arange(len(X)) < count, 128, 127)
    among, apart = (
        Detector("lda", **options).fit(X, sides=given, **arguments) for given in (None, sides)
    )
    np.testing.assert_allclose(among.decision_function(X), apart.decision_function(X))
    assert among.calibration_.measured["n_real"] == real.sum() + len(some)
    assert apart.calibration_.measured["n_real"] == real.sum()
    found = {}
    for name, detector in (("among", among), ("apart", apart)):
        labels = detector.predict(rows.X, conditions=rows.conditions)
        found[name] = np.mean(labels[~real] == "generated")
        assert np.mean(labels[real] == "generated") <= 0.02
    assert found["apart"] > found["among"] + 0.1
    assert apart.held_out_verdicts_ is not None
    np.testing.assert_array_equal(apart.held_out_verdicts_.judged, sides == 128)
    with pytest.raises(ConvtraceError, match="both classes with sides of 128 pixels"):
        Detector("lda", **options).fit(rows.X, rows.y, sides=np.where(real, 128, 64))


def test_small_pictures_have_limits_of_their_own(rows: Any) -> None:
    count = len(rows.y)
    real = rows.y == "real"
    options = {"n_splits": 4, "attribution": False, "small_side": 160}
    # Some training pictures are small, and of all a copy that was scaled down, which is only
    # scored: photographs look generated there.
    native = np.arange(count) % 5 == 0
    sides = np.where(native, 159, 160)
    arguments = {
        "X": np.concatenate([rows.X, rows.X + 1.0]),
        "y": np.concatenate([rows.y, rows.y]),
        "groups": np.concatenate([rows.groups, rows.groups]),
        "conditions": np.concatenate([rows.conditions, rows.conditions]),
        "domains": np.char.add("domain ", (np.arange(2 * count) % count // 4 % 3).astype(str)),
        "only_scored": np.arange(2 * count) >= count,
    }
    plain = Detector("centred-lda", **{**options, "small_side": 0}).fit(**arguments)
    apart = Detector("centred-lda", **options).fit(
        **arguments, sides=np.concatenate([sides, np.full(count, 150)])
    )
    # What is learnt is the same, in blocks of compressions alone; what is counted, too.
    np.testing.assert_array_equal(plain.decision_function(rows.X), apart.decision_function(rows.X))
    assert plain.calibration_.to_dict() == apart.calibration_.to_dict()
    for key, found in plain.card_.training.items():
        assert apart.card_.training[key] == found
    for condition in ("lossless", "jpeg-70-84"):
        small, large = apart.calibration_for(of_small(condition)), apart.calibration_for(condition)
        here = rows.conditions == condition
        assert large.measured["n_real"] == (here & real & ~native).sum()
        assert small.measured["n_real"] == (here & real).sum() + (here & real & native).sum()
        scores = apart.decision_function(rows.X[here & real] + 1.0)
        assert np.mean(large.probability(scores) >= large.high) > 0.1
        # Probabilities are those of all training rows of the compression.
        for found in (large, small):
            np.testing.assert_array_equal(
                found.probability(scores), plain.calibration_for(condition).probability(scores)
            )
        assert np.mean(small.probability(scores) >= small.high) <= 0.03
        assert plain.calibration_for(of_small(condition)) is plain.calibration_for(condition)
    assert apart.calibration_for(of_small("other-lossy")) is apart.calibration_for(of_small(""))
    titles = [table.title for table in apart.card_.results]
    assert "Small pictures, by compression" in titles
    assert "Small pictures, by compression" not in [t.title for t in plain.card_.results]
    again = Detector.from_dict(apart.to_dict(), apart.models(), apart.card_)
    assert again.small_side == 160
    assert again.calibration_for(of_small("lossless")).to_dict() == (
        apart.calibration_for(of_small("lossless")).to_dict()
    )


def test_small_pictures_of_a_compression_that_no_row_was_trained_in(rows: Any) -> None:
    count = len(rows.y)
    told = Detector("lda", n_splits=4, attribution=False, small_side=160).fit(
        np.concatenate([rows.X, rows.X]),
        np.concatenate([rows.y, rows.y]),
        groups=np.concatenate([rows.groups, rows.groups]),
        conditions=np.concatenate([rows.conditions, np.full(count, "other-lossy")]),
        only_scored=np.arange(2 * count) >= count,
        sides=np.where(np.arange(2 * count) < count, 160, 150),
    )
    own = told.calibration_for(of_small("other-lossy"))
    assert own.measured["n_real"] == (rows.y == "real").sum()
    assert own.measured["balanced_accuracy"] > 0.6


def test_a_picture_is_judged_as_a_small_one_by_its_shorter_side(
    picture_detector: Detector, make_pictures: Any
) -> None:
    picture = make_pictures("real", 1)[0]
    own = Detector.from_dict(
        picture_detector.to_dict(), picture_detector.models(), picture_detector.card_
    )
    limits = own.calibration_for("lossless")
    own.condition_calibrations_[of_small("")] = replace(limits, low=0.0, high=2.0)
    before = picture_detector.verdict(picture)
    assert before.label != "unsure"
    for side, label in ((72, before.label), (73, "unsure")):
        own.set_params(small_side=side)
        assert own.verdict(picture).label == label
        assert own.predict([picture]).tolist() == [label]


def test_prediction_gives_no_verdict_where_there_is_none(
    picture_detector: Detector, make_pictures: Any
) -> None:
    pictures = [*make_pictures("real", 2), np.full((72, 72, 3), 90, dtype=np.uint8)]
    told = [picture_detector.verdict(picture).label for picture in pictures]
    assert picture_detector.predict(pictures).tolist() == told
    assert told[0] != told[2] == "unsure"
    own = Detector.from_dict(
        picture_detector.to_dict(), picture_detector.models(), picture_detector.card_
    )
    own.set_params(least_side=73)
    assert own.predict(pictures).tolist() == ["unsure"] * 3
    assert own.predict([]).tolist() == []


def test_many_verdicts_are_those_of_one_by_one(
    picture_detector: Detector, make_pictures: Any
) -> None:
    pictures = make_pictures("real", 2, seed=8) + make_pictures("fake", 2, seed=8)
    together = picture_detector.judge(map(picture_detector.examine, pictures))
    alone = [picture_detector.verdict(pixels) for pixels in pictures]
    # BLAS adds up one row and four in different orders.
    for many, one in zip(together, alone, strict=True):
        assert many.probability == pytest.approx(one.probability, abs=1e-12)
        assert replace(many, probability=one.probability) == one
    assert picture_detector.judge([]) == []


def test_a_generator_is_named_only_for_generated_images(make_pictures: Any) -> None:
    pictures = make_pictures("real", 20) + make_pictures("fake", 20)
    turned = [np.rot90(pixels).copy() for pixels in make_pictures("fake", 20, seed=5)]
    detector = Detector("lda", descriptor_params={"kernel_size": 3}).fit(
        pictures + turned,
        ["real"] * 20 + ["fake"] * 40,
        generators=[""] * 20 + ["across"] * 20 + ["down"] * 20,
    )
    down = detector.verdict(np.rot90(make_pictures("fake", 1, seed=6)[0]))
    assert (down.label, down.generator) == ("generated", "down")
    assert "most like down" in " ".join(down.reasons)
    assert detector.verdict(make_pictures("real", 1, seed=6)[0]).generator is None


def test_pictures_bring_their_own_conditions(make_pictures: Any) -> None:
    pictures = make_pictures("real", 2) + make_pictures("fake", 2)
    with pytest.raises(ConvtraceError, match="conditions"):
        Detector("lda").fit(pictures, [0, 0, 1, 1], conditions=["lossless"] * 4)
    with pytest.raises(ConvtraceError, match="4 pictures but 3 labels"):
        Detector("lda").fit(pictures, [0, 0, 1])


def test_features_of_another_descriptor_are_noticed(fitted: Detector, make_pictures: Any) -> None:
    with pytest.raises(ModelError, match="judges features only"):
        fitted.verdict(make_pictures("real", 1)[0])


def test_an_unreadable_picture_is_an_image_error(picture_detector: Detector) -> None:
    with pytest.raises(ImageError):
        picture_detector.verdict(b"nothing")


def test_real_images_of_a_generator_are_told_from_their_training_pictures(corpus: Path) -> None:
    """DCGAN faces against the faces that it learnt from, saved by the same code."""
    with (corpus / "manifest.tsv").open(newline="") as file:
        manifest = list(csv.DictReader(file, delimiter="\t"))
    chosen = [
        row
        for name in ("dcgan-lfw64", "real-lfw64")
        for row in [each for each in manifest if each["set"] == name][:40]
    ]
    detector = Detector("svm", descriptor_params={"kernel_size": 5}).fit(
        [corpus / row["path"] for row in chosen],
        [row["label"] for row in chosen],
        groups=[row["group"] for row in chosen],
    )
    assert detector.calibration_.measured["balanced_accuracy"] > 0.9
    assert detector.calibration_.measured["auc"] > 0.97


def test_members_look_at_the_parts_that_they_name(tmp_path: Path) -> None:
    """The spectrum alone tells the classes apart; members of the other part are no better."""
    rng = np.random.default_rng(0)
    y = np.arange(240) % 2
    X = rng.normal(size=(240, 33 + 40))
    X[:, 33:36] += 2.0 * y[:, None]
    parts = {"ct": {"kernel_size": 3}, "radial-spectrum": {"length": 40}}
    options: dict[str, Any] = {"descriptor": "joined", "descriptor_params": {"parts": parts}}

    def fitted(recipe: str) -> Detector:
        return Detector(recipe, **options, attribution=False, n_splits=3).fit(X, y)

    whole = fitted("lda@ct,radial-spectrum")
    assert [member.columns for member in whole.members_] == [((0, 73),)]
    both = fitted("lda@radial+lda@ct")
    assert [member.columns for member in both.members_] == [((33, 73),), ((0, 33),)]
    good, bad = (member.scores(X) for member in both.members_)
    assert roc_auc_score(y, good) > 0.95
    changed = X.copy()
    changed[:, 33:] = 0.0
    np.testing.assert_array_equal(both.members_[1].scores(changed), bad)
    assert both.members_[1].model.n_features_in_ == 33

    both.save(tmp_path / "model.convtrace")
    loaded = Detector.load(tmp_path / "model.convtrace")
    assert [member.columns for member in loaded.members_] == [((33, 73),), ((0, 33),)]
    np.testing.assert_array_equal(loaded.decision_function(X), both.decision_function(X))

    with pytest.raises(ConvtraceError, match="twice"):
        fitted("lda@ct+lda@trace")
    with pytest.raises(ConvtraceError, match="no part"):
        fitted("lda@co-occurrence")
    with pytest.raises(UnknownNameError, match="radial-spectrum"):
        fitted("lda@radial-spectrun")
    with pytest.raises(ConvtraceError, match="are not those of the recipe's descriptor"):
        Detector("lda@ct", **options).fit(X[:, :50], y)
    with pytest.raises(ConvtraceError, match="join descriptors"):
        Detector("lda@ct").fit(X, y)
