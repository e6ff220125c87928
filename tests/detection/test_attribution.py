"""Naming the generator."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import numpy as np
import pytest
from sklearn.preprocessing import QuantileTransformer

from convtrace.detection import classifiers
from convtrace.detection.attribution import Attribution, fit_attribution


def fit(rows: Any, name: str = "lda", **options: Any) -> Attribution | None:
    fake = rows.y == "fake"
    make = partial(classifiers.create, name, seed=0)
    return fit_attribution(make, rows.X[fake], rows.generators[fake], rows.groups[fake], **options)


@pytest.mark.parametrize("name", ["lda", "svm", "knn"])
def test_generators_are_told_apart(rows: Any, name: str) -> None:
    found = fit(rows, name)
    assert found is not None
    assert found.names == ("alpha", "beta", "gamma")
    assert found.measured["balanced_accuracy"] > 0.85
    fake = rows.y == "fake"
    probabilities = found.probabilities(rows.X[fake])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    best = np.array(found.names)[probabilities.argmax(axis=1)]
    assert np.mean(best == rows.generators[fake]) > 0.9


def test_ranks_are_taken_in_the_compiled_pass(rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """scikit-learn's own takes a third of a second for one picture of a thousand numbers."""
    found = fit(rows, "ranked-lda")
    assert found is not None
    picture = rows.X[:1]
    wanted = found.model.decision_function(picture)
    best = found.names[int(wanted.argmax())]

    def slow(*_: Any) -> None:
        raise AssertionError("the ranks were taken column by column")

    monkeypatch.setattr(QuantileTransformer, "transform", slow)
    assert found.names[int(found.probabilities(picture).argmax())] == best
    assert found.likeness(picture)[0].nearest


def test_names_are_given_only_where_they_were_right_often_enough(rows: Any) -> None:
    strict, loose = fit(rows, wanted_accuracy=0.99), fit(rows, wanted_accuracy=0.5)
    assert strict is not None
    assert loose is not None
    assert strict.threshold is not None
    assert loose.threshold is not None
    assert strict.threshold > loose.threshold
    assert strict.measured["accuracy_named"] >= 0.99
    # A tenth lies too far from the images of its generator.
    assert strict.measured["named"] < loose.measured["named"] <= 0.92
    fake = rows.y == "fake"
    named = [like.name for like in loose.likeness(rows.X[fake])]
    right = [name == true for name, true in zip(named, rows.generators[fake], strict=True)]
    assert np.mean(right) > 0.8
    nearest = loose.likeness(rows.X[fake][:1])[0].nearest
    assert sorted(name for name, _, _ in nearest) == ["alpha", "beta", "gamma"]
    assert nearest[0][1] == max(chance for _, chance, _ in nearest)


def test_images_of_another_generator_are_unknown(rows: Any) -> None:
    """However sure the probabilities are: they are among the known ones."""
    found = fit(rows, wanted_accuracy=0.5)
    assert found is not None
    fake = rows.y == "fake"
    strange = rows.X[fake].mean(axis=0) + 6.0 * (rows.X[fake][:1] - rows.X[fake].mean(axis=0))
    like = found.likeness(strange)[0]
    assert like.name is None
    assert like.nearest[0][1] > 0.9
    assert like.nearest[0][2] > 1.0


def test_pure_noise_is_never_named(rows: Any) -> None:
    fake = rows.y == "fake"
    noise = np.random.default_rng(0).normal(size=(fake.sum(), 3))
    make = partial(classifiers.create, "lda")
    found = fit_attribution(
        make, noise, rows.generators[fake], rows.groups[fake], wanted_accuracy=0.9
    )
    assert found is not None
    assert found.threshold is None
    assert {like.name for like in found.likeness(noise)} == {None}


def test_probabilities_are_calibrated_on_held_out_images(rows: Any) -> None:
    found = fit(rows)
    assert found is not None
    fake = rows.y == "fake"
    top = found.probabilities(rows.X[fake]).max(axis=1).mean()
    assert top == pytest.approx(found.measured["accuracy"], abs=0.06)


def test_rare_and_nameless_ones_are_left_out(rows: Any) -> None:
    fake = rows.y == "fake"
    generators = rows.generators[fake].copy()
    generators[generators == "gamma"] = ""
    generators[:2] = "rare"
    make = partial(classifiers.create, "lda")
    found = fit_attribution(make, rows.X[fake], generators, rows.groups[fake])
    assert found is not None
    assert found.names == ("alpha", "beta")
    generators[generators == "beta"] = ""
    assert fit_attribution(make, rows.X[fake], generators, rows.groups[fake]) is None


def test_all_but_the_model_survives_json(rows: Any) -> None:
    found = fit(rows)
    assert found is not None
    again = Attribution.from_dict(json.loads(json.dumps(found.to_dict())), found.model)
    np.testing.assert_array_equal(again.probabilities(rows.X), found.probabilities(rows.X))
    np.testing.assert_allclose(
        [[place[1:] for place in like.nearest] for like in again.likeness(rows.X)],
        [[place[1:] for place in like.nearest] for like in found.likeness(rows.X)],
        rtol=1e-6,
    )
